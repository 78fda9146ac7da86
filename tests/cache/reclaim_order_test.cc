// What docs/reclaim.md and reclaim_list.h promise of the order in which buffers go, in hits; and of
// the rings, driven without a cache around them.

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <vector>

#include "ebcache/allocators.h"
#include "ebcache/buffer_cache.h"
#include "lib/cache/extent_buffer_access.h"
#include "lib/cache/reclaim_list.h"
#include "lib/cache/state_word.h"
#include "tests/support/memory_source.h"

namespace ebcache {

class LoneBuffer {
 public:
  static void Set(ExtentBuffer& buffer, uint64_t start, BufferState s) {
    Inside(&buffer).start_ = start;
    Inside(&buffer).state_.store(state::Pack(s), std::memory_order_relaxed);
  }
};

namespace {

constexpr uint64_t kNode = 16384;
constexpr uint64_t kBudget = 128;

class ReclaimOrder : public testing::Test {
 protected:
  // Whether the block was cached.
  bool Touch(uint64_t block) {
    const int reads = source_.reads();
    EXPECT_TRUE(cache_.ReadBlock(block * kNode).ok());
    return source_.reads() == reads;
  }
  // `rounds` times over `count` blocks from `first` on: how many touches were hits.
  int Loop(uint64_t first, uint64_t count, int rounds) {
    int hits = 0;
    for (int round = 0; round < rounds; ++round) {
      for (uint64_t i = 0; i < count; ++i) hits += Touch(first + i);
    }
    return hits;
  }

  MemorySource source_;
  BufferCache cache_{{.node_bytes = kNode, .budget_bytes = kBudget * kNode}, &source_};
};

// LRU has no hit at all here. The most that any order can have is 127 hits of 192 a round.
TEST_F(ReclaimOrder, ALoopLargerThanTheCacheMostlyStays) {
  const uint64_t loop = kBudget * 3 / 2;
  Loop(0, loop, 20);
  EXPECT_GE(Loop(0, loop, 10), static_cast<int>(10 * kBudget / 2));
}

// Blocks that went and came back are remembered, in 8 bytes each.
TEST_F(ReclaimOrder, WhatIsGoneIsRemembered) {
  Loop(0, kBudget, 1);
  EXPECT_EQ(cache_.stats().reclaim_bytes, 0u);
  Loop(kBudget, 8 * kBudget, 1);
  const uint64_t bytes = cache_.stats().reclaim_bytes;
  EXPECT_GE(bytes, kBudget * 8);
  // Up to three times as many as are cached, and a table that grows by doubling.
  EXPECT_LE(bytes, 2 * 3 * kBudget * 8 + 64);
}

// A walk over what is never wanted again does not push out what comes back all the time.
TEST_F(ReclaimOrder, AWalkLeavesTheWorkingSetAlone) {
  const uint64_t working = kBudget / 2;
  Loop(0, working, 10);
  Loop(1'000'000, kBudget * 4, 1);
  Loop(0, working, 10);
  Loop(2'000'000, kBudget * 4, 1);
  EXPECT_GE(Loop(0, working, 1), static_cast<int>(working * 3 / 4));
}

// After a change of what is in use the old hot buffers go quickly.
TEST_F(ReclaimOrder, AnotherWorkingSetTakesOver) {
  const uint64_t working = kBudget * 3 / 4;
  Loop(0, working, 30);
  Loop(1'000'000, working, 30);
  EXPECT_EQ(Loop(1'000'000, working, 2), static_cast<int>(2 * working));
}

// Touched often in one burst, and then never: that says nothing. What came back later stays longer.
TEST_F(ReclaimOrder, ABurstOfTouchesIsNoMerit) {
  const uint64_t loop = kBudget * 3 / 2;
  Loop(0, loop, 20);
  int hits = 0;
  for (int round = 0; round < 10; ++round) {
    for (uint64_t i = 0; i < loop; ++i) {
      hits += Touch(i);
      if (i % 4 != 0) continue;
      const uint64_t once = 1'000'000 + static_cast<uint64_t>(round) * loop + i;
      for (int touch = 0; touch < 5; ++touch) Touch(once);
    }
  }
  EXPECT_GE(hits, static_cast<int>(10 * kBudget / 3));
}

// ---- The rings ----------------------------------------------------------------------------------

class Rings : public testing::Test {
 protected:
  Rings() {
    EXPECT_EQ(slab_.Allocate(absl::MakeSpan(buffers_)), buffers_.size());
    for (size_t i = 0; i < buffers_.size(); ++i) {
      LoneBuffer::Set(*buffers_[i], i * kNode, kIdle);
    }
    list_.Add(buffers_);
  }
  static constexpr BufferState kIdle{1, static_cast<uint32_t>(BufferFlag::kTreeRef)};
  static constexpr BufferState kHeld{2, static_cast<uint32_t>(BufferFlag::kTreeRef)};
  static constexpr BufferState kDead{0, 0};

  uint32_t Collect(size_t most, uint32_t scans = 100) {
    victims_.assign(most, nullptr);
    last_ = list_.Collect(absl::MakeSpan(victims_), scans, /*spare_accessed=*/false);
    return last_.victims;
  }

  DescriptorSlab slab_{nullptr, 1, 0, OsCalls::Real()};
  ReclaimList list_{&slab_};
  std::array<ExtentBuffer*, 8> buffers_{};
  std::vector<ExtentBuffer*> victims_;
  ReclaimList::Collected last_;
};

TEST_F(Rings, UntouchedBuffersGoInTheOrderInWhichTheyCame) {
  ASSERT_EQ(Collect(8), 8u);
  for (size_t i = 0; i < 8; ++i) EXPECT_EQ(victims_[i], buffers_[i]) << i;
  EXPECT_EQ(list_.size(), 0u);
  EXPECT_TRUE(list_.all_parked());
}

TEST_F(Rings, ASearchLooksAtNoMoreThanItMay) {
  EXPECT_EQ(Collect(8, 3), 3u);
  EXPECT_EQ(last_.scanned, 3u);
  EXPECT_EQ(list_.size(), 5u);
  EXPECT_EQ(Collect(2), 2u);
  EXPECT_EQ(list_.size(), 3u);
}

TEST_F(Rings, WhatIsHeldIsParkedAndLookedAtOnce) {
  LoneBuffer::Set(*buffers_[2], 2 * kNode, kHeld);
  EXPECT_EQ(Collect(8), 7u);
  EXPECT_EQ(last_.skipped[static_cast<size_t>(ReleaseVerdict::kInUse)], 1u);
  EXPECT_EQ(list_.size(), 1u);
  EXPECT_TRUE(list_.all_parked());
  const uint64_t looks = list_.looks();
  EXPECT_EQ(Collect(8), 0u);
  EXPECT_EQ(list_.looks(), looks);

  // Idle again.
  LoneBuffer::Set(*buffers_[2], 2 * kNode, kIdle);
  list_.Unpark(buffers_[2]);
  EXPECT_FALSE(list_.all_parked());
  EXPECT_EQ(Collect(8), 1u);
  EXPECT_EQ(victims_[0], buffers_[2]);
}

// The header: by the time of Unpark the buffer may have died.
TEST_F(Rings, UnparkOfOneThatDiedMeanwhileIsNothing) {
  LoneBuffer::Set(*buffers_[0], 0, kHeld);
  LoneBuffer::Set(*buffers_[1], kNode, kHeld);
  EXPECT_EQ(Collect(8), 6u);
  EXPECT_EQ(list_.size(), 2u);
  LoneBuffer::Set(*buffers_[0], 0, kDead);
  list_.Remove(buffers_[0]);
  list_.Unpark(buffers_[0]);
  EXPECT_EQ(list_.size(), 1u);
  EXPECT_TRUE(list_.all_parked());
  // The other one is still found.
  LoneBuffer::Set(*buffers_[1], kNode, kIdle);
  list_.Unpark(buffers_[1]);
  EXPECT_EQ(Collect(8), 1u);
  EXPECT_EQ(victims_[0], buffers_[1]);
}

TEST_F(Rings, ABufferThatIsMovingIsPassedOver) {
  LoneBuffer::Set(*buffers_[0], 0,
                  {1, kIdle.flags | static_cast<uint32_t>(BufferFlag::kMigrating)});
  EXPECT_EQ(Collect(7), 7u);
  EXPECT_EQ(last_.skipped[static_cast<size_t>(ReleaseVerdict::kMigrating)], 1u);
  EXPECT_EQ(list_.size(), 1u);
  EXPECT_FALSE(list_.all_parked());
}

// A block that was freed will not come back: it is not remembered.
TEST_F(Rings, StaleBuffersLeaveNoGhosts) {
  for (size_t i = 0; i < buffers_.size(); ++i) {
    LoneBuffer::Set(*buffers_[i], i * kNode,
                    {1, kIdle.flags | static_cast<uint32_t>(BufferFlag::kStale)});
  }
  EXPECT_EQ(Collect(8), 8u);
  EXPECT_EQ(list_.bytes(), 0u);
}

}  // namespace
}  // namespace ebcache
