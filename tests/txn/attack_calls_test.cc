// Calls and filesystems that a transaction has to refuse, because what they lead to is refused by
// kernels, or loses what is there.

#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ebcache/transaction.h"
#include "tests/support/mkfs_image.h"
#include "tests/txn/txn_fixture.h"

namespace ebcache::testing {
namespace {

class AttackTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!HaveMkfs()) GTEST_SKIP() << "SKIPPED: there is no mkfs.btrfs";
  }
  void Make(const std::string& options, int devices = 1) {
    paths_ = MakeImages(options, devices);
    ASSERT_FALSE(paths_.empty());
  }
  void Open(SessionOptions options = {}) {
    Close();
    filesystem_ = OpenWritable(paths_);
    ASSERT_NE(filesystem_, nullptr);
    absl::StatusOr<std::unique_ptr<Session>> session = Session::Open(filesystem_.get(), options);
    ASSERT_TRUE(session.ok()) << session.status();
    session_ = *std::move(session);
  }
  void Close() {
    session_.reset();
    filesystem_.reset();
  }
  static void Fill(Session& session, uint64_t first, uint64_t count, size_t bytes = 60,
                   uint8_t salt = 0) {
    auto transaction = session.Begin();
    ASSERT_TRUE(transaction.ok()) << transaction.status();
    for (uint64_t number = first; number < first + count; ++number) {
      const SampleItem item = MakeAttribute(number, bytes, salt);
      absl::Status status = (*transaction)->Replace(kFsTreeId, item.key, item.data);
      if (absl::IsNotFound(status)) {
        status = (*transaction)->Insert(kFsTreeId, item.key, item.data);
      }
      ASSERT_TRUE(status.ok()) << status;
    }
    const absl::Status committed = (*transaction)->Commit();
    ASSERT_TRUE(committed.ok()) << committed;
  }
  void ExpectSound() {
    Close();
    EXPECT_EQ(WalkDamageOf(paths_), "");
    EXPECT_EQ(CheckComplaintOf(paths_), "");
  }

  std::vector<std::string> paths_;
  std::unique_ptr<Filesystem> filesystem_;
  std::unique_ptr<Session> session_;
};

TEST_F(AttackTest, OneSessionOfAFilesystemAtATime) {
  Make("-n 4096");
  Open();
  Fill(*session_, 0, 300);
  {
    absl::StatusOr<std::unique_ptr<Session>> other = Session::Open(filesystem_.get());
    EXPECT_TRUE(absl::IsFailedPrecondition(other.status())) << other.status();
    if (other.ok()) {
      Fill(*session_, 300, 300);
      Fill(**other, 600, 300);
      Fill(*session_, 900, 300);
    }
  }
  session_.reset();
  {
    absl::StatusOr<std::unique_ptr<Session>> other = Session::Open(filesystem_.get());
    ASSERT_TRUE(other.ok()) << other.status();
    Fill(**other, 600, 300);
  }
  ExpectSound();
}

}  // namespace
}  // namespace ebcache::testing
