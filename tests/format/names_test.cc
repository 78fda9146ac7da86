#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>

#include "ebcache/on_disk.h"

namespace ebcache {
namespace {

TEST(Names, Trees) {
  EXPECT_EQ(TreeName(kRootTreeId), "ROOT_TREE");
  EXPECT_EQ(TreeName(kFsTreeId), "FS_TREE");
  EXPECT_EQ(TreeName(kTreeLogId), "TREE_LOG");
  EXPECT_EQ(TreeName(kDataRelocTreeId), "DATA_RELOC_TREE");
  EXPECT_EQ(TreeName(256), "256");
  EXPECT_EQ(TreeName(kTreeLogId - 1), "TREE_LOG_FIXUP");
  EXPECT_EQ(TreeName(static_cast<uint64_t>(-20)), "18446744073709551596");
}

TEST(Names, Keys) {
  EXPECT_EQ((Key{256, kInodeItemType, 0}.ToString()), "(256 INODE_ITEM 0)");
  EXPECT_EQ((Key{256, kChunkItemType, 1 << 20}.ToString()), "(256 CHUNK_ITEM 1048576)");
  EXPECT_EQ((Key{1, 77, ~uint64_t{0}}.ToString()), "(1 77 18446744073709551615)");
}

// What has a name is known by it and not by its number, and no two share one.
TEST(Names, EveryTreeAndEveryTypeHasItsOwn) {
  std::set<std::string> trees;
  for (uint64_t tree : {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, -6, -7, -8, -9}) {
    EXPECT_TRUE(trees.insert(TreeName(tree)).second) << tree;
    EXPECT_EQ(TreeName(tree).find_first_of("0123456789"), std::string::npos) << tree;
  }
  std::set<std::string> types;
  for (uint8_t type : {1,   12,  13,  24,  36,  37,  48,  60,  72,  84,  96,  108, 128, 132,
                       144, 156, 168, 169, 172, 176, 178, 182, 184, 192, 198, 199, 200, 204,
                       216, 228, 230, 240, 242, 244, 246, 248, 249, 250, 251, 252, 253}) {
    const std::string text = Key{0, type, 0}.ToString();
    EXPECT_TRUE(types.insert(text).second) << text;
    EXPECT_EQ(text.find(std::to_string(type)), std::string::npos) << text;
  }
}

TEST(Names, Uuids) {
  Uuid uuid;
  for (size_t i = 0; i < uuid.size(); ++i) uuid[i] = std::byte(i * 0x11);
  EXPECT_EQ(UuidString(uuid), "00112233-4455-6677-8899-aabbccddeeff");
}

TEST(Names, Profiles) {
  EXPECT_EQ(RaidProfileName(RaidProfile::kSingle), "single");
  EXPECT_EQ(RaidProfileName(RaidProfile::kRaid1c4), "RAID1C4");
  EXPECT_EQ(RaidProfileName(RaidProfile::kRaid6), "RAID6");
}

TEST(Names, FileTrees) {
  EXPECT_TRUE(IsFsTree(kFsTreeId));
  EXPECT_TRUE(IsFsTree(256));
  EXPECT_FALSE(IsFsTree(255));
  EXPECT_FALSE(IsFsTree(kDataRelocTreeId));
  EXPECT_FALSE(IsFsTree(kTreeLogId));
  EXPECT_FALSE(IsFsTree(uint64_t{1} << 48 | 256));
}

}  // namespace
}  // namespace ebcache
