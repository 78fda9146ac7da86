// Places that are written twice before a commit: what a device has lost of the second time is found by
// nothing, because what was there before it has the same generation.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "tests/crash/commit_kinds.h"
#include "tests/crash/disk_state.h"
#include "tests/crash/disks.h"
#include "tests/crash/failing_commit.h"
#include "tests/support/mkfs_image.h"

namespace ebcache::testing {
namespace {

using Kind = DeviceEvent::Kind;

bool IsSuperblock(uint64_t offset) {
  return std::find(kSuperblockOffsets.begin(), kSuperblockOffsets.end(), offset) !=
         kSuperblockOffsets.end();
}

absl::Status Injected() { return absl::UnavailableError("injected"); }

const SessionOptions kEarly = {.most_unwritten_bytes = 1};

// Goes through all the space that there is more than once, and writes early.
absl::Status UseSpaceTwice(Editor& editor) {
  absl::Status status = editor.Insert(1000, 90, 2000);
  for (int i = 0; status.ok() && i < 110; ++i) status = editor.Rewrite(kFsTreeId);
  return status;
}

absl::Status InsertLarge(Editor& editor) { return editor.Insert(1000, 90, 2000); }

class SameGenerationTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!HaveMkfs()) GTEST_SKIP() << "SKIPPED: there is no mkfs.btrfs";
    for (const DiskKind& kind : kDiskKinds) {
      if (kind.name == std::string("Raid1")) begin_ = MakeDisks(kind);
    }
    ASSERT_EQ(begin_.size(), 2u);
  }
  // Of device 0, the one that makes blocks durable.
  static void FailFlush(DeviceLog& log) {
    log.FailBy([first = log.count(Kind::kFlush) + 1](const DeviceEvent& event) {
      const bool fails = event.kind == Kind::kFlush && event.number == first;
      return fails ? Injected() : absl::OkStatus();
    });
  }
  Disks begin_;
};

// Where a place was written twice the first block may be what is left, and nothing would tell.
TEST_F(SameGenerationTest, APlaceThatWasWrittenTwiceMustNotMissTheSecond) {
  const Step step{UseSpaceTwice, kEarly};
  {
    FailingCommit clean(begin_, step);
    ASSERT_TRUE(clean.Run().ok());
    std::map<std::pair<size_t, uint64_t>, int> writes;
    int again = 0;
    for (size_t i = 0; i < clean.log().size(); ++i) {
      const LogEntry entry = clean.log().entry(i);
      if (entry.IsWrite() && ++writes[{entry.device, entry.offset}] == 2) ++again;
    }
    ASSERT_GT(again, 100);
    clean.End();
  }
  FailingCommit commit(begin_, step);
  FailFlush(commit.log());
  const absl::Status status = commit.Run();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_NE(status.message().find("of the same generation"), std::string::npos) << status;
  EXPECT_EQ(commit.transaction().stage(), TransactionStage::kAborted);
  EXPECT_EQ(LookAt(commit.Left()).digest, LookAt(begin_).digest);
  commit.End();
}

// The next transaction has the same generation, and would put the same blocks at the same places.
TEST_F(SameGenerationTest, WhatAnAbortedTransactionHasWrittenIsNotWrittenOver) {
  FailingCommit commit(begin_, {InsertLarge, kEarly});
  ItemMap items;
  {
    Editor editor(&commit.transaction(), &items);
    ASSERT_TRUE(editor.Insert(1000, 90, 1990).ok());
    ASSERT_GT(commit.transaction().counts().blocks_written_early, 20u);
    commit.transaction().Abort();
    commit.End();
  }
  std::set<std::pair<size_t, uint64_t>> written;
  const size_t before = commit.log().size();
  for (size_t i = 0; i < before; ++i) {
    written.insert({commit.log().entry(i).device, commit.log().entry(i).offset});
  }
  items = FileItemsOf(begin_);
  auto next = commit.session().Begin();
  ASSERT_TRUE(next.ok());
  Editor editor(next->get(), &items);
  ASSERT_TRUE(InsertLarge(editor).ok());
  FailFlush(commit.log());
  const absl::Status status = (*next)->Commit();
  ASSERT_TRUE(status.ok()) << status;
  for (size_t i = before; i < commit.log().size(); ++i) {
    const LogEntry entry = commit.log().entry(i);
    if (!entry.IsWrite() || IsSuperblock(entry.offset)) continue;
    EXPECT_FALSE(written.contains({entry.device, entry.offset})) << entry.offset;
  }
  const Disks left = commit.log().After(
      {.entries = commit.log().size(), .lost = commit.log().MayBeLost(commit.log().size())});
  EXPECT_EQ(FileItemsOf(left), items);
  EXPECT_EQ(SpaceComplaintOf(left), "");
}

}  // namespace
}  // namespace ebcache::testing
