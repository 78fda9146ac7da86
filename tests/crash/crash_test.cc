// A crash at any moment of a commit leaves the state before it, or the one after it.

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <string>
#include <tuple>
#include <vector>

#include "tests/crash/crash_states.h"
#include "tests/crash/recorded_commits.h"
#include "tests/support/mkfs_image.h"

namespace ebcache::testing {
namespace {

// All of them together, whatever one of them can find.
constexpr size_t kLeastStates = 50000;
// Of those that are looked at, one in so many is also written to.
constexpr size_t kOneIsUsed = 64;
constexpr uint64_t kSeed = 20261129;

std::string Words(const Crash& crash) {
  std::string words =
      absl::StrCat("after ", crash.entries, " entries, without ", absl::StrJoin(crash.lost, ","));
  if (crash.torn) absl::StrAppend(&words, ", torn ", crash.torn->entry);
  return words;
}

using Kinds = std::tuple<DiskKind, CommitKind>;

class CrashTest : public ::testing::TestWithParam<Kinds> {
 protected:
  void SetUp() override {
    if (!HaveMkfs()) GTEST_SKIP() << "SKIPPED: there is no mkfs.btrfs";
    disks_ = MakeDisks(std::get<0>(GetParam()));
    ASSERT_FALSE(disks_.empty());
  }
  Disks disks_;
};

// What a crash has left can be changed like any other filesystem.
std::string ComplaintOfUse(const Disks& disks) {
  ItemMap items = FileItemsOf(disks);
  const Step step{[](Editor& editor) { return editor.Insert(5000, 60); }};
  const Disks after = AfterSteps(disks, {step}, &items);
  std::string complaint = LookAt(after).complaint;
  if (complaint.empty()) complaint = SpaceComplaintOf(after);
  if (complaint.empty() && FileItemsOf(after) != items) complaint = "items are others";
  return complaint;
}

TEST_P(CrashTest, LeavesTheOldOrTheNewState) {
  const CommitKind& kind = std::get<1>(GetParam());
  const RecordedCommits commits(disks_, kind);
  ASSERT_TRUE(commits.status().ok()) << commits.status();
  ASSERT_EQ(commits.Complaint(), "");
  CrashStates states(&commits.log(), kSeed);
  size_t looked = 0;
  states.ForEach(kind.states, [&](const Crash& crash) {
    std::string complaint = commits.ComplaintOf(crash);
    if (complaint.empty() && looked++ % kOneIsUsed == 0) {
      complaint = ComplaintOfUse(commits.log().After(crash));
    }
    EXPECT_EQ(complaint, "") << Words(crash);
    return complaint.empty();
  });
  EXPECT_GE(states.visited(), kind.states);
  std::printf("%zu states, %zu writes and flushes\n", states.visited(), commits.log().size());
}

std::string NameOf(const ::testing::TestParamInfo<Kinds>& info) {
  return absl::StrCat(std::get<0>(info.param).name, std::get<1>(info.param).name);
}
INSTANTIATE_TEST_SUITE_P(All, CrashTest,
                         ::testing::Combine(::testing::ValuesIn(kDiskKinds),
                                            ::testing::ValuesIn(kCommitKinds)),
                         NameOf);

std::vector<DiskKind> SmallestDisks() {
  return {*std::min_element(
      kDiskKinds.begin(), kDiskKinds.end(),
      [](const DiskKind& a, const DiskKind& b) { return a.device_bytes < b.device_bytes; })};
}
INSTANTIATE_TEST_SUITE_P(Small, CrashTest,
                         ::testing::Combine(::testing::ValuesIn(SmallestDisks()),
                                            ::testing::Values(kUseSpaceTwice)),
                         NameOf);

TEST(CrashStatesTest, TheyAreManyTogether) {
  size_t states = 0;
  for (const CommitKind& kind : kCommitKinds) states += kind.states * kDiskKinds.size();
  EXPECT_GE(states, kLeastStates);
}

}  // namespace
}  // namespace ebcache::testing
