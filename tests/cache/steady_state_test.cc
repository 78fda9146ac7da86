// A cache that makes and frees buffers for long works on memory that it has: nothing is asked from
// the OS, nothing is touched for the first time, nothing is zeroed, and pages change hands without
// a lock. All of it counted, nothing timed.

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <array>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "ebcache/allocators.h"
#include "ebcache/buffer_cache.h"
#include "ebcache/movable_region.h"
#include "tests/support/counted_calls.h"
#include "tests/support/memory_source.h"

namespace ebcache {
namespace {

constexpr uint32_t kNode = 16384;
constexpr uint64_t kBlocks = 64;
constexpr int kRounds = 100;
constexpr uint8_t kPattern = 0xa5;

// The real OS, counted.
class CountedOs final : public OsCalls {
 public:
  uint64_t calls = 0;

  void* Map(size_t bytes, size_t alignment) override {
    return ++calls, real_->Map(bytes, alignment);
  }
  void Unmap(void* address, size_t bytes) override { ++calls, real_->Unmap(address, bytes); }
  bool Purge(void* address, size_t bytes) override { return ++calls, real_->Purge(address, bytes); }
  bool AdviseHugePages(void* address, size_t bytes) override {
    return ++calls, real_->AdviseHugePages(address, bytes);
  }
  bool CollapseHugePages(void* address, size_t bytes) override {
    return ++calls, real_->CollapseHugePages(address, bytes);
  }

 private:
  OsCalls* const real_ = OsCalls::Real();
};

uint64_t PageFaults() {
  rusage usage;
  getrusage(RUSAGE_THREAD, &usage);
  return static_cast<uint64_t>(usage.ru_minflt);
}

struct Case {
  std::string name;
  std::shared_ptr<PageAllocator> (*make)(OsCalls* os);
  // The lists of a movable region have locks, for those who empty page blocks.
  bool blocks_need_locks;
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }
const Case kCases[] = {
    {"Order0", [](OsCalls* os) { return Order0Allocator({.arena_bytes = 64 << 20, .os = os}); },
     false},
    {"HighOrder",
     [](OsCalls* os) {
       return HighOrderAllocator(
           {.pages = MovableRegion::Create(
                {.arena_bytes = 64 << 20, .superpageblock_bytes = 32 << 20, .os = os})});
     },
     true},
    {"Movable",
     [](OsCalls* os) -> std::shared_ptr<PageAllocator> {
       return MovableRegion::Create(
           {.arena_bytes = 64 << 20, .superpageblock_bytes = 32 << 20, .os = os});
     },
     true},
    {"Heap", [](OsCalls*) { return HeapAllocator(); }, false},
};

class SteadyStateTest : public testing::TestWithParam<Case> {
 protected:
  SteadyStateTest() : pages_(GetParam().make(&os_)) {}

  CountedOs os_;
  std::shared_ptr<PageAllocator> pages_;
};

// One block of pages, allocated and freed.
void AllocateAndFreeBlock(PageAllocator& pages) {
  std::array<Folio, 4> slots;
  FolioBlock block{.slots = absl::MakeSpan(slots)};
  ASSERT_TRUE(pages.AllocateBlock({}, block).ok());
  pages.FreeBlock(block);
}

TEST_P(SteadyStateTest, PagesChangeHandsWithoutALock) {
  if (EBCACHE_TEST_SANITIZED) GTEST_SKIP() << "SKIPPED: the sanitizer stands in front of mutexes";
  if (GetParam().blocks_need_locks) GTEST_SKIP() << "SKIPPED: the lists of a region have locks";
  AllocateAndFreeBlock(*pages_);
  const uint64_t locks = LocksSoFar();
  const uint64_t allocations = AllocationsSoFar();
  for (int i = 0; i < kRounds; ++i) AllocateAndFreeBlock(*pages_);
  EXPECT_EQ(LocksSoFar(), locks);
  EXPECT_EQ(AllocationsSoFar(), allocations);
}

TEST_P(SteadyStateTest, BuffersAreMadeOfMemoryThatIsThere) {
  if (EBCACHE_TEST_SANITIZED) GTEST_SKIP() << "SKIPPED: the sanitizer has memory of its own";
  BufferCache cache({.node_bytes = kNode, .budget_bytes = 0, .allocator = pages_});
  const std::vector<std::byte> pattern(kNode, std::byte{kPattern});
  const auto round = [&](auto look) {
    for (uint64_t i = 0; i < kBlocks; ++i) {
      ExtentBufferRef made = *cache.Create(i * kNode);
      look(made);
      made.PutStale();
    }
  };
  // Every page is touched once.
  round([&](const ExtentBufferRef& made) { ASSERT_TRUE(made->Write(0, pattern).ok()); });
  const uint64_t calls = os_.calls;
  const uint64_t faults = PageFaults();
  const uint64_t allocations = AllocationsSoFar();
  uint64_t zeroed = 0;
  for (int i = 0; i < kRounds; ++i) {
    round([&](const ExtentBufferRef& made) {
      // The last byte of it: the front is where a heap may keep its lists.
      zeroed += made->Load<uint8_t>(kNode - 1).value() != kPattern ? 1 : 0;
    });
  }
  EXPECT_EQ(os_.calls, calls);
  EXPECT_EQ(PageFaults(), faults);
  EXPECT_EQ(AllocationsSoFar(), allocations);
  EXPECT_EQ(zeroed, 0u);
}

INSTANTIATE_TEST_SUITE_P(Allocators, SteadyStateTest, testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

// Blocks read in batches take each lock once for sixteen of them: that of the descriptors, the
// index and the reclaim list, for those that come and for those that have to go.
TEST(SteadyState, ABatchTakesEachLockOnce) {
  if (EBCACHE_TEST_SANITIZED) GTEST_SKIP() << "SKIPPED: as above";
  constexpr uint64_t kBudget = 1024;
  constexpr size_t kBatch = 32;
  MemorySource source;
  BufferCache cache({.node_bytes = kNode, .budget_bytes = kBudget * kNode}, &source);
  for (uint64_t i = 0; i < kBudget; ++i) ASSERT_TRUE(cache.ReadBlock(i * kNode).ok());
  // The first that has to go has the table of ghosts made.
  ASSERT_TRUE(cache.ReadBlock(kBudget * kNode).ok());
  const auto locks_of = [&](auto work) {
    const uint64_t before = LocksSoFar();
    work();
    return LocksSoFar() - before;
  };
  const uint64_t one_by_one = locks_of([&] {
    for (size_t i = 0; i < kBatch; ++i) (void)cache.ReadBlock((kBudget + 1 + i) * kNode);
  });
  std::vector<uint64_t> starts;
  for (size_t i = 0; i < kBatch; ++i) starts.push_back((2 * kBudget + i) * kNode);
  std::vector<absl::StatusOr<ExtentBufferRef>> results(kBatch);
  const uint64_t together =
      locks_of([&] { cache.ReadBlocks(starts, {}, absl::MakeSpan(results)); });
  // Six of the cache's, and one of the source's for each block.
  EXPECT_EQ(one_by_one, 6 * kBatch + kBatch);
  EXPECT_EQ(together, 6 * kBatch / 16 + kBatch);
  EXPECT_EQ(cache.stats().cached_buffers, kBudget);
  EXPECT_EQ(cache.stats().over_budget_creates, 0u);
}

// That the counts count.
TEST(SteadyState, TheCountersSeeWhatTheyAreFor) {
  if (EBCACHE_TEST_SANITIZED) GTEST_SKIP() << "SKIPPED: as above";
  CountedOs os;
  const uint64_t faults = PageFaults();
  const uint64_t locks = LocksSoFar();
  BufferCache cache({.node_bytes = kNode,
                     .budget_bytes = 0,
                     .allocator = Order0Allocator({.arena_bytes = 64 << 20, .os = &os})});
  ASSERT_TRUE((*cache.Create(0))->Zero(0, kNode).ok());
  EXPECT_GT(os.calls, 0u);
  EXPECT_GT(PageFaults(), faults);
  EXPECT_GT(LocksSoFar(), locks);
}

}  // namespace
}  // namespace ebcache
