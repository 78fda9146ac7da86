// The way back: what a session has done, undone, byte for byte.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "ebcache/transaction.h"
#include "tests/support/mkfs_image.h"
#include "tests/txn/txn_fixture.h"

namespace ebcache::testing {
namespace {

class UndoTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!HaveMkfs()) GTEST_SKIP() << "SKIPPED: there is no mkfs.btrfs";
    const bool two = std::string(GetParam()).find("raid") != std::string::npos;
    paths_ = MakeImages(GetParam(), two ? 2 : 1);
    ASSERT_FALSE(paths_.empty());
    undo_file_ = paths_[0] + ".undo";
    std::filesystem::remove(undo_file_);
    // So that there is something that is freed.
    Change("", 0, 2000, 1);
    for (const std::string& path : paths_) superblocks_.push_back(SuperblocksOf(path));
    items_ = ItemsOf(paths_, kFsTreeId);
  }

  // Commits so often, of so many items each, some of which replace those before.
  void Change(const std::string& undo_file, uint64_t first, uint64_t count, int commits) {
    const std::unique_ptr<Filesystem> filesystem = OpenWritable(paths_);
    absl::StatusOr<std::unique_ptr<Session>> session =
        Session::Open(filesystem.get(), {.undo_file = undo_file});
    ASSERT_TRUE(session.ok()) << session.status();
    for (int i = 0; i < commits; ++i) {
      auto transaction = (*session)->Begin();
      ASSERT_TRUE(transaction.ok()) << transaction.status();
      for (uint64_t number = first; number < first + count; ++number) {
        const absl::Status status =
            PutAttribute(**transaction, number, 60, static_cast<uint8_t>(i));
        ASSERT_TRUE(status.ok()) << status;
      }
      const absl::Status status = (*transaction)->Commit();
      ASSERT_TRUE(status.ok()) << status;
    }
  }

  void ExpectAsItWas() {
    for (size_t i = 0; i < paths_.size(); ++i) {
      EXPECT_TRUE(SuperblocksOf(paths_[i]) == superblocks_[i]) << paths_[i];
    }
    EXPECT_EQ(ItemsOf(paths_, kFsTreeId), items_);
    EXPECT_EQ(WalkDamageOf(paths_), "");
    EXPECT_EQ(CheckComplaintOf(paths_), "");
  }

  std::vector<std::string> paths_;
  std::string undo_file_;
  std::vector<std::string> superblocks_;
  ItemMap items_;
};

// So many commits that what they freed among themselves has been used again, and that all four backup
// roots are theirs.
TEST_P(UndoTest, ManyCommitsLater) {
  Change(undo_file_, 1000, 1500, 30);
  EXPECT_NE(ItemsOf(paths_, kFsTreeId), items_);
  EXPECT_EQ(CheckComplaintOf(paths_), "");
  const absl::Status status = UndoSession(paths_, undo_file_);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_FALSE(std::filesystem::exists(undo_file_));
  ExpectAsItWas();
}

TEST_P(UndoTest, OfASessionWithoutACommit) {
  Change(undo_file_, 0, 10, 0);
  ASSERT_TRUE(UndoSession(paths_, undo_file_).ok());
  ExpectAsItWas();
}

TEST_P(UndoTest, WhatElseHasWrittenIsNotUndone) {
  Change(undo_file_, 1000, 100, 2);
  Change("", 3000, 100, 1);  // as a kernel would
  const ItemMap items = ItemsOf(paths_, kFsTreeId);
  EXPECT_TRUE(absl::IsFailedPrecondition(UndoSession(paths_, undo_file_)));
  EXPECT_TRUE(std::filesystem::exists(undo_file_));
  EXPECT_EQ(ItemsOf(paths_, kFsTreeId), items);
}

TEST_P(UndoTest, AnUndoFileThatIsThereIsNotWrittenOver) {
  Change(undo_file_, 1000, 100, 1);
  const std::unique_ptr<Filesystem> filesystem = OpenWritable(paths_);
  EXPECT_TRUE(
      absl::IsAlreadyExists(Session::Open(filesystem.get(), {.undo_file = undo_file_}).status()));
}

TEST_P(UndoTest, SettlingGivesSpaceBackAndTheWayBackUp) {
  const std::unique_ptr<Filesystem> filesystem = OpenWritable(paths_);
  absl::StatusOr<std::unique_ptr<Session>> session =
      Session::Open(filesystem.get(), {.undo_file = undo_file_});
  ASSERT_TRUE(session.ok());
  const uint64_t before = (*session)->free_bytes();
  TransactionCounts counts;
  {
    auto transaction = (*session)->Begin();
    ASSERT_TRUE(transaction.ok());
    ASSERT_TRUE((*transaction)->Rewrite(kFsTreeId, kMinKey, 1000).ok());
    EXPECT_TRUE(absl::IsFailedPrecondition((*session)->Settle()));
    ASSERT_TRUE((*transaction)->Commit().ok());
    counts = (*transaction)->counts();
  }
  const uint64_t node_bytes = filesystem->superblock().node_bytes;
  {
    auto transaction = (*session)->Begin();
    // All that was copied is kept, beside the copies.
    EXPECT_EQ((*session)->free_bytes(), before - counts.blocks_written * node_bytes);
    EXPECT_GT(counts.blocks_copied, 10u);
  }
  ASSERT_TRUE((*session)->Settle().ok());
  EXPECT_FALSE(std::filesystem::exists(undo_file_));
  auto transaction = (*session)->Begin();
  EXPECT_EQ((*session)->free_bytes(),
            before - (counts.blocks_made - counts.blocks_freed) * node_bytes);
}

TEST_P(UndoTest, ADamagedFileIsNone) {
  Change(undo_file_, 1000, 100, 2);
  std::fstream file(undo_file_, std::ios::in | std::ios::out | std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  // Each eighth of it, and both ends.
  for (size_t i = 0; i < 9; ++i) {
    const size_t images = bytes.size() - 3 * 24;  // records that are damaged are none
    const size_t at = std::min(images - 1, i * images / 8);
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    std::ofstream(undo_file_, std::ios::binary) << damaged;
    EXPECT_TRUE(absl::IsDataLoss(UndoSession(paths_, undo_file_))) << at;
  }
  {
    // What the session began with is not known.
    std::string damaged = bytes;
    char& byte = damaged[damaged.size() - 3 * 24 + 9];
    byte = static_cast<char>(byte ^ 1);
    std::ofstream(undo_file_, std::ios::binary) << damaged;
    EXPECT_TRUE(absl::IsDataLoss(UndoSession(paths_, undo_file_)));
  }
  std::ofstream(undo_file_, std::ios::binary) << bytes.substr(0, 100);
  EXPECT_TRUE(absl::IsDataLoss(UndoSession(paths_, undo_file_)));
  // The record of a commit that did not come to its superblock may be torn.
  std::ofstream(undo_file_, std::ios::binary) << bytes << "torn";
  ASSERT_TRUE(UndoSession(paths_, undo_file_).ok());
  ExpectAsItWas();
}

INSTANTIATE_TEST_SUITE_P(Images, UndoTest,
                         ::testing::Values("-n 4096", "-n 4096 --csum xxhash -R ^free-space-tree",
                                           "-n 16384 -m raid1 -d single"));

}  // namespace
}  // namespace ebcache::testing
