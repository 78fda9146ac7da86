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

std::string Superblocks(const std::string& path) {
  std::string bytes;
  std::ifstream file(path, std::ios::binary);
  for (const uint64_t offset : {kSuperblockOffsets[0], kSuperblockOffsets[1]}) {
    std::string copy(kSuperblockBytes, '\0');
    file.seekg(static_cast<std::streamoff>(offset));
    file.read(copy.data(), static_cast<std::streamsize>(copy.size()));
    bytes += copy;
  }
  return bytes;
}

void PutSuperblocks(const std::string& path, const std::string& bytes) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  for (int i = 0; i < 2; ++i) {
    file.seekp(static_cast<std::streamoff>(kSuperblockOffsets[i]));
    file << bytes.substr(i * kSuperblockBytes, kSuperblockBytes);
  }
}

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
        const SampleItem item = MakeAttribute(number, 60, static_cast<uint8_t>(i));
        absl::Status status = (*transaction)->Replace(kFsTreeId, item.key, item.data);
        if (absl::IsNotFound(status)) {
          status = (*transaction)->Insert(kFsTreeId, item.key, item.data);
        }
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
  const std::string old = Superblocks(paths_[1]);
  Change("", 1);
  PutSuperblocks(paths_[1], old);
  const std::string first = Superblocks(paths_[0]);
  {
    const std::unique_ptr<Filesystem> filesystem = OpenWritable(paths_);
    ASSERT_NE(filesystem, nullptr);
    ASSERT_TRUE(Session::Open(filesystem.get(), {.undo_file = undo_file_}).ok());
  }
  const absl::Status status = UndoSession(paths_, undo_file_);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE(Superblocks(paths_[0]) == first);
  EXPECT_TRUE(Superblocks(paths_[1]) == old);
}

}  // namespace
}  // namespace ebcache::testing
