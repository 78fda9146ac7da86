// A cache whose N-th allocation of pages fails, for every N; and one whose blocks are put together
// by other means each time, because what is best fails half of the time.

#include <gtest/gtest.h>

#include <vector>

#include "ebcache/buffer_cache.h"
#include "ebcache/testing/fault_injection.h"
#include "tests/mm/allocator_cases.h"
#include "tests/support/memory_source.h"

namespace ebcache {
namespace {

constexpr uint32_t kNodeBytes = 16384;

class AllocationFailureTest : public testing::TestWithParam<AllocatorCase> {};

INSTANTIATE_TEST_SUITE_P(All, AllocationFailureTest, testing::ValuesIn(AllAllocatorCases()),
                         AllocatorCaseName);

// What a cache does with memory, once each. Errors that are not want of memory are failures.
void LiveOnce(BufferCache& cache, MemorySource& source) {
  const auto check = [](const absl::Status& status) {
    EXPECT_TRUE(status.ok() || absl::IsResourceExhausted(status)) << status;
  };
  std::vector<ExtentBufferRef> held;
  for (uint64_t block = 0; block < 4; ++block) {
    auto read = cache.ReadBlock(block * kNodeBytes);
    check(read.status());
    if (!read.ok()) continue;
    std::vector<std::byte> bytes(kNodeBytes);
    ASSERT_TRUE((*read)->Read(0, absl::MakeSpan(bytes)).ok());
    EXPECT_EQ(bytes, source.Contents(block * kNodeBytes, kNodeBytes));
    if (block == 1) {
      read->SetDirty();
      check(cache.Writeback(*read));
    }
    held.push_back(*std::move(read));
  }
  const auto dummy = cache.CreateDummy(uint64_t{1} << 30);
  check(dummy.status());
  if (!held.empty()) check(cache.Clone(*held[0]).status());
  const std::vector<uint64_t> starts = {4 * kNodeBytes, 5 * kNodeBytes, 6 * kNodeBytes};
  std::vector<absl::StatusOr<ExtentBufferRef>> batch(starts.size());
  cache.ReadBlocks(starts, {}, absl::MakeSpan(batch));
  for (const auto& read : batch) check(read.status());
}

TEST_P(AllocationFailureTest, EveryAllocationFailsOnceAndNothingLeaks) {
  const auto allocator = GetParam().Make();
  bool failed = true;
  uint64_t n = 0;
  while (failed) {
    ++n;
    const auto injector =
        std::make_shared<FaultInjector>(FaultOptions{.interval = n, .times = 1, .min_order = 0});
    {
      MemorySource source;
      BufferCache cache(
          {.node_bytes = kNodeBytes, .allocator = FaultInjectingAllocator(allocator, injector)},
          &source);
      ASSERT_NO_FATAL_FAILURE(LiveOnce(cache, source));
      // Once more, with nothing failing: the failure left nothing behind.
      if (injector->counts().failed == 1) {
        ASSERT_NO_FATAL_FAILURE(LiveOnce(cache, source));
      }
    }
    failed = injector->counts().failed == 1;
    EXPECT_EQ(allocator->stats().in_use_bytes, 0u) << n;
  }
  // Ten blocks, or where pages are larger than blocks, their pages.
  EXPECT_GE(n, GetParam().page_bytes > kNodeBytes ? 3u : 9u);
}

// Half of all large folios and of all windows cannot be had: all is as if they could.
TEST_P(AllocationFailureTest, HalfOfWhatIsBestFails) {
  const auto os = FaultInjectingOsCalls(OsCalls::Real(), {.probability = 0.5, .min_order = 0});
  const AllocatorCase& c = GetParam();
  std::shared_ptr<PageAllocator> allocator = c.Make();
  const std::string_view name = c.name;
  if (name == "high") {
    allocator = HighOrderAllocator(
        {.pages = FaultInjectingAllocator(c.MakeRegion(), FaultOptions{.probability = 0.5})});
  } else if (name == "vmap") {
    allocator = VmapAllocator({.page_bytes = c.page_bytes,
                               .arena_bytes = c.pages * c.page_bytes,
                               .contiguous_by_luck = false,
                               .os = os.get()});
  } else {
    allocator = FaultInjectingAllocator(allocator, FaultOptions{.probability = 0.5});
  }
  {
    MemorySource source;
    BufferCache cache({.node_bytes = kNodeBytes, .allocator = allocator}, &source);
    for (uint64_t block = 0; block < 100; ++block) {
      auto read = cache.ReadBlock(block * kNodeBytes);
      ASSERT_TRUE(read.ok()) << read.status();
      std::vector<std::byte> bytes(kNodeBytes);
      ASSERT_TRUE((*read)->Read(0, absl::MakeSpan(bytes)).ok());
      EXPECT_EQ(bytes, source.Contents(block * kNodeBytes, kNodeBytes));
    }
    const AllocatorStats stats = allocator->stats();
    if (c.page_bytes < kNodeBytes && name == "high") {
      EXPECT_GT(stats.large_blocks, 20u);
      EXPECT_LT(stats.large_blocks, 80u);
    }
    if (c.page_bytes < kNodeBytes && name == "vmap") {
      EXPECT_GT(stats.mapped_blocks, 20u);
      EXPECT_LT(stats.mapped_blocks, 80u);
    }
  }
  EXPECT_EQ(allocator->stats().in_use_bytes, 0u);
}

// The cache is itself an owner that kNoFail may ask: its idle buffers make room.
TEST_P(AllocationFailureTest, IdleBuffersMakeRoomForNoFail) {
  if (GetParam().pages == 0) GTEST_SKIP() << "the heap of this case has no limit";
  const auto allocator = GetParam().Make();
  BufferCache cache({.node_bytes = kNodeBytes, .budget_bytes = 0, .allocator = allocator});
  uint64_t start = 0;
  const uint64_t bytes = GetParam().pages * GetParam().page_bytes;
  for (; start < bytes; start += kNodeBytes) {
    auto block = cache.Create(start);
    ASSERT_TRUE(block.ok()) << block.status();
  }
  const uint64_t before = cache.stats().cached_buffers;
  std::vector<Folio> pages(8);
  ASSERT_TRUE(
      allocator->AllocateBulk({.flags = AllocFlags::kNoFail}, 0, absl::MakeSpan(pages)).ok());
  EXPECT_LT(cache.stats().cached_buffers, before);
  EXPECT_EQ(allocator->stats().no_fail_reserves, 0u);
  allocator->FreeBulk(0, absl::MakeSpan(pages));
}

}  // namespace
}  // namespace ebcache
