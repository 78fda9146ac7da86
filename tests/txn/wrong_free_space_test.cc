// A free space tree that says of a block that it is free.

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ebcache/item_codec.h"
#include "ebcache/items_space.h"
#include "ebcache/transaction.h"
#include "tests/support/mkfs_image.h"
#include "tests/txn/txn_fixture.h"

namespace ebcache::testing {
namespace {

// Has the free space tree say of a block that it is free; how much is free stays what it was.
void SayFree(Transaction& transaction, uint64_t block) {
  Key info_key;
  std::vector<std::byte> info_bytes;
  Key longest_key;
  {
    const absl::StatusOr<BTree> tree = transaction.Tree(kFreeSpaceTreeId);
    ASSERT_TRUE(tree.ok());
    for (const auto& [key, data] : ItemsOf(*tree)) {
      if (key.type == kFreeSpaceInfoType && key.objectid <= block &&
          block < key.objectid + key.offset) {
        info_key = key;
        info_bytes = data;
      }
    }
    for (const auto& [key, data] : ItemsOf(*tree)) {
      if (key.type == kFreeSpaceExtentType && key.objectid >= info_key.objectid &&
          key.objectid < info_key.objectid + info_key.offset && key.offset > longest_key.offset) {
        longest_key = key;
      }
    }
  }
  Key shorter = longest_key;
  shorter.offset -= 4096;
  absl::StatusOr<FreeSpaceInfo> info = ParseItem<FreeSpaceInfo>(info_bytes);
  ASSERT_TRUE(info.ok());
  ++info->extent_count;
  std::vector<std::byte> more;
  ASSERT_TRUE(AppendItem(*info, more).ok());
  ASSERT_TRUE(transaction.Remove(kFreeSpaceTreeId, longest_key).ok());
  ASSERT_TRUE(transaction.Insert(kFreeSpaceTreeId, shorter, {}).ok());
  ASSERT_TRUE(transaction.Insert(kFreeSpaceTreeId, {block, kFreeSpaceExtentType, 4096}, {}).ok());
  ASSERT_TRUE(transaction.Replace(kFreeSpaceTreeId, info_key, more).ok());
}

TEST(WrongFreeSpaceTest, NoBlockOfTheLastCommitIsWrittenOver) {
  if (!HaveMkfs()) GTEST_SKIP() << "SKIPPED: there is no mkfs.btrfs";
  const std::vector<std::string> paths = MakeImages("-n 4096 -R free-space-tree");
  ASSERT_FALSE(paths.empty());
  {
    const std::unique_ptr<Filesystem> filesystem = OpenWritable(paths);
    auto session = Session::Open(filesystem.get(), {.change_space_trees = true, .undo_file = ""});
    ASSERT_TRUE(session.ok());
    for (const bool lie : {false, true}) {
      auto transaction = (*session)->Begin();
      ASSERT_TRUE(transaction.ok());
      if (!lie) {
        for (uint64_t i = 0; i < 300; ++i) {
          const SampleItem item = MakeAttribute(i, 60);
          ASSERT_TRUE((*transaction)->Insert(kFsTreeId, item.key, item.data).ok());
        }
      } else {
        SayFree(**transaction, filesystem->Tree(kCsumTreeId)->root().bytenr);
      }
      const absl::Status committed = (*transaction)->Commit();
      ASSERT_TRUE(committed.ok()) << committed;
    }
  }
  ASSERT_EQ(WalkDamageOf(paths), "");
  {
    const std::unique_ptr<Filesystem> filesystem = OpenWritable(paths);
    auto session =
        Session::Open(filesystem.get(), {.undo_file = "", .most_unwritten_bytes = 64 * 4096});
    ASSERT_TRUE(session.ok()) << session.status();
    auto transaction = (*session)->Begin();
    ASSERT_TRUE(transaction.ok());
    absl::Status status;
    for (uint64_t i = 1000; status.ok() && i < 4000; ++i) {
      const SampleItem item = MakeAttribute(i, 1500);
      status = (*transaction)->Insert(kFsTreeId, item.key, item.data);
    }
    // It is seen before the block is written, not when the extent tree is told of it.
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_NE(status.message().find("what says that it is free is wrong"), absl::string_view::npos)
        << status;
    EXPECT_FALSE((*transaction)->Commit().ok());
  }
  EXPECT_EQ(WalkDamageOf(paths), "");
}

}  // namespace
}  // namespace ebcache::testing
