#include <gtest/gtest.h>

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
