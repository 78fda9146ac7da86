// The free space tree against a bit for each sector, and its two forms against the rule of when a
// kernel uses which.

#include "lib/space/free_space_tree.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "ebcache/item_codec.h"
#include "ebcache/items_space.h"
#include "ebcache/on_disk.h"
#include "tests/space/map_store.h"

namespace ebcache::space {
namespace {

constexpr uint64_t kMiB = 1 << 20;

std::vector<Range> RunsOf(const std::vector<bool>& free, uint64_t start, uint32_t sector) {
  std::vector<Range> runs;
  for (size_t i = 0; i < free.size(); ++i) {
    if (!free[i]) continue;
    if (i > 0 && free[i - 1]) {
      runs.back().length += sector;
    } else {
      runs.push_back({start + i * sector, sector});
    }
  }
  return runs;
}

std::vector<Range> RunsOf(FreeSpaceTree& tree) {
  std::vector<Range> runs;
  const absl::Status status = tree.ForEachRun([&runs](const Range& run) { runs.push_back(run); });
  EXPECT_TRUE(status.ok()) << status;
  return runs;
}

FreeSpaceInfo InfoOf(const MapStore& store, const Range& group) {
  const absl::StatusOr<FreeSpaceInfo> info =
      ParseItem<FreeSpaceInfo>(store.items.at({group.start, kFreeSpaceInfoType, group.length}));
  EXPECT_TRUE(info.ok());
  return *info;
}

// What every form has to be: one kind of items, all of them inside, bitmaps that cover the group
// without a hole, each as long as its sectors take, and cut where the next one begins.
void ExpectForm(const MapStore& store, const Range& group, uint32_t sector) {
  const bool bitmaps = (InfoOf(store, group).flags & kFreeSpaceUsesBitmaps) != 0;
  uint64_t at = group.start;
  for (const auto& [key, data] : store.items) {
    if (key.type == kFreeSpaceInfoType) continue;
    ASSERT_EQ(key.type, bitmaps ? kFreeSpaceBitmapType : kFreeSpaceExtentType);
    if (!bitmaps) {
      EXPECT_TRUE(data.empty());
      continue;
    }
    EXPECT_EQ(key.objectid, at);
    EXPECT_EQ(key.offset, std::min<uint64_t>(2048 * uint64_t{sector}, group.end() - at));
    EXPECT_EQ(data.size(), (key.offset / sector + 7) / 8);
    at += key.offset;
  }
  if (bitmaps) {
    EXPECT_EQ(at, group.end());
  }
}

struct Shape {
  uint64_t length;
  uint32_t sector;
};

class FreeSpaceTreeTest : public ::testing::TestWithParam<Shape> {};

TEST_P(FreeSpaceTreeTest, EqualsBits) {
  const uint32_t sector = GetParam().sector;
  const Range group{.start = 1024 * kMiB, .length = GetParam().length};
  const size_t sectors = group.length / sector;
  // From the facts: n bitmaps; above n * (25 + 256) / 25 runs, and back below that minus 100.
  const uint64_t n = (group.length + 2048 * uint64_t{sector} - 1) / (2048 * uint64_t{sector});
  const uint64_t above = n * (25 + 256) / 25;
  const uint64_t below = above < 100 ? 0 : above - 100;

  MapStore store;
  FreeSpaceTree tree(&store, group, sector);
  ASSERT_TRUE(tree.Create().ok());
  std::vector<bool> free(sectors, true);
  std::mt19937_64 random(sectors * 31 + sector);
  bool bitmaps = false;
  int changes_of_form = 0;
  for (int step = 0; step < 6000; ++step) {
    // Now more holes, now fewer, and round again where the form has changed.
    const bool make_free = random() % 8 < (bitmaps ? 7 : 1);
    const size_t most = make_free ? 1 + random() % 24 : 1 + random() % 3;
    size_t first = random() % sectors;
    for (size_t looked = 0; looked < sectors && free[first] == make_free; ++looked) {
      first = (first + 1) % sectors;
    }
    if (free[first] == make_free) continue;
    size_t count = 0;
    while (count < most && first + count < sectors && free[first + count] != make_free) ++count;
    const Range range{group.start + first * sector, count * sector};
    const absl::Status status = make_free ? tree.Free(range) : tree.Allocate(range);
    ASSERT_TRUE(status.ok()) << status;
    for (size_t i = first; i < first + count; ++i) free[i] = make_free;

    const std::vector<Range> runs = RunsOf(free, group.start, sector);
    if (!bitmaps && runs.size() > above)
      bitmaps = true, ++changes_of_form;
    else if (bitmaps && runs.size() < below)
      bitmaps = false, ++changes_of_form;
    const FreeSpaceInfo info = InfoOf(store, group);
    ASSERT_EQ(info.extent_count, runs.size());
    ASSERT_EQ(info.flags, bitmaps ? 1u : 0u) << runs.size() << " runs, step " << step;
    if (step % 16 == 0) {
      ASSERT_EQ(RunsOf(tree), runs) << "step " << step;
      ExpectForm(store, group, sector);
    }
  }
  EXPECT_GE(changes_of_form, below == 0 ? 1 : 2) << "the thresholds were not passed";
  ASSERT_TRUE(tree.Drop().ok());
  EXPECT_TRUE(store.items.empty());
}

INSTANTIATE_TEST_SUITE_P(Groups, FreeSpaceTreeTest,
                         ::testing::Values(Shape{8 * kMiB, 4096}, Shape{7 * kMiB, 4096},
                                           Shape{100 * kMiB + 4096 * 5, 4096},
                                           Shape{64 * kMiB, 2048}, Shape{200 * kMiB, 16384}),
                         [](const auto& of) {
                           return std::to_string(of.param.length) + "By" +
                                  std::to_string(of.param.sector);
                         });

class Refusals : public ::testing::TestWithParam<bool> {
 protected:
  // Free but for every third sector; with bitmaps or without.
  void SetUp() override {
    ASSERT_TRUE(tree_.Create().ok());
    const int holes = GetParam() ? 60 : 6;
    for (int i = 0; i < holes; ++i) {
      ASSERT_TRUE(tree_.Allocate({group_.start + (3 * i + 1) * 4096u, 4096}).ok());
    }
    ASSERT_EQ(InfoOf(store_, group_).flags, GetParam() ? 1u : 0u);
    before_ = store_.items;
  }
  void ExpectRefused(const absl::Status& status, absl::StatusCode code) {
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_EQ(store_.items, before_);
  }
  uint64_t At(int sector) const { return group_.start + sector * 4096; }

  const Range group_{16 * kMiB, 8 * kMiB};
  MapStore store_;
  FreeSpaceTree tree_{&store_, group_, 4096};
  MapStore::Items before_;
};

TEST_P(Refusals, WhatIsNotSo) {
  const auto kDamage = absl::StatusCode::kDataLoss;
  ExpectRefused(tree_.Allocate({At(1), 4096}), kDamage);      // not free
  ExpectRefused(tree_.Allocate({At(0), 8192}), kDamage);      // half of it
  ExpectRefused(tree_.Allocate({At(2), 3 * 4096}), kDamage);  // its middle is not
  ExpectRefused(tree_.Free({At(0), 4096}), kDamage);
  ExpectRefused(tree_.Free({At(1), 8192}), kDamage);
  ExpectRefused(tree_.Free({At(0), 3 * 4096}), kDamage);
  ExpectRefused(tree_.Free({At(3), 4096}), kDamage);  // from the middle of a run
  ExpectRefused(tree_.Free({At(3), 8192}), kDamage);
  EXPECT_EQ(tree_.Free({At(0), 4096}).message(),
            "free space of block group 16777216: freeing [16777216, 16781312): free already");
}

TEST_P(Refusals, WhatIsNoRange) {
  const auto kMisuse = absl::StatusCode::kInvalidArgument;
  ExpectRefused(tree_.Allocate({At(0), 0}), kMisuse);
  ExpectRefused(tree_.Allocate({At(0) + 512, 4096}), kMisuse);
  ExpectRefused(tree_.Allocate({At(0), 512}), kMisuse);
  ExpectRefused(tree_.Allocate({At(-1), 8192}), kMisuse);
  ExpectRefused(tree_.Allocate({group_.end() - 4096, 8192}), kMisuse);
  ExpectRefused(tree_.Allocate({group_.end(), 4096}), kMisuse);
  ExpectRefused(tree_.Allocate({At(0), ~uint64_t{0} - 4095}), kMisuse);
}

// Whatever call of the store fails before the first change, nothing was changed; and one that
// failed leaves what another attempt can be made on.
TEST_P(Refusals, StoresThatFail) {
  for (uint64_t fail_at = 1;; ++fail_at) {
    store_.items = before_;
    store_.calls = store_.changes = 0;
    store_.fail_at = fail_at;
    const absl::Status status = tree_.Free({At(1), 4096});
    if (status.ok()) {
      EXPECT_GT(fail_at, 3);
      break;
    }
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    if (store_.changes == 0) {
      EXPECT_EQ(store_.items, before_);
    }
  }
}

TEST_P(Refusals, DamagedTrees) {
  const Key info{group_.start, kFreeSpaceInfoType, group_.length};
  store_.items.erase(info);
  EXPECT_EQ(tree_.Free({At(1), 4096}).code(), absl::StatusCode::kDataLoss);
  store_.items = before_;
  store_.items[info].pop_back();
  EXPECT_EQ(tree_.Free({At(1), 4096}).code(), absl::StatusCode::kDataLoss);
  store_.items = before_;
  store_.items[info][0] = std::byte{0};  // counts none
  EXPECT_EQ(tree_.ForEachRun([](const Range&) {}).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(tree_.Free({At(1), 4096}).code(), absl::StatusCode::kDataLoss);
  store_.items = before_;
  // One item of the form is not there.
  for (auto at = store_.items.begin(); at != store_.items.end(); ++at) {
    if (at->first == info) continue;
    store_.items.erase(at);
    break;
  }
  EXPECT_EQ(tree_.ForEachRun([](const Range&) {}).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(tree_.Allocate({At(0), 4096}).code(), absl::StatusCode::kDataLoss);
}

// A change of form looks at all runs, and so finds that there are others than are counted.
TEST_P(Refusals, CountsThatAreWrongWhenTheFormChanges) {
  const Key info{group_.start, kFreeSpaceInfoType, group_.length};
  const FormThresholds thresholds = ThresholdsOf(group_.length, 4096);
  // Of 8 MiB there is no way back from bitmaps.
  ASSERT_EQ(thresholds.extents_below, 0u);
  if (GetParam()) return;
  store_.items[info][0] = static_cast<std::byte>(thresholds.bitmaps_above);
  before_ = store_.items;
  ExpectRefused(tree_.Allocate({At(1000), 4096}), absl::StatusCode::kDataLoss);
}

INSTANTIATE_TEST_SUITE_P(Forms, Refusals, ::testing::Bool(), [](const auto& of) {
  return of.param ? std::string("Bitmaps") : std::string("Extents");
});

TEST(FreeSpaceTree, NewGroupsAreFree) {
  MapStore store;
  FreeSpaceTree tree(&store, {64 * kMiB, 32 * kMiB}, 4096);
  ASSERT_TRUE(tree.Create().ok());
  EXPECT_EQ(RunsOf(tree), std::vector<Range>({{64 * kMiB, 32 * kMiB}}));
  EXPECT_EQ(tree.Create().code(), absl::StatusCode::kAlreadyExists);
}

// A neighbour's items are no business of a group's.
TEST(FreeSpaceTree, GroupsSideBySide) {
  MapStore store;
  FreeSpaceTree left(&store, {8 * kMiB, 8 * kMiB}, 4096);
  FreeSpaceTree right(&store, {16 * kMiB, 8 * kMiB}, 4096);
  ASSERT_TRUE(left.Create().ok());
  ASSERT_TRUE(right.Create().ok());
  ASSERT_TRUE(left.Allocate({16 * kMiB - 4096, 4096}).ok());
  ASSERT_TRUE(right.Allocate({16 * kMiB, 4096}).ok());
  ASSERT_TRUE(left.Free({16 * kMiB - 4096, 4096}).ok());
  EXPECT_EQ(RunsOf(left), std::vector<Range>({{8 * kMiB, 8 * kMiB}}));
  ASSERT_TRUE(left.Drop().ok());
  EXPECT_EQ(RunsOf(right), std::vector<Range>({{16 * kMiB + 4096, 8 * kMiB - 4096}}));
}

}  // namespace
}  // namespace ebcache::space
