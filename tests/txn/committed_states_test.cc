// What may be given out again, for the sake of which states.

#include "lib/txn/committed_states.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <set>
#include <utility>

#include "lib/space/range.h"

namespace ebcache::txn {
namespace {

using space::Range;
using space::RangeSet;

RangeSet SetOf(std::initializer_list<Range> ranges) {
  RangeSet set;
  for (const Range& range : ranges) set.Unite(range);
  return set;
}

bool Has(const RangeSet& set, uint64_t start) { return set.Contains({start, 1}); }

TEST(CommittedStatesTest, WhatNoReaderHasIsReleasedAtOnce) {
  CommittedStates states;
  states.Freed(6, {{2, SetOf({{0, 8}})}});
  EXPECT_TRUE(Has(states.TakeReleased(), 0));
  EXPECT_TRUE(states.TakeReleased().empty());
}

// Every extent that was made by one of some commits and freed by a later one; every set of states that
// are held: what is released is what none of them has. Then they are let go, one after the other.
TEST(CommittedStatesTest, AStateHasWhatWasMadeUpToItAndFreedBehindIt) {
  constexpr uint64_t kStates = 5;
  const auto place_of = [](uint64_t made, uint64_t freed) { return made * 1000 + freed * 10; };
  for (unsigned held = 0; held < 1u << kStates; ++held) {
    CommittedStates states;
    std::multiset<uint64_t> wanted;
    std::set<uint64_t> released;
    const auto expect_released = [&] {
      const RangeSet taken = states.TakeReleased();
      for (uint64_t freed = 1; freed <= kStates; ++freed) {
        for (uint64_t made = 0; made < freed; ++made) {
          const auto first = wanted.lower_bound(made);
          const bool reached = first != wanted.end() && *first < freed;
          const uint64_t place = place_of(made, freed);
          EXPECT_EQ(Has(taken, place), !reached && released.count(place) == 0)
              << held << ": " << made << " to " << freed;
          EXPECT_EQ(Has(states.Kept(), place), reached);
          if (!reached) released.insert(place);
        }
      }
    };
    for (uint64_t generation = 0; generation < kStates; ++generation) {
      if ((held >> generation & 1) != 0) {
        states.Hold(generation);
        wanted.insert(generation);
      }
      FreedRanges ranges;
      for (uint64_t made = 0; made <= generation; ++made) {
        ranges[made].Unite({place_of(made, generation + 1), 1});
      }
      states.Freed(generation + 1, std::move(ranges));
    }
    expect_released();
    while (!wanted.empty()) {
      const auto one = std::next(wanted.begin(), static_cast<long>(held % wanted.size()));
      states.LetGo(*one);
      wanted.erase(one);
      expect_released();
    }
    EXPECT_TRUE(states.Kept().empty());
  }
}

TEST(CommittedStatesTest, AStateThatIsHeldTwiceIsLetGoTwice) {
  CommittedStates states;
  states.Hold(5);
  states.Hold(5);
  states.Freed(6, {{2, SetOf({{0, 8}})}});
  states.LetGo(5);
  EXPECT_TRUE(states.TakeReleased().empty());
  states.LetGo(5);
  EXPECT_FALSE(states.TakeReleased().empty());
}

TEST(CommittedStatesTest, ACommitThatHasNotHappenedFreesNothing) {
  CommittedStates states;
  states.Freed(6, {{2, SetOf({{0, 8}})}});
  states.TakeBack(7);
  states.TakeBack(6);
  EXPECT_TRUE(states.TakeReleased().empty());
  EXPECT_TRUE(states.Kept().empty());
}

}  // namespace
}  // namespace ebcache::txn
