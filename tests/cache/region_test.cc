// The cache over a movable region: buffers move underneath, and nobody notices.
//
// EBCACHE_STRESS_SECONDS makes the last test longer, EBCACHE_STRESS_SEED makes it another.

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "ebcache/buffer_cache.h"
#include "ebcache/movable_region.h"
#include "tests/support/memory_source.h"
#include "tests/support/stress_options.h"

namespace ebcache {
namespace {

using Policy = MovableRegionOptions::Policy;
using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;
using Mode = BufferCacheOptions::MigrateMode;

uint64_t ResidentBytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  unsigned long total = 0, resident = 0;
  const int read = file == nullptr ? 0 : std::fscanf(file, "%lu %lu", &total, &resident);
  if (file != nullptr) std::fclose(file);
  EXPECT_EQ(read, 2);
  return uint64_t{resident} * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

std::vector<Folio> TakeAllSuperpageblocks(MovableRegion& region) {
  std::vector<Folio> huge;
  for (;;) {
    absl::StatusOr<Folio> got = region.AllocateContiguous({}, region.superpageblock_order());
    if (!got.ok()) return huge;
    huge.push_back(*got);
  }
}

struct Case {
  Policy policy;
  size_t page_bytes;
};

class RegionTest : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(
    All, RegionTest,
    testing::Values(Case{Policy::kSuperpageblock, 4096}, Case{Policy::kSuperpageblock, 16384},
                    Case{Policy::kSuperpageblock, 65536}, Case{Policy::kPageblock, 4096}),
    [](const auto& info) {
      const bool super = info.param.policy == Policy::kSuperpageblock;
      return (super ? "superpageblock_" : "pageblock_") + std::to_string(info.param.page_bytes);
    });

TEST_P(RegionTest, AfterChurnAndCompactionEveryBufferHasItsBytes) {
  constexpr uint32_t kNode = 16384;
  constexpr uint64_t kBlocks = 16384;  // 256 MiB
  auto region = MovableRegion::Create({.page_bytes = GetParam().page_bytes,
                                       .arena_bytes = size_t{2} << 30,
                                       .superpageblock_bytes = size_t{32} << 20,
                                       .policy = GetParam().policy});
  MemorySource source;
  BufferCache cache({.node_bytes = kNode, .budget_bytes = 0, .allocator = region}, &source);
  std::mt19937 random(1);
  for (uint64_t i = 0; i < kBlocks; ++i) ASSERT_TRUE(cache.ReadBlock(i * kNode).ok());
  // Some blocks go and come back, most go for good; a few are in use throughout.
  std::vector<ExtentBufferRef> in_use;
  for (int round = 0; round < 2; ++round) {
    for (uint64_t n = 0; n < kBlocks / 2; ++n) {
      ExtentBufferRef block = cache.Find(random() % kBlocks * kNode);
      if (block) block.PutStale();
    }
    for (uint64_t n = 0; n < kBlocks / 8; ++n) {
      ASSERT_TRUE(cache.ReadBlock(random() % kBlocks * kNode).ok());
    }
  }
  for (int i = 0; i < 3; ++i) in_use.push_back(*cache.ReadBlock(random() % kBlocks * kNode));
  const uint64_t kept = cache.stats().cached_buffers;
  ASSERT_GT(kept, 1000u);
  ASSERT_LT(kept, kBlocks);
  region->Trim();
  const uint64_t resident_before = ResidentBytes();

  std::vector<Folio> huge = TakeAllSuperpageblocks(*region);
  const MovableRegionReport report = region->report();
  EXPECT_GT(report.migrated_folios, 0u);
  EXPECT_GE(huge.size(), 64 - (kept * kNode >> 25) - 1 - 2 * in_use.size());
  region->FreeBulk(region->superpageblock_order(), absl::MakeSpan(huge));

  // Nothing was lost or read again, and what moving has freed is given back.
  EXPECT_EQ(cache.stats().cached_buffers + cache.stats().folio_releases, kept);
  for (ExtentBufferRef block = cache.FirstAtOrAfter(0); block;
       block = cache.FirstAtOrAfter(block->start() + 1)) {
    ASSERT_EQ(*block->Compare(0, MemorySource::Pattern(block->start(), kNode)), 0)
        << block->start();
  }
  region->Trim();
  EXPECT_LE(ResidentBytes(), resident_before + (16 << 20));
  in_use.clear();
  const uint64_t resident_full = ResidentBytes();
  const uint64_t freed = cache.DropCaches() * kNode;
  region->Trim();
  const uint64_t resident_empty = ResidentBytes();
  EXPECT_LE(resident_empty + freed / 10 * 9, resident_full);
  EXPECT_EQ(region->stats().in_use_bytes, 0u);
  EXPECT_EQ(region->stats().from_os_bytes, 0u);
}

TEST(RegionModes, DroppingBuffersAsTheKernelDoesEmptiesSuperpageblocksToo) {
  constexpr uint32_t kNode = 16384;
  auto region = MovableRegion::Create({.arena_bytes = size_t{64} << 20,
                                       .pageblock_bytes = size_t{256} << 10,
                                       .superpageblock_bytes = size_t{4} << 20});
  MemorySource source;
  BufferCache cache({.node_bytes = kNode,
                     .budget_bytes = 0,
                     .allocator = region,
                     .migrate_mode = Mode::kDropBuffer},
                    &source);
  for (uint64_t i = 0; i < 2000; ++i) ASSERT_TRUE(cache.ReadBlock(i * kNode).ok());
  ExtentBufferRef in_use = cache.Find(1000 * kNode);
  std::vector<Folio> huge = TakeAllSuperpageblocks(*region);
  EXPECT_EQ(huge.size(), 15u);
  EXPECT_EQ(cache.stats().migrations, 0u);
  EXPECT_GT(cache.stats().folio_releases, 0u);
  EXPECT_EQ(*in_use->Compare(0, MemorySource::Pattern(1000 * kNode, kNode)), 0);
  in_use.Put();
  cache.DropCaches();
  region->FreeBulk(region->superpageblock_order(), absl::MakeSpan(huge));
  EXPECT_EQ(region->stats().in_use_bytes, 0u);
}

// Dummies and clones are never asked for as movable, whatever the cache's other buffers are.
TEST(RegionModes, PrivateBuffersAreNoBreach) {
  auto region = MovableRegion::Create({.arena_bytes = size_t{16} << 20,
                                       .pageblock_bytes = size_t{256} << 10,
                                       .superpageblock_bytes = size_t{4} << 20});
  MemorySource source;
  BufferCache cache({.node_bytes = 16384, .budget_bytes = 0, .allocator = region}, &source);
  ExtentBufferRef block = *cache.ReadBlock(0);
  ExtentBufferRef clone = *cache.Clone(*block);
  ExtentBufferRef dummy = *cache.CreateDummy(16384);
  block.Put();
  std::vector<Folio> huge = TakeAllSuperpageblocks(*region);
  EXPECT_EQ(huge.size(), 3u);  // all but the one that the private buffers taint
  EXPECT_EQ(cache.stats().skipped[static_cast<size_t>(ReleaseVerdict::kUnmapped)], 0u);
  EXPECT_EQ(region->stats().contract_breaches, 0u);
  EXPECT_EQ(region->report().refused_folios, 0u);
  clone.Put();
  dummy.Put();
  region->FreeBulk(region->superpageblock_order(), absl::MakeSpan(huge));
}

// ---- Everything at once -------------------------------------------------------------------------

class RegionStress {
 public:
  RegionStress(Policy policy, size_t page_bytes, Mode mode)
      : region_(MovableRegion::Create({.page_bytes = page_bytes,
                                       .arena_bytes = size_t{8} << 20,
                                       .pageblock_bytes = size_t{128} << 10,
                                       .superpageblock_bytes = size_t{1} << 20,
                                       .policy = policy,
                                       .tainted_reserve = 2})),
        cache_(std::make_unique<BufferCache>(BufferCacheOptions{.node_bytes = kNode,
                                                                .budget_bytes = 3 << 20,
                                                                .allocator = region_,
                                                                .migrate_mode = mode},
                                             &source_)) {}

  void Run(double seconds) {
    region_->StartDefragmenter();
    const Time end = Clock::now() + std::chrono::milliseconds(static_cast<int>(1000 * seconds));
    std::vector<std::thread> threads;
    for (uint64_t t = 0; t < 4; ++t) {
      threads.emplace_back([this, t, end] {
        std::mt19937_64 random = StressRandom(t);
        while (!Over(end)) {
          for (int i = 0; i < 100; ++i) Step(random);
        }
      });
    }
    threads.emplace_back([this, end] { Compact(end); });
    for (std::thread& thread : threads) thread.join();
    // Not stopped: a cache may go while others move folios.
    EXPECT_TRUE(cache_->WritebackAll().ok());
    const CacheStats stats = cache_->stats();
    cache_.reset();
    region_->StopDefragmenter();
    const MovableRegionReport report = region_->report();
    std::cout << "operations " << operations_.load() << ", checked " << checked_.load()
              << ", folios migrated " << report.migrated_folios << ", released "
              << report.released_folios << ", refused " << report.refused_folios
              << ", freed while moving " << report.lost_races << ", contiguous "
              << report.contiguous_allocated << " and failed " << report.contiguous_failed
              << ", stale frees " << stats.stale_frees << ", reclaimed " << stats.reclaimed << "\n";
    EXPECT_GT(checked_.load(), 0u);
    EXPECT_GT(report.migrated_folios + report.released_folios, 0u);
    EXPECT_EQ(region_->stats().in_use_bytes, 0u);
    EXPECT_EQ(region_->stats().contract_breaches, 0u);
    region_->Trim();
    EXPECT_EQ(region_->report().by_category[static_cast<size_t>(SuperpageblockCategory::kEmpty)],
              region_->superpageblocks());
  }

 private:
  static constexpr uint32_t kNode = 16384;
  static constexpr uint64_t kBlocks = 300;  // more than fit the budget

  // Takes all that can be had in large pieces, so that others have to move and to let go.
  void Compact(Time end) {
    std::mt19937 random(99);
    std::vector<Folio> held;
    while (!Over(end)) {
      const int order = static_cast<int>(random() % 3) + region_->superpageblock_order() - 2;
      for (;;) {
        absl::StatusOr<Folio> got = region_->AllocateContiguous({}, order);
        if (!got.ok()) break;
        std::memset(region_->Address(*got), 0xff, region_->page_bytes() << order);
        held.push_back(*got);
      }
      region_->FreeBulk(order, absl::MakeSpan(held));
      held.clear();
      if (random() % 8 == 0) region_->Trim();
      const MovableRegionReport report = region_->report();
      if (report.migrated_folios + report.released_folios != 0) anything_moved_ = true;
    }
  }

  // On a machine that is busy with other things, time alone would not do.
  bool Over(Time end) const { return Clock::now() >= end && anything_moved_; }

  void Check(const ExtentBufferRef& block) {
    ASSERT_EQ(*block->Compare(0, MemorySource::Pattern(block->start(), kNode)), 0)
        << "block " << block->start();
    checked_.fetch_add(1, std::memory_order_relaxed);
  }

  void Step(std::mt19937_64& random) {
    operations_.fetch_add(1, std::memory_order_relaxed);
    const uint64_t start = random() % kBlocks * kNode;
    switch (random() % 12) {
      default: {
        auto block = cache_->ReadBlock(start);
        if (block.ok()) Check(*block);
        break;
      }
      case 0: {
        auto block = cache_->ReadBlock(start);
        if (block.ok()) block->PutStale();
        break;
      }
      case 1: {
        auto block = cache_->ReadBlock(start);
        if (!block.ok()) break;
        block->SetDirty();
        (void)cache_->Writeback(*block);
        break;
      }
      case 2: {
        auto block = cache_->ReadBlock(start);
        if (!block.ok()) break;
        auto clone = cache_->Clone(**block);
        block->Put();
        if (clone.ok()) Check(*clone);
        break;
      }
      case 3:
        cache_->Shrink(4 * kNode);
        break;
      case 4: {
        // Somebody else's pages: unmovable, of several orders.
        const int order = region_->page_bytes() == 4096 ? static_cast<int>(random() % 4) : 0;
        Folio folio;
        if (region_->AllocateBulk({}, order, absl::MakeSpan(&folio, 1)).ok()) {
          std::memset(region_->Address(folio), 0xaa, region_->page_bytes() << order);
          region_->FreeBulk(order, absl::MakeSpan(&folio, 1));
        }
        break;
      }
      case 5:
        if (random() % 64 == 0) {
          (void)region_->free_memory();
          (void)region_->report();
          (void)region_->CountSuperpageblock(0);
        }
        break;
    }
  }

  std::atomic<uint64_t> operations_{0};
  std::atomic<uint64_t> checked_{0};
  std::atomic<bool> anything_moved_{false};
  MemorySource source_;
  std::shared_ptr<MovableRegion> region_;
  std::unique_ptr<BufferCache> cache_;
};

TEST(RegionStress, Superpageblocks) {
  RegionStress(Policy::kSuperpageblock, 4096, Mode::kKeepBuffer).Run(StressSeconds());
}
TEST(RegionStress, Pageblocks) {
  RegionStress(Policy::kPageblock, 4096, Mode::kKeepBuffer).Run(StressSeconds());
}
TEST(RegionStress, BlocksThatSharePages) {
  RegionStress(Policy::kSuperpageblock, 65536, Mode::kKeepBuffer).Run(StressSeconds());
}
TEST(RegionStress, AsTheKernelDoes) {
  RegionStress(Policy::kSuperpageblock, 4096, Mode::kDropBuffer).Run(StressSeconds());
}

}  // namespace
}  // namespace ebcache
