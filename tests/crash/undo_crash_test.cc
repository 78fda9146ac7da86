// A crash at any moment of an undo leaves the state before it, or the one that a session began with,
// and the undo can be done again.

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ebcache/transaction.h"
#include "tests/crash/commit_kinds.h"
#include "tests/crash/crash_states.h"
#include "tests/crash/disk_state.h"
#include "tests/crash/disks.h"
#include "tests/crash/recorded_commits.h"
#include "tests/device/recording_device.h"
#include "tests/support/mkfs_image.h"

namespace ebcache::testing {
namespace {

constexpr size_t kLeastStates = 300;  // on each kind of disks
constexpr size_t kOneIsUndone = 4;
constexpr uint64_t kSeed = 20261129;

absl::Status RewriteAndInsert(Editor& editor) {
  absl::Status status = editor.Rewrite(kFsTreeId);
  return status.ok() ? editor.Insert(300, 150) : status;
}
absl::Status RemoveSome(Editor& editor) { return editor.Remove(20, 100); }

class UndoCrashTest : public ::testing::TestWithParam<DiskKind> {
 protected:
  void SetUp() override {
    if (!HaveMkfs()) GTEST_SKIP() << "SKIPPED: there is no mkfs.btrfs";
    path_ = absl::StrCat(::testing::TempDir(), "/undo-", getpid());
    unlink(path_.c_str());
    ItemMap items;
    const Step insert{[](Editor& editor) { return editor.Insert(0, 200); }};
    begin_ = AfterSteps(MakeDisks(GetParam()), {insert}, &items);
    const SessionOptions options{.undo_file = path_};
    changed_ = AfterSteps(begin_,
                          {{RewriteAndInsert, options},
                           {RemoveSome, options, /*same_session=*/true},
                           {RewriteAndInsertMore, options, /*same_session=*/true}},
                          &items);
    std::ifstream file(path_, std::ios::binary);
    undo_ = {std::istreambuf_iterator<char>(file), {}};
    ASSERT_FALSE(undo_.empty());
  }
  void TearDown() override { unlink(path_.c_str()); }

  static absl::Status RewriteAndInsertMore(Editor& editor) {
    absl::Status status = editor.Rewrite(kFsTreeId);
    return status.ok() ? editor.Insert(600, 50) : status;
  }

  absl::Status Undo(const Disks& disks, DeviceLog* log) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << undo_;
    std::vector<std::unique_ptr<BlockDevice>> devices;
    for (size_t i = 0; i < disks.size(); ++i) {
      devices.push_back(std::make_unique<RecordingDevice>(absl::StrCat("disk", i), disks[i], log));
    }
    return UndoSession(devices, path_);
  }

  std::string path_;
  std::string undo_;
  Disks begin_;
  Disks changed_;
};

TEST_P(UndoCrashTest, LeavesEitherStateAndCanBeDoneAgain) {
  const DiskState base = LookAt(begin_);
  const DiskState last = LookAt(changed_);
  ASSERT_EQ(base.complaint, "");
  ASSERT_EQ(last.complaint, "");
  ASSERT_NE(base.digest, last.digest);
  DeviceLog log;
  const absl::Status undone = Undo(changed_, &log);
  ASSERT_TRUE(undone.ok()) << undone;
  EXPECT_TRUE(log.MayBeLost(log.size()).empty());
  const Disks end = log.After({.entries = log.size()});
  EXPECT_EQ(LookAt(end).digest, base.digest);
  EXPECT_EQ(SuperblocksOf(end), SuperblocksOf(begin_));
  size_t looked = 0;
  CrashStates states(&log, kSeed);
  states.ForEach(kLeastStates, [&](const Crash& crash) {
    const Disks left = log.After(crash);
    const DiskState found = LookAt(left);
    EXPECT_EQ(found.complaint, "");
    EXPECT_EQ(found.digest, found.generation == base.generation ? base.digest : last.digest);
    if (crash.entries == log.size() && crash.lost.empty() && !crash.torn) {
      EXPECT_EQ(found.digest, base.digest);
    }
    if (looked++ % kOneIsUndone == 0) {
      DeviceLog again;
      const absl::Status status = Undo(left, &again);
      EXPECT_TRUE(status.ok()) << status;
      const Disks after = again.After({.entries = again.size()});
      EXPECT_EQ(LookAt(after).digest, base.digest);
      EXPECT_EQ(SuperblocksOf(after), SuperblocksOf(begin_));
    }
    return !HasFailure();
  });
  EXPECT_GE(states.visited(), kLeastStates);
}

INSTANTIATE_TEST_SUITE_P(All, UndoCrashTest, ::testing::ValuesIn(kDiskKinds),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace ebcache::testing
