// The way back, where more has happened than the session that it is of.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "ebcache/transaction.h"
#include "tests/support/mkfs_image.h"
#include "tests/txn/txn_fixture.h"

namespace ebcache::testing {
namespace {

class UndoLimitsTest : public ::testing::Test {
 protected:
  void Make(const std::string& options, int devices) {
    paths_ = MakeImages(options, devices);
    ASSERT_FALSE(paths_.empty());
    undo_file_ = paths_[0] + ".undo";
    std::filesystem::remove(undo_file_);
  }
  // Of the attributes 0 to 2000. `commits` 0: one that is given up, with early writes.
  void Change(const std::string& undo_file, int commits) {
    const std::unique_ptr<Filesystem> filesystem = OpenWritable(paths_);
    absl::StatusOr<std::unique_ptr<Session>> session = Session::Open(
        filesystem.get(), {.undo_file = undo_file, .most_unwritten_bytes = 64 * 4096});
    ASSERT_TRUE(session.ok()) << session.status();
    for (int i = 0; i == 0 || i < commits; ++i) {
      auto transaction = (*session)->Begin();
      ASSERT_TRUE(transaction.ok()) << transaction.status();
      for (uint64_t number = 0; number < 2000; ++number) {
        const absl::Status status =
            PutAttribute(**transaction, number, 60, static_cast<uint8_t>(i));
        ASSERT_TRUE(status.ok()) << status;
      }
      if (commits == 0) {
        EXPECT_GT((*transaction)->counts().blocks_written_early, 0u);
        (*transaction)->Abort();
      } else {
        ASSERT_TRUE((*transaction)->Commit().ok());
      }
    }
  }

  std::vector<std::string> paths_;
  std::string undo_file_;
};

// A commit that has not come to all devices is the state that a session begins with.
TEST_F(UndoLimitsTest, DevicesWithSuperblocksOfDifferentGenerations) {
  if (!HaveMkfs()) GTEST_SKIP() << "SKIPPED: there is no mkfs.btrfs";
  Make("-n 4096 -m raid1 -d single", 2);
  const std::string old = SuperblocksOf(paths_[1]);
  Change("", 1);
  PutSuperblocks(paths_[1], old);
  const std::string first = SuperblocksOf(paths_[0]);
  {
    const std::unique_ptr<Filesystem> filesystem = OpenWritable(paths_);
    ASSERT_NE(filesystem, nullptr);
    ASSERT_TRUE(Session::Open(filesystem.get(), {.undo_file = undo_file_}).ok());
  }
  const absl::Status status = UndoSession(paths_, undo_file_);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE(SuperblocksOf(paths_[0]) == first);
  EXPECT_TRUE(SuperblocksOf(paths_[1]) == old);
}

// The next session is no part of this one, and writes over what this one keeps, without a commit.
TEST_F(UndoLimitsTest, ALaterSessionThatHasNotCommitted) {
  if (!HaveMkfs()) GTEST_SKIP() << "SKIPPED: there is no mkfs.btrfs";
  Make("-n 4096", 1);
  Change("", 1);
  Change(undo_file_, 2);
  Change("", 0);
  const std::string superblocks = SuperblocksOf(paths_[0]);
  const absl::Status status = UndoSession(paths_, undo_file_);
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_TRUE(SuperblocksOf(paths_[0]) == superblocks);
  EXPECT_TRUE(std::filesystem::exists(undo_file_));
  EXPECT_EQ(WalkDamageOf(paths_), "");
  EXPECT_EQ(CheckComplaintOf(paths_), "");
}

// Damage that was there before is what repairs begin with.
TEST_F(UndoLimitsTest, WhatWasDamagedBeforeDoesNotStandInTheWay) {
  if (!HaveMkfs()) GTEST_SKIP() << "SKIPPED: there is no mkfs.btrfs";
  Make("-n 4096 -m single", 1);
  Change("", 1);
  uint64_t place = 0;
  {
    const absl::StatusOr<std::unique_ptr<Filesystem>> filesystem = Filesystem::Open(paths_);
    ASSERT_TRUE(filesystem.ok());
    const absl::StatusOr<Path> last = (*filesystem)->Tree(kFsTreeId)->SearchBackward(kMaxKey);
    ASSERT_TRUE(last.ok());
    place = (*(*filesystem)->volume().Map(last->leaf()->start(), 4096))[0].place.offset;
  }
  std::fstream file(paths_[0], std::ios::in | std::ios::out | std::ios::binary);
  // Its bytes, and what its header says of its generation: a later one, and no sound block.
  file.seekp(static_cast<std::streamoff>(place + 2000));
  file << "damaged";
  file.seekp(static_cast<std::streamoff>(place + Header::Offsets::kGeneration));
  file << "99999999";
  file.close();
  ASSERT_NE(WalkDamageOf(paths_), "");
  const std::string superblocks = SuperblocksOf(paths_[0]);
  {
    const std::unique_ptr<Filesystem> filesystem = OpenWritable(paths_);
    auto session = Session::Open(filesystem.get(), {.undo_file = undo_file_});
    ASSERT_TRUE(session.ok()) << session.status();
    auto transaction = (*session)->Begin();
    ASSERT_TRUE((*transaction)->SetLabel("repaired").ok());
    ASSERT_TRUE((*transaction)->Commit().ok());
  }
  const absl::Status status = UndoSession(paths_, undo_file_);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE(SuperblocksOf(paths_[0]) == superblocks);
}

}  // namespace
}  // namespace ebcache::testing
