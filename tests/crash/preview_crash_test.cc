// A crash at any moment while a preview is applied leaves the state before it, or the preview's, and so
// does a device that fails; Apply can be called again then.

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ebcache/preview.h"
#include "tests/crash/commit_kinds.h"
#include "tests/crash/crash_states.h"
#include "tests/crash/disk_state.h"
#include "tests/crash/disks.h"
#include "tests/crash/recorded_commits.h"
#include "tests/device/recording_device.h"
#include "tests/support/mkfs_image.h"

namespace ebcache::testing {
namespace {

constexpr size_t kLeastStates = 600;
constexpr uint64_t kSeed = 20261129;
// Of the writes of blocks, one in so many fails, besides all those of superblocks.
constexpr uint64_t kOneFails = 17;

using Kind = DeviceEvent::Kind;

absl::Status RewriteAndInsert(Editor& editor) {
  absl::Status status = editor.Rewrite(kFsTreeId);
  return status.ok() ? editor.Insert(300, 80) : status;
}
absl::Status RemoveSome(Editor& editor) { return editor.Remove(10, 120); }
absl::Status RewriteFiles(Editor& editor) { return editor.Rewrite(kFsTreeId); }

class PreviewCrashTest : public ::testing::TestWithParam<DiskKind> {
 protected:
  void SetUp() override {
    if (!HaveMkfs()) GTEST_SKIP() << "SKIPPED: there is no mkfs.btrfs";
    const Disks made = MakeDisks(GetParam());
    ASSERT_FALSE(made.empty());
    items_ = FileItemsOf(made);
    const Step insert{[](Editor& editor) { return editor.Insert(0, 200); }};
    begin_ = AfterSteps(made, {insert}, &items_);
    ASSERT_FALSE(begin_.empty());
    base_ = LookAt(begin_);
    ASSERT_EQ(base_.complaint, "");
  }

  // What is freed by a commit would be used by those behind it, in the same session and in others.
  std::unique_ptr<Preview> Make(DeviceLog* log, ItemMap* items) {
    std::vector<std::unique_ptr<BlockDevice>> devices;
    for (size_t i = 0; i < begin_.size(); ++i) {
      devices.push_back(std::make_unique<RecordingDevice>(absl::StrCat("disk", i), begin_[i], log));
    }
    auto preview = Preview::OpenDevices(std::move(devices));
    EXPECT_TRUE(preview.ok()) << preview.status();
    FilesystemOptions options;
    options.writable = true;
    const auto filesystem = (*preview)->OpenFilesystem(std::move(options));
    EXPECT_TRUE(filesystem.ok()) << filesystem.status();
    const absl::Status done = RunSteps(**filesystem,
                                       {{RewriteAndInsert},
                                        {RemoveSome, {}, /*same_session=*/true},
                                        {RewriteFiles, {}, /*same_session=*/true},
                                        {RewriteFiles},
                                        {RewriteFiles}},
                                       items, [](size_t) {});
    EXPECT_TRUE(done.ok()) << done;
    EXPECT_EQ(log->size(), 0u);  // nothing was written
    return *std::move(preview);
  }

  void ExpectEither(const Disks& left, const DiskState& next) {
    const DiskState found = LookAt(left);
    EXPECT_EQ(found.complaint, "");
    EXPECT_EQ(found.digest, found.generation == base_.generation ? base_.digest : next.digest);
  }

  Disks begin_;
  ItemMap items_;
  DiskState base_;
};

TEST_P(PreviewCrashTest, LeavesEitherState) {
  DeviceLog log;
  ItemMap items = items_;
  const absl::Status applied = Make(&log, &items)->Apply();
  ASSERT_TRUE(applied.ok()) << applied;
  const Disks end = log.After({.entries = log.size()});
  const DiskState next = LookAt(end);
  ASSERT_EQ(next.complaint, "");
  ASSERT_NE(next.digest, base_.digest);
  EXPECT_TRUE(FileItemsOf(end) == items);
  EXPECT_EQ(SpaceComplaintOf(end), "");
  EXPECT_TRUE(log.MayBeLost(log.size()).empty());
  for (const auto& of_disk : SuperblocksOf(end)) {
    for (const auto& generation : of_disk) EXPECT_EQ(generation, next.generation);
  }
  size_t old_states = 0;
  CrashStates states(&log, kSeed);
  states.ForEach(kLeastStates, [&](const Crash& crash) {
    const Disks left = log.After(crash);
    const DiskState found = LookAt(left);
    EXPECT_EQ(found.complaint, "") << crash.entries;
    const bool is_old = found.generation == base_.generation;
    EXPECT_EQ(found.digest, is_old ? base_.digest : next.digest);
    old_states += is_old;
    return !HasFailure();
  });
  EXPECT_GE(states.visited(), kLeastStates);
  EXPECT_GT(old_states, 100u);
}

TEST_P(PreviewCrashTest, AWriteThatFailsLeavesEitherStateAndItIsAppliedAgain) {
  DeviceLog clean;
  ItemMap items = items_;
  ASSERT_TRUE(Make(&clean, &items)->Apply().ok());
  const DiskState next = LookAt(clean.After({.entries = clean.size()}));
  const uint64_t writes = clean.count(Kind::kWrite);
  uint64_t superblocks = 0;
  for (const auto& of_disk : SuperblocksOf(begin_)) superblocks += of_disk.size();
  DeviceLog log;
  items = items_;
  const std::unique_ptr<Preview> preview = Make(&log, &items);
  uint64_t failed = 0;
  for (uint64_t n = 1; n <= writes; n += n < writes - superblocks ? kOneFails : 1) {
    if (n > writes - superblocks) n = std::max(n, writes - superblocks + 1);
    log.FailNth(Kind::kWrite, n);
    const absl::Status status = preview->Apply();
    EXPECT_TRUE(absl::IsUnavailable(status)) << n << ": " << status;
    const bool before = n <= writes - superblocks;
    EXPECT_EQ(status.message().find("not applied: ") == 0, before) << status;
    const Disks left = log.After({.entries = log.size()});
    ExpectEither(left, next);
    if (before) {
      EXPECT_EQ(LookAt(left).digest, base_.digest) << n;
    }
    ++failed;
  }
  EXPECT_GT(failed, superblocks);
  log.FailNth(Kind::kWrite, 0);
  const absl::Status status = preview->Apply();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(LookAt(log.After({.entries = log.size()})).digest, next.digest);
}

TEST_P(PreviewCrashTest, AFlushOrAReadThatFailsLeavesEitherState) {
  DeviceLog log;
  ItemMap items = items_;
  const std::unique_ptr<Preview> preview = Make(&log, &items);
  // Those of the blocks, and those behind the superblocks.
  const uint64_t disks = begin_.size();
  for (uint64_t n = 1; n <= 2 * disks; ++n) {
    log.FailNth(Kind::kFlush, n);
    const absl::Status status = preview->Apply();
    EXPECT_TRUE(absl::IsUnavailable(status)) << n << ": " << status;
    const DiskState left = LookAt(log.After({.entries = log.size()}));
    EXPECT_EQ(left.complaint, "");
    if (n <= disks) {
      EXPECT_EQ(left.digest, base_.digest) << n;
    } else {
      EXPECT_NE(left.digest, base_.digest) << n;
    }
  }
  log.FailNth(Kind::kRead, 1);
  EXPECT_FALSE(preview->Apply().ok());
  log.FailNth(Kind::kRead, 0);
  log.FailNth(Kind::kFlush, 0);
  const absl::Status status = preview->Apply();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(FileItemsOf(log.After({.entries = log.size()})) == items);
}

INSTANTIATE_TEST_SUITE_P(All, PreviewCrashTest, ::testing::ValuesIn(kDiskKinds),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace ebcache::testing
