// What reclaim learns of uses, and what that makes blocks worth: the claims of reuse_statistics.h.

#include "lib/cache/reuse_statistics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <random>

#include "lib/cache/least_of.h"

namespace ebcache {
namespace {

constexpr uint32_t kCapacity = 1024;
constexpr uint32_t kNew = ReuseStatistics::kNew;

// So many newcomers of kind kNew, of which each is used again after `age`, from when that is over.
void Learn(ReuseStatistics& reuse, uint32_t newcomers, uint32_t age) {
  for (uint32_t i = 0; i < newcomers; ++i) {
    reuse.CountEntry(kNew);
    if (age != 0 && i >= age) reuse.CountReuse(kNew, reuse.BinOf(age));
    reuse.Tick();
  }
}

TEST(ReuseStatistics, BinsCoverFourCapacitiesAndGrow) {
  for (const uint32_t capacity : {1u, 2u, 16u, 64u, 1000u, 4096u, 1u << 20, 1u << 29}) {
    ReuseStatistics reuse;
    reuse.SetCapacity(capacity);
    ASSERT_LE(reuse.bins(), ReuseStatistics::kMostBins);
    for (uint32_t bin = 1; bin < reuse.last_bin(); ++bin) {
      ASSERT_GT(reuse.end_of(bin), reuse.end_of(bin - 1)) << capacity;
    }
    EXPECT_GE(reuse.end_of(reuse.last_bin() - 1), uint64_t{capacity} * 3) << capacity;
    EXPECT_LT(reuse.first_bin_of_known(), reuse.last_bin());
    for (uint32_t bin = 1; bin < reuse.last_bin(); ++bin) {
      EXPECT_EQ(reuse.BinOf(reuse.end_of(bin) - 1), bin);
      EXPECT_EQ(reuse.BinOf(reuse.end_of(bin)), bin + 1);
    }
    EXPECT_EQ(reuse.BinOf(~uint32_t{0}), reuse.last_bin());
  }
}

// Where nothing is known it is LRU.
TEST(ReuseStatistics, UnknownBlocksAreWorthLessAsTheyGrowOlder) {
  ReuseStatistics reuse;
  reuse.SetCapacity(kCapacity);
  for (uint32_t kind = 0; kind < ReuseStatistics::kKinds; ++kind) {
    for (uint32_t bin = 2; bin < reuse.bins(); ++bin) {
      ASSERT_LE(reuse.Worth(kind, bin), reuse.Worth(kind, bin - 1)) << kind << ", " << bin;
    }
  }
}

// Uses that nothing had led to expect, as after a change of the budget: in all bins, of kinds that none has entered.
TEST(ReuseStatistics, WorthIsANumberWhateverIsCounted) {
  ReuseStatistics reuse;
  reuse.SetCapacity(kCapacity);
  for (uint32_t i = 0; i < 50000; ++i) {
    for (uint32_t bin = 1; bin < reuse.bins(); ++bin) reuse.CountReuse(kNew, bin);
    reuse.Tick();
  }
  for (uint32_t bin = 0; bin < reuse.bins(); ++bin) {
    // Of one block in one place there is no more than one use for each newcomer.
    ASSERT_GE(reuse.Worth(kNew, bin), 0.0F) << bin;
    ASSERT_LE(reuse.Worth(kNew, bin), 1.0F) << bin;
  }
  ReuseStatistics unknown;
  unknown.SetCapacity(kCapacity);
  EXPECT_GT(reuse.Worth(kNew, 1), unknown.Worth(kNew, 1));
}

TEST(ReuseStatistics, AnAgeWithinTheBurstIsTakenForTheFirstBehindIt) {
  ReuseStatistics reuse;
  reuse.SetCapacity(kCapacity);
  EXPECT_EQ(reuse.BinOf(0), 1u);
}

TEST(ReuseStatistics, TheSameCapacityAgainForgetsNothing) {
  ReuseStatistics once;
  ReuseStatistics often;
  once.SetCapacity(kCapacity);
  for (int i = 0; i < 200; ++i) {
    often.SetCapacity(kCapacity);
    Learn(once, 100, 50);
    Learn(often, 100, 50);
  }
  for (uint32_t bin = 0; bin < once.bins(); ++bin) {
    ASSERT_EQ(once.Worth(kNew, bin), often.Worth(kNew, bin)) << bin;
  }
}

// In a loop the block that has waited longest is worth most; once it is past its time, least.
TEST(ReuseStatistics, InALoopWorthRisesUntilTheBlockIsDue) {
  ReuseStatistics reuse;
  reuse.SetCapacity(kCapacity);
  constexpr uint32_t kLoop = 1500;
  Learn(reuse, 20'000, kLoop);
  const uint32_t due = reuse.BinOf(kLoop);
  for (uint32_t bin = 2; bin <= due; ++bin) {
    EXPECT_GT(reuse.Worth(kNew, bin), reuse.Worth(kNew, bin - 1)) << bin;
  }
  EXPECT_LT(reuse.Worth(kNew, due + 1), reuse.Worth(kNew, 1) / 4);
}

// Blocks that are needed once have no worth: less than others of which nothing is known.
TEST(ReuseStatistics, WhatIsNotUsedAgainIsWorthNothing) {
  ReuseStatistics reuse;
  reuse.SetCapacity(kCapacity);
  Learn(reuse, 20'000, 0);
  for (uint32_t bin = 1; bin < reuse.last_bin(); ++bin) {
    EXPECT_LT(reuse.Worth(kNew, bin), reuse.Worth(ReuseStatistics::kUsedAgain, bin) / 10) << bin;
  }
}

// A change is learnt in a few capacities.
TEST(ReuseStatistics, OldCountsFade) {
  ReuseStatistics reuse;
  reuse.SetCapacity(kCapacity);
  Learn(reuse, 20'000, 300);
  const float then = reuse.Worth(kNew, 1);
  Learn(reuse, 20'000, 0);
  EXPECT_LT(reuse.Worth(kNew, 1), then / 20);
}

TEST(ReuseStatistics, KindsTellHowFarTheLastUsesWere) {
  ReuseStatistics reuse;
  reuse.SetCapacity(kCapacity);
  const uint32_t near = reuse.BinOf(50);
  const uint32_t far = reuse.BinOf(3000);
  const uint32_t once_near = reuse.KindAfter(kNew, near);
  EXPECT_NE(once_near, reuse.KindAfter(kNew, far));
  EXPECT_NE(once_near, reuse.KindAfter(once_near, near));  // it was as near before
  EXPECT_EQ(reuse.KindAfter(reuse.KindAfter(kNew, far), near), once_near);
  for (uint32_t before = 0; before < ReuseStatistics::kKinds; ++before) {
    for (uint32_t bin = 1; bin < reuse.bins(); ++bin) {
      const uint32_t kind = reuse.KindAfter(before, bin);
      ASSERT_GE(kind, ReuseStatistics::kUsedAgain);
      ASSERT_LT(kind, ReuseStatistics::kKinds);
    }
  }
}

// Work for one newcomer is one kind's at the most, and each has its turn.
TEST(ReuseStatistics, EachKindHasItsTurn) {
  for (const uint32_t capacity : {1u, 64u, 4096u}) {
    ReuseStatistics reuse;
    reuse.SetCapacity(capacity);
    std::array<int, ReuseStatistics::kKinds> turns{};
    const uint32_t epoch = std::max(32u, capacity / 16);
    for (uint32_t i = 0; i < 5 * epoch; ++i) {
      const uint32_t kind = reuse.Tick();
      if (kind != ReuseStatistics::kKinds) ++turns[kind];
    }
    for (const int count : turns) EXPECT_EQ(count, 5) << capacity;
  }
}

TEST(LeastOf, IsTheLeastOfWhatWasSet) {
  std::mt19937 random(1);
  LeastOf<uint64_t, 64> least;
  std::array<uint64_t, 64> keys;
  keys.fill(least.kNone);
  EXPECT_EQ(least.least(), least.kNone);
  for (int i = 0; i < 20'000; ++i) {
    const size_t place = random() % 64;
    keys[place] = random() % 3 == 0 ? least.kNone : random() % 100;
    least.Set(place, keys[place]);
    const auto* const lowest = std::min_element(keys.begin(), keys.end());
    ASSERT_EQ(least.least(), *lowest);
    if (*lowest == least.kNone) continue;
    ASSERT_EQ(least.place(), static_cast<size_t>(lowest - keys.begin()));
  }
}

}  // namespace
}  // namespace ebcache
