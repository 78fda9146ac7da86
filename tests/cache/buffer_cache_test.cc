// What a cache does for one thread: finding, making, putting, reading, writing, reporting.

#include "ebcache/buffer_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "ebcache/allocators.h"
#include "tests/support/memory_source.h"

namespace ebcache {
namespace {

constexpr uint32_t kNode = 16384;

uint64_t Pins(const BufferCache& cache, ReleaseVerdict verdict) {
  return cache.ExplainPins()[static_cast<size_t>(verdict)].second;
}

class BufferCacheTest : public testing::Test {
 protected:
  MemorySource source_;
  BufferCache cache_{{.node_bytes = kNode, .budget_bytes = 0}, &source_};
};

TEST_F(BufferCacheTest, FindsWhatWasMade) {
  EXPECT_FALSE(cache_.Find(kNode));
  ExtentBufferRef made = *cache_.Create(kNode);
  EXPECT_EQ(made->start(), kNode);
  EXPECT_EQ(made->length(), kNode);
  EXPECT_FALSE(made->uptodate());
  EXPECT_EQ(made->state().refs, 2u);  // ours and the cache's
  ExtentBufferRef found = cache_.Find(kNode);
  EXPECT_EQ(found.get(), made.get());
  EXPECT_EQ(made->state().refs, 3u);
  EXPECT_FALSE(cache_.Find(2 * kNode));
  EXPECT_EQ((*cache_.Create(kNode)).get(), made.get());
  EXPECT_EQ(cache_.stats().creates, 1u);
}

TEST_F(BufferCacheTest, FindsManyAsItFindsEach) {
  // Near, far, twice, missing, and gone while still in the index of addresses.
  for (uint64_t block = 0; block < 1000; block += 3) (void)*cache_.Create(block * kNode);
  ExtentBufferRef far = *cache_.Create(uint64_t{1} << 50);
  cache_.Find(9 * kNode).PutStale();
  std::vector<uint64_t> starts = {uint64_t{1} << 50, 0, 0, ~uint64_t{0}, 1};
  for (uint64_t block = 0; block < 100; ++block) starts.push_back(block * kNode);
  std::vector<ExtentBufferRef> found(starts.size());
  found[7] = *cache_.Create(3 * kNode);  // what was there is put
  cache_.FindMany(starts, absl::MakeSpan(found));
  for (size_t i = 0; i < starts.size(); ++i) {
    EXPECT_EQ(found[i].get(), cache_.Find(starts[i]).get()) << starts[i];
  }
  EXPECT_EQ(found[0].get(), far.get());
  EXPECT_EQ(found[1]->state().refs, 4u);  // the cache's, and three of this list
  EXPECT_EQ((*cache_.Create(3 * kNode))->state().refs, 3u);
  cache_.FindMany({}, {});
}

TEST_F(BufferCacheTest, KeepsWhatNobodyUsesAsIdle) {
  { ExtentBufferRef made = *cache_.Create(0); }
  EXPECT_EQ(Pins(cache_, ReleaseVerdict::kEligible), 1u);
  EXPECT_EQ(cache_.stats().cached_buffers, 1u);
  EXPECT_TRUE(cache_.Find(0));
}

TEST_F(BufferCacheTest, RefusesAddressesNoBlockCanHave) {
  EXPECT_EQ(cache_.Create(1).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(cache_.Create(~uint64_t{0} - 4095).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(cache_.Create(~uint64_t{0} - kNode + 1 - 4096).ok());
}

TEST_F(BufferCacheTest, HasBlocksThatAreAlignedToSectorsOnly) {
  ExtentBufferRef block = *cache_.Create(4096);
  EXPECT_EQ(cache_.Find(4096).get(), block.get());
  // Another block over the same bytes is damage, and says so, whoever comes second.
  EXPECT_FALSE(cache_.Find(0));
  EXPECT_EQ(cache_.Create(0).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(block->state().refs, 2u);
  block.PutStale();
  EXPECT_TRUE(cache_.Create(0).ok());
}

TEST_F(BufferCacheTest, ReadsOnceAndRemembersTheMirror) {
  ExtentBufferRef block = *cache_.ReadBlock(kNode);
  EXPECT_TRUE(block->uptodate());
  EXPECT_EQ(block->mirror(), 1);
  EXPECT_EQ(*block->Compare(0, MemorySource::Pattern(kNode, kNode)), 0);
  EXPECT_TRUE(cache_.Read(block).ok());
  EXPECT_TRUE(cache_.ReadBlock(kNode).ok());
  EXPECT_EQ(source_.reads(), 1);
}

TEST_F(BufferCacheTest, FailedReadIsToldAndDoesNotStay) {
  source_.on_read = [](uint64_t) { return absl::DataLossError("both copies are bad"); };
  EXPECT_EQ(cache_.ReadBlock(kNode).status().message(), "both copies are bad");
  EXPECT_EQ(cache_.stats().cached_buffers, 0u);
  EXPECT_EQ(cache_.stats().read_failures, 1u);
  EXPECT_FALSE(cache_.Find(kNode));
  source_.on_read = nullptr;
  EXPECT_TRUE(cache_.ReadBlock(kNode).ok());
}

TEST_F(BufferCacheTest, ChecksWhatWasCachedAgainstItsParent) {
  ExtentBufferRef block = *cache_.ReadBlock(kNode);
  source_.on_check = [](const ExtentBuffer&) { return absl::DataLossError("level"); };
  // Any check will do: the cache does not look into it.
  const auto& check = *reinterpret_cast<const ParentCheck*>(this);
  EXPECT_EQ(cache_.ReadBlock(kNode, &check).status().message(), "level");
  EXPECT_TRUE(block->uptodate());  // another parent may be right
  EXPECT_TRUE(cache_.ReadBlock(kNode).ok());
}

TEST_F(BufferCacheTest, ReadsBatchesInOneGo) {
  source_.on_read = [](uint64_t start) {
    return start == 3 * kNode ? absl::DataLossError("bad") : absl::OkStatus();
  };
  ExtentBufferRef cached = *cache_.ReadBlock(kNode);
  const std::vector<uint64_t> starts = {0, kNode, 2 * kNode, 3 * kNode, 1};
  std::vector<absl::StatusOr<ExtentBufferRef>> results(starts.size());
  cache_.ReadBlocks(starts, {}, absl::MakeSpan(results));
  for (int i : {0, 1, 2}) {
    ASSERT_TRUE(results[i].ok());
    EXPECT_EQ((*results[i])->start(), starts[i]);
    EXPECT_TRUE((*results[i])->uptodate());
  }
  EXPECT_EQ(results[1]->get(), cached.get());
  EXPECT_EQ(results[3].status().message(), "bad");
  EXPECT_EQ(results[4].status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(source_.reads(), 4);
  EXPECT_FALSE(cache_.Find(3 * kNode));
}

TEST_F(BufferCacheTest, PutStaleFreesAtOnceUnlessInUse) {
  ExtentBufferRef block = *cache_.Create(0);
  block.PutStale();
  EXPECT_EQ(cache_.stats().cached_buffers, 0u);

  ExtentBufferRef one = *cache_.Create(0);
  ExtentBufferRef two = cache_.Find(0);
  one.PutStale();
  EXPECT_TRUE(two->stale());
  EXPECT_EQ(cache_.Find(0).get(), two.get());  // a STALE buffer is found
  two.Put();
  EXPECT_EQ(cache_.stats().cached_buffers, 0u);
  EXPECT_EQ(cache_.stats().stale_frees, 2u);
}

TEST_F(BufferCacheTest, StaleUnderIoGoesWhenTheIoEnds) {
  ExtentBufferRef block = *cache_.ReadBlock(0);
  block.SetDirty();
  ExtentBufferRef other = block.Share();
  block.PutStale();
  other.Put();
  EXPECT_EQ(cache_.stats().cached_buffers, 1u);
  EXPECT_EQ(cache_.DropCaches(), 0u);
  EXPECT_TRUE(cache_.WritebackAll().ok());
  EXPECT_EQ(cache_.stats().cached_buffers, 0u);
  EXPECT_EQ(source_.writes(), 1);
}

TEST_F(BufferCacheTest, WritesDirtyBuffersInTheOrderOfAddresses) {
  std::vector<uint64_t> order;
  source_.on_write = [&](uint64_t start) {
    order.push_back(start);
    return absl::OkStatus();
  };
  for (const uint64_t start : {7 * kNode, 1 * kNode, 500 * kNode, 3 * kNode}) {
    ExtentBufferRef block = *cache_.ReadBlock(start);
    EXPECT_TRUE(block->Set<uint32_t>(8, 0xabcdu).ok());
    if (start != 3 * kNode) block.SetDirty();
  }
  EXPECT_EQ(cache_.stats().dirty_buffers, 3u);
  EXPECT_EQ(cache_.NextDirty(2 * kNode)->start(), 7 * kNode);
  EXPECT_FALSE(cache_.NextDirty(501 * kNode));
  EXPECT_TRUE(cache_.WritebackAll().ok());
  EXPECT_EQ(order, (std::vector<uint64_t>{1 * kNode, 7 * kNode, 500 * kNode}));
  EXPECT_EQ(cache_.stats().dirty_buffers, 0u);
  EXPECT_EQ(cache_.DropCaches(), 4u);
  EXPECT_EQ(*(*cache_.ReadBlock(7 * kNode))->Get<uint32_t>(8), 0xabcdu);
}

TEST_F(BufferCacheTest, ClearDirtyNeedNotBeWritten) {
  ExtentBufferRef block = *cache_.ReadBlock(0);
  block.SetDirty();
  block.ClearDirty();
  EXPECT_TRUE(cache_.Writeback(block).ok());
  EXPECT_EQ(source_.writes(), 0);
  EXPECT_EQ(cache_.stats().dirty_buffers, 0u);
}

TEST_F(BufferCacheTest, DummiesAndClonesArePrivate) {
  ExtentBufferRef dummy = *cache_.CreateDummy(65536);
  EXPECT_FALSE(cache_.Find(65536));
  EXPECT_TRUE(dummy->uptodate());
  EXPECT_EQ(*dummy->Get<uint64_t>(kNode - 8), 0u);
  EXPECT_EQ(cache_.DropCaches(), 0u);
  ExtentBufferRef block = *cache_.ReadBlock(kNode);
  ExtentBufferRef clone = *cache_.Clone(*block);
  EXPECT_NE(clone.get(), block.get());
  EXPECT_EQ(*clone->Compare(0, MemorySource::Pattern(kNode, kNode)), 0);
  EXPECT_EQ(cache_.stats().private_buffers, 2u);
  EXPECT_EQ(Pins(cache_, ReleaseVerdict::kUnmapped), 2u);
  dummy.Put();
  clone.PutStale();
  EXPECT_EQ(cache_.stats().private_buffers, 0u);
}

TEST_F(BufferCacheTest, ReinitMakesANewBlockOfAFreedOne) {
  ExtentBufferRef block = *cache_.ReadBlock(kNode);
  ExtentBufferRef other = block.Share();
  block.SetDirty();
  block.PutStale();
  EXPECT_TRUE(cache_.ReinitAsNewBlock(other, 101).ok());
  const BufferState s = other->state();
  EXPECT_FALSE(s.has(BufferFlag::kStale));
  EXPECT_FALSE(s.has(BufferFlag::kDirty));
  EXPECT_TRUE(s.has(BufferFlag::kUptodate));
  EXPECT_EQ(cache_.stats().dirty_buffers, 0u);
  EXPECT_EQ(*other->Compare(0, std::vector<std::byte>(101)), 0);
  EXPECT_NE(*other->Get<uint64_t>(104), 0u);
  other.Put();
  EXPECT_EQ(cache_.stats().cached_buffers, 1u);
}

TEST_F(BufferCacheTest, IteratesInTheOrderOfAddresses) {
  const std::vector<uint64_t> starts = {
      0, kNode, 63 * kNode, 64 * kNode, uint64_t{1} << 40, ~uint64_t{0} - 4 * kNode + 1};
  for (auto it = starts.rbegin(); it != starts.rend(); ++it) (void)*cache_.Create(*it);
  std::vector<uint64_t> met;
  for (uint64_t next = 0;;) {
    ExtentBufferRef block = cache_.FirstAtOrAfter(next);
    if (!block) break;
    met.push_back(block->start());
    next = block->start() + 1;
  }
  EXPECT_EQ(met, starts);
}

TEST_F(BufferCacheTest, ExplainsWhatHoldsMemory) {
  ExtentBufferRef in_use = *cache_.ReadBlock(0);
  (void)*cache_.ReadBlock(kNode);
  ExtentBufferRef dirty = *cache_.ReadBlock(2 * kNode);
  dirty.SetDirty();
  dirty.Put();
  EXPECT_EQ(Pins(cache_, ReleaseVerdict::kInUse), 1u);
  EXPECT_EQ(Pins(cache_, ReleaseVerdict::kEligible), 1u);
  EXPECT_EQ(Pins(cache_, ReleaseVerdict::kDirty), 1u);
  EXPECT_EQ(cache_.DropCaches(), 1u);
  const CacheStats stats = cache_.stats();
  EXPECT_EQ(stats.skipped[static_cast<size_t>(ReleaseVerdict::kInUse)], 1u);
  EXPECT_EQ(stats.skipped[static_cast<size_t>(ReleaseVerdict::kDirty)], 1u);
}

TEST(BufferCache, WithoutASourceSaysSo) {
  BufferCache cache({.node_bytes = kNode});
  EXPECT_EQ(cache.ReadBlock(0).status().code(), absl::StatusCode::kFailedPrecondition);
  ExtentBufferRef block = *cache.Create(0);
  block.SetUptodate();
  block.SetDirty();
  EXPECT_EQ(cache.Writeback(block).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(block->state().has(BufferFlag::kWriteErr));
  EXPECT_EQ(cache.WritebackAll().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(*cache.GiveUpWrite(block));
}

TEST(BufferCache, GivesEverythingBack) {
  for (const size_t page : {4096, 16384, 65536}) {
    auto allocator = Order0Allocator({.page_bytes = page, .arena_bytes = 64 << 20});
    {
      BufferCache cache({.node_bytes = kNode, .allocator = allocator});
      for (uint64_t i = 0; i < 100; ++i) {
        ExtentBufferRef block = *cache.Create(i * kNode);
        block.SetUptodate();
        if (i % 3 == 0) block.SetDirty();
      }
      EXPECT_GE(allocator->stats().in_use_bytes, 100 * kNode);
    }
    EXPECT_EQ(allocator->stats().in_use_bytes, 0u) << page;
  }
}

TEST(BufferCache, BlocksSmallerThanPagesShareThem) {
  auto allocator = Order0Allocator({.page_bytes = 65536, .arena_bytes = 64 << 20});
  BufferCache cache({.node_bytes = kNode, .allocator = allocator});
  std::vector<ExtentBufferRef> blocks;
  for (uint64_t i = 0; i < 8; ++i) {
    blocks.push_back(*cache.Create(i * kNode));
    EXPECT_TRUE(blocks.back()->Write(0, MemorySource::Pattern(i * kNode, kNode)).ok());
  }
  EXPECT_EQ(allocator->stats().in_use_bytes, 2 * 65536u);
  for (uint64_t i = 0; i < 8; ++i) {
    EXPECT_EQ(*blocks[i]->Compare(0, MemorySource::Pattern(i * kNode, kNode)), 0);
  }
  blocks[2].PutStale();
  ExtentBufferRef reused = *cache.Create(1000 * kNode);
  EXPECT_EQ(allocator->stats().in_use_bytes, 2 * 65536u);
}

// ---- Misuse -------------------------------------------------------------------------------------

using BufferCacheDeathTest = BufferCacheTest;

TEST_F(BufferCacheDeathTest, ReferencesMustNotOutliveTheCache) {
  EXPECT_DEATH(
      {
        auto cache = std::make_unique<BufferCache>(BufferCacheOptions{.node_bytes = kNode});
        ExtentBufferRef block = *cache->Create(0);
        cache.reset();
      },
      "destroyed while references");
}

TEST_F(BufferCacheDeathTest, DirtyNeedsUptodateAndMapped) {
  ExtentBufferRef fresh = *cache_.Create(0);
  EXPECT_DEATH(fresh.SetDirty(), "uptodate");
  ExtentBufferRef dummy = *cache_.CreateDummy(0);
  EXPECT_DEATH(dummy.SetDirty(), "dummy");
  ExtentBufferRef empty;
  EXPECT_DEATH(empty.SetDirty(), "empty reference");
}

TEST_F(BufferCacheDeathTest, OptionsAreChecked) {
  EXPECT_DEATH(BufferCache({.node_bytes = 5000}), "power of two");
}

}  // namespace
}  // namespace ebcache
