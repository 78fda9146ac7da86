// Changes that wait for the free space tree: told together they leave what they leave one by one.

#include "lib/space/free_space_changes.h"

#include <gtest/gtest.h>

#include <random>
#include <tuple>
#include <utility>
#include <vector>

#include "lib/space/free_space_tree.h"
#include "tests/space/map_store.h"

namespace ebcache::space {
namespace {

constexpr uint32_t kSector = 4096;
constexpr uint64_t kGroupBytes = uint64_t{64} << 20;
constexpr Range kGroups[] = {{kGroupBytes, kGroupBytes}, {2 * kGroupBytes, kGroupBytes}};

std::vector<Range> RunsOf(MapStore& store, const Range& group) {
  std::vector<Range> runs;
  const absl::Status status =
      FreeSpaceTree(&store, group, kSector).ForEachRun([&](const Range& run) {
        runs.push_back(run);
      });
  EXPECT_TRUE(status.ok()) << status;
  return runs;
}

TEST(FreeSpaceChanges, WhatLiesSideBySideIsOne) {
  FreeSpaceChanges changes;
  for (uint64_t at = 0; at < 10; ++at) {
    ASSERT_TRUE(changes.Allocated(0, {at * kSector, kSector}).ok());
    ASSERT_TRUE(changes.Freed(0, {(20 + at) * kSector, kSector}).ok());
  }
  EXPECT_EQ(changes.size(), 2);
  auto change = changes.Take();
  ASSERT_TRUE(change.has_value());
  EXPECT_FALSE(change->free);
  EXPECT_EQ(change->range, (Range{0, 10 * kSector}));
  change = changes.Take();
  ASSERT_TRUE(change.has_value());
  EXPECT_TRUE(change->free);
  EXPECT_EQ(change->range, (Range{20 * kSector, 10 * kSector}));
  EXPECT_TRUE(changes.empty());
  EXPECT_FALSE(changes.Take().has_value());
}

TEST(FreeSpaceChanges, GroupsDoNotJoin) {
  FreeSpaceChanges changes;
  ASSERT_TRUE(changes.Freed(0, {kGroupBytes - kSector, kSector}).ok());
  ASSERT_TRUE(changes.Freed(kGroupBytes, {kGroupBytes, kSector}).ok());
  EXPECT_EQ(changes.size(), 2);
  EXPECT_EQ(changes.Take()->group, 0);
  EXPECT_EQ(changes.Take()->group, kGroupBytes);
}

TEST(FreeSpaceChanges, WhatIsFreedAgainCancels) {
  FreeSpaceChanges changes;
  ASSERT_TRUE(changes.Allocated(0, {0, 8 * kSector}).ok());
  ASSERT_TRUE(changes.Freed(0, {2 * kSector, kSector}).ok());
  EXPECT_EQ(changes.size(), 2);
  ASSERT_TRUE(changes.Freed(0, {0, 2 * kSector}).ok());
  ASSERT_TRUE(changes.Freed(0, {3 * kSector, 5 * kSector}).ok());
  EXPECT_TRUE(changes.empty());
}

TEST(FreeSpaceChanges, APartCancels) {
  FreeSpaceChanges changes;
  ASSERT_TRUE(changes.Allocated(0, {2 * kSector, 2 * kSector}).ok());
  ASSERT_TRUE(changes.Allocated(0, {6 * kSector, 2 * kSector}).ok());
  ASSERT_TRUE(changes.Freed(0, {3 * kSector, 4 * kSector}).ok());
  EXPECT_EQ(changes.size(), 3);
  EXPECT_EQ(changes.Take()->range, (Range{2 * kSector, kSector}));
  EXPECT_EQ(changes.Take()->range, (Range{7 * kSector, kSector}));
  EXPECT_EQ(changes.Take()->range, (Range{4 * kSector, 2 * kSector}));
  EXPECT_TRUE(changes.empty());
}

TEST(FreeSpaceChanges, WhatCannotBeIsRefused) {
  FreeSpaceChanges changes;
  ASSERT_TRUE(changes.Allocated(0, {0, 2 * kSector}).ok());
  EXPECT_TRUE(absl::IsDataLoss(changes.Allocated(0, {kSector, kSector})));
  EXPECT_TRUE(absl::IsInvalidArgument(changes.Freed(0, {8 * kSector, 0})));
  EXPECT_TRUE(absl::IsInvalidArgument(changes.Freed(kGroupBytes, {kGroupBytes, 0})));
  EXPECT_EQ(changes.size(), 1);
  EXPECT_EQ(changes.Take()->range, (Range{0, 2 * kSector}));
  EXPECT_TRUE(changes.empty());
}

// One store hears of each range, another one of what has gathered.
TEST(FreeSpaceChanges, LeaveWhatOneByOneLeaves) {
  std::mt19937_64 random(1);
  MapStore one_by_one;
  MapStore together;
  for (const Range& group : kGroups) {
    ASSERT_TRUE(FreeSpaceTree(&one_by_one, group, kSector).Create().ok());
    ASSERT_TRUE(FreeSpaceTree(&together, group, kSector).Create().ok());
  }
  std::vector<std::pair<size_t, Range>> allocated;
  RangeSet used;
  FreeSpaceChanges changes;
  for (int step = 0; step < 20000; ++step) {
    const bool frees = !allocated.empty() && random() % 5 < 2;
    size_t group = random() % 2;
    Range range{kGroups[group].start + random() % 4096 * kSector, (1 + random() % 4) * kSector};
    if (frees) {
      const size_t at = random() % allocated.size();
      std::tie(group, range) = std::exchange(allocated[at], allocated.back());
      allocated.pop_back();
      used.Subtract(range);
    } else {
      if (used.Intersects(range)) continue;
      used.Unite(range);
      allocated.emplace_back(group, range);
    }
    FreeSpaceTree tree(&one_by_one, kGroups[group], kSector);
    ASSERT_TRUE((frees ? tree.Free(range) : tree.Allocate(range)).ok());
    const uint64_t start = kGroups[group].start;
    ASSERT_TRUE((frees ? changes.Freed(start, range) : changes.Allocated(start, range)).ok());
    if (random() % 500 != 0) continue;
    while (const auto change = changes.Take()) {
      FreeSpaceTree of(&together, {change->group, kGroupBytes}, kSector);
      const absl::Status told = change->free ? of.Free(change->range) : of.Allocate(change->range);
      ASSERT_TRUE(told.ok()) << told;
    }
    for (const Range& look : kGroups) ASSERT_EQ(RunsOf(together, look), RunsOf(one_by_one, look));
  }
}

}  // namespace
}  // namespace ebcache::space
