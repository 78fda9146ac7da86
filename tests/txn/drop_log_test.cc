// A log of what was synced and not committed: refused, or dropped by the first commit.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "ebcache/item_codec.h"
#include "ebcache/items_block.h"
#include "ebcache/transaction.h"
#include "lib/format/checksum.h"
#include "tests/support/mkfs_image.h"
#include "tests/txn/txn_fixture.h"

namespace ebcache::testing {
namespace {

constexpr uint64_t kSuperblockAt = 65536;
constexpr size_t kSuperblockBytes = 4096;
constexpr size_t kLogRootAt = 96;
constexpr uint32_t kNodeBytes = 4096;

// With the checksum that the bytes behind it have.
void Seal(std::vector<std::byte>& bytes) {
  const absl::Span<const std::byte> piece(bytes);
  const Checksum checksum = ComputeBlockChecksum(ChecksumType::kCrc32c, {&piece, 1}).value();
  std::memcpy(bytes.data(), &checksum, 4);
}

std::vector<std::byte> ReadAt(const std::string& path, uint64_t offset, size_t count) {
  std::vector<std::byte> bytes(count);
  const int fd = open(path.c_str(), O_RDONLY);
  EXPECT_EQ(pread(fd, bytes.data(), count, static_cast<off_t>(offset)),
            static_cast<ssize_t>(count));
  close(fd);
  return bytes;
}

void WriteAt(const std::string& path, uint64_t offset, const std::vector<std::byte>& bytes) {
  const int fd = open(path.c_str(), O_WRONLY);
  EXPECT_EQ(pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)),
            static_cast<ssize_t>(bytes.size()));
  close(fd);
}

class DropLogTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!HaveMkfs()) GTEST_SKIP() << "SKIPPED: there is no mkfs.btrfs";
    paths_ = MakeImages("-n 4096 -m single");
    ASSERT_FALSE(paths_.empty());
    MakeLog();
  }

  // The log of no file: the tree of all logs with nothing in it, where the next block would go.
  void MakeLog() {
    {
      const auto filesystem = OpenWritable(paths_);
      auto session = Session::Open(filesystem.get());
      ASSERT_TRUE(session.ok());
      const auto transaction = (*session)->Begin();
      ASSERT_TRUE((*transaction)->SetLabel("next").ok());
      ASSERT_TRUE((*transaction)->Commit().ok());
      log_root_ = filesystem->superblock().root;  // what the next but one may use
    }
    {
      const auto filesystem = OpenWritable(paths_);
      auto session = Session::Open(filesystem.get());
      const auto transaction = (*session)->Begin();
      ASSERT_TRUE((*transaction)->SetLabel("old").ok());
      ASSERT_TRUE((*transaction)->Commit().ok());
      ASSERT_NE(filesystem->superblock().root, log_root_);
      place_ = filesystem->volume().Map(log_root_, kNodeBytes).value()[0].place.offset;
      generation_ = filesystem->superblock().generation;
    }
    std::vector<std::byte> leaf = ReadAt(paths_[0], place_, kNodeBytes);
    BlockHeader header =
        ParseItem<BlockHeader>(absl::MakeSpan(leaf).subspan(0, BlockHeader::kBytes)).value();
    header.generation = generation_ + 1;
    header.owner = kTreeLogId;
    header.item_count = 0;
    std::vector<std::byte> head;
    ASSERT_TRUE(AppendItem(header, head).ok());
    std::fill(leaf.begin(), leaf.end(), std::byte{0});
    std::copy(head.begin(), head.end(), leaf.begin());
    Seal(leaf);
    WriteAt(paths_[0], place_, leaf);
    log_leaf_ = leaf;
    std::vector<std::byte> superblock = ReadAt(paths_[0], kSuperblockAt, kSuperblockBytes);
    std::memcpy(superblock.data() + kLogRootAt, &log_root_, 8);
    Seal(superblock);
    WriteAt(paths_[0], kSuperblockAt, superblock);
  }

  static absl::Status AddMany(Transaction& transaction) {
    for (uint64_t i = 0; i < 2000; ++i) {
      const SampleItem item = MakeAttribute(i, 1000);
      absl::Status status = transaction.Insert(kFsTreeId, item.key, item.data);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  std::vector<std::string> paths_;
  std::vector<std::byte> log_leaf_;
  uint64_t log_root_ = 0;
  uint64_t place_ = 0;
  uint64_t generation_ = 0;
};

TEST_F(DropLogTest, ALogIsRefusedUnlessItIsToBeDropped) {
  const auto filesystem = OpenWritable(paths_);
  ASSERT_EQ(filesystem->superblock().log_root, log_root_);
  ASSERT_TRUE(filesystem->Tree(kTreeLogId).ok());
  const absl::Status refused = Session::Open(filesystem.get()).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_TRUE(Session::Open(filesystem.get(), {.drop_log = true}).ok());
}

TEST_F(DropLogTest, TheFirstCommitDropsIt) {
  {
    const auto filesystem = OpenWritable(paths_);
    const auto session = Session::Open(filesystem.get(), {.drop_log = true});
    ASSERT_TRUE(session.ok()) << session.status();
    const auto transaction = (*session)->Begin();
    ASSERT_TRUE((*transaction)->Commit().ok());
    EXPECT_EQ(filesystem->superblock().log_root, 0u);
    EXPECT_TRUE(absl::IsNotFound(filesystem->Tree(kTreeLogId).status()));
  }
  {
    const auto filesystem = OpenWritable(paths_);
    EXPECT_EQ(filesystem->superblock().log_root, 0u);
    EXPECT_EQ(filesystem->superblock().log_root_level, 0);
    EXPECT_TRUE(Session::Open(filesystem.get()).ok());
  }
  EXPECT_EQ(WalkDamageOf(paths_), "");
  EXPECT_EQ(CheckComplaintOf(paths_), "");
}

// Blocks are written before the superblock is: until that the log must be what it was.
TEST_F(DropLogTest, NoBlockGoesWhereTheLogLies) {
  const auto filesystem = OpenWritable(paths_);
  const auto session =
      Session::Open(filesystem.get(), {.drop_log = true, .most_unwritten_bytes = 1});
  ASSERT_TRUE(session.ok()) << session.status();
  {
    const auto transaction = (*session)->Begin();
    ASSERT_TRUE(AddMany(*transaction->get()).ok());
    EXPECT_GT((*transaction)->counts().blocks_written_early, 300u);
    EXPECT_EQ(ReadAt(paths_[0], place_, kNodeBytes), log_leaf_);
    (*transaction)->Abort();
  }
  // Also after that, when what is free was read anew.
  const auto transaction = (*session)->Begin();
  ASSERT_TRUE(AddMany(*transaction->get()).ok());
  EXPECT_GT((*transaction)->counts().blocks_written_early, 300u);
  EXPECT_EQ(ReadAt(paths_[0], place_, kNodeBytes), log_leaf_);
}

}  // namespace
}  // namespace ebcache::testing
