// The way back, where more has happened than the session that it is of.

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "ebcache/transaction.h"
#include "lib/format/checksum.h"
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

  // So many commits of a session with a way back.
  void Label(int commits) {
    const std::unique_ptr<Filesystem> filesystem = OpenWritable(paths_);
    auto session = Session::Open(filesystem.get(), {.undo_file = undo_file_});
    ASSERT_TRUE(session.ok()) << session.status();
    for (int i = 0; i < commits; ++i) {
      auto transaction = (*session)->Begin();
      ASSERT_TRUE((*transaction)->SetLabel("repaired").ok());
      ASSERT_TRUE((*transaction)->Commit().ok());
    }
  }
  // Where the last leaf of the tree of files lies on the one device.
  uint64_t PlaceOfLastLeaf() {
    const absl::StatusOr<std::unique_ptr<Filesystem>> filesystem = Filesystem::Open(paths_);
    EXPECT_TRUE(filesystem.ok()) << filesystem.status();
    const absl::StatusOr<Path> last = (*filesystem)->Tree(kFsTreeId)->SearchBackward(kMaxKey);
    EXPECT_TRUE(last.ok()) << last.status();
    return (*(*filesystem)->volume().Map(last->leaf()->start(), 4096))[0].place.offset;
  }
  // Has it be a sound block of so many generations behind the superblock's.
  void MakeLastLeafLater(uint64_t ahead) {
    const uint64_t generation = (*Filesystem::Open(paths_))->superblock().generation + ahead;
    Patch(PlaceOfLastLeaf(), [&](std::vector<std::byte>& leaf) {
      std::memcpy(&leaf[Header::Offsets::kGeneration], &generation, 8);
    });
  }
  // Changes a block of 4096 bytes, and has it have the checksum of that.
  void Patch(uint64_t place, const std::function<void(std::vector<std::byte>&)>& change) {
    std::vector<std::byte> block(4096);
    std::fstream file(paths_[0], std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(place));
    file.read(reinterpret_cast<char*>(block.data()), 4096);
    change(block);
    const absl::Span<const std::byte> bytes(block);
    const Checksum checksum = ComputeBlockChecksum(ChecksumType::kCrc32c, {&bytes, 1}).value();
    std::memcpy(block.data(), &checksum, 4);
    file.seekp(static_cast<std::streamoff>(place));
    file.write(reinterpret_cast<const char*>(block.data()), 4096);
  }
  // Has all items of blocks in the extent tree say that the next transaction has made them, which is
  // the latest that can be read.
  size_t MakeExtentsLater() {
    const absl::StatusOr<std::unique_ptr<Filesystem>> filesystem = Filesystem::Open(paths_);
    const uint64_t generation = (*filesystem)->superblock().generation + 1;
    std::map<uint64_t, std::vector<size_t>> generations;  // where they are, by place of the leaf
    const absl::StatusOr<BTree> tree = (*filesystem)->Tree(kExtentTreeId);
    absl::StatusOr<Path> path = tree->Search(kMinKey);
    for (; path.ok() && path->valid(); (void)tree->Next(*path)) {
      if (path->key().type != kMetadataItemType) continue;
      const ExtentBuffer& leaf = *path->leaf();
      const auto copies = (*filesystem)->volume().Map(leaf.start(), 4096);
      generations[(*copies)[0].place.offset].push_back(LoadItemHead(leaf, path->slot(0)).offset +
                                                       8);
    }
    size_t changed = 0;
    for (const auto& [place, offsets] : generations) {
      Patch(place, [&, &at = offsets](std::vector<std::byte>& leaf) {
        for (const size_t offset : at) std::memcpy(&leaf[offset], &generation, 8);
        changed += at.size();
      });
    }
    return changed;
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
  const uint64_t place = PlaceOfLastLeaf();
  std::fstream file(paths_[0], std::ios::in | std::ios::out | std::ios::binary);
  // Its bytes, and what its header says of its generation: a later one, and no sound block.
  file.seekp(static_cast<std::streamoff>(place + 2000));
  file << "damaged";
  file.seekp(static_cast<std::streamoff>(place + Header::Offsets::kGeneration));
  file << "99999999";
  file.close();
  ASSERT_NE(WalkDamageOf(paths_), "");
  const std::string superblocks = SuperblocksOf(paths_[0]);
  Label(1);
  const absl::Status status = UndoSession(paths_, undo_file_);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE(SuperblocksOf(paths_[0]) == superblocks);
}

// A block that is later than what leads to it, as when the write of a parent was lost: with the next
// transaction's generation, as one that has not committed would write, or with one far behind it.
TEST_F(UndoLimitsTest, LaterBlocksThatWereThereBefore) {
  if (!HaveMkfs()) GTEST_SKIP() << "SKIPPED: there is no mkfs.btrfs";
  for (const auto& [ahead, commits, undone] : std::vector<std::tuple<uint64_t, int, bool>>{
           {1, 0, true}, {1, 1, true}, {1, 2, true}, {2, 1, false}, {2, 2, true}, {9, 1, true}}) {
    SCOPED_TRACE(ahead);
    SCOPED_TRACE(commits);
    Make("-n 4096 -m single", 1);
    Change("", 1);
    MakeLastLeafLater(ahead);
    ASSERT_NE(WalkDamageOf(paths_), "");
    const std::string superblocks = SuperblocksOf(paths_[0]);
    Label(commits);
    const absl::Status status = UndoSession(paths_, undo_file_);
    EXPECT_EQ(status.ok(), undone) << status;
    EXPECT_EQ(SuperblocksOf(paths_[0]) == superblocks, undone);
    std::filesystem::remove(undo_file_);
  }
}

// Which generation has made a block its header tells, and no item that may be damaged.
TEST_F(UndoLimitsTest, ExtentItemsOfLaterGenerations) {
  if (!HaveMkfs()) GTEST_SKIP() << "SKIPPED: there is no mkfs.btrfs";
  Make("-n 4096 -m single", 1);
  Change("", 1);
  ASSERT_GT(MakeExtentsLater(), 40u);
  ASSERT_EQ(WalkDamageOf(paths_), "");
  const std::string superblocks = SuperblocksOf(paths_[0]);
  const ItemMap items = ItemsOf(paths_, kFsTreeId);
  // All that there is has been written over, but for what is kept.
  Change(undo_file_, 12);
  const absl::Status status = UndoSession(paths_, undo_file_);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE(SuperblocksOf(paths_[0]) == superblocks);
  EXPECT_EQ(WalkDamageOf(paths_), "");
  EXPECT_TRUE(ItemsOf(paths_, kFsTreeId) == items);
}

}  // namespace
}  // namespace ebcache::testing
