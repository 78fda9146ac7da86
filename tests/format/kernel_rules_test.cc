// The rules of today's kernels, each at its boundary: what is just inside is let pass, what is just
// outside is refused, by the name of that rule and no other.

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "lib/format/check/rejection.h"
#include "lib/format/check/tree_block_checker.h"
#include "tests/format/format_bytes.h"
#include "tests/format/item_bytes.h"

namespace ebcache::testing {
namespace {

constexpr uint32_t kNodeBytes = 4096;
constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kLast = ~uint64_t{0} - 4095;  // the last sector of the address space
constexpr uint64_t kChecksums = static_cast<uint64_t>(-10);
constexpr uint64_t kFreeInodes = static_cast<uint64_t>(-12);
constexpr uint64_t kNewChecksums = static_cast<uint64_t>(-13);
constexpr uint64_t kData = 1;
constexpr uint64_t kTreeBlock = 2;
constexpr uint64_t kFullBackref = 256;

// A filesystem whose superblock has generation 7, with every feature that an item may need.
constexpr TreeBlockLimits kLimits{
    .sector_bytes = 4096, .checksum_bytes = 4, .newest_generation = 8, .from_disk = true};
TreeBlockLimits With(bool TreeBlockLimits::*field, bool value) {
  TreeBlockLimits limits = kLimits;
  limits.*field = value;
  return limits;
}

using Items = std::vector<LeafItem>;

absl::Status Check(const Items& items, uint64_t owner = kFsTreeId,
                   const TreeBlockLimits& limits = kLimits) {
  return CheckTreeBlockBytes(
      LeafBytes({.node_bytes = kNodeBytes, .bytenr = 65536, .owner = owner}, items), limits);
}

void Passes(const Items& items, uint64_t owner = kFsTreeId,
            const TreeBlockLimits& limits = kLimits) {
  EXPECT_EQ(Check(items, owner, limits), absl::OkStatus()) << items.back().key.ToString();
}
void Refused(Rejection rejection, const Items& items, uint64_t owner = kFsTreeId,
             const TreeBlockLimits& limits = kLimits) {
  const absl::Status status = Check(items, owner, limits);
  EXPECT_TRUE(absl::EndsWith(status.message(), absl::StrCat(" [", RejectionName(rejection), "]")))
      << items.back().key.ToString() << ": " << status << ", not " << RejectionName(rejection);
}

std::string Joined(const std::string& a, const std::string& b) { return a + b; }
std::string Extent(uint64_t references, uint64_t flags, const std::string& rest = {}) {
  return Joined(ExtentHeader(references, flags), rest);
}
// What an inline reference is where it has a key of its own.
std::string Keyed(const std::string& inline_reference) { return inline_reference.substr(1); }

Items One(const Key& key, const std::string& data) { return {{key, data}}; }

// ---- Files --------------------------------------------------------------------------------------

// Five kinds of items may only follow an item of the same inode: in a tree of files, and but for
// the first of a leaf.
TEST(KernelRules, ItemsOfAnInodeFollowIt) {
  const uint64_t hash = HashOf("name");
  const Items followers = {
      {{257, kInodeRefType, 256}, InodeRef("name")},
      {{257, kXattrItemType, hash}, DirectoryEntry("name", 8, "value")},
      {{257, kDirItemType, hash}, DirectoryEntry("name")},
      {{257, kDirIndexType, 2}, DirectoryEntry("name")},
      {{257, kExtentDataType, 0}, InlineExtent("data")},
  };
  const LeafItem inode{{257, kInodeItemType, 0}, InodeItem()};
  const LeafItem other{{256, kInodeItemType, 0}, InodeItem(040755)};
  for (const LeafItem& follower : followers) {
    Passes({inode, follower});
    Passes({follower});
    Refused(Rejection::kInodeMissing, {other, follower});
    Refused(Rejection::kInodeMissing, {other, follower}, 256);
    // A log has what changed; the root tree has entries of its own.
    for (uint64_t owner : {kTreeLogId, kRootTreeId, kDataRelocTreeId}) {
      Passes({other, follower}, owner);
    }
  }
  // Any item of the inode will do, and other kinds may stand alone.
  Passes({other, inode, followers[0], followers[1], followers[4]});
  Passes({other, {{257, kOrphanItemType, 0}, ""}, followers[4]});
  Passes({other, {{257, kInodeExtrefType, 99}, InodeExtref("name")}});
}

TEST(KernelRules, InodeKeys) {
  for (uint64_t objectid : {uint64_t{6}, uint64_t{256}, kLastFreeObjectId, kFreeInodes}) {
    Passes(One({objectid, kInodeItemType, 0}, InodeItem()));
  }
  for (uint64_t objectid : {uint64_t{0}, uint64_t{5}, uint64_t{7}, uint64_t{255},
                            kLastFreeObjectId + 1, kFreeInodes - 1, kFreeInodes + 1}) {
    Refused(Rejection::kInodeKey, One({objectid, kInodeItemType, 0}, InodeItem()));
  }
  Refused(Rejection::kInodeKey, One({256, kInodeItemType, 1}, InodeItem()));
}

TEST(KernelRules, InodeFields) {
  const Key key{257, kInodeItemType, 0};
  Refused(Rejection::kItemSize, One(key, std::string(InodeItem()).substr(1)));
  for (size_t generation_at : {0, 8}) {
    Passes(One(key, InodeItem().Put<uint64_t>(generation_at, 0)));
    Passes(One(key, InodeItem().Put<uint64_t>(generation_at, 8)));
    Refused(Rejection::kInodeGeneration, One(key, InodeItem().Put<uint64_t>(generation_at, 9)));
  }
  Passes(One(key, InodeItem(0107777)));
  Refused(Rejection::kInodeMode, One(key, InodeItem(0307777)));
  Refused(Rejection::kInodeMode, One(key, InodeItem(0030644)));
  for (uint32_t links : {0, 1}) Passes(One(key, InodeItem(040755).Put<uint32_t>(40, links)));
  Refused(Rejection::kInodeLinks, One(key, InodeItem(040755).Put<uint32_t>(40, 2)));
  Passes(One(key, InodeItem(0100644).Put<uint32_t>(40, 65535)));
}

TEST(KernelRules, InodeFlags) {
  const Key key{257, kInodeItemType, 0};
  const auto inode = [](int bit) { return InodeItem().Put<uint64_t>(64, uint64_t{1} << bit); };
  const TreeBlockLimits writable = With(&TreeBlockLimits::writable, true);
  for (int bit = 0; bit < 64; ++bit) {
    const bool known = bit <= 11 || bit == 31 || bit == 32;
    if (known || bit > 32) {
      Passes(One(key, inode(bit)));
    } else {
      Refused(Rejection::kInodeFlags, One(key, inode(bit)));
    }
    if (known) {
      Passes(One(key, inode(bit)), kFsTreeId, writable);
    } else {
      Refused(Rejection::kInodeFlags, One(key, inode(bit)), kFsTreeId, writable);
    }
  }
}

TEST(KernelRules, NamesOfInodes) {
  const Key ref{257, kInodeRefType, 256};
  const Key extref{257, kInodeExtrefType, 9};
  Passes(One(ref, InodeRef("n")));
  Passes(One(ref, Joined(InodeRef("n"), InodeRef(std::string(256, 'n')))));  // no limit of 255
  Passes(One(extref, InodeExtref(std::string(256, 'n'))));
  Refused(Rejection::kNameLength, One(ref, InodeRef("")));
  Refused(Rejection::kNameLength, One(extref, InodeExtref("")));
  Refused(Rejection::kNameTruncated, One(ref, InodeRef("abc").Put<uint16_t>(8, 4)));
  Refused(Rejection::kNameTruncated, One(extref, InodeExtref("abc").Put<uint16_t>(16, 4)));
  Refused(Rejection::kNameTruncated, One(ref, Joined(InodeRef("abc"), "x")));
}

ItemBytes EntryTo(const Key& location, uint8_t type = 1) {
  return DirectoryEntry("name", type)
      .Put<uint64_t>(0, location.objectid)
      .Put<uint8_t>(8, location.type)
      .Put<uint64_t>(9, location.offset);
}

TEST(KernelRules, WhereEntriesLead) {
  const uint64_t hash = HashOf("name");
  for (uint8_t type : {kDirItemType, kDirIndexType}) {
    const Key key{256, type, hash};
    for (uint8_t location : {kInodeItemType, kUntypedType}) {
      for (uint64_t inode : {uint64_t{6}, uint64_t{256}, kLastFreeObjectId}) {
        Passes(One(key, EntryTo({inode, location, 0})));
      }
      for (uint64_t inode : {uint64_t{0}, uint64_t{5}, uint64_t{255}, kLastFreeObjectId + 1}) {
        Refused(Rejection::kDirectoryLocation, One(key, EntryTo({inode, location, 0})));
      }
      Refused(Rejection::kDirectoryLocation, One(key, EntryTo({256, location, 1})));
    }
    for (uint64_t tree : {kFsTreeId, uint64_t{256}}) {
      Passes(One(key, EntryTo({tree, kRootItemType, 0}, 2)));
      Passes(One(key, EntryTo({tree, kRootItemType, ~uint64_t{0}}, 2)));
    }
    for (uint64_t tree : {uint64_t{0}, kExtentTreeId, uint64_t{255}, kDataRelocTreeId}) {
      Refused(Rejection::kDirectoryLocation, One(key, EntryTo({tree, kRootItemType, 0}, 2)));
    }
    for (uint8_t location : {kInodeRefType, kDirItemType, kChunkItemType}) {
      Refused(Rejection::kDirectoryLocation, One(key, EntryTo({256, location, 0})));
    }
  }
  const Key xattr{256, kXattrItemType, hash};
  Passes(One(xattr, EntryTo(kMinKey, 8)));
  Refused(Rejection::kDirectoryLocation, One(xattr, EntryTo({256, kInodeItemType, 0}, 8)));
  Refused(Rejection::kDirectoryLocation, One(xattr, EntryTo({1, 0, 0}, 8)));
  Refused(Rejection::kDirectoryLocation, One(xattr, EntryTo({0, 0, 1}, 8)));
}

TEST(KernelRules, FieldsOfEntries) {
  const uint64_t hash = HashOf("name");
  const Key entry{256, kDirItemType, hash};
  const Key index{256, kDirIndexType, 2};
  const Key xattr{256, kXattrItemType, hash};
  for (uint8_t type = 0; type < 8; ++type) Passes(One(entry, DirectoryEntry("name", type)));
  Passes(One(entry, DirectoryEntry("name", 0x81)));  // encrypted
  for (uint8_t type : {8, 9}) {
    Refused(Rejection::kDirectoryType, One(entry, EntryTo({256, kInodeItemType, 0}, type)));
  }
  Refused(Rejection::kDirectoryType, One(xattr, EntryTo(kMinKey, 7)));
  Passes(One(xattr, DirectoryEntry("name", 8, "value")));
  Refused(Rejection::kDirectoryData, One(entry, DirectoryEntry("name", 1, "value")));
  const std::string long_name(255, 'n');
  Passes(One({256, kDirItemType, HashOf(long_name)}, DirectoryEntry(long_name)));
  Refused(Rejection::kNameLength,
          One({256, kDirItemType, HashOf(long_name + "n")}, DirectoryEntry(long_name + "n")));
  Refused(Rejection::kDirectoryHash, One({256, kDirItemType, hash + 1}, DirectoryEntry("name")));
  Refused(Rejection::kDirectoryHash,
          One({256, kXattrItemType, hash + 1}, DirectoryEntry("name", 8)));
  // The number of an index is no hash, and nothing says that it has one entry only.
  Passes(One(index, DirectoryEntry("name")));
  Passes(One(index, Joined(DirectoryEntry("name"), DirectoryEntry("other"))));
}

TEST(KernelRules, FileExtents) {
  const Key key{257, kExtentDataType, 4096};
  Passes(One(key, FileExtent()));
  Refused(Rejection::kFileExtentAlign, One({257, kExtentDataType, 4097}, FileExtent()));
  for (uint8_t type : {1, 2}) Passes(One(key, FileExtent().Put<uint8_t>(20, type)));
  Refused(Rejection::kFileExtentType, One(key, FileExtent().Put<uint8_t>(20, 3)));
  Passes(One(key, FileExtent().Put<uint8_t>(16, 3)));
  Refused(Rejection::kFileExtentEncoding, One(key, FileExtent().Put<uint8_t>(16, 4)));
  Refused(Rejection::kFileExtentEncoding, One(key, FileExtent().Put<uint8_t>(17, 1)));
  Passes(One(key, FileExtent().Put<uint16_t>(18, 0xffff)));  // the other encoding
  Refused(Rejection::kFileExtentSize, One(key, Joined(FileExtent(), "x")));
  for (size_t at : {8, 21, 29, 37, 45}) {
    Passes(One(key, FileExtent().Put<uint64_t>(at, 8192)));
    Refused(Rejection::kFileExtentAlign, One(key, FileExtent().Put<uint64_t>(at, 8193)));
  }
  // Only where it ends in its file counts.
  Passes(One(key, FileExtent().Put<uint64_t>(21, kLast).Put<uint64_t>(37, kLast)));
  Passes(One({257, kExtentDataType, kLast - 4096}, FileExtent(4096)));
  Refused(Rejection::kFileExtentRange, One({257, kExtentDataType, kLast}, FileExtent(4096 * 2)));
}

TEST(KernelRules, FileExtentsDoNotReachIntoTheNext) {
  const auto next = [](uint64_t offset) {
    return LeafItem{{257, kExtentDataType, offset}, FileExtent(4096)};
  };
  const LeafItem first{{257, kExtentDataType, 0}, FileExtent(8192)};
  Passes({first, next(8192)});
  Refused(Rejection::kFileExtentOverlap, {first, next(4096)});
  Passes({first,
          {{258, kInodeItemType, 0}, InodeItem()},
          {{258, kExtentDataType, 4096}, FileExtent()}});
  // What is inline takes whole sectors.
  const auto packed = [](uint64_t file_bytes) {
    return LeafItem{{257, kExtentDataType, 0},
                    InlineExtent("packed").Put<uint8_t>(16, 1).Put<uint64_t>(8, file_bytes)};
  };
  Passes({packed(4096), next(4096)});
  Refused(Rejection::kFileExtentOverlap, {packed(4097), next(4096)});
  Refused(Rejection::kFileExtentOverlap, {packed(~uint64_t{0}), next(4096)});
}

TEST(KernelRules, InlineExtents) {
  const Key key{257, kExtentDataType, 0};
  Passes(One(key, InlineExtent("data")));
  Refused(Rejection::kFileExtentInline, One({257, kExtentDataType, 4096}, InlineExtent("data")));
  Refused(Rejection::kFileExtentInline, One(key, InlineExtent("data").Put<uint64_t>(8, 5)));
  Passes(One(key, InlineExtent("data").Put<uint64_t>(8, 5).Put<uint8_t>(16, 2)));
  Passes(One(key, InlineExtent("")));
  Refused(Rejection::kFileExtentSize, One(key, std::string(20, '\0')));
}

TEST(KernelRules, DataChecksums) {
  const auto sums = [](uint64_t offset, size_t count, size_t bytes = 4) {
    return LeafItem{{kChecksums, kExtentCsumType, offset}, std::string(count * bytes, 'c')};
  };
  Passes({sums(kMiB, 2), sums(kMiB + 8192, 1)});
  Refused(Rejection::kChecksumOverlap, {sums(kMiB, 3), sums(kMiB + 8192, 1)});
  Passes({sums(kMiB, 0)});  // nothing is a multiple of everything
  Refused(Rejection::kChecksumSize, {sums(kMiB, 5, 1)});
  Refused(Rejection::kChecksumKey, {sums(kMiB + 512, 1)});
  Refused(Rejection::kChecksumKey, One({kChecksums - 1, kExtentCsumType, kMiB}, "csum"));
}

// New checksums stand beside the old ones, of a type that no item tells, and at last in their
// place.
TEST(KernelRules, DataChecksumsThatAreBeingChanged) {
  const TreeBlockLimits changing = With(&TreeBlockLimits::changing_checksums, true);
  for (uint64_t objectid : {kChecksums, kNewChecksums}) {
    for (size_t bytes : {4, 8, 32}) {
      const LeafItem first{{objectid, kExtentCsumType, kMiB}, std::string(3 * bytes, 'c')};
      const LeafItem next{{objectid, kExtentCsumType, kMiB + 3 * 4096}, std::string(bytes, 'c')};
      Passes({first, next}, kCsumTreeId, changing);
    }
    Refused(Rejection::kChecksumSize, One({objectid, kExtentCsumType, kMiB}, "odd"), kCsumTreeId,
            changing);
    Refused(Rejection::kChecksumOverlap,
            {{{objectid, kExtentCsumType, kMiB}, std::string(64, 'c')},
             {{objectid, kExtentCsumType, kMiB + 4096}, "csum"}},
            kCsumTreeId, changing);
  }
  Refused(Rejection::kChecksumKey, One({kNewChecksums, kExtentCsumType, kMiB}, "csum"));
  Refused(Rejection::kChecksumKey, One({257, kExtentCsumType, kMiB}, "csum"), kCsumTreeId,
          changing);
}

// ---- Roots --------------------------------------------------------------------------------------

TEST(KernelRules, Roots) {
  const Key key{257, kRootItemType, 0};
  Passes(One({1, kRootItemType, 0}, RootItemOf()));
  Refused(Rejection::kRootKey, One({0, kRootItemType, 0}, RootItemOf()));
  for (uint64_t tree : {kFsTreeId, uint64_t{256}, kDataRelocTreeId}) {
    Passes(One({kTreeRelocId, kRootItemType, tree}, RootItemOf()));
  }
  for (uint64_t tree : {uint64_t{0}, kExtentTreeId, uint64_t{255}}) {
    Refused(Rejection::kRootKey, One({kTreeRelocId, kRootItemType, tree}, RootItemOf()));
  }
  const std::string root = RootItemOf();
  Passes(One(key, root.substr(0, 239)));
  for (size_t size : {238, 240, 438, 440}) {
    Refused(Rejection::kRootItem, One(key, (root + "x").substr(0, size)));
  }
  for (size_t at : {160, 200, 239}) {
    Passes(One(key, RootItemOf().Put<uint64_t>(at, 8)));
    Refused(Rejection::kRootGeneration, One(key, RootItemOf().Put<uint64_t>(at, 9)));
  }
  Passes(One(key, RootItemOf(0)));
  Refused(Rejection::kRootItem, One(key, RootItemOf(kMiB + 512)));
  TreeBlockLimits large_sectors = kLimits;
  large_sectors.sector_bytes = 65536;
  Refused(Rejection::kRootItem, One(key, RootItemOf(kMiB + 4096)), kFsTreeId, large_sectors);
  for (size_t at : {237, 238}) {
    Passes(One(key, RootItemOf().Put<uint8_t>(at, 7)));
    Refused(Rejection::kRootItem, One(key, RootItemOf().Put<uint8_t>(at, 8)));
  }
  Passes(One(key, RootItemOf().Put<uint64_t>(220, 5)));  // drop progress, at level 0
  for (int bit = 0; bit < 64; ++bit) {
    const Items items = One(key, RootItemOf().Put<uint64_t>(208, uint64_t{1} << bit));
    bit == 0 || bit == 48 ? Passes(items) : Refused(Rejection::kRootFlags, items);
  }
}

// ---- Extents ------------------------------------------------------------------------------------

TEST(KernelRules, ExtentItems) {
  const Key data{kMiB, kExtentItemType, 8192};
  const Key skinny{kMiB, kMetadataItemType, 7};
  const Key block{kMiB, kExtentItemType, kNodeBytes};
  Passes(One(skinny, Extent(1, kTreeBlock)));
  Refused(Rejection::kExtentSkinny, One(skinny, Extent(1, kTreeBlock)), kExtentTreeId,
          With(&TreeBlockLimits::skinny_metadata, false));
  Passes(One(block, Extent(1, kTreeBlock, TreeBlockInfo(7))), kExtentTreeId,
         With(&TreeBlockLimits::skinny_metadata, false));
  Refused(Rejection::kExtentKey, One({kMiB + 1, kMetadataItemType, 0}, Extent(1, kTreeBlock)));
  Refused(Rejection::kExtentLevel, One({kMiB, kMetadataItemType, 8}, Extent(1, kTreeBlock)));
  Refused(Rejection::kExtentLevel, One(block, Extent(1, kTreeBlock, TreeBlockInfo(8))));
  // The level stands before the references, whatever those are.
  Passes(One(block, Extent(1, kTreeBlock, Joined(TreeBlockInfo(7), TreeBlockRef(2056)))));
  Refused(Rejection::kExtentLevel,
          One(block, Extent(1, kTreeBlock, Joined(TreeBlockInfo(8), TreeBlockRef(5)))));
  Refused(Rejection::kExtentKey, One(data, Extent(1, kTreeBlock, TreeBlockInfo(0))));
  Passes(One(skinny, ExtentHeader(1, kTreeBlock).Put<uint64_t>(8, 8)));
  Refused(Rejection::kExtentGeneration,
          One(skinny, ExtentHeader(1, kTreeBlock).Put<uint64_t>(8, 9)));
  Passes(One(data, Extent(1, kData)));
  Passes(One({kMiB, kExtentItemType, 0}, Extent(1, kData)));
  Refused(Rejection::kExtentKey, One({kMiB, kExtentItemType, 512}, Extent(1, kData)));
  Refused(Rejection::kExtentKey, One({kMiB + 512, kExtentItemType, 4096}, Extent(1, kData)));
  for (uint64_t flags : {uint64_t{0}, kData | kTreeBlock, kData | kFullBackref}) {
    Refused(Rejection::kExtentFlags, One(data, Extent(1, flags)));
  }
  for (int bit = 2; bit < 64; ++bit) {
    const uint64_t unknown = uint64_t{1} << bit;
    if (unknown != kFullBackref) Passes(One(data, Extent(1, kData | unknown)));
    Passes(One(skinny, Extent(1, kTreeBlock | unknown)));
  }
}

TEST(KernelRules, ExtentsDoNotReachIntoTheNext) {
  const LeafItem data{{kMiB, kExtentItemType, 8192}, Extent(1, kData)};
  const LeafItem skinny{{kMiB, kMetadataItemType, 0}, Extent(1, kTreeBlock)};
  const auto next = [](uint64_t start) {
    return LeafItem{{start, kExtentItemType, 4096}, Extent(1, kData)};
  };
  Passes({data, next(kMiB + 8192)});
  Refused(Rejection::kExtentOverlap, {data, next(kMiB + 4096)});
  Passes({skinny, next(kMiB + kNodeBytes)});
  TreeBlockLimits small_sectors = kLimits;
  small_sectors.sector_bytes = 512;
  Refused(Rejection::kExtentOverlap,
          {skinny, {{kMiB + 512, kMetadataItemType, 0}, Extent(1, kTreeBlock)}}, kExtentTreeId,
          small_sectors);
  Refused(Rejection::kExtentOverlap, {{data.key, data.data}, skinny});
}

TEST(KernelRules, InlineReferences) {
  const Key data{kMiB, kExtentItemType, 4096};
  const Key block{kMiB, kMetadataItemType, 0};
  const auto in_data = [&](uint64_t references, const std::string& inline_references) {
    return One(data, Extent(references, kData, inline_references));
  };
  const auto in_block = [&](uint64_t references, const std::string& inline_references) {
    return One(block, Extent(references, kTreeBlock, inline_references));
  };
  Passes(in_block(1, TreeBlockRef(0)));  // of whatever root
  Passes(in_block(1, SharedBlockRef(kMiB)));
  Refused(Rejection::kInlineRefAlign, in_block(1, SharedBlockRef(kMiB + 512)));
  Passes(in_data(1, SharedDataRef(kMiB, 1)));
  Refused(Rejection::kInlineRefAlign, in_data(1, SharedDataRef(kMiB + 512, 1)));
  for (int type = 0; type < 256; ++type) {
    const bool known = type == 172 || type == 176 || type == 178 || type == 182 || type == 184;
    const std::string reference = ItemBytes(29).Put<uint8_t>(0, type);
    if (!known) Refused(Rejection::kInlineRefType, in_data(9, reference));
  }
  // Nothing stands behind the last one, and none is cut short.
  Refused(Rejection::kInlineRefType, in_block(2, Joined(TreeBlockRef(), std::string(1, '\0'))));
  Refused(Rejection::kInlineRefTruncated, in_block(1, std::string(TreeBlockRef()).substr(0, 8)));
  Refused(Rejection::kInlineRefTruncated, in_data(1, std::string(DataRef(1)).substr(0, 28)));
  Refused(Rejection::kInlineRefTruncated,
          in_data(1, std::string(SharedDataRef(0, 1)).substr(0, 12)));
  // The count is of all, here and elsewhere.
  Passes(in_data(7, Joined(DataRef(3), SharedDataRef(kMiB, 4))));
  Passes(in_data(8, Joined(DataRef(3), SharedDataRef(kMiB, 4))));
  Refused(Rejection::kInlineRefCount, in_data(6, Joined(DataRef(3), SharedDataRef(kMiB, 4))));
  Passes(in_data(1, Joined(OwnerRef(), DataRef(1))));
}

ItemBytes DataRefOf(uint64_t root, uint64_t inode, uint64_t offset, uint32_t count = 1) {
  return DataRef(count, offset).Put<uint64_t>(1, root).Put<uint64_t>(9, inode);
}

TEST(KernelRules, ReferencesToData) {
  const auto either_way = [](auto check) {
    check([](const std::string& reference) {
      return One({kMiB, kExtentItemType, 4096}, Extent(9, kData, reference));
    });
    check([](const std::string& reference) {
      return One({kMiB, kExtentDataRefType, 1}, Keyed(reference));
    });
  };
  either_way([](auto items) {
    for (uint64_t root : {kFsTreeId, uint64_t{256}, kDataRelocTreeId, kRootTreeId}) {
      Passes(items(DataRefOf(root, 257, 0)));
    }
    for (uint64_t root : {uint64_t{0}, kExtentTreeId, uint64_t{255}, kTreeRelocId}) {
      Refused(Rejection::kDataRefRoot, items(DataRefOf(root, 257, 0)));
    }
    for (uint64_t inode : {uint64_t{256}, kLastFreeObjectId, kFreeInodes}) {
      Passes(items(DataRefOf(kFsTreeId, inode, 0)));
    }
    for (uint64_t inode : {uint64_t{0}, uint64_t{255}, kLastFreeObjectId + 1}) {
      Refused(Rejection::kDataRefObject, items(DataRefOf(kFsTreeId, inode, 0)));
    }
    Passes(items(DataRefOf(kFsTreeId, 257, kLast)));
    Refused(Rejection::kReferenceAlign, items(DataRefOf(kFsTreeId, 257, 512)));
    Refused(Rejection::kReferenceCount, items(DataRefOf(kFsTreeId, 257, 0, 0)));
  });
  Refused(Rejection::kInlineRefCount,
          One({kMiB, kExtentItemType, 4096}, Extent(1, kData, SharedDataRef(kMiB, 0))));
}

// By type upwards, and within a type by parent, root or hash downwards.
TEST(KernelRules, OrderOfInlineReferences) {
  const auto block = [](const std::string& references) {
    return One({kMiB, kMetadataItemType, 0}, Extent(9, kTreeBlock, references));
  };
  const auto data = [](const std::string& references) {
    return One({kMiB, kExtentItemType, 4096}, Extent(9, kData, references));
  };
  Passes(block(Joined(TreeBlockRef(), SharedBlockRef(kMiB))));
  Refused(Rejection::kInlineRefOrder, block(Joined(SharedBlockRef(kMiB), TreeBlockRef())));
  Passes(block(Joined(TreeBlockRef(257), TreeBlockRef(256))));
  Passes(block(Joined(TreeBlockRef(256), TreeBlockRef(256))));
  Refused(Rejection::kInlineRefOrder, block(Joined(TreeBlockRef(256), TreeBlockRef(257))));
  Passes(block(Joined(SharedBlockRef(2 * kMiB), SharedBlockRef(kMiB))));
  Refused(Rejection::kInlineRefOrder,
          block(Joined(SharedBlockRef(kMiB), SharedBlockRef(2 * kMiB))));
  Passes(data(Joined(SharedDataRef(2 * kMiB, 1), SharedDataRef(kMiB, 1))));
  Refused(Rejection::kInlineRefOrder,
          data(Joined(SharedDataRef(kMiB, 1), SharedDataRef(2 * kMiB, 1))));
  Refused(Rejection::kInlineRefOrder, data(Joined(SharedDataRef(kMiB, 1), DataRef(1))));
  Refused(Rejection::kInlineRefOrder, data(Joined(DataRef(1), OwnerRef())));
}

// crc32c bit by bit, as the definition has it.
uint32_t SlowCrc32c(uint32_t crc, uint64_t value) {
  for (int bit = 0; bit < 64; ++bit) {
    const bool out = ((crc ^ static_cast<uint32_t>(value >> bit)) & 1) != 0;
    crc = crc >> 1 ^ (out ? 0x82f63b78 : 0);
  }
  return crc;
}

TEST(KernelRules, OrderOfReferencesToDataIsOfTheirHashes) {
  const auto hash = [](uint64_t root, uint64_t inode, uint64_t offset) {
    const uint64_t high = SlowCrc32c(~uint32_t{0}, root);
    return high << 31 ^ SlowCrc32c(SlowCrc32c(~uint32_t{0}, inode), offset);
  };
  // Some of files of one tree, some of different ones; each against the one before it.
  const auto root = [](uint64_t i) { return i % 5 < 3 ? 256 + i / 5 : 300 + i; };
  int swapped = 0;
  for (uint64_t i = 1; i <= 64; ++i) {
    const ItemBytes a = DataRefOf(root(i), 257 + i, 4096 * i);
    const ItemBytes b = DataRefOf(root(i - 1), 256 + i, 4096 * (i - 1));
    const bool descends =
        hash(root(i), 257 + i, 4096 * i) >= hash(root(i - 1), 256 + i, 4096 * (i - 1));
    swapped += descends ? 0 : 1;
    const Key key{kMiB, kExtentItemType, 4096};
    Passes(One(key, Extent(2, kData, descends ? Joined(a, b) : Joined(b, a))));
    Refused(Rejection::kInlineRefOrder,
            One(key, Extent(2, kData, descends ? Joined(b, a) : Joined(a, b))));
  }
  EXPECT_GT(swapped, 10);
  EXPECT_LT(swapped, 54);
}

TEST(KernelRules, KeyedReferences) {
  Passes(One({kMiB, kTreeBlockRefType, 0}, ""));
  Passes(One({kMiB, kTreeBlockRefType, 5}, ""));
  Refused(Rejection::kItemSize, One({kMiB, kTreeBlockRefType, 5}, "x"));
  Passes(One({kMiB, kSharedBlockRefType, 4096}, ""));
  Refused(Rejection::kItemSize, One({kMiB, kSharedBlockRefType, 4096}, "x"));
  Refused(Rejection::kReferenceKey, One({kMiB, kSharedBlockRefType, 512}, ""));
  const std::string count = ItemBytes(4).Put<uint32_t>(0, 1);
  Passes(One({kMiB, kSharedDataRefType, 4096}, count));
  Refused(Rejection::kItemSize, One({kMiB, kSharedDataRefType, 4096}, count + "x"));
  Refused(Rejection::kReferenceKey, One({kMiB, kSharedDataRefType, 512}, count));
  Passes(One({kMiB, kExtentDataRefType, 7}, Joined(Keyed(DataRef(1)), Keyed(DataRef(1)))));
  Passes(One({kMiB, kExtentDataRefType, 7}, ""));
  Refused(Rejection::kItemRecords, One({kMiB, kExtentDataRefType, 7}, Keyed(DataRef(1)) + "x"));
  Refused(Rejection::kReferenceKey, One({kMiB + 512, kTreeBlockRefType, 5}, ""));
  Refused(Rejection::kReferenceKey, One({kMiB + 512, kSharedBlockRefType, 4096}, ""));
  Refused(Rejection::kReferenceKey, One({kMiB + 512, kSharedDataRefType, 4096}, count));
  Refused(Rejection::kReferenceKey, One({kMiB + 512, kExtentDataRefType, 7}, Keyed(DataRef(1))));
}

// ---- Space --------------------------------------------------------------------------------------

TEST(KernelRules, BlockGroups) {
  const Key key{kMiB, kBlockGroupItemType, kMiB};
  Passes(One(key, BlockGroup(kMiB)));
  Refused(Rejection::kBlockGroupUsed, One(key, BlockGroup(kMiB + 1)));
  Refused(Rejection::kBlockGroupRange, One({kMiB, kBlockGroupItemType, 0}, BlockGroup(0)));
  Passes(One({kMiB + 1, kBlockGroupItemType, 513}, BlockGroup(0)));
  Refused(Rejection::kItemSize, One(key, Joined(BlockGroup(), "x")));
  Refused(Rejection::kItemSize, One(key, std::string(BlockGroup()).substr(1)));
  for (uint64_t objectid : {255, 257}) {
    Refused(Rejection::kBlockGroupChunk, One(key, BlockGroup().Put<uint64_t>(8, objectid)));
  }
  for (uint64_t kinds = 0; kinds < 8; ++kinds) {
    const bool legal = kinds == 1 || kinds == 2 || kinds == 4 || kinds == 5;
    const Items items = One(key, BlockGroup(0, kinds));
    legal ? Passes(items) : Refused(Rejection::kBlockGroupType, items);
  }
  for (int bit = 3; bit < 64; ++bit) Passes(One(key, BlockGroup(0, 1 | uint64_t{1} << bit)));
  for (int bit = 4; bit <= 10; ++bit) {
    Refused(Rejection::kBlockGroupType, One(key, BlockGroup(0, 1 | 1 << 3 | 1 << bit)));
  }
}

std::string ChunkOf(const Chunk& chunk) {
  const Bytes bytes = ChunkItemOf(chunk);
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

TEST(KernelRules, ChunkRanges) {
  Chunk chunk = SoundChunk(RaidProfile::kDup, kMiB, 8 * kMiB);
  const auto items = [&](uint64_t logical = kMiB) {
    return One({256, kChunkItemType, logical}, ChunkOf(chunk));
  };
  Passes(items());
  Passes(One({1, kChunkItemType, kMiB}, ChunkOf(chunk)));  // the object is not looked at
  Refused(Rejection::kChunkItem, items(kMiB + 512));
  for (uint64_t length : {uint64_t{0}, uint64_t{4097}, (uint64_t{1} << 48) + 4096}) {
    chunk.length = length;
    Refused(Rejection::kChunkItem, items());
  }
  chunk.length = uint64_t{1} << 48;
  Passes(items());
  chunk.length = 8192;
  Passes(items(kLast - 8192));
  Refused(Rejection::kChunkItem, items(kLast));
  // Where its stripes lie is no fault of the leaf.
  chunk.stripes[0].physical = ~uint64_t{0};
  Passes(items());
}

TEST(KernelRules, ChunkTypes) {
  Chunk chunk = SoundChunk(RaidProfile::kDup, kMiB, 8 * kMiB);
  const auto items = [&](uint64_t kinds) {
    chunk.type = kinds | 1 << 5;
    return One({256, kChunkItemType, kMiB}, ChunkOf(chunk));
  };
  for (uint64_t kinds = 0; kinds < 8; ++kinds) {
    const bool legal = kinds == 1 || kinds == 2 || kinds == 4 || kinds == 5;
    legal ? Passes(items(kinds)) : Refused(Rejection::kChunkItem, items(kinds));
  }
  Refused(Rejection::kChunkItem, items(5), kChunkTreeId,
          With(&TreeBlockLimits::mixed_groups, false));
  Passes(items(4), kChunkTreeId, With(&TreeBlockLimits::mixed_groups, false));
  Refused(Rejection::kChunkItem, items(1 | 1 << 4));  // two profiles
  for (int bit = 11; bit < 64; ++bit) Refused(Rejection::kChunkItem, items(1 | uint64_t{1} << bit));
}

TEST(KernelRules, ChunkStripes) {
  const struct {
    RaidProfile profile;
    size_t fewest;
    bool more;
  } profiles[] = {{RaidProfile::kSingle, 1, false},  {RaidProfile::kDup, 2, false},
                  {RaidProfile::kRaid0, 1, true},    {RaidProfile::kRaid1, 2, false},
                  {RaidProfile::kRaid1c3, 3, false}, {RaidProfile::kRaid1c4, 4, false},
                  {RaidProfile::kRaid10, 2, true},   {RaidProfile::kRaid5, 2, true},
                  {RaidProfile::kRaid6, 3, true}};
  for (const auto& [profile, fewest, more] : profiles) {
    const auto items = [profile = profile](size_t stripes) {
      Chunk chunk = SoundChunk(profile, kMiB, 8 * kMiB);
      chunk.stripes.resize(stripes, chunk.stripes[0]);
      return One({256, kChunkItemType, kMiB}, ChunkOf(chunk));
    };
    Passes(items(fewest));
    Refused(Rejection::kChunkItem, items(fewest - 1));
    more ? Passes(items(fewest + 2)) : Refused(Rejection::kChunkItem, items(fewest + 1));
  }
  const Key key{256, kChunkItemType, kMiB};
  const Chunk dup = SoundChunk(RaidProfile::kDup, kMiB, 8 * kMiB);
  Refused(Rejection::kChunkItem, One(key, ChunkOf(dup).substr(0, 48 + 63)));
  Refused(Rejection::kChunkItem, One(key, ChunkOf(dup) + "x"));
  std::string bytes = ChunkOf(dup);
  bytes[16] = 1;  // stripe length
  Refused(Rejection::kChunkItem, One(key, bytes));
  bytes = ChunkOf(dup);
  bytes[41] = 0x20;  // sector size
  Refused(Rejection::kChunkItem, One(key, bytes));
}

TEST(KernelRules, Devices) {
  const Key key{1, kDevItemType, 7};
  Passes(One(key, DeviceItemOf(7)));
  Refused(Rejection::kDeviceKey, One({2, kDevItemType, 7}, DeviceItemOf(7)));
  Refused(Rejection::kDeviceKey, One(key, DeviceItemOf(8)));
  Refused(Rejection::kDeviceItem, One(key, Joined(DeviceItemOf(7), "x")));
  Passes(One(key, DeviceItemOf(7).Put<uint64_t>(16, 1 << 30)));
  Refused(Rejection::kDeviceItem, One(key, DeviceItemOf(7).Put<uint64_t>(16, (1 << 30) + 1)));
}

TEST(KernelRules, DeviceExtents) {
  const Key key{1, kDevExtentType, kMiB};
  Passes(One(key, DeviceExtent()));
  Refused(Rejection::kDeviceExtentOwner, One(key, DeviceExtent().Put<uint64_t>(0, 2)));
  Refused(Rejection::kDeviceExtentOwner, One(key, DeviceExtent().Put<uint64_t>(8, 257)));
  Refused(Rejection::kDeviceExtentRange, One({1, kDevExtentType, kMiB + 512}, DeviceExtent()));
  Refused(Rejection::kDeviceExtentRange, One(key, DeviceExtent().Put<uint64_t>(16, 512)));
  Refused(Rejection::kDeviceExtentRange, One(key, DeviceExtent(4097)));
  Passes(One(key, DeviceExtent(0)));
  const LeafItem first{key, DeviceExtent(8192)};
  Passes({first, {{1, kDevExtentType, kMiB + 8192}, DeviceExtent()}});
  Passes({first, {{2, kDevExtentType, kMiB + 4096}, DeviceExtent()}});
  Refused(Rejection::kDeviceExtentOverlap,
          {first, {{1, kDevExtentType, kMiB + 4096}, DeviceExtent()}});
}

TEST(KernelRules, RaidStripes) {
  const Key key{kMiB, kRaidStripeType, kMiB};
  for (size_t entries : {0, 1, 3}) Passes(One(key, std::string(16 * entries, 's')));
  Refused(Rejection::kItemRecords, One(key, std::string(17, 's')));
  Refused(Rejection::kStripeFeature, One(key, std::string(16, 's')), kRaidStripeTreeId,
          With(&TreeBlockLimits::raid_stripe_tree, false));
}

// ---- Anything else ------------------------------------------------------------------------------

TEST(KernelRules, OtherTypesMayHoldAnything) {
  const std::set<int> with_rules = {1,   12,  13,  24,  84,  96,  108, 128, 132, 168,
                                    169, 176, 178, 182, 184, 192, 204, 216, 228, 230};
  for (int type = 0; type < 256; ++type) {
    if (with_rules.contains(type)) continue;
    for (size_t bytes : {0, 1, 17}) {
      Passes(One({3, static_cast<uint8_t>(type), 3}, std::string(bytes, 'x')));
    }
  }
}

}  // namespace
}  // namespace ebcache::testing
