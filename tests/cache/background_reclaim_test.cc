// Room kept under the budget by the cache's own thread.

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <thread>
#include <vector>

#include "ebcache/allocators.h"
#include "ebcache/buffer_cache.h"
#include "tests/support/memory_source.h"

namespace ebcache {
namespace {

constexpr uint64_t kNode = 4096;
constexpr uint64_t kBudget = 1000;  // blocks
constexpr uint64_t kLowRoom = 50;
constexpr uint64_t kHighRoom = 100;

BufferCacheOptions InBackground() {
  return {.node_bytes = kNode,
          .budget_bytes = kBudget * kNode,
          .background_reclaim = true,
          .low_room_percent = kLowRoom * 100 / kBudget,
          .high_room_percent = kHighRoom * 100 / kBudget};
}

// For what another thread will do; when it does not, the test runs into its time limit.
void AwaitTrue(const std::function<bool()>& condition) {
  while (!condition()) std::this_thread::yield();
}

TEST(BackgroundReclaim, KeepsRoomUpToTheHighMark) {
  BufferCache cache(InBackground());
  for (uint64_t i = 0; i < 5 * kBudget; ++i) {
    (void)*cache.Create(i * kNode);
    ASSERT_LE(cache.stats().cached_buffers, kBudget);
  }
  // The last newcomer leaves less than the low mark, or the thread had worked before.
  for (uint64_t i = 5 * kBudget; cache.stats().cached_buffers > kBudget - kHighRoom; ++i) {
    (void)*cache.Create(i * kNode);
    std::this_thread::yield();
  }
  const CacheStats stats = cache.stats();
  EXPECT_GT(stats.reclaimed_in_background, 0u);
  EXPECT_LE(stats.reclaimed_in_background, stats.reclaimed);
  // Not more than was asked for, give or take the one that is always free; nor later.
  for (int i = 0; i < 50; ++i) {
    ASSERT_GE(cache.stats().cached_buffers, kBudget - kHighRoom - 1);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

// In one step from where it sleeps to where it has to work: nothing but that step wakes it. What
// can go was there before, so that it does not matter whether the thread looks before the
// references to the batch are given up or after: where it finds nothing that can go, it waits for a
// newcomer. It may have made room up to the high mark in the middle of the batch: what is promised
// is that less than the low mark does not stay.
TEST(BackgroundReclaim, ABatchThatLeavesTooLittleRoomWakesIt) {
  MemorySource source;
  BufferCache cache(InBackground(), &source);
  constexpr uint64_t kBefore = kBudget / 2;
  for (uint64_t i = 0; i < kBefore; ++i) ASSERT_TRUE(cache.ReadBlock(i * kNode).ok());
  ASSERT_EQ(cache.stats().reclaimed, 0u);
  std::vector<uint64_t> starts(kBudget - kBefore);
  for (uint64_t i = 0; i < starts.size(); ++i) starts[i] = (kBefore + i) * kNode;
  std::vector<absl::StatusOr<ExtentBufferRef>> results(starts.size());
  cache.ReadBlocks(starts, {}, absl::MakeSpan(results));
  AwaitTrue([&] { return cache.stats().cached_buffers <= kBudget - kLowRoom; });
  EXPECT_GT(cache.stats().reclaimed_in_background, 0u);
}

// Many in use come first in the order; a step that met nothing else is not the end.
TEST(BackgroundReclaim, OneWakeGetsPastAllThatAreInUse) {
  MemorySource source;
  BufferCache cache(InBackground(), &source);
  std::vector<ExtentBufferRef> pinned;
  for (uint64_t i = 0; i < 700; ++i) pinned.push_back(*cache.Create(i * kNode));
  for (uint64_t i = 700; i < 945; ++i) (void)*cache.Create(i * kNode);
  std::vector<uint64_t> starts;
  for (uint64_t i = 945; i < 957; ++i) starts.push_back(i * kNode);
  std::vector<absl::StatusOr<ExtentBufferRef>> results(starts.size());
  cache.ReadBlocks(starts, {}, absl::MakeSpan(results));
  AwaitTrue([&] { return cache.stats().cached_buffers <= kBudget - kHighRoom; });
  EXPECT_EQ(cache.stats().creates, 957u);
}

TEST(BackgroundReclaim, AboveTheLowMarkItSleeps) {
  BufferCache cache(InBackground());
  for (uint64_t i = 0; i < kBudget / 2; ++i) (void)*cache.Create(i * kNode);
  EXPECT_EQ(cache.stats().reclaimed, 0u);
}

TEST(BackgroundReclaim, GivesUpWhenEverythingIsPinnedAndGoesOnWhenItIsNot) {
  BufferCache cache(InBackground());
  std::vector<ExtentBufferRef> pinned;
  for (uint64_t i = 0; i < 2 * kBudget; ++i) pinned.push_back(*cache.Create(i * kNode));
  EXPECT_EQ(cache.stats().reclaimed, 0u);
  EXPECT_EQ(cache.stats().cached_buffers, 2 * kBudget);
  pinned.clear();
  uint64_t next = 2 * kBudget;
  AwaitTrue([&] {
    (void)*cache.Create(next++ * kNode);
    return cache.stats().cached_buffers <= kBudget;
  });
}

TEST(BackgroundReclaim, StopsWithTheCacheInTheMiddleOfItsWork) {
  const auto allocator = HeapAllocator();
  for (int round = 0; round < 20; ++round) {
    {
      BufferCacheOptions options = InBackground();
      options.allocator = allocator;
      BufferCache cache(options);
      for (uint64_t i = 0; i < 2 * kBudget; ++i) (void)*cache.Create(i * kNode);
    }
    ASSERT_EQ(allocator->stats().in_use_bytes, 0u) << "a buffer outlived its cache";
  }
}

// For the thread sanitizer: newcomers, look-ups, dirty buffers and the thread, all at once.
TEST(BackgroundReclaim, WorksBesideEverybodyElse) {
  MemorySource source;
  BufferCache cache(InBackground(), &source);
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&cache, t] {
      for (uint64_t i = 0; i < 5'000; ++i) {
        const uint64_t block = (i * (t + 1) * 7) % (3 * kBudget);
        auto found = cache.ReadBlock(block * kNode);
        ASSERT_TRUE(found.ok()) << found.status();
        if (i % 64 == t) {
          found->SetDirty();
          ASSERT_TRUE(cache.Writeback(*found).ok());
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  cache.DropCaches();
  // Those that the thread took at the same time are gone when it has buried them.
  AwaitTrue([&] { return cache.stats().cached_buffers == 0; });
}

TEST(BackgroundReclaimDeathTest, RefusesMarksThatMakeNoSense) {
  BufferCacheOptions options = InBackground();
  options.low_room_percent = 20;
  EXPECT_DEATH(BufferCache cache(options), "low_room_percent");
}

}  // namespace
}  // namespace ebcache
