// The format, written a second time: the fields of each structure one after the other, with the
// bytes that they take. Nothing here is taken from the layouts, which have offsets instead.

#include <gtest/gtest.h>

#include "ebcache/items.h"
#include "tests/format/field_reader.h"

namespace ebcache::testing {
namespace {

using Reader = FieldReader;

TEST(Layout, BlockHeader) {
  Reader r(101);
  const auto header = r.Parsed<BlockHeader>();
  EXPECT_EQ(header.checksum, r.Raw<32>());
  EXPECT_EQ(header.fsid, r.Raw<16>());
  EXPECT_EQ(header.bytenr, r.U64());
  uint64_t flags = r.U32();
  flags |= r.U16() << 32;
  flags |= r.U8() << 48;
  EXPECT_EQ(header.flags & 0xffffffffffffff, flags);
  EXPECT_EQ(header.backref_revision(), r.U8());
  EXPECT_EQ(header.chunk_tree_uuid, r.Raw<16>());
  EXPECT_EQ(header.generation, r.U64());
  EXPECT_EQ(header.owner, r.U64());
  EXPECT_EQ(header.item_count, r.U32());
  EXPECT_EQ(header.level, r.U8());
}

TEST(Layout, ItemHeadAndKeyPointer) {
  Reader item(17 + 8);
  const auto head = item.Parsed<DiskItemHead>();
  EXPECT_EQ(head.key, item.K());
  EXPECT_EQ(head.offset, item.U32());
  EXPECT_EQ(head.size, item.U32());
  Reader slot(17 + 16);
  const auto pointer = slot.Parsed<KeyPointer>();
  EXPECT_EQ(pointer.key, slot.K());
  EXPECT_EQ(pointer.bytenr, slot.U64());
  EXPECT_EQ(pointer.generation, slot.U64());
}

TEST(Layout, InodeItem) {
  Reader r(160);
  const auto inode = r.Parsed<InodeItem>();
  EXPECT_EQ(inode.generation, r.U64());
  EXPECT_EQ(inode.transaction, r.U64());
  EXPECT_EQ(inode.size, r.U64());
  EXPECT_EQ(inode.disk_bytes, r.U64());
  EXPECT_EQ(inode.block_group, r.U64());
  EXPECT_EQ(inode.link_count, r.U32());
  EXPECT_EQ(inode.uid, r.U32());
  EXPECT_EQ(inode.gid, r.U32());
  EXPECT_EQ(inode.mode, r.U32());
  EXPECT_EQ(inode.rdev, r.U64());
  EXPECT_EQ(inode.flags, r.U64());
  EXPECT_EQ(inode.sequence, r.U64());
  EXPECT_EQ(inode.reserved, r.Numbers<4>());
  EXPECT_EQ(inode.atime, r.Time());
  EXPECT_EQ(inode.ctime, r.Time());
  EXPECT_EQ(inode.mtime, r.Time());
  EXPECT_EQ(inode.otime, r.Time());
}

TEST(Layout, Names) {
  Reader ref(8 + 2 + 5);
  ref.Put(8, {5, 0});
  const auto inode_ref = ref.Parsed<InodeRef>();
  EXPECT_EQ(inode_ref.index, ref.U64());
  EXPECT_EQ(inode_ref.name.size(), ref.U16());
  EXPECT_EQ(inode_ref.name, ref.Text(5));

  Reader ext(8 + 8 + 2 + 300);
  ext.Put(16, {300 - 256, 1});
  const auto extref = ext.Parsed<InodeExtref>();
  EXPECT_EQ(extref.directory, ext.U64());
  EXPECT_EQ(extref.index, ext.U64());
  EXPECT_EQ(extref.name.size(), ext.U16());
  EXPECT_EQ(extref.name, ext.Text(300));

  Reader root(8 + 8 + 2 + 1);
  root.Put(16, {1, 0});
  const auto root_ref = root.Parsed<RootRef>();
  EXPECT_EQ(root_ref.directory, root.U64());
  EXPECT_EQ(root_ref.sequence, root.U64());
  EXPECT_EQ(root_ref.name.size(), root.U16());
  EXPECT_EQ(root_ref.name, root.Text(1));
}

TEST(Layout, DirEntry) {
  Reader r(17 + 8 + 2 + 2 + 1 + 4 + 7);
  r.Put(25, {7, 0, 4, 0});
  const auto entry = r.Parsed<DirEntry>();
  EXPECT_EQ(entry.location, r.K());
  EXPECT_EQ(entry.transaction, r.U64());
  EXPECT_EQ(entry.data.size(), r.U16());
  EXPECT_EQ(entry.name.size(), r.U16());
  EXPECT_EQ(entry.type, r.U8());
  EXPECT_EQ(entry.name, r.Text(4));
  EXPECT_EQ(entry.data, r.Text(7));
}

TEST(Layout, FileExtents) {
  for (int type : {0, 1, 2}) {
    Reader r(53);
    r.Put(20, {type});
    const auto extent = r.Parsed<FileExtentItem>();
    EXPECT_EQ(extent.generation, r.U64());
    EXPECT_EQ(extent.ram_bytes, r.U64());
    EXPECT_EQ(extent.compression, r.U8());
    EXPECT_EQ(extent.encryption, r.U8());
    EXPECT_EQ(extent.other_encoding, r.U16());
    EXPECT_EQ(extent.type, r.U8());
    ASSERT_EQ(extent.place.has_value(), type != 0);
    if (type == 0) {
      EXPECT_EQ(extent.inline_data, r.Text(32));
      continue;
    }
    EXPECT_EQ(extent.place->disk_bytenr, r.U64());
    EXPECT_EQ(extent.place->disk_bytes, r.U64());
    EXPECT_EQ(extent.place->offset, r.U64());
    EXPECT_EQ(extent.place->file_bytes, r.U64());
  }
}

TEST(Layout, SmallItemsOfFiles) {
  Reader log(8);
  EXPECT_EQ(log.Parsed<DirLogItem>().end, log.U64());
  Reader verity(8 + 16 + 1);
  const auto descriptor = verity.Parsed<VerityDescriptorItem>();
  EXPECT_EQ(descriptor.size, verity.U64());
  EXPECT_EQ(descriptor.reserved, verity.Numbers<2>());
  EXPECT_EQ(descriptor.encryption, verity.U8());
  Reader cache(17 + 24);
  const auto header = cache.Parsed<FreeSpaceCacheHeader>();
  EXPECT_EQ(header.location, cache.K());
  EXPECT_EQ(header.generation, cache.U64());
  EXPECT_EQ(header.entry_count, cache.U64());
  EXPECT_EQ(header.bitmap_count, cache.U64());
  Reader uuid(8);
  EXPECT_EQ(uuid.Parsed<UuidSubvolume>().id, uuid.U64());
}

TEST(Layout, Extents) {
  Reader r(24);
  const auto head = r.Parsed<ExtentHead>();
  EXPECT_EQ(head.references, r.U64());
  EXPECT_EQ(head.generation, r.U64());
  EXPECT_EQ(head.flags, r.U64());
  Reader block(18);
  const auto info = block.Parsed<TreeBlockInfo>();
  EXPECT_EQ(info.first_key, block.K());
  EXPECT_EQ(info.level, block.U8());
  Reader keyed(28);
  const auto data = keyed.Parsed<ExtentDataRef>();
  EXPECT_EQ(data.root, keyed.U64());
  EXPECT_EQ(data.inode, keyed.U64());
  EXPECT_EQ(data.offset, keyed.U64());
  EXPECT_EQ(data.count, keyed.U32());
  Reader shared(4);
  EXPECT_EQ(shared.Parsed<SharedDataCount>().count, shared.U32());
  Reader owner(8);
  EXPECT_EQ(owner.Parsed<ExtentOwnerRef>().root, owner.U64());
}

// A reference of `bytes` behind its type.
InlineRef ParsedRef(Reader& r, int type) {
  r.Put(0, {type});
  const auto ref = r.Parsed<InlineRef>();
  EXPECT_EQ(r.U8(), type);
  EXPECT_EQ(InlineRefType(ref), type);
  return ref;
}

TEST(Layout, InlineReferences) {
  Reader tree(1 + 8);
  const InlineRef tree_ref = ParsedRef(tree, 176);
  EXPECT_EQ(tree_ref, InlineRef(TreeBlockRef{tree.U64()}));
  Reader parent(1 + 8);
  const InlineRef parent_ref = ParsedRef(parent, 182);
  EXPECT_EQ(parent_ref, InlineRef(SharedBlockRef{parent.U64()}));
  Reader owner(1 + 8);
  const InlineRef owner_ref = ParsedRef(owner, 172);
  EXPECT_EQ(owner_ref, InlineRef(ExtentOwnerRef{owner.U64()}));
  Reader data(1 + 24 + 4);
  const InlineRef data_ref = ParsedRef(data, 178);
  ExtentDataRef expected{.root = data.U64()};
  expected.inode = data.U64();
  expected.offset = data.U64();
  expected.count = static_cast<uint32_t>(data.U32());
  EXPECT_EQ(data_ref, InlineRef(expected));
  Reader shared(1 + 8 + 4);
  const InlineRef shared_ref = ParsedRef(shared, 184);
  SharedDataRef expected_shared{.parent = shared.U64()};
  expected_shared.count = static_cast<uint32_t>(shared.U32());
  EXPECT_EQ(shared_ref, InlineRef(expected_shared));
}

TEST(Layout, Space) {
  for (bool remap : {false, true}) {
    Reader r(remap ? 36 : 24);
    const auto group = r.Parsed<BlockGroupItem>();
    EXPECT_EQ(group.used, r.U64());
    EXPECT_EQ(group.chunk_objectid, r.U64());
    EXPECT_EQ(group.flags, r.U64());
    ASSERT_EQ(group.remap.has_value(), remap);
    if (!remap) continue;
    EXPECT_EQ(group.remap->remap_bytes, r.U64());
    EXPECT_EQ(group.remap->identity_remap_count, r.U32());
  }
  Reader free(8);
  const auto info = free.Parsed<FreeSpaceInfo>();
  EXPECT_EQ(info.extent_count, free.U32());
  EXPECT_EQ(info.flags, free.U32());
  Reader bits(256);
  const absl::Span<const std::byte> all = bits.Parsed<FreeSpaceBitmap>().bits;
  const auto raw = bits.Raw<256>();
  EXPECT_TRUE(std::equal(all.begin(), all.end(), raw.begin(), raw.end()));
  // A kernel wrote this of the only bitmap of a block group of 7 MiB in sectors of 4 KiB.
  Reader shorter(7 * 1024 * 1024 / 4096 / 8);
  const absl::Span<const std::byte> fewer = shorter.Parsed<FreeSpaceBitmap>().bits;
  const auto raw_fewer = shorter.Raw<224>();
  EXPECT_TRUE(std::equal(fewer.begin(), fewer.end(), raw_fewer.begin(), raw_fewer.end()));
  Reader stripe(16);
  const auto stride = stripe.Parsed<RaidStride>();
  EXPECT_EQ(stride.device_id, stripe.U64());
  EXPECT_EQ(stride.physical, stripe.U64());
  Reader remap(8);
  EXPECT_EQ(remap.Parsed<RemapItem>().address, remap.U64());
}

void ExpectChunk(const ChunkItem& chunk, Reader& r, size_t stripes) {
  EXPECT_EQ(chunk.length, r.U64());
  EXPECT_EQ(chunk.owner, r.U64());
  EXPECT_EQ(chunk.stripe_bytes, r.U64());
  EXPECT_EQ(chunk.type, r.U64());
  EXPECT_EQ(chunk.io_align, r.U32());
  EXPECT_EQ(chunk.io_width, r.U32());
  EXPECT_EQ(chunk.sector_bytes, r.U32());
  EXPECT_EQ(r.U16(), stripes);
  EXPECT_EQ(chunk.sub_stripes, r.U16());
  ASSERT_EQ(chunk.stripes.size(), stripes);
  for (const ChunkStripe& stripe : chunk.stripes) {
    EXPECT_EQ(stripe.device_id, r.U64());
    EXPECT_EQ(stripe.physical, r.U64());
    EXPECT_EQ(stripe.device_uuid, r.Raw<16>());
  }
}

TEST(Layout, Chunks) {
  Reader item(48 + 3 * 32);
  item.Put(44, {3, 0});
  ExpectChunk(item.Parsed<ChunkItem>(), item, 3);
  Reader entry(17 + 48 + 2 * 32);
  entry.Put(17 + 44, {2, 0});
  const auto system = entry.Parsed<SystemChunk>();
  EXPECT_EQ(system.key, entry.K());
  ExpectChunk(system.chunk, entry, 2);
}

TEST(Layout, Devices) {
  Reader r(32 + 16);
  const auto extent = r.Parsed<DeviceExtent>();
  EXPECT_EQ(extent.chunk_tree, r.U64());
  EXPECT_EQ(extent.chunk_objectid, r.U64());
  EXPECT_EQ(extent.chunk_offset, r.U64());
  EXPECT_EQ(extent.length, r.U64());
  EXPECT_EQ(extent.chunk_tree_uuid, r.Raw<16>());
  Reader counts(5 * 8);
  const auto stats = counts.Parsed<DeviceStats>();
  EXPECT_EQ(stats.write_errors, counts.U64());
  EXPECT_EQ(stats.read_errors, counts.U64());
  EXPECT_EQ(stats.flush_errors, counts.U64());
  EXPECT_EQ(stats.corruption_errors, counts.U64());
  EXPECT_EQ(stats.generation_errors, counts.U64());
  Reader change(9 * 8);
  const auto replace = change.Parsed<DeviceReplaceItem>();
  EXPECT_EQ(replace.source_device_id, change.U64());
  EXPECT_EQ(replace.cursor_left, change.U64());
  EXPECT_EQ(replace.cursor_right, change.U64());
  EXPECT_EQ(replace.reading_mode, change.U64());
  EXPECT_EQ(replace.state, change.U64());
  EXPECT_EQ(replace.time_started, change.U64());
  EXPECT_EQ(replace.time_stopped, change.U64());
  EXPECT_EQ(replace.write_errors, change.U64());
  EXPECT_EQ(replace.uncorrectable_read_errors, change.U64());
}

void ExpectArguments(const BalanceArguments& arguments, Reader& r) {
  EXPECT_EQ(arguments.profiles, r.U64());
  EXPECT_EQ(arguments.usage, r.U64());
  EXPECT_EQ(arguments.device_id, r.U64());
  EXPECT_EQ(arguments.physical_start, r.U64());
  EXPECT_EQ(arguments.physical_end, r.U64());
  EXPECT_EQ(arguments.logical_start, r.U64());
  EXPECT_EQ(arguments.logical_end, r.U64());
  EXPECT_EQ(arguments.target, r.U64());
  EXPECT_EQ(arguments.flags, r.U64());
  EXPECT_EQ(arguments.limit, r.U64());
  EXPECT_EQ(arguments.stripes_min, r.U32());
  EXPECT_EQ(arguments.stripes_max, r.U32());
  EXPECT_EQ(arguments.unused, r.Numbers<6>());
}

TEST(Layout, Balance) {
  Reader r(8 + 3 * 136 + 4 * 8);
  const auto balance = r.Parsed<BalanceItem>();
  EXPECT_EQ(balance.flags, r.U64());
  ExpectArguments(balance.data, r);
  ExpectArguments(balance.metadata, r);
  ExpectArguments(balance.system, r);
  EXPECT_EQ(balance.unused, r.Numbers<4>());
}

TEST(Layout, Quotas) {
  for (bool newer : {false, true}) {
    Reader r(newer ? 40 : 32);
    const auto status = r.Parsed<QgroupStatus>();
    EXPECT_EQ(status.version, r.U64());
    EXPECT_EQ(status.generation, r.U64());
    EXPECT_EQ(status.flags, r.U64());
    EXPECT_EQ(status.rescan, r.U64());
    ASSERT_EQ(status.enable_generation.has_value(), newer);
    if (!newer) continue;
    EXPECT_EQ(*status.enable_generation, r.U64());
  }
  Reader group(40);
  const auto info = group.Parsed<QgroupInfo>();
  EXPECT_EQ(info.generation, group.U64());
  EXPECT_EQ(info.referenced, group.U64());
  EXPECT_EQ(info.referenced_compressed, group.U64());
  EXPECT_EQ(info.exclusive, group.U64());
  EXPECT_EQ(info.exclusive_compressed, group.U64());
  Reader most(40);
  const auto limit = most.Parsed<QgroupLimit>();
  EXPECT_EQ(limit.flags, most.U64());
  EXPECT_EQ(limit.max_referenced, most.U64());
  EXPECT_EQ(limit.max_exclusive, most.U64());
  EXPECT_EQ(limit.reserved_referenced, most.U64());
  EXPECT_EQ(limit.reserved_exclusive, most.U64());
}

}  // namespace
}  // namespace ebcache::testing
