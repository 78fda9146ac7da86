// Several caches on one allocator: what one does not use, the other can have.

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <absl/types/span.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "ebcache/allocators.h"
#include "ebcache/buffer_cache.h"
#include "ebcache/movable_region.h"
#include "tests/support/memory_source.h"

namespace ebcache {
namespace {

constexpr uint64_t kNode = 16384;
constexpr size_t kBytes = size_t{16} << 20;

std::shared_ptr<PageAllocator> Make(const std::string& name) {
  if (name == "heap") return HeapAllocator({.max_bytes = kBytes});
  if (name == "order0") return Order0Allocator({.arena_bytes = kBytes});
  if (name == "vmap") return VmapAllocator({.arena_bytes = kBytes});
  std::shared_ptr<PageAllocator> region =
      MovableRegion::Create({.arena_bytes = kBytes, .superpageblock_bytes = kBytes});
  if (name == "movable") return region;
  return HighOrderAllocator({.pages = region});
}

class SharedAllocatorTest : public testing::TestWithParam<const char*> {
 protected:
  BufferCacheOptions Options() { return {.budget_bytes = 0, .allocator = allocator_}; }
  // Fills the allocator with idle blocks of `cache`.
  void FillUp(BufferCache& cache) {
    for (uint64_t i = 0; cache.stats().reclaimed == 0; ++i) {
      ASSERT_TRUE(cache.ReadBlock(i * kNode).ok());
    }
  }

  std::shared_ptr<PageAllocator> allocator_ = Make(GetParam());
  MemorySource source_;
};

INSTANTIATE_TEST_SUITE_P(All, SharedAllocatorTest,
                         testing::Values("heap", "order0", "vmap", "movable", "high"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(SharedAllocatorTest, IdleBlocksOfOneDoNotStarveTheOther) {
  BufferCache rich(Options(), &source_);
  BufferCache poor(Options(), &source_);
  FillUp(rich);
  std::vector<ExtentBufferRef> held;
  for (uint64_t i = 0; i < 300; ++i) {
    auto block = poor.ReadBlock(i * kNode);
    ASSERT_TRUE(block.ok()) << i << " " << block.status();
    held.push_back(*std::move(block));
  }
  EXPECT_EQ(poor.stats().cached_buffers, 300u);
  EXPECT_GE(rich.stats().folio_releases, 290u);
  // What is in use stays, and is not asked for twice a read.
  for (uint64_t i = 0; i < 300; ++i) EXPECT_TRUE(poor.Find(i * kNode)) << i;
}

TEST_P(SharedAllocatorTest, WhatIsInUseIsNotTaken) {
  BufferCache rich(Options(), &source_);
  BufferCache poor(Options(), &source_);
  std::vector<ExtentBufferRef> held;
  for (uint64_t i = 0;; ++i) {
    auto block = rich.ReadBlock(i * kNode);
    if (!block.ok()) break;
    held.push_back(*std::move(block));
  }
  auto block = poor.ReadBlock(0);
  EXPECT_TRUE(absl::IsResourceExhausted(block.status())) << block.status();
  for (const ExtentBufferRef& each : held) ASSERT_TRUE(each->uptodate());
  // As soon as one is idle, it is.
  held.erase(held.begin(), held.begin() + 40);
  for (int i = 0; i < 40; ++i) {
    block = poor.ReadBlock(0);
    if (block.ok()) break;
  }
  EXPECT_TRUE(block.ok()) << block.status();
}

// Both at once, each more than there is: no deadlock, and the bytes are right. What one has made
// room for the other may be quicker to take, now and then, but not for ever.
TEST_P(SharedAllocatorTest, TwoThatTakeFromEachOther) {
  BufferCache a(Options(), &source_);
  BufferCache b(Options(), &source_);
  const auto work = [](BufferCache& cache, uint64_t seed) {
    for (uint64_t i = 0; i < 4000; ++i) {
      seed = seed * 6364136223846793005u + 1442695040888963407u;
      const uint64_t start = (seed >> 33) % 2000 * kNode;
      auto block = cache.ReadBlock(start);
      while (absl::IsResourceExhausted(block.status())) block = cache.ReadBlock(start);
      ASSERT_TRUE(block.ok()) << block.status();
      uint64_t word = 0;
      ASSERT_TRUE((*block)->Read(8, absl::MakeSpan(reinterpret_cast<std::byte*>(&word), 8)).ok());
      ASSERT_EQ(word, (start + 8) * 0x9e3779b97f4a7c15u);
    }
  };
  std::thread thread([&] { work(a, 1); });
  work(b, 2);
  thread.join();
}

// An allocator knows 255 owners. A cache beyond them says so, makes no buffers, and can go.
TEST_P(SharedAllocatorTest, TheTwoHundredAndFiftySixth) {
  std::vector<std::unique_ptr<BufferCache>> caches;
  for (int i = 0; i < 255; ++i) {
    caches.push_back(std::make_unique<BufferCache>(Options(), &source_));
    ASSERT_EQ(caches.back()->status(), absl::OkStatus()) << i;
  }
  for (const AllocFlags flags : {AllocFlags::kMovable, AllocFlags::kNone}) {
    BufferCacheOptions options = Options();
    options.alloc_flags = flags;
    BufferCache one_more(options, &source_);
    std::vector<absl::StatusOr<ExtentBufferRef>> batch(2);
    one_more.ReadBlocks(std::vector<uint64_t>{0, kNode}, {}, absl::MakeSpan(batch));
    for (const absl::Status& status :
         {one_more.status(), one_more.Create(0).status(), one_more.ReadBlock(0).status(),
          one_more.CreateDummy(0).status(), batch[0].status(), batch[1].status()}) {
      EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
      EXPECT_NE(status.message().find("255 owners"), absl::string_view::npos) << status;
    }
    EXPECT_FALSE(one_more.Find(0));
    EXPECT_EQ(one_more.stats().cached_buffers, 0u);
  }
  EXPECT_TRUE(caches.front()->ReadBlock(0).ok());
  caches.pop_back();
  BufferCache another(Options(), &source_);
  EXPECT_EQ(another.status(), absl::OkStatus());
  EXPECT_TRUE(another.ReadBlock(0).ok());
}

}  // namespace
}  // namespace ebcache
