#include "ebcache/item_names.h"

#include <gtest/gtest.h>

#include "ebcache/items.h"

namespace ebcache {
namespace {

TEST(ItemNames, FlagsAsDumpTreeHasThem) {
  EXPECT_EQ(HeaderFlagNames(kHeaderWritten | kMixedBackrefRevision << kBackrefRevisionShift),
            "WRITTEN");
  EXPECT_EQ(HeaderFlagNames(3), "WRITTEN|RELOC");
  EXPECT_EQ(InodeFlagNames(0), "none");
  EXPECT_EQ(InodeFlagNames(0x13), "NODATASUM|NODATACOW|PREALLOC");
  EXPECT_EQ(InodeFlagNames(kInodeVerity | kInodeRootItemInit), "ROOT_ITEM_INIT|VERITY");
  EXPECT_EQ(RootFlagNames(1), "RDONLY");
  EXPECT_EQ(RootFlagNames(uint64_t{1} << 48), "DEAD");
  EXPECT_EQ(ExtentFlagNames(0x102), "TREE_BLOCK|FULL_BACKREF");
  EXPECT_EQ(BlockGroupFlagNames(1), "DATA|single");
  EXPECT_EQ(BlockGroupFlagNames(2 | 1 << 5), "SYSTEM|DUP");
  EXPECT_EQ(BlockGroupFlagNames(5 | 1 << 10), "DATA|METADATA|RAID1C4");
  EXPECT_EQ(BlockGroupFlagNames(0), "single");
  EXPECT_EQ(QgroupStatusFlagNames(0), "OFF");
  EXPECT_EQ(QgroupStatusFlagNames(7), "ON|SCANNING|INCONSISTENT");
}

TEST(ItemNames, BitsWithoutANameAreNotLost) {
  EXPECT_EQ(InodeFlagNames(1 | 1 << 15), "NODATASUM|0x8000");
  EXPECT_EQ(ExtentFlagNames(0x80), "0x80");
  EXPECT_EQ(BlockGroupFlagNames(4 | 1 << 15), "METADATA|0x8000|single");
}

TEST(ItemNames, Numbers) {
  EXPECT_EQ(DirEntryTypeName(0), "UNKNOWN");
  EXPECT_EQ(DirEntryTypeName(static_cast<uint8_t>(DirEntryType::kXattr)), "XATTR");
  EXPECT_EQ(DirEntryTypeName(static_cast<uint8_t>(DirEntryType::kSymlink)), "SYMLINK");
  EXPECT_EQ(DirEntryTypeName(9), "");
  EXPECT_EQ(FileExtentTypeName(static_cast<uint8_t>(FileExtentType::kPreallocated)), "prealloc");
  EXPECT_EQ(FileExtentTypeName(3), "");
  EXPECT_EQ(CompressionName(static_cast<uint8_t>(Compression::kZstd)), "zstd");
  EXPECT_EQ(CompressionName(255), "");
}

}  // namespace
}  // namespace ebcache
