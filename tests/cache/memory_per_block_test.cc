// What a cached block costs beyond its payload: counted by the cache itself, used or not, so that
// what it asked the OS for in advance is in it.

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "ebcache/allocators.h"
#include "ebcache/buffer_cache.h"
#include "lib/cache/descriptor_slab.h"

namespace ebcache {
namespace {

constexpr double kMostBytes = 160;        // at any size from kSmallestCache on
constexpr double kMostBytesSteady = 128;  // where what was asked for in advance has just been used
constexpr uint64_t kSmallestCache = 4096;
constexpr uint32_t kNode = 16384;
constexpr uint32_t kRowSlots = 4;

uint64_t OverheadBytes(const CacheStats& stats) {
  return stats.descriptor_bytes + stats.index_bytes + stats.reclaim_bytes;
}

double BytesPerBlock(const BufferCache& cache) {
  const CacheStats stats = cache.stats();
  EXPECT_GT(stats.descriptor_bytes, 0u);
  EXPECT_GT(stats.index_bytes, 0u);
  return static_cast<double>(OverheadBytes(stats)) / static_cast<double>(stats.cached_buffers);
}

// Bytes a block in a cache of so many, each `stride` behind the other. Pages are not touched.
double BytesPerBlock(uint64_t blocks, uint64_t stride, uint64_t budget_bytes) {
  BufferCache cache(
      {.node_bytes = kNode, .budget_bytes = budget_bytes, .allocator = Order0Allocator()});
  for (uint64_t i = 0; i < blocks; ++i) {
    EXPECT_TRUE(cache.Create(i * stride).ok());
  }
  return BytesPerBlock(cache);
}

// Every size: a cache that grows is asked after each block.
TEST(MemoryPerBlock, AGrowingCacheNeverNeedsMoreThan160Bytes) {
  BufferCache cache({.node_bytes = kNode, .budget_bytes = 0, .allocator = Order0Allocator()});
  double worst = 0;
  for (uint64_t blocks = 1; blocks <= 300'000; ++blocks) {
    ASSERT_TRUE(cache.Create(blocks * kNode).ok());
    if (blocks < kSmallestCache) continue;
    const double bytes = BytesPerBlock(cache);
    ASSERT_LE(bytes, kMostBytes) << "at " << blocks << " blocks";
    worst = std::max(worst, bytes);
  }
  RecordProperty("worst_bytes", std::to_string(worst));
}

// What reclaim remembers of blocks that are gone included: four times as many were made as fit.
class MemoryWithBudgetTest : public testing::TestWithParam<uint64_t> {};

TEST_P(MemoryWithBudgetTest, ACacheThatHasForgottenMostNeedsAtMost160Bytes) {
  EXPECT_LE(BytesPerBlock(4 * GetParam(), kNode, GetParam() * kNode), kMostBytes);
}

// Around the sizes at which descriptors are asked for and tables double, and far away from them.
INSTANTIATE_TEST_SUITE_P(Sizes, MemoryWithBudgetTest,
                         testing::Values(4096, 4097, 5000, 8193, 12000, 16385, 20000, 30000, 32768,
                                         32769, 33000, 40000, 50000, 65536, 65537, 70000, 80000,
                                         98305, 100000, 131072, 131073, 163841));

class SteadyMemoryTest : public testing::TestWithParam<uint64_t> {};

TEST_P(SteadyMemoryTest, NeighboursNeedAtMost128Bytes) {
  EXPECT_LE(BytesPerBlock(GetParam(), kNode, 0), kMostBytesSteady);
}

TEST_P(SteadyMemoryTest, ACacheThatHasForgottenMostNeedsAtMost128Bytes) {
  EXPECT_LE(BytesPerBlock(4 * GetParam(), kNode, GetParam() * kNode), kMostBytesSteady);
}

INSTANTIATE_TEST_SUITE_P(Sizes, SteadyMemoryTest, testing::Values(32768, 65536, 131072));

// ---- What is counted is what is used ------------------------------------------------------------

// Remembers what was mapped for descriptors, which is what wants huge pages.
class MappingOs final : public OsCalls {
 public:
  void set_refuses(bool refuses) { refuses_ = refuses; }
  void* Map(size_t bytes, size_t alignment) override {
    if (refuses_) return nullptr;
    void* const address = real_->Map(bytes, alignment);
    if (alignment > 4096) mapped_.emplace_back(static_cast<std::byte*>(address), bytes);
    return address;
  }
  void Unmap(void* address, size_t bytes) override { real_->Unmap(address, bytes); }
  bool Purge(void* address, size_t bytes) override { return real_->Purge(address, bytes); }
  bool AdviseHugePages(void* address, size_t bytes) override {
    ++advised_;
    return real_->AdviseHugePages(address, bytes);
  }
  bool CollapseHugePages(void* address, size_t bytes) override {
    ++collapsed_;
    return real_->CollapseHugePages(address, bytes);
  }

  size_t chunks() const { return mapped_.size(); }
  int advised() const { return advised_; }
  int collapsed() const { return collapsed_; }
  uint64_t ResidentBytes() const {
    uint64_t bytes = 0;
    for (const auto& [address, size] : mapped_) {
      std::vector<unsigned char> pages(size / 4096);
      EXPECT_EQ(mincore(address, size, pages.data()), 0);
      for (const unsigned char page : pages) bytes += (page & 1) * uint64_t{4096};
    }
    return bytes;
  }

 private:
  OsCalls* const real_ = OsCalls::Real();
  std::vector<std::pair<std::byte*, size_t>> mapped_;
  int advised_ = 0;
  int collapsed_ = 0;
  bool refuses_ = false;
};

bool KernelHandsOutHugePagesUnasked() {
  std::ifstream file("/sys/kernel/mm/transparent_hugepage/enabled");
  const std::string modes{std::istreambuf_iterator<char>(file), {}};
  return modes.find("[always]") != std::string::npos;
}

TEST(MemoryPerBlock, DescriptorsThatAreNotCountedAreNotInMemory) {
  if (KernelHandsOutHugePagesUnasked()) {
    GTEST_SKIP() << "this machine's kernel puts everything on huge pages";
  }
  MappingOs os;
  DescriptorSlab slab(nullptr, kRowSlots, 0, &os);
  for (int made = 1; made <= 70'000; ++made) {
    ExtentBuffer* buffer = nullptr;
    ASSERT_EQ(slab.Allocate({&buffer, 1}), 1);
    if (made % 1000 != 1) continue;
    ASSERT_LE(os.ResidentBytes(), slab.bytes()) << "of " << made << " descriptors";
  }
}

TEST(MemoryPerBlock, WithoutMemoryForAChunkThereAreNoMoreDescriptors) {
  constexpr int kChunk = 32768;
  MappingOs os;
  DescriptorSlab slab(nullptr, kRowSlots, 0, &os);
  ExtentBuffer* two[2] = {};
  for (int made = 0; made < kChunk - 1; ++made) ASSERT_EQ(slab.Allocate({two, 1}), 1);
  os.set_refuses(true);
  EXPECT_EQ(slab.Allocate(two), 1u);  // the last one that there is room for
  EXPECT_EQ(slab.Allocate(two), 0u);
  EXPECT_EQ(slab.size(), kChunk);
  os.set_refuses(false);
  EXPECT_EQ(slab.Allocate(two), 2u);
}

// Look-ups go all over the descriptors: a chunk that is full is on a huge page.
TEST(MemoryPerBlock, FullChunksAreOnHugePages) {
  constexpr int kChunk = 32768;
  MappingOs os;
  DescriptorSlab slab(nullptr, kRowSlots, 0, &os);
  for (int made = 1; made <= 6 * kChunk; ++made) {
    ExtentBuffer* buffer = nullptr;
    ASSERT_EQ(slab.Allocate({&buffer, 1}), 1);
    if (made % kChunk == 0) {
      ASSERT_EQ(os.advised(), made / kChunk);
    }
  }
  EXPECT_EQ(os.chunks(), 6u);
  // Those that had been taken into use in steps.
  EXPECT_EQ(os.collapsed(), 4);
}

// Where all blocks lie alone, as on an image that wants to be expensive, the bound is another.
TEST(MemoryPerBlock, BlocksFarApartCostALeafOfTheIndexEach) {
  EXPECT_LE(BytesPerBlock(65536, uint64_t{1} << 30, 0), 1024);
}

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
