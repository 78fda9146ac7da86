// The format of roots, devices and superblocks, written a second time: see layout_test.cc.

#include <gtest/gtest.h>

#include "ebcache/items.h"
#include "tests/format/field_reader.h"

namespace ebcache::testing {
namespace {

void ExpectExtension(const RootItemExtension& extension, FieldReader& r) {
  EXPECT_EQ(extension.generation_v2, r.U64());
  EXPECT_EQ(extension.uuid, r.Raw<16>());
  EXPECT_EQ(extension.parent_uuid, r.Raw<16>());
  EXPECT_EQ(extension.received_uuid, r.Raw<16>());
  EXPECT_EQ(extension.change_transaction, r.U64());
  EXPECT_EQ(extension.origin_transaction, r.U64());
  EXPECT_EQ(extension.send_transaction, r.U64());
  EXPECT_EQ(extension.receive_transaction, r.U64());
  EXPECT_EQ(extension.change_time, r.Time());
  EXPECT_EQ(extension.origin_time, r.Time());
  EXPECT_EQ(extension.send_time, r.Time());
  EXPECT_EQ(extension.receive_time, r.Time());
  EXPECT_EQ(extension.reserved, r.Numbers<8>());
}

TEST(Layout, RootItems) {
  for (bool extended : {false, true}) {
    FieldReader r(extended ? 439 : 239);
    const auto root = r.Parsed<RootItem>();
    FieldReader inode(160);  // the same bytes: an inode item is at the front
    EXPECT_EQ(root.inode, inode.Parsed<InodeItem>());
    inode.Raw<160>();
    r.Raw<160>();
    EXPECT_EQ(root.generation, r.U64());
    EXPECT_EQ(root.root_directory, r.U64());
    EXPECT_EQ(root.bytenr, r.U64());
    EXPECT_EQ(root.byte_limit, r.U64());
    EXPECT_EQ(root.bytes_used, r.U64());
    EXPECT_EQ(root.last_snapshot, r.U64());
    EXPECT_EQ(root.flags, r.U64());
    EXPECT_EQ(root.refs, r.U32());
    EXPECT_EQ(root.drop_progress, r.K());
    EXPECT_EQ(root.drop_level, r.U8());
    EXPECT_EQ(root.level, r.U8());
    ASSERT_EQ(root.extension.has_value(), extended);
    if (extended) ExpectExtension(*root.extension, r);
  }
}

void ExpectDevice(const DeviceItem& device, FieldReader& r) {
  EXPECT_EQ(device.id, r.U64());
  EXPECT_EQ(device.total_bytes, r.U64());
  EXPECT_EQ(device.bytes_used, r.U64());
  EXPECT_EQ(device.io_align, r.U32());
  EXPECT_EQ(device.io_width, r.U32());
  EXPECT_EQ(device.sector_bytes, r.U32());
  EXPECT_EQ(device.type, r.U64());
  EXPECT_EQ(device.generation, r.U64());
  EXPECT_EQ(device.start_offset, r.U64());
  EXPECT_EQ(device.group, r.U32());
  EXPECT_EQ(device.seek_speed, r.U8());
  EXPECT_EQ(device.bandwidth, r.U8());
  EXPECT_EQ(device.uuid, r.Raw<16>());
  EXPECT_EQ(device.fsid, r.Raw<16>());
}

TEST(Layout, DeviceItem) {
  FieldReader r(98);
  ExpectDevice(r.Parsed<DeviceItem>(), r);
}

void ExpectBackup(const BackupRoot& backup, FieldReader& r) {
  EXPECT_EQ(backup.root, r.U64());
  EXPECT_EQ(backup.root_generation, r.U64());
  EXPECT_EQ(backup.chunk_root, r.U64());
  EXPECT_EQ(backup.chunk_root_generation, r.U64());
  EXPECT_EQ(backup.extent_root, r.U64());
  EXPECT_EQ(backup.extent_root_generation, r.U64());
  EXPECT_EQ(backup.fs_root, r.U64());
  EXPECT_EQ(backup.fs_root_generation, r.U64());
  EXPECT_EQ(backup.dev_root, r.U64());
  EXPECT_EQ(backup.dev_root_generation, r.U64());
  EXPECT_EQ(backup.csum_root, r.U64());
  EXPECT_EQ(backup.csum_root_generation, r.U64());
  EXPECT_EQ(backup.total_bytes, r.U64());
  EXPECT_EQ(backup.bytes_used, r.U64());
  EXPECT_EQ(backup.num_devices, r.U64());
  EXPECT_EQ(backup.unused, r.Numbers<4>());
  EXPECT_EQ(backup.root_level, r.U8());
  EXPECT_EQ(backup.chunk_root_level, r.U8());
  EXPECT_EQ(backup.extent_root_level, r.U8());
  EXPECT_EQ(backup.fs_root_level, r.U8());
  EXPECT_EQ(backup.dev_root_level, r.U8());
  EXPECT_EQ(backup.csum_root_level, r.U8());
  EXPECT_EQ(backup.unused_bytes, r.Raw<10>());
}

void ExpectFront(const Superblock& sb, FieldReader& r) {
  EXPECT_EQ(sb.checksum, r.Raw<32>());
  EXPECT_EQ(sb.fsid, r.Raw<16>());
  EXPECT_EQ(sb.bytenr, r.U64());
  EXPECT_EQ(sb.flags, r.U64());
  EXPECT_EQ(sb.magic, r.U64());
  EXPECT_EQ(sb.generation, r.U64());
  EXPECT_EQ(sb.root, r.U64());
  EXPECT_EQ(sb.chunk_root, r.U64());
  EXPECT_EQ(sb.log_root, r.U64());
  EXPECT_EQ(sb.log_root_transaction, r.U64());
  EXPECT_EQ(sb.total_bytes, r.U64());
  EXPECT_EQ(sb.bytes_used, r.U64());
  EXPECT_EQ(sb.root_directory, r.U64());
  EXPECT_EQ(sb.num_devices, r.U64());
  EXPECT_EQ(sb.sector_bytes, r.U32());
  EXPECT_EQ(sb.node_bytes, r.U32());
  EXPECT_EQ(sb.leaf_bytes, r.U32());
  EXPECT_EQ(sb.stripe_bytes, r.U32());
  EXPECT_EQ(sb.system_chunk_array.size(), r.U32());
  EXPECT_EQ(sb.chunk_root_generation, r.U64());
  EXPECT_EQ(sb.compat_flags, r.U64());
  EXPECT_EQ(sb.compat_ro_flags, r.U64());
  EXPECT_EQ(sb.incompat_flags, r.U64());
  EXPECT_EQ(static_cast<uint16_t>(sb.checksum_type), r.U16());
  EXPECT_EQ(sb.root_level, r.U8());
  EXPECT_EQ(sb.chunk_root_level, r.U8());
  EXPECT_EQ(sb.log_root_level, r.U8());
}

TEST(Layout, Superblock) {
  FieldReader r(4096);
  r.Put(160, {0x2c, 0x01, 0, 0});  // 300 bytes of system chunks
  r.Put(299 + 20, {0});            // the end of the label
  const auto sb = r.Parsed<Superblock>();
  ExpectFront(sb, r);
  ExpectDevice(sb.device, r);
  EXPECT_EQ(std::string_view(sb.label), r.Text(20));
  ASSERT_EQ(sb.label_remainder.size(), 236);
  const auto remainder = r.Raw<236>();
  EXPECT_TRUE(std::equal(remainder.begin(), remainder.end(), sb.label_remainder.begin()));
  EXPECT_EQ(sb.cache_generation, r.U64());
  EXPECT_EQ(sb.uuid_tree_generation, r.U64());
  EXPECT_EQ(sb.metadata_uuid, r.Raw<16>());
  EXPECT_EQ(sb.global_roots, r.U64());
  EXPECT_EQ(sb.remap_root, r.U64());
  EXPECT_EQ(sb.remap_root_generation, r.U64());
  EXPECT_EQ(sb.remap_root_level, r.U8());
  EXPECT_EQ(sb.reserved, r.Raw<199>());
  const auto array = r.Raw<2048>();
  std::vector<std::byte> chunks = sb.system_chunk_array;
  chunks.insert(chunks.end(), sb.system_chunk_array_remainder.begin(),
                sb.system_chunk_array_remainder.end());
  ASSERT_EQ(chunks.size(), array.size());
  EXPECT_TRUE(std::equal(array.begin(), array.end(), chunks.begin()));
  for (const BackupRoot& backup : sb.backup_roots) ExpectBackup(backup, r);
  EXPECT_EQ(sb.padding, r.Raw<565>());
}

}  // namespace
}  // namespace ebcache::testing
