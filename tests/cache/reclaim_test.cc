// The byte budget, the order in which buffers go, and how much work a search may do.

#include <gtest/gtest.h>

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
  // Once they are let go, the cache comes back to its budget within some Creates.
  pinned.clear();
  for (uint64_t i = 0; i < 200; ++i) (void)*cache.Create((100'000 + i) * kNode);
  EXPECT_LE(cache.stats().cached_buffers, 1000u);
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
