// The rules for items: for each type what is sound passes, and every way to be refused that has a
// name is met by some case here, or, if it is about whole blocks, in tree_block_checker_test.

#include "lib/format/check/item_rules.h"

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lib/format/check/rejection.h"
#include "lib/format/check/tree_block_checker.h"
#include "tests/format/format_bytes.h"
#include "tests/format/item_bytes.h"

namespace ebcache::testing {
namespace {

using ::testing::HasSubstr;

constexpr uint32_t kNodeBytes = 4096;
constexpr TreeBlockLimits kLimits{
    .sector_bytes = 4096, .checksum_bytes = 4, .newest_generation = 8};
constexpr uint64_t kChecksums = static_cast<uint64_t>(-10);
constexpr uint64_t kFreeSpaceCache = static_cast<uint64_t>(-11);
constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kTop = ~uint64_t{0} - 4095;  // the last sector of the address space
constexpr uint64_t kData = 1;
constexpr uint64_t kTreeBlock = 2;
constexpr uint64_t kFullBackref = 256;

absl::Status Check(const std::vector<LeafItem>& items, const TreeBlockLimits& limits = kLimits) {
  return CheckTreeBlockBytes(
      LeafBytes({.node_bytes = kNodeBytes, .bytenr = 65536, .owner = kFsTreeId}, items), limits);
}

std::string Joined(const std::string& a, const std::string& b) { return a + b; }

// Extent items with references in them.
std::string Extent(uint64_t references, uint64_t flags, const std::string& rest = {}) {
  return Joined(ExtentHeader(references, flags), rest);
}

TEST(ItemRules, SoundItemsPass) {
  const uint64_t hash = HashOf("name");
  const std::vector<std::vector<LeafItem>> leaves = {
      {{{kRootTreeDirId, kInodeItemType, 0}, InodeItem(040755)},
       {{256, kInodeItemType, 0}, InodeItem(040755)},
       {{256, kInodeRefType, 256}, InodeRef("..")},
       {{256, kDirItemType, hash}, DirectoryEntry("name")},
       {{256, kDirIndexType, 2}, DirectoryEntry("name", 0x81)},
       {{257, kInodeItemType, 0}, InodeItem()},
       {{257, kInodeRefType, 256}, Joined(InodeRef("name"), InodeRef(std::string(255, 'x')))},
       {{257, kInodeExtrefType, 99}, Joined(InodeExtref("name"), InodeExtref("other"))},
       {{257, kXattrItemType, hash}, DirectoryEntry("name", 8, "value")},
       {{257, kExtentDataType, 0}, InlineExtent("inline")},
       {{258, kInodeItemType, 0}, InodeItem()},
       {{258, kExtentDataType, 0}, FileExtent(8192)},
       {{258, kExtentDataType, 8192}, FileExtent(4096)},
       {{258, kExtentDataType, 16384}, FileExtent(4096).Put<uint8_t>(20, 2)},
       {{259, kInodeItemType, 0}, InodeItem()},
       {{259, kExtentDataType, 0}, InlineExtent("packed").Put<uint8_t>(16, 1).Put<uint64_t>(8, 99)},
       {{kChecksums, kExtentCsumType, kMiB}, std::string(8, 'c')},
       {{kChecksums, kExtentCsumType, kMiB + 8192}, std::string(4, 'c')}},
      {{{kMiB, kExtentItemType, 8192},
        Extent(7, kData, Joined(DataRef(3), SharedDataRef(kMiB, 4)))},
       {{kMiB + 8192, kExtentItemType, 4096},
        Extent(1, kTreeBlock, Joined(TreeBlockInfo(7), TreeBlockRef()))},
       {{kMiB + 12288, kMetadataItemType, 7},
        Extent(2, kTreeBlock | kFullBackref, Joined(TreeBlockRef(), SharedBlockRef(kMiB)))},
       {{kMiB + 16384, kExtentItemType, 4096}, Extent(1, kData, Joined(OwnerRef(), DataRef(1)))},
       {{kMiB + 16384, kExtentDataRefType, 1}, std::string(DataRef(1)).substr(1)},
       {{kMiB + 16384, kSharedDataRefType, 4096}, ItemBytes(4).Put<uint32_t>(0, 1)},
       {{kMiB + 20480, kMetadataItemType, 0}, Extent(1, kTreeBlock)},
       {{kMiB + 20480, kTreeBlockRefType, 5}, ""},
       {{kMiB + 20480, kSharedBlockRefType, 4096}, ""},
       {{kMiB + 20480, kBlockGroupItemType, kMiB}, BlockGroup()},
       {{3 * kMiB, kBlockGroupItemType, kMiB}, BlockGroup(kMiB, kBlockGroupData | 5 << 0)}},
      {{{5, kRootItemType, 0}, RootItemOf()},
       {{5, kRootRefType, 256}, RootReference("subvolume")},
       {{256, kRootItemType, 0}, std::string(RootItemOf()).substr(0, 239)},
       {{256, kRootBackrefType, 5}, RootReference("s")},
       {{256, kUuidSubvolType, 5}, std::string(16, 'u')},
       {{257, kDirLogIndexType, 5}, std::string(8, 'l')}},
      {{{0, kPersistentItemType, 1}, std::string(40, 's')},
       {{1, kDevExtentType, kMiB}, DeviceExtent()},
       {{1, kDevExtentType, 2 * kMiB}, DeviceExtent()},
       {{1, kDevItemType, 1}, DeviceItemOf(1)},
       {{256, kChunkItemType, kMiB}, ChunkItemString(kMiB)},
       {{kMiB, kFreeSpaceInfoType, kMiB}, std::string(8, 'f')},
       {{kMiB, kFreeSpaceExtentType, 4096}, ""},
       {{kMiB + 4096, kFreeSpaceBitmapType, 9 * 4096}, "bb"},
       {{kFreeSpaceCache, kUntypedType, kMiB}, std::string(41, 'h')}},
      // Types without rules may hold anything.
      {{{1, 2, 3}, "what"}, {{1, kStringItemType, 3}, ""}, {{1, 255, 3}, "ever"}},
  };
  for (const std::vector<LeafItem>& leaf : leaves) EXPECT_EQ(Check(leaf), absl::OkStatus());
}

TEST(ItemRules, SevenKindsOfFile) {
  for (uint32_t kind = 0; kind < 16; ++kind) {
    const bool legal = kind == 1 || kind == 2 || (kind % 2 == 0 && kind >= 4 && kind <= 12);
    EXPECT_EQ(Check({{{257, kInodeItemType, 0}, InodeItem(kind << 12 | 0755)}}).ok(), legal)
        << kind;
  }
}

TEST(ItemRules, HashesAreThoseOfDirectories) {
  // The entry that every root tree has for its default subvolume.
  EXPECT_EQ(HashOf("default"), 2378154706);
}

struct Case {
  Rejection rejection;
  std::vector<LeafItem> items;  // the last one is refused
  TreeBlockLimits limits = kLimits;
};

// One item that is refused.
Case One(Rejection rejection, const Key& key, const std::string& data) {
  return {.rejection = rejection, .items = {{key, data}}};
}

std::vector<Case> InodeCases() {
  const Key inode{257, kInodeItemType, 0};
  const Key name{257, kInodeRefType, 256};
  return {
      One(Rejection::kItemSize, inode, std::string(159, '\0')),
      One(Rejection::kItemSize, inode, std::string(161, '\0')),
      One(Rejection::kInodeKey, {255, kInodeItemType, 0}, InodeItem()),
      One(Rejection::kInodeKey, {257, kInodeItemType, 1}, InodeItem()),
      One(Rejection::kInodeKey, {~uint64_t{0}, kInodeItemType, 0}, InodeItem()),
      One(Rejection::kInodeLinks, inode, InodeItem(040755).Put<uint32_t>(40, 2)),
      One(Rejection::kInodeFlags, inode, InodeItem().Put<uint64_t>(64, 1 << 12)),
      {Rejection::kInodeMissing,
       {{{256, kInodeItemType, 0}, InodeItem(040755)}, {name, InodeRef("name")}}},
      One(Rejection::kInodeMode, inode, InodeItem(0)),
      One(Rejection::kInodeMode, inode, InodeItem(0170000)),
      One(Rejection::kInodeMode, inode, InodeItem(0700170000)),
      One(Rejection::kInodeGeneration, inode, InodeItem().Put<uint64_t>(0, 9)),
      One(Rejection::kInodeGeneration, inode, InodeItem().Put<uint64_t>(8, 9)),
      One(Rejection::kNameTruncated, name, ""),
      One(Rejection::kNameTruncated, name, std::string(9, '\1')),
      One(Rejection::kNameTruncated, name, InodeRef("abc").Put<uint16_t>(8, 4)),
      One(Rejection::kNameTruncated, name, Joined(InodeRef("abc"), "x")),
      One(Rejection::kNameLength, name, InodeRef("")),
      One(Rejection::kNameTruncated, {257, kInodeExtrefType, 1}, std::string(17, '\0')),
      One(Rejection::kNameLength, {257, kInodeExtrefType, 1}, InodeExtref("")),
  };
}

std::vector<Case> DirectoryCases() {
  const Key entry{256, kDirItemType, HashOf("name")};
  const Key index{256, kDirIndexType, 2};
  const Key xattr{256, kXattrItemType, HashOf("name")};
  return {
      One(Rejection::kNameTruncated, entry, ""),
      One(Rejection::kNameTruncated, entry, std::string(29, '\0')),
      One(Rejection::kNameTruncated, entry, DirectoryEntry("name").Put<uint16_t>(27, 5)),
      One(Rejection::kNameTruncated, entry, Joined(DirectoryEntry("name"), "x")),
      One(Rejection::kNameLength, index, DirectoryEntry("")),
      One(Rejection::kNameLength, index, DirectoryEntry(std::string(256, 'x'))),
      One(Rejection::kDirectoryHash, entry, DirectoryEntry("nama")),
      One(Rejection::kDirectoryHash, {256, kDirItemType, entry.offset | uint64_t{1} << 32},
          DirectoryEntry("name")),
      One(Rejection::kDirectoryHash, xattr, DirectoryEntry("nama", 8)),
      One(Rejection::kDirectoryType, entry, DirectoryEntry("name", 9)),
      One(Rejection::kDirectoryType, entry,
          DirectoryEntry("name", 8).Put<uint64_t>(0, 257).Put<uint8_t>(8, kInodeItemType)),
      One(Rejection::kDirectoryType, xattr,
          DirectoryEntry("name", 1).Put<uint64_t>(0, 0).Put<uint8_t>(8, 0)),
      One(Rejection::kDirectoryLocation, entry, DirectoryEntry("name").Put<uint8_t>(8, 84)),
      One(Rejection::kDirectoryData, entry, DirectoryEntry("name", 1, "data")),
      One(Rejection::kDirectoryData, xattr, DirectoryEntry("name", 8, "v").Put<uint16_t>(25, 2)),
      One(Rejection::kDirectoryData, xattr,
          DirectoryEntry("name", 8, "v").Put<uint16_t>(25, 65535)),
  };
}

std::vector<Case> FileExtentCases() {
  const Key key{257, kExtentDataType, 0};
  return {
      One(Rejection::kFileExtentSize, key, std::string(20, '\0')),
      One(Rejection::kFileExtentSize, key, Joined(FileExtent(), "x")),
      One(Rejection::kFileExtentSize, key, std::string(FileExtent()).substr(0, 52)),
      One(Rejection::kFileExtentType, key, FileExtent().Put<uint8_t>(20, 3)),
      One(Rejection::kFileExtentEncoding, key, FileExtent().Put<uint8_t>(16, 4)),
      One(Rejection::kFileExtentEncoding, key, FileExtent().Put<uint8_t>(17, 1)),
      One(Rejection::kFileExtentInline, {257, kExtentDataType, 4096}, InlineExtent("data")),
      One(Rejection::kFileExtentInline, key, InlineExtent("data").Put<uint64_t>(8, 5)),
      One(Rejection::kFileExtentAlign, {257, kExtentDataType, 512}, FileExtent()),
      One(Rejection::kFileExtentAlign, key, FileExtent().Put<uint64_t>(8, 16385)),
      One(Rejection::kFileExtentAlign, key, FileExtent().Put<uint64_t>(21, 512)),
      One(Rejection::kFileExtentAlign, key, FileExtent().Put<uint64_t>(29, 512)),
      One(Rejection::kFileExtentAlign, key, FileExtent().Put<uint64_t>(37, 512)),
      One(Rejection::kFileExtentAlign, key, FileExtent(4097)),
      One(Rejection::kFileExtentRange, {257, kExtentDataType, kTop}, FileExtent()),
      {Rejection::kFileExtentOverlap,
       {{key, FileExtent(8192)}, {{257, kExtentDataType, 4096}, FileExtent(4096)}}},
      One(Rejection::kChecksumKey, {5, kExtentCsumType, kMiB}, "csum"),
      One(Rejection::kChecksumKey, {kChecksums, kExtentCsumType, 1}, "csum"),
      One(Rejection::kChecksumSize, {kChecksums, kExtentCsumType, kMiB}, "checks"),
      {Rejection::kChecksumOverlap,
       {{{kChecksums, kExtentCsumType, kMiB}, std::string(12, 'c')},
        {{kChecksums, kExtentCsumType, kMiB + 8192}, "csum"}}},
  };
}

std::vector<Case> ExtentCases() {
  const Key data{kMiB, kExtentItemType, 4096};
  const Key block{kMiB, kMetadataItemType, 0};
  return {
      One(Rejection::kExtentSize, data, "refs"),
      One(Rejection::kExtentSize, block, std::string(23, '\0')),
      One(Rejection::kExtentSize, data, Extent(1, kTreeBlock)),
      One(Rejection::kExtentFlags, data, Extent(1, 0)),
      One(Rejection::kExtentFlags, data, Extent(1, kData | kTreeBlock)),
      One(Rejection::kExtentFlags, data, Extent(1, kData | kFullBackref)),
      One(Rejection::kExtentFlags, block, Extent(1, kData)),
      One(Rejection::kExtentKey, {kMiB + 128, kMetadataItemType, 0}, Extent(1, kTreeBlock)),
      One(Rejection::kExtentKey, {kMiB, kExtentItemType, 4097}, Extent(1, kData)),
      One(Rejection::kExtentKey, {kMiB, kExtentItemType, 8192},
          Extent(1, kTreeBlock, TreeBlockInfo(0))),
      One(Rejection::kExtentLevel, {kMiB, kMetadataItemType, 8}, Extent(1, kTreeBlock)),
      One(Rejection::kExtentLevel, data, Extent(1, kTreeBlock, TreeBlockInfo(8))),
      One(Rejection::kExtentGeneration, block, ExtentHeader(1, kTreeBlock).Put<uint64_t>(8, 9)),
      {Rejection::kExtentOverlap,
       {{{kMiB, kExtentItemType, 8192}, Extent(1, kData)},
        {{kMiB + 4096, kExtentItemType, 4096}, Extent(1, kData)}}},
      {Rejection::kExtentOverlap, {{data, Extent(1, kData)}, {block, Extent(1, kTreeBlock)}}},
      One(Rejection::kInlineRefTruncated, block,
          Extent(1, kTreeBlock, std::string(TreeBlockRef()).substr(0, 8))),
      One(Rejection::kInlineRefTruncated, data,
          Extent(1, kData, std::string(DataRef(1)).substr(0, 28))),
      One(Rejection::kInlineRefType, data, Extent(1, kData, std::string(9, '\1'))),
      One(Rejection::kInlineRefAlign, block, Extent(1, kTreeBlock, SharedBlockRef(kMiB + 1))),
      One(Rejection::kInlineRefAlign, data, Extent(1, kData, SharedDataRef(kMiB + 1, 1))),
      One(Rejection::kReferenceAlign, data, Extent(1, kData, DataRef(1, 512))),
      One(Rejection::kReferenceCount, data, Extent(1, kData, DataRef(0))),
      One(Rejection::kInlineRefCount, data, Extent(1, kData, SharedDataRef(kMiB, 0))),
      One(Rejection::kInlineRefCount, data, Extent(6, kData, DataRef(7))),
      One(Rejection::kInlineRefCount, block,
          Extent(1, kTreeBlock, Joined(TreeBlockRef(256), TreeBlockRef()))),
      One(Rejection::kInlineRefOrder, block,
          Extent(2, kTreeBlock, Joined(TreeBlockRef(), TreeBlockRef(256)))),
      One(Rejection::kDataRefRoot, data, Extent(1, kData, DataRef(1).Put<uint64_t>(1, 0))),
      One(Rejection::kDataRefObject, data, Extent(1, kData, DataRef(1).Put<uint64_t>(9, 0))),
      {Rejection::kExtentSkinny,
       {{block, Extent(1, kTreeBlock)}},
       {.sector_bytes = 4096, .skinny_metadata = false}},
      One(Rejection::kItemSize, {kMiB, kTreeBlockRefType, 5}, "x"),
      One(Rejection::kReferenceKey, {kMiB + 1, kTreeBlockRefType, 5}, ""),
      One(Rejection::kReferenceKey, {kMiB, kSharedBlockRefType, 5}, ""),
      One(Rejection::kItemRecords, {kMiB, kExtentDataRefType, 5}, std::string(29, '\0')),
      One(Rejection::kReferenceKey, {kMiB + 1, kExtentDataRefType, 5},
          std::string(DataRef(1)).substr(1)),
      One(Rejection::kReferenceAlign, {kMiB, kExtentDataRefType, 5},
          std::string(DataRef(1, 512)).substr(1)),
      One(Rejection::kReferenceCount, {kMiB, kExtentDataRefType, 5},
          std::string(DataRef(0)).substr(1)),
      One(Rejection::kItemSize, {kMiB, kSharedDataRefType, 4096}, "12345"),
      One(Rejection::kReferenceKey, {kMiB, kSharedDataRefType, 4097}, "1234"),
      One(Rejection::kReferenceCount, {kMiB, kSharedDataRefType, 4096}, std::string(4, '\0')),
  };
}

std::vector<Case> RootCases() {
  const Key root{257, kRootItemType, 0};
  return {
      One(Rejection::kRootKey, {0, kRootItemType, 0}, RootItemOf()),
      One(Rejection::kRootItem, root, std::string(438, '\0')),
      One(Rejection::kRootItem, root, RootItemOf(kMiB + 1)),
      One(Rejection::kRootItem, root, RootItemOf().Put<uint8_t>(238, 8)),
      One(Rejection::kRootItem, root, RootItemOf().Put<uint8_t>(237, 8)),
      One(Rejection::kRootGeneration, root, RootItemOf().Put<uint64_t>(160, 9)),
      One(Rejection::kRootFlags, root, RootItemOf().Put<uint64_t>(208, 2)),
      One(Rejection::kRootKey, {kTreeRelocId, kRootItemType, 255}, RootItemOf()),
  };
}

std::vector<Case> SpaceCases() {
  const Key chunk{256, kChunkItemType, kMiB};
  const Key device{1, kDevItemType, 1};
  const Key extent{1, kDevExtentType, kMiB};
  const Key group{kMiB, kBlockGroupItemType, kMiB};
  return {
      One(Rejection::kChunkItem, chunk, ChunkItemString(kMiB).substr(1)),
      One(Rejection::kChunkItem, {256, kChunkItemType, kMiB + 1}, ChunkItemString(kMiB)),
      One(Rejection::kDeviceKey, {2, kDevItemType, 1}, DeviceItemOf(1)),
      One(Rejection::kDeviceKey, {1, kDevItemType, 2}, DeviceItemOf(1)),
      One(Rejection::kDeviceItem, device, std::string(97, '\0')),
      One(Rejection::kDeviceItem, device, DeviceItemOf(1).Put<uint64_t>(16, uint64_t{1} << 40)),
      One(Rejection::kItemSize, extent, std::string(47, '\0')),
      One(Rejection::kDeviceExtentOwner, extent, DeviceExtent().Put<uint64_t>(0, 5)),
      One(Rejection::kDeviceExtentOwner, extent, DeviceExtent().Put<uint64_t>(8, 5)),
      One(Rejection::kDeviceExtentRange, extent, DeviceExtent(1)),
      One(Rejection::kDeviceExtentRange, extent, DeviceExtent().Put<uint64_t>(16, 1)),
      One(Rejection::kDeviceExtentRange, {1, kDevExtentType, 1}, DeviceExtent()),
      {Rejection::kDeviceExtentOverlap,
       {{extent, DeviceExtent()}, {{1, kDevExtentType, kMiB + 4096}, DeviceExtent()}}},
      One(Rejection::kItemSize, group, std::string(23, '\0')),
      One(Rejection::kBlockGroupRange, {kMiB, kBlockGroupItemType, 0}, BlockGroup()),
      One(Rejection::kBlockGroupUsed, group, BlockGroup(kMiB + 1)),
      One(Rejection::kBlockGroupChunk, group, BlockGroup().Put<uint64_t>(8, 255)),
      One(Rejection::kBlockGroupType, group, BlockGroup(0, 0)),
      One(Rejection::kBlockGroupType, group,
          BlockGroup(0, kBlockGroupSystem | kBlockGroupMetadata)),
      One(Rejection::kBlockGroupType, group, BlockGroup(0, kBlockGroupData | 1 << 3 | 1 << 4)),
      One(Rejection::kItemRecords, {5, kRaidStripeType, 256}, std::string(8, 'r')),
      {Rejection::kStripeFeature,
       {{{5, kRaidStripeType, 256}, std::string(16, 'r')}},
       {.sector_bytes = 4096, .raid_stripe_tree = false}},
  };
}

std::vector<Case> AllCases() {
  std::vector<Case> all;
  for (auto* cases :
       {InodeCases, DirectoryCases, FileExtentCases, ExtentCases, RootCases, SpaceCases}) {
    for (Case& one : cases()) all.push_back(std::move(one));
  }
  return all;
}

TEST(ItemRules, EveryRejectionSaysWhereAndHasItsName) {
  for (const Case& one : AllCases()) {
    const absl::Status status = Check(one.items, one.limits);
    const std::string message(status.message());
    const std::string where = absl::StrCat("slot ", one.items.size() - 1, ", item ",
                                           one.items.back().key.ToString(), ": ");
    const std::string name = absl::StrCat(" [", RejectionName(one.rejection), "]");
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << where << name;
    EXPECT_TRUE(absl::StartsWith(message, where)) << message << ", not " << where;
    EXPECT_TRUE(absl::EndsWith(message, name)) << message << ", not" << name;
  }
}

// The last checksum of three is of a sector beyond the first of the next item.
TEST(ItemRules, OverlappingChecksumsSayHowFarTheyReach) {
  const absl::Status status = Check({{{kChecksums, kExtentCsumType, kMiB}, std::string(12, 'c')},
                                     {{kChecksums, kExtentCsumType, kMiB + 8192}, "csum"}});
  EXPECT_THAT(std::string(status.message()),
              HasSubstr(absl::StrCat("checksums of ", kMiB, " reach to ", kMiB + 3 * 4096)));
}

TEST(ItemRules, EveryNameIsMet) {
  std::set<Rejection> met;
  for (const Case& one : AllCases()) met.insert(one.rejection);
  // From here on the list is of items; those before are the business of tree_block_checker_test.
  for (size_t i = static_cast<size_t>(Rejection::kItemSize); i < std::size(kRejectionNames); ++i) {
    EXPECT_TRUE(met.contains(static_cast<Rejection>(i))) << kRejectionNames[i];
  }
}

TEST(ItemRules, WhatIsNotKnownIsNotHeldAgainstAnItem) {
  const TreeBlockLimits little{.sector_bytes = 4096};
  EXPECT_TRUE(Check({{{257, kInodeItemType, 0}, InodeItem().Put<uint64_t>(0, 1000)}}, little).ok());
  EXPECT_TRUE(Check({{{kChecksums, kExtentCsumType, kMiB}, "odd"}}, little).ok());
}

// Every sound item with its size cut at every byte, and with every one of its bytes at extremes:
// nothing is read that is not there (for the sanitizers), and the checker comes back.
TEST(ItemRules, EveryCutAndEveryByte) {
  for (const Case& one : AllCases()) {
    std::vector<LeafItem> items = one.items;
    const std::string whole = items.back().data;
    for (size_t length = 0; length < whole.size(); ++length) {
      items.back().data = whole.substr(0, length);
      (void)Check(items);
    }
    for (size_t at = 0; at < whole.size(); ++at) {
      for (char value : {'\x00', '\x01', '\x7f', '\xff'}) {
        items.back().data = whole;
        items.back().data[at] = value;
        (void)Check(items);
      }
    }
  }
}

}  // namespace
}  // namespace ebcache::testing
