// A commit in which any one write, read or flush fails ends with an error and the state before it,
// or with the state after it, and says so.

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/crash/commit_kinds.h"
#include "tests/crash/disk_state.h"
#include "tests/crash/disks.h"
#include "tests/crash/failing_commit.h"
#include "tests/crash/recorded_commits.h"
#include "tests/support/mkfs_image.h"

namespace ebcache::testing {
namespace {

bool IsSuperblock(uint64_t offset) {
  return std::find(kSuperblockOffsets.begin(), kSuperblockOffsets.end(), offset) !=
         kSuperblockOffsets.end();
}

absl::Status Injected() { return absl::UnavailableError("injected"); }

using Kinds = std::tuple<DiskKind, CommitKind>;

class FailureTest : public ::testing::TestWithParam<Kinds> {
 protected:
  using Kind = DeviceEvent::Kind;
  using Judge = std::function<absl::Status(const DeviceEvent&)>;

  void SetUp() override {
    if (!HaveMkfs()) GTEST_SKIP() << "SKIPPED: there is no mkfs.btrfs";
    const CommitKind& kind = std::get<1>(GetParam());
    ItemMap items;
    begin_ = AfterSteps(MakeDisks(std::get<0>(GetParam())), kind.before, &items);
    ASSERT_FALSE(begin_.empty());
    step_ = kind.recorded[0];
    old_ = LookAt(begin_);
    FailingCommit clean(begin_, step_);
    reads_at_begin_ = clean.log().count(Kind::kRead);
    ASSERT_TRUE(clean.Run().ok());
    reads_ = clean.log().count(Kind::kRead) - reads_at_begin_;
    writes_ = clean.log().count(Kind::kWrite);
    flushes_ = clean.log().count(Kind::kFlush);
    clean.End();
    new_ = LookAt(clean.Left());
    ASSERT_EQ(old_.complaint, "");
    ASSERT_EQ(new_.complaint, "");
  }

  // The devices of a filesystem with one copy of everything have no other copy to go on with.
  size_t copies() const {
    const std::string name = std::get<0>(GetParam()).name;
    return name == "Raid0" || name.starts_with("Mixed") ? 1 : 2;
  }

  void ExpectOld(FailingCommit& attempt) {
    EXPECT_EQ(attempt.transaction().stage(), TransactionStage::kAborted);
    EXPECT_EQ(attempt.filesystem().superblock().generation, old_.generation);
    EXPECT_EQ(attempt.filesystem().cache().stats().dirty_buffers, 0u);
    const DiskState left = LookAt(attempt.Left());
    EXPECT_EQ(left.complaint, "");
    EXPECT_EQ(left.digest, old_.digest);
    // The next one of the session works.
    attempt.End();
    auto next = attempt.session().Begin();
    ASSERT_TRUE(next.ok()) << next.status();
    ItemMap items;
    Editor editor(next->get(), &items);
    ASSERT_TRUE(step_.change(editor).ok());
    const absl::Status status = (*next)->Commit();
    ASSERT_TRUE(status.ok()) << status;
    const Disks after = attempt.Left();
    EXPECT_EQ(LookAt(after).complaint, "");
    EXPECT_EQ(SpaceComplaintOf(after), "");
    EXPECT_EQ(FileItemsOf(after), FileItemsOf(NewDisks()));
  }

  void ExpectUnknown(FailingCommit& attempt) {
    EXPECT_EQ(attempt.transaction().stage(), TransactionStage::kUnknown);
    EXPECT_EQ(attempt.filesystem().superblock().generation, old_.generation);
    EXPECT_EQ(attempt.filesystem().cache().stats().dirty_buffers, 0u);
    const DiskState left = LookAt(attempt.Left());
    EXPECT_EQ(left.complaint, "");
    EXPECT_EQ(left.digest, old_.digest);
    attempt.End();
    const absl::Status next = attempt.session().Begin().status();
    EXPECT_TRUE(absl::IsFailedPrecondition(next)) << next;
  }

  // Committed, though some copies are not as they are to be: readers find others.
  void ExpectNew(FailingCommit& attempt) {
    EXPECT_EQ(attempt.transaction().stage(), TransactionStage::kCommitted);
    EXPECT_EQ(attempt.filesystem().superblock().generation, new_.generation);
    EXPECT_EQ(attempt.filesystem().cache().stats().dirty_buffers, 0u);
    const Disks left = attempt.Left();
    EXPECT_EQ(SpaceComplaintOf(left), "");
    EXPECT_EQ(FileItemsOf(left), FileItemsOf(NewDisks()));
    attempt.End();
    EXPECT_TRUE(attempt.session().Begin().ok());
  }

  Disks NewDisks() {
    FailingCommit clean(begin_, step_);
    EXPECT_TRUE(clean.Run().ok());
    clean.End();
    return clean.Left();
  }

  Disks begin_;
  Step step_;
  DiskState old_;
  DiskState new_;
  uint64_t reads_at_begin_ = 0;
  uint64_t reads_ = 0;
  uint64_t writes_ = 0;
  uint64_t flushes_ = 0;
};

TEST_P(FailureTest, EveryReadFails) {
  for (uint64_t n = 1; n <= reads_; ++n) {
    SCOPED_TRACE(absl::StrCat("read ", n, " of ", reads_));
    FailingCommit attempt(begin_, step_);
    attempt.log().FailNth(DeviceEvent::Kind::kRead, n);
    const absl::Status status = attempt.Run();
    // Where there is another copy that one is read.
    if (status.ok()) {
      EXPECT_GT(attempt.damage(), 0u);
      EXPECT_GT(copies(), 1u);
      ExpectNew(attempt);
    } else {
      EXPECT_EQ(copies(), 1u) << status;
      ExpectOld(attempt);
    }
    if (HasFailure()) return;
  }
}

// One copy of a block: told, and survived where there is another one.
TEST_P(FailureTest, EveryWriteFails) {
  for (uint64_t n = 1; n <= writes_; ++n) {
    SCOPED_TRACE(absl::StrCat("write ", n, " of ", writes_));
    FailingCommit attempt(begin_, step_);
    bool superblock = false;
    attempt.log().FailBy([&](const DeviceEvent& event) {
      if (event.kind != Kind::kWrite || event.number != n) return absl::OkStatus();
      superblock = IsSuperblock(event.offset);
      return Injected();
    });
    const absl::Status status = attempt.Run();
    if (status.ok()) {
      EXPECT_EQ(attempt.failures().size(), superblock ? 1u : 0u);
      EXPECT_EQ(attempt.damage() > 0, !superblock);
      ExpectNew(attempt);
    } else if (superblock) {
      // The only primary that there is.
      EXPECT_EQ(begin_.size(), 1u) << status;
      ExpectUnknown(attempt);
    } else {
      EXPECT_EQ(copies(), 1u) << status;
      ExpectOld(attempt);
    }
    if (HasFailure()) return;
  }
}

// From any write on, all writes of blocks: nothing is committed.
TEST_P(FailureTest, AllWritesFailFromOneOn) {
  for (uint64_t n = 1; n <= writes_; ++n) {
    SCOPED_TRACE(absl::StrCat("from write ", n, " of ", writes_));
    FailingCommit attempt(begin_, step_);
    std::vector<bool> superblocks;
    attempt.log().FailBy([&](const DeviceEvent& event) {
      if (event.kind != Kind::kWrite || event.number < n) return absl::OkStatus();
      superblocks.push_back(IsSuperblock(event.offset));
      return Injected();
    });
    const absl::Status status = attempt.Run();
    const bool blocks =
        std::find(superblocks.begin(), superblocks.end(), false) != superblocks.end();
    if (status.ok()) {
      if (!blocks) {
        EXPECT_EQ(attempt.failures().size(), superblocks.size());
      }
      ExpectNew(attempt);
    } else if (attempt.transaction().stage() == TransactionStage::kUnknown) {
      EXPECT_NE(std::find(superblocks.begin(), superblocks.end(), true), superblocks.end());
      ExpectUnknown(attempt);
    } else {
      EXPECT_TRUE(blocks);
      ExpectOld(attempt);
    }
    if (HasFailure()) return;
  }
}

std::vector<DiskKind> SomeDisks() {
  std::vector<DiskKind> some;
  for (const DiskKind& kind : kDiskKinds) {
    const std::string name = kind.name;
    if (name == "Dup" || name == "Raid0" || name == "Raid1") some.push_back(kind);
  }
  return some;
}

INSTANTIATE_TEST_SUITE_P(All, FailureTest,
                         ::testing::Combine(::testing::ValuesIn(SomeDisks()),
                                            ::testing::ValuesIn(kCommitKinds)),
                         [](const auto& info) {
                           return absl::StrCat(std::get<0>(info.param).name,
                                               std::get<1>(info.param).name);
                         });

}  // namespace
}  // namespace ebcache::testing
