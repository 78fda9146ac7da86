// A transaction in which any one allocation fails ends with an error and the state before it.

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/crash/commit_kinds.h"
#include "tests/crash/disk_state.h"
#include "tests/crash/disks.h"
#include "tests/crash/recorded_commits.h"
#include "tests/support/failing_new.h"
#include "tests/support/mkfs_image.h"

namespace ebcache::testing {
namespace {

// Of the next transaction, which takes as long as the one that has failed.
constexpr int64_t kOneIsFollowed = 8;
// Calls of new fail from one on, for each of so many.
constexpr int64_t kOneFromThenOn = 5;

// Made before memory is out.
struct Change {
  enum class Kind : uint8_t { kInsert, kRemove, kLabel } kind;
  SampleItem item = {};
};
using Program = std::vector<Change>;

Program Inserts() {
  Program program;
  for (uint64_t i = 300; i < 380; ++i) {
    program.push_back({Change::Kind::kInsert, MakeAttribute(i, 100)});
  }
  return program;
}

Program Removals() {
  Program program;
  for (uint64_t i = 20; i < 120; ++i) {
    program.push_back({Change::Kind::kRemove, MakeAttribute(i, 0)});
  }
  return program;
}

Program Label() { return {{Change::Kind::kLabel}}; }

absl::Status Do(const Change& change, Transaction& transaction) {
  switch (change.kind) {
    case Change::Kind::kInsert:
      return transaction.Insert(kFsTreeId, change.item.key, change.item.data);
    case Change::Kind::kRemove:
      return transaction.Remove(kFsTreeId, change.item.key);
    case Change::Kind::kLabel:
      return transaction.SetLabel("music");
  }
  return absl::InternalError("no such change");
}

absl::Status DoAll(const Program& program, Session& session, TransactionStage& stage) {
  stage = TransactionStage::kAborted;
  absl::StatusOr<std::unique_ptr<Transaction>> transaction = session.Begin();
  if (!transaction.ok()) return transaction.status();
  absl::Status status;
  for (const Change& change : program) {
    status = Do(change, **transaction);
    if (!status.ok()) break;
  }
  if (status.ok()) {
    status = (*transaction)->Commit();
  } else {
    (*transaction)->Abort();
  }
  stage = (*transaction)->stage();
  return status;
}

class NoMemoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!HaveMkfs()) GTEST_SKIP() << "SKIPPED: there is no mkfs.btrfs";
    const Step insert{[](Editor& editor) { return editor.Insert(0, 150); }};
    ItemMap items;
    begin_ = AfterSteps(MakeDisks(kDiskKinds[0]), {insert}, &items);
    old_ = LookAt(begin_);
    ASSERT_EQ(old_.complaint, "");
  }

  // Whether call number `nth` of new was reached.
  bool FailAt(int64_t nth, NewFails how, const Program& program) {
    DeviceLog log;
    const auto filesystem = OpenDisks(begin_, {.writable = true, .log = &log});
    const auto session = Session::Open(filesystem->get());
    EXPECT_TRUE(session.ok()) << session.status();
    TransactionStage stage = TransactionStage::kOpen;
    FailNew(nth, how);
    const absl::Status status = DoAll(program, **session, stage);
    const bool failed = StopFailingNew();
    EXPECT_EQ((*filesystem)->cache().stats().dirty_buffers, 0u);
    const Disks left = log.After({.entries = log.size()});
    const DiskState found = LookAt(left);
    EXPECT_EQ(found.complaint, "");
    EXPECT_EQ((*filesystem)->superblock().generation, found.generation);
    if (status.ok()) {
      // What has failed was not needed.
      EXPECT_EQ(stage, TransactionStage::kCommitted);
      EXPECT_EQ(found.generation, old_.generation + 1);
      EXPECT_EQ(SpaceComplaintOf(left), "");
      return failed;
    }
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    EXPECT_EQ(found.digest, old_.digest);
    if (stage == TransactionStage::kUnknown) {
      // The devices of this test take memory as well.
      EXPECT_TRUE(absl::IsFailedPrecondition((*session)->Begin().status()));
      return failed;
    }
    EXPECT_EQ(stage, TransactionStage::kAborted);
    if (nth % kOneIsFollowed != 0) return failed;
    const absl::Status next = DoAll(program, **session, stage);
    EXPECT_TRUE(next.ok()) << next;
    EXPECT_EQ(SpaceComplaintOf(log.After({.entries = log.size()})), "");
    return failed;
  }

  void FailEach(const Program& program) {
    int64_t nth = 0;
    while (FailAt(nth, NewFails::kOnce, program)) {
      ASSERT_FALSE(HasFailure()) << "call " << nth;
      ++nth;
    }
    EXPECT_GT(nth, 100);
    for (int64_t from = 0; from < nth; from += kOneFromThenOn) {
      EXPECT_TRUE(FailAt(from, NewFails::kFromThenOn, program));
      ASSERT_FALSE(HasFailure()) << "from call " << from << " on";
    }
    std::printf("%lld calls\n", static_cast<long long>(nth));
  }

  Disks begin_;
  DiskState old_;
};

TEST_F(NoMemoryTest, ForALabel) { FailEach(Label()); }
TEST_F(NoMemoryTest, ForSplits) { FailEach(Inserts()); }
TEST_F(NoMemoryTest, ForJoins) { FailEach(Removals()); }

}  // namespace
}  // namespace ebcache::testing
