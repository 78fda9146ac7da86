// What a cached block costs beyond its payload: counted by the cache itself, used or not, so that
// what it asked the OS for in advance is in it.

#include <gtest/gtest.h>

#include "ebcache/allocators.h"
#include "ebcache/buffer_cache.h"

namespace ebcache {
namespace {

constexpr uint64_t kMostBytes = 128;
constexpr uint32_t kNode = 16384;

uint64_t OverheadBytes(const CacheStats& stats) {
  return stats.descriptor_bytes + stats.index_bytes + stats.reclaim_bytes;
}

// Bytes a block in a cache of so many, each `stride` behind the other. Pages are not touched.
double BytesPerBlock(uint64_t blocks, uint64_t stride, uint64_t budget_bytes) {
  BufferCache cache(
      {.node_bytes = kNode, .budget_bytes = budget_bytes, .allocator = Order0Allocator()});
  for (uint64_t i = 0; i < blocks; ++i) {
    EXPECT_TRUE(cache.Create(i * stride).ok());
  }
  const CacheStats stats = cache.stats();
  EXPECT_GT(stats.descriptor_bytes, 0u);
  EXPECT_GT(stats.index_bytes, 0u);
  return static_cast<double>(OverheadBytes(stats)) / static_cast<double>(stats.cached_buffers);
}

class MemoryPerBlockTest : public testing::TestWithParam<uint64_t> {};

TEST_P(MemoryPerBlockTest, NeighboursNeedAtMost128Bytes) {
  EXPECT_LE(BytesPerBlock(GetParam(), kNode, 0), kMostBytes);
}

// What reclaim remembers of blocks that are gone included: four times as many were made as fit.
// Between the sizes at which descriptors are asked for and tables double, what was asked for in
// advance is not yet used.
TEST_P(MemoryPerBlockTest, ACacheThatHasForgottenMostNeedsAtMost128Bytes) {
  const bool whole_step = GetParam() % 65536 == 0;
  const uint64_t in_advance = whole_step ? 0 : 32;
  EXPECT_LE(BytesPerBlock(4 * GetParam(), kNode, GetParam() * kNode), kMostBytes + in_advance);
}

// Where all blocks lie alone, as on an image that wants to be expensive, the bound is another.
TEST(MemoryPerBlock, BlocksFarApartCostALeafOfTheIndexEach) {
  EXPECT_LE(BytesPerBlock(65536, uint64_t{1} << 30, 0), 1024);
}

// Sizes at which descriptors are just asked for, and far away from that.
INSTANTIATE_TEST_SUITE_P(Sizes, MemoryPerBlockTest, testing::Values(65536, 100000));

// The count notices what it is for: a page array of 16 more slots.
TEST(MemoryPerBlock, PageArraysAreInIt) {
  BufferCache small({.node_bytes = 4096, .budget_bytes = 0, .allocator = Order0Allocator()});
  BufferCache large({.node_bytes = 65536, .budget_bytes = 0, .allocator = Order0Allocator()});
  ASSERT_TRUE(small.Create(0).ok());
  ASSERT_TRUE(large.Create(0).ok());
  EXPECT_GT(OverheadBytes(large.stats()), OverheadBytes(small.stats()));
}

}  // namespace
}  // namespace ebcache
