// The byte budget, the order in which buffers go, and how much work a search may do.

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <thread>
#include <vector>

#include "ebcache/allocators.h"
#include "ebcache/buffer_cache.h"
#include "tests/support/memory_source.h"

namespace ebcache {
namespace {

constexpr uint64_t kNode = 16384;

BufferCacheOptions WithBudget(uint64_t blocks) {
  return {.node_bytes = kNode, .budget_bytes = blocks * kNode};
}

TEST(Reclaim, StaysInsideItsBudget) {
  MemorySource source;
  BufferCache cache(WithBudget(64), &source);
  for (uint64_t i = 0; i < 10'000; ++i) {
    ASSERT_TRUE(cache.ReadBlock(i * kNode).ok());
    ASSERT_LE(cache.stats().cached_buffers, 64u);
  }
  EXPECT_EQ(cache.stats().cached_buffers, 64u);
  EXPECT_EQ(cache.stats().over_budget_creates, 0u);
  EXPECT_EQ(cache.allocator().stats().in_use_bytes, 64 * kNode);
}

TEST(Reclaim, TheOldestUntouchedGoFirst) {
  MemorySource source;
  BufferCache cache(WithBudget(8), &source);
  for (uint64_t i = 0; i < 8; ++i) (void)*cache.ReadBlock(i * kNode);
  (void)cache.Find(0);  // touched: gets another round
  (void)*cache.ReadBlock(8 * kNode);
  EXPECT_TRUE(cache.Find(0));
  EXPECT_FALSE(cache.Find(1 * kNode));
}

// A whole-tree walk meets leaves once and comes back to inner nodes: those must survive.
TEST(Reclaim, AScanDoesNotEvictWhatIsUsedAgain) {
  MemorySource source;
  BufferCache cache(WithBudget(100), &source);
  const uint64_t hot = 20;
  for (uint64_t leaf = 0; leaf < 5'000; ++leaf) {
    (void)*cache.ReadBlock(leaf % hot * kNode);
    (void)*cache.ReadBlock((1000 + leaf) * kNode);
  }
  // Every hot block was read once, and some once more at the start, before they were touched twice.
  EXPECT_LE(source.reads(), 5'000 + static_cast<int>(hot));
}

TEST(Reclaim, EverythingPinnedIsNotAWalk) {
  MemorySource source;
  BufferCache cache(WithBudget(1000), &source);
  std::vector<ExtentBufferRef> pinned;
  const uint64_t creates = 4'000;
  for (uint64_t i = 0; i < 1000 + creates; ++i) pinned.push_back(*cache.Create(i * kNode));
  const CacheStats stats = cache.stats();
  EXPECT_EQ(stats.over_budget_creates, creates);
  EXPECT_EQ(stats.reclaimed, 0u);
  // Steps, not time: some tens a Create at the worst, where a walk would be thousands.
  EXPECT_LE(stats.reclaim_scanned, creates * 40);
  pinned.clear();
  EXPECT_EQ(cache.stats().cached_buffers, 1000u);
}

// ---- Back to the budget -------------------------------------------------------------------------

uint64_t Idle(const BufferCache& cache) { return cache.ExplainPins()[0].second; }

// What the header promises of the budget: over it only by what cannot go.
void ExpectNoIdleOverBudget(const BufferCache& cache, uint64_t budget, const char* when) {
  const uint64_t cached = cache.stats().cached_buffers;
  EXPECT_TRUE(cached <= budget || Idle(cache) == 0)
      << when << ": " << cached << " cached, " << Idle(cache) << " of them idle";
}

// Far more than the budget is in use, or dirty, or being read; then it is not. Nothing is made, and
// no other call is made: what ends the use is what brings the cache back.
TEST(Reclaim, TheBudgetIsRestoredWhenPinsGo) {
  for (const bool background : {false, true}) {
    MemorySource source;
    BufferCacheOptions options = WithBudget(100);
    options.background_reclaim = background;
    BufferCache cache(options, &source);
    std::vector<ExtentBufferRef> held;
    for (uint64_t i = 0; i < 5'000; ++i) held.push_back(*cache.ReadBlock(i * kNode));
    EXPECT_EQ(cache.stats().cached_buffers, 5'000u);
    std::shuffle(held.begin(), held.end(), std::mt19937_64(1));
    while (!held.empty()) {
      held.pop_back();
      if (held.size() % 100 == 0) ExpectNoIdleOverBudget(cache, 100, "while pins go");
    }
    EXPECT_LE(cache.stats().cached_buffers, 100u);
  }
}

TEST(Reclaim, TheBudgetIsRestoredWhenDirtGoes) {
  const std::vector<std::function<void(BufferCache&)>> ways = {
      [](BufferCache& cache) { EXPECT_TRUE(cache.WritebackAll().ok()); },
      [](BufferCache& cache) {
        while (ExtentBufferRef dirty = cache.NextDirty(0)) {
          EXPECT_TRUE(cache.Writeback(dirty).ok());
        }
      },
      [](BufferCache& cache) {
        while (ExtentBufferRef dirty = cache.NextDirty(0)) dirty.ClearDirty();
      },
      [](BufferCache& cache) {
        while (ExtentBufferRef dirty = cache.NextDirty(0)) {
          EXPECT_TRUE(cache.ReinitAsNewBlock(dirty, 101).ok());
        }
      },
  };
  for (const auto& clean : ways) {
    MemorySource source;
    BufferCache cache(WithBudget(10), &source);
    for (uint64_t i = 0; i < 1'000; ++i) {
      ExtentBufferRef block = *cache.Create(i * kNode);
      block.SetUptodate();
      block.SetDirty();
    }
    EXPECT_EQ(cache.stats().cached_buffers, 1'000u);
    clean(cache);
    EXPECT_LE(cache.stats().cached_buffers, 10u);
  }
}

// However uses, finds and newcomers alternate, and wherever the budget goes meanwhile.
TEST(Reclaim, NothingIdleIsEverKeptOverTheBudget) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 200; ++round) {
    MemorySource source;
    uint64_t budget = 1 + random() % 60;
    BufferCache cache(WithBudget(budget), &source);
    std::vector<ExtentBufferRef> held;
    for (int step = 0; step < 300; ++step) {
      switch (random() % 8) {
        case 0:
        case 1:
          held.push_back(*cache.ReadBlock(random() % 200 * kNode));
          break;
        case 2:
          (void)*cache.ReadBlock(random() % 200 * kNode);
          break;
        case 3:
          (void)cache.Find(random() % 200 * kNode);
          break;
        case 4:
          if (!held.empty()) held[random() % held.size()].SetDirty();
          break;
        case 5:
          if (random() % 10 == 0) (void)cache.WritebackAll();
          break;
        case 6:
          if (random() % 10 == 0) {
            budget = 1 + random() % 60;
            cache.SetBudget(budget * kNode);
          }
          break;
        default:
          if (!held.empty()) {
            std::swap(held[random() % held.size()], held.back());
            held.pop_back();
          }
      }
      ExpectNoIdleOverBudget(cache, budget, "after a step");
      if (HasFailure()) return;
    }
    held.clear();
    (void)cache.WritebackAll();
    ASSERT_LE(cache.stats().cached_buffers, budget) << "round " << round;
  }
}

// Threads that go over the budget together, and let go in any order.
TEST(Reclaim, TheBudgetIsRestoredByThreads) {
  MemorySource source;
  BufferCache cache(WithBudget(20), &source);
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&cache, t] {
      std::mt19937_64 random(t);
      std::vector<ExtentBufferRef> held;
      for (int i = 0; i < 5'000; ++i) {
        held.push_back(*cache.ReadBlock(random() % 300 * kNode));
        if (random() % 50 == 0) held.clear();
        if (random() % 2 == 0 && !held.empty()) held.pop_back();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(cache.stats().cached_buffers, 20u);
}

// A buffer is looked at once for each time it was in use, and once to let it go: not again by every
// put of another.
TEST(Reclaim, RestoringTheBudgetIsNotAWalk) {
  MemorySource source;
  BufferCache cache(WithBudget(10), &source);
  constexpr uint64_t kHeld = 4'000;
  std::vector<ExtentBufferRef> held;
  for (uint64_t i = 0; i < kHeld; ++i) held.push_back(*cache.Create(i * kNode));
  held.clear();
  EXPECT_LE(cache.stats().reclaim_scanned, 6 * kHeld);
}

// A batch counts each of its blocks that went over the budget, and no other.
TEST(Reclaim, ABatchCountsWhatIsOverTheBudget) {
  MemorySource source;
  BufferCache cache(WithBudget(160), &source);
  std::vector<ExtentBufferRef> pinned;
  for (uint64_t i = 0; i < 158; ++i) pinned.push_back(*cache.Create(i * kNode));
  std::vector<uint64_t> starts;
  for (uint64_t i = 0; i < 16; ++i) starts.push_back((1000 + i) * kNode);
  std::vector<absl::StatusOr<ExtentBufferRef>> results(starts.size());
  cache.ReadBlocks(starts, {}, absl::MakeSpan(results));
  EXPECT_EQ(cache.stats().over_budget_creates, 14u);
  EXPECT_EQ(cache.stats().cached_buffers, 174u);
  results.clear();
  EXPECT_EQ(cache.stats().cached_buffers, 160u);
}

TEST(Reclaim, ShrinkFreesWhatIsAskedFor) {
  MemorySource source;
  BufferCache cache(WithBudget(0), &source);
  for (uint64_t i = 0; i < 100; ++i) (void)*cache.ReadBlock(i * kNode);
  for (uint64_t i = 0; i < 100; ++i) (void)cache.Find(i * kNode);  // all touched
  EXPECT_EQ(cache.Shrink(10 * kNode), 10 * kNode);
  EXPECT_EQ(cache.stats().cached_buffers, 90u);
  EXPECT_EQ(cache.Shrink(1), kNode);
  EXPECT_EQ(cache.Shrink(0), 0u);
  EXPECT_EQ(cache.Shrink(~uint64_t{0}), 89 * kNode);
  EXPECT_EQ(cache.Shrink(kNode), 0u);
}

TEST(Reclaim, SetBudgetShrinks) {
  MemorySource source;
  BufferCache cache(WithBudget(0), &source);
  for (uint64_t i = 0; i < 100; ++i) (void)*cache.ReadBlock(i * kNode);
  cache.SetBudget(30 * kNode);
  EXPECT_EQ(cache.stats().cached_buffers, 30u);
  (void)*cache.ReadBlock(1000 * kNode);
  EXPECT_EQ(cache.stats().cached_buffers, 30u);
}

// Also where each of them was found again: that spares none beyond the budget.
TEST(Reclaim, SetBudgetShrinksWhatWasFoundAgain) {
  MemorySource source;
  BufferCache cache(WithBudget(0), &source);
  constexpr uint64_t kBlocks = 5000;
  for (uint64_t i = 0; i < kBlocks; ++i) (void)*cache.ReadBlock(i * kNode);
  for (int round = 0; round < 2; ++round) {
    for (uint64_t i = 0; i < kBlocks; ++i) ASSERT_TRUE(cache.Find(i * kNode));
  }
  cache.SetBudget(4900 * kNode);
  EXPECT_EQ(cache.stats().cached_buffers, 4900u);
  for (uint64_t i = 0; i < kBlocks; ++i) (void)cache.Find(i * kNode);
  cache.SetBudget(30 * kNode);
  EXPECT_EQ(cache.stats().cached_buffers, 30u);
}

// More than a Create looks at first, and each was found again: one of them goes all the same.
TEST(Reclaim, ACreateStaysInTheBudgetWhereAllWereFoundAgain) {
  MemorySource source;
  constexpr uint64_t kBlocks = 5000;
  BufferCache cache(WithBudget(kBlocks), &source);
  for (uint64_t i = 0; i < kBlocks; ++i) (void)*cache.ReadBlock(i * kNode);
  for (uint64_t i = 0; i < kBlocks; ++i) ASSERT_TRUE(cache.Find(i * kNode));
  (void)*cache.ReadBlock(kBlocks * kNode);
  EXPECT_EQ(cache.stats().cached_buffers, kBlocks);
  EXPECT_EQ(cache.stats().over_budget_creates, 0u);
}

TEST(Reclaim, DirtyAndBusyBuffersStay) {
  MemorySource source;
  BufferCache cache(WithBudget(4), &source);
  ExtentBufferRef held = *cache.ReadBlock(0);
  {
    ExtentBufferRef dirty = *cache.ReadBlock(kNode);
    dirty.SetDirty();
  }
  for (uint64_t i = 2; i < 50; ++i) (void)*cache.ReadBlock(i * kNode);
  EXPECT_TRUE(cache.Find(0));
  EXPECT_TRUE(cache.Find(kNode)->dirty());
  EXPECT_LE(cache.stats().cached_buffers, 4u);
}

}  // namespace
}  // namespace ebcache
