// The memory behind blocks: what an allocator gave it gets back, and how much of it a batch takes.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "ebcache/allocators.h"
#include "ebcache/buffer_cache.h"
#include "ebcache/forwarding_allocator.h"
#include "tests/support/memory_source.h"

namespace ebcache {
namespace {

constexpr uint64_t kNode = 16384;

// Remembers each block that it has given, and compares.
class RememberingAllocator final : public ForwardingAllocator {
 public:
  using ForwardingAllocator::ForwardingAllocator;

  absl::Status AllocateBlock(const FolioRequest& request, FolioBlock& block) override {
    if (absl::Status status = below().AllocateBlock(request, block); !status.ok()) return status;
    Given given{.order = block.order, .direct = block.direct};
    given.folios.assign(block.folios().begin(), block.folios().end());
    EXPECT_TRUE(out_.emplace(block.slots[0].pfn(), given).second);
    return absl::OkStatus();
  }
  void FreeBlock(FolioBlock& block) override {
    const auto given = out_.find(block.slots[0].pfn());
    ASSERT_NE(given, out_.end());
    EXPECT_EQ(block.order, given->second.order);
    EXPECT_EQ(block.direct, given->second.direct);
    EXPECT_TRUE(std::equal(block.folios().begin(), block.folios().end(),
                           given->second.folios.begin(), given->second.folios.end()));
    out_.erase(given);
    fewest_out = std::min(fewest_out, out_.size());
    below().FreeBlock(block);
  }

  size_t out() const { return out_.size(); }
  size_t fewest_out = ~size_t{0};

 private:
  struct Given {
    int order = 0;
    std::byte* direct = nullptr;
    std::vector<Folio> folios;
  };
  std::map<uint32_t, Given> out_;
};

std::vector<std::shared_ptr<PageAllocator>> Allocators() {
  constexpr size_t kArena = size_t{64} << 20;
  return {HeapAllocator(),
          Order0Allocator({.arena_bytes = kArena}),
          Order0Allocator({.arena_bytes = kArena, .contiguous_by_luck = false}),
          VmapAllocator({.arena_bytes = kArena}),
          VmapAllocator({.arena_bytes = kArena, .contiguous_by_luck = false}),
          HighOrderAllocator({.arena_bytes = size_t{1} << 30})};
}

// An allocator of the caller's may throw anything. That is an error of the block.
TEST(Frames, AnExceptionOfAnAllocatorIsAnError) {
  class Throwing final : public ForwardingAllocator {
   public:
    using ForwardingAllocator::ForwardingAllocator;
    absl::Status AllocateBlock(const FolioRequest& request, FolioBlock& block) override {
      if (throws) throw 42;
      return below().AllocateBlock(request, block);
    }
    bool throws = true;
  };
  const auto allocator = std::make_shared<Throwing>(HeapAllocator());
  BufferCache cache({.node_bytes = kNode, .allocator = allocator});
  const absl::Status status = cache.Create(kNode).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(status.message(), "block 16384: the allocator threw an exception");
  EXPECT_EQ(cache.stats().cached_buffers, 0u);
  allocator->throws = false;
  EXPECT_TRUE(cache.Create(kNode).ok());
}

// Another maker of the same block is quicker, while the first has no pages yet.
TEST(Frames, WhoeverLosesARaceOfMakersGetsTheWinnersBuffer) {
  class Interrupting final : public ForwardingAllocator {
   public:
    using ForwardingAllocator::ForwardingAllocator;
    absl::Status AllocateBlock(const FolioRequest& request, FolioBlock& block) override {
      if (auto run = std::exchange(meanwhile, nullptr)) run();
      return below().AllocateBlock(request, block);
    }
    std::function<void()> meanwhile;
  };
  const auto allocator = std::make_shared<Interrupting>(HeapAllocator());
  BufferCache cache({.node_bytes = kNode, .allocator = allocator});
  ExtentBufferRef winner;
  allocator->meanwhile = [&] { winner = *cache.Create(kNode); };
  const ExtentBufferRef loser = *cache.Create(kNode);
  EXPECT_EQ(loser.get(), winner.get());
  EXPECT_EQ(cache.stats().create_races_lost, 1u);
  EXPECT_EQ(cache.stats().cached_buffers, 1u);
  EXPECT_EQ(allocator->stats().in_use_bytes, size_t{kNode});
}

// Whichever of the blocks that share a page has gone: the next one gets its place.
TEST(Frames, APlaceInASharedPageIsUsedAgain) {
  constexpr size_t kPage = 65536;
  for (uint64_t gone = 0; gone < kPage / kNode; ++gone) {
    const auto allocator = HeapAllocator({.page_bytes = kPage});
    BufferCache cache({.node_bytes = kNode, .allocator = allocator});
    std::vector<ExtentBufferRef> blocks;
    for (uint64_t i = 0; i < kPage / kNode; ++i) blocks.push_back(*cache.Create(i * kNode));
    EXPECT_EQ(allocator->stats().in_use_bytes, kPage);
    blocks[gone].PutStale();
    blocks[gone] = *cache.Create(99 * kNode);
    EXPECT_EQ(allocator->stats().in_use_bytes, kPage) << gone;
  }
}

// An allocator may do as it likes while it is called, use the cache too: none of the cache's locks are
// held then, not that of shared pages either.
TEST(Frames, AnAllocatorOfSharedPagesIsCalledWithoutLocks) {
  class Reentrant final : public ForwardingAllocator {
   public:
    using ForwardingAllocator::ForwardingAllocator;
    absl::Status AllocateBulk(const FolioRequest& request, int order,
                              absl::Span<Folio> slots) override {
      Use(0);
      return ForwardingAllocator::AllocateBulk(request, order, slots);
    }
    void FreeBulk(int order, absl::Span<Folio> slots) override {
      Use(1);
      ForwardingAllocator::FreeBulk(order, slots);
    }
    void SetPrivate(Folio folio, uint32_t private_bits) override {
      Use(2);
      ForwardingAllocator::SetPrivate(folio, private_bits);
    }

    BufferCache* cache = nullptr;
    std::array<int, 3> uses{};

   private:
    void Use(size_t from) {
      if (cache == nullptr || inside_) return;
      inside_ = true;
      ++uses[from];
      cache->Create((100 + from) * kNode)->PutStale();
      inside_ = false;
    }
    bool inside_ = false;
  };
  const auto allocator = std::make_shared<Reentrant>(HeapAllocator({.page_bytes = 65536}));
  BufferCache cache({.node_bytes = kNode, .allocator = allocator});
  allocator->cache = &cache;
  for (uint64_t i = 0; i < 10; ++i) ASSERT_TRUE(cache.Create(i * kNode).ok());
  EXPECT_EQ(cache.DropCaches(), 10u);
  for (const int uses : allocator->uses) EXPECT_GT(uses, 0);
  allocator->cache = nullptr;
}

// Whichever way a buffer goes.
TEST(Frames, WhatAnAllocatorGaveItGetsBack) {
  for (const auto& below : Allocators()) {
    SCOPED_TRACE(below->name());
    auto allocator = std::make_shared<RememberingAllocator>(below);
    MemorySource source;
    {
      BufferCache cache({.node_bytes = kNode, .budget_bytes = 8 * kNode, .allocator = allocator},
                        &source);
      // Not all at multiples of the node size, and in the way of each other.
      for (uint64_t i = 0; i < 100; ++i) (void)cache.ReadBlock(i * 5 * 4096);
      EXPECT_LE(allocator->out(), 8u);
      cache.Find(95 * 5 * 4096).PutStale();
      {
        ExtentBufferRef dummy = *cache.CreateDummy(0);
        ExtentBufferRef block = *cache.ReadBlock(kNode);
        ExtentBufferRef clone = *cache.Clone(*block);
        EXPECT_FALSE(cache.Create(kNode + 4096).ok());  // overlaps
        EXPECT_EQ(allocator->out(), cache.stats().cached_buffers + 2);
      }
      EXPECT_EQ(allocator->out(), cache.stats().cached_buffers);
      cache.DropCaches();
      EXPECT_EQ(allocator->out(), 0u);
      for (uint64_t i = 0; i < 5; ++i) (void)*cache.ReadBlock(i * kNode);
    }
    EXPECT_EQ(allocator->out(), 0u) << "the cache is gone";
  }
}

// A batch makes room in parts, each no more than a sixteenth of the budget and one: a small cache
// is not emptied for it before there is anything in its place.
TEST(Frames, ABatchEmptiesNoMoreThanAPartOfTheCacheAtOnce) {
  for (const uint64_t budget : {16u, 32u, 64u, 160u}) {
    auto allocator = std::make_shared<RememberingAllocator>(HeapAllocator());
    MemorySource source;
    BufferCache cache({.node_bytes = kNode, .budget_bytes = budget * kNode, .allocator = allocator},
                      &source);
    for (uint64_t i = 0; i < budget; ++i) (void)*cache.ReadBlock(i * kNode);
    ASSERT_EQ(allocator->out(), budget);
    allocator->fewest_out = ~size_t{0};
    std::array<uint64_t, 16> starts;
    for (uint64_t i = 0; i < 16; ++i) starts[i] = (1000 + i) * kNode;
    std::array<absl::StatusOr<ExtentBufferRef>, 16> results;
    cache.ReadBlocks(starts, {}, absl::MakeSpan(results));
    for (const auto& result : results) EXPECT_TRUE(result.ok());
    EXPECT_EQ(allocator->out(), budget);
    EXPECT_GE(allocator->fewest_out, budget - budget / 16 - 1) << budget;
  }
}

}  // namespace
}  // namespace ebcache
