// Many threads on one allocator: nobody gets what another has, and nothing is lost.

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <latch>
#include <mutex>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "tests/mm/allocator_cases.h"

namespace ebcache {
namespace {

constexpr int kThreads = 4;

class AllocatorThreadsTest : public testing::TestWithParam<AllocatorCase> {};

INSTANTIATE_TEST_SUITE_P(All, AllocatorThreadsTest, testing::ValuesIn(AllAllocatorCases()),
                         AllocatorCaseName);

// A block, stamped by whoever holds it.
struct HeldBlock {
  std::array<Folio, 4> slots;
  int order = 0;
  std::byte* direct = nullptr;
  uint64_t stamp = 0;

  FolioBlock AsBlock() {
    return {.slots = absl::MakeSpan(slots), .order = order, .direct = direct};
  }

  bool Allocate(PageAllocator& allocator, uint64_t new_stamp) {
    FolioBlock block = {.slots = absl::MakeSpan(slots)};
    if (!allocator.AllocateBlock({.private_bits = static_cast<uint32_t>(new_stamp)}, block).ok()) {
      return false;
    }
    order = block.order;
    direct = block.direct;
    stamp = new_stamp;
    for (Folio folio : block.folios()) std::memcpy(allocator.Address(folio), &stamp, sizeof(stamp));
    return true;
  }

  void CheckAndFree(PageAllocator& allocator) {
    FolioBlock block = AsBlock();
    for (Folio folio : block.folios()) {
      EXPECT_EQ(std::memcmp(allocator.Address(folio), &stamp, sizeof(stamp)), 0);
    }
    allocator.FreeBlock(block);
  }
};

// Blocks go through a common pool, so that most are freed by another thread than their maker's.
class Pool {
 public:
  void Put(HeldBlock block) {
    std::lock_guard lock(mutex_);
    blocks_.push_back(block);
  }
  // Nothing when there is none.
  std::optional<HeldBlock> Take(uint32_t random) {
    std::lock_guard lock(mutex_);
    if (blocks_.empty()) return std::nullopt;
    std::swap(blocks_[random % blocks_.size()], blocks_.back());
    const HeldBlock block = blocks_.back();
    blocks_.pop_back();
    return block;
  }

 private:
  std::mutex mutex_;
  std::vector<HeldBlock> blocks_;
};

TEST_P(AllocatorThreadsTest, BlocksWanderBetweenThreads) {
  const std::shared_ptr<PageAllocator> allocator = GetParam().Make();
  Pool pool;
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::minstd_rand random(static_cast<uint32_t>(t) + 1);
      for (uint64_t i = 0; i < 3000; ++i) {
        if (random() % 100 < 52) {
          HeldBlock block;
          if (block.Allocate(*allocator, t << 32 | i)) pool.Put(block);
        } else if (auto block = pool.Take(static_cast<uint32_t>(random()))) {
          block->CheckAndFree(*allocator);
        }
        if (t == 0 && i % 500 == 0) allocator->Trim();
        if (t == 1 && i % 100 == 0) (void)allocator->stats();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  while (auto block = pool.Take(0)) block->CheckAndFree(*allocator);
  const AllocatorStats stats = allocator->stats();
  EXPECT_EQ(stats.in_use_bytes, 0u);
  EXPECT_EQ(stats.allocated_folios, stats.freed_folios);
  EXPECT_GT(stats.allocated_folios, 0u);
}

// What a thread kept at hand is there for others once it has ended.
TEST_P(AllocatorThreadsTest, EndedThreadsReturnTheirLists) {
  const std::shared_ptr<PageAllocator> allocator = GetParam().Make();
  const size_t pages = GetParam().pages != 0 ? GetParam().pages : 256;
  for (int round = 0; round < 5; ++round) {
    std::thread([&] {
      std::vector<Folio> all(pages);
      ASSERT_TRUE(allocator->AllocateBulk({}, 0, absl::MakeSpan(all)).ok()) << "round " << round;
      allocator->FreeBulk(0, absl::MakeSpan(all));
    }).join();
  }
  const AllocatorStats stats = allocator->stats();
  EXPECT_EQ(stats.allocated_folios, 5 * pages);
  EXPECT_EQ(stats.freed_folios, 5 * pages);
  EXPECT_EQ(stats.in_use_bytes, 0u);
}

// The allocator goes first, its threads afterwards; and they may use another one between.
TEST_P(AllocatorThreadsTest, AllocatorDestroyedBeforeItsThreads) {
  std::shared_ptr<PageAllocator> allocator = GetParam().Make();
  std::latch used(kThreads), gone(1);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      const auto use = [](PageAllocator& a) {
        HeldBlock block;
        ASSERT_TRUE(block.Allocate(a, 1));
        block.CheckAndFree(a);
      };
      use(*allocator);
      used.count_down();
      gone.wait();
      const std::shared_ptr<PageAllocator> another = GetParam().Make();
      use(*another);
    });
  }
  used.wait();
  allocator.reset();
  gone.count_down();
  for (std::thread& thread : threads) thread.join();
}

// Threads end while the allocator goes: either of the two may be the last to touch the lists.
TEST_P(AllocatorThreadsTest, AllocatorDestroyedWhileThreadsEnd) {
  for (int round = 0; round < 50; ++round) {
    std::shared_ptr<PageAllocator> allocator = GetParam().Make();
    std::latch used(kThreads);
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&] {
        Folio folio;
        ASSERT_TRUE(allocator->AllocateBulk({}, 0, {&folio, 1}).ok());
        allocator->FreeBulk(0, {&folio, 1});
        used.count_down();
      });
    }
    used.wait();
    allocator.reset();
    for (std::thread& thread : threads) thread.join();
  }
}

// Two threads free the same folio: at least one is told, however they meet.
TEST(AllocatorThreadsDeathTest, ConcurrentDoubleFree) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        const std::shared_ptr<PageAllocator> allocator = Order0Allocator();
        Folio folio;
        if (!allocator->AllocateBulk({}, 0, {&folio, 1}).ok()) _exit(0);
        std::latch both(2);
        const auto free_it = [&](Folio copy) {
          both.arrive_and_wait();
          allocator->FreeBulk(0, {&copy, 1});
        };
        std::thread other(free_it, folio);
        free_it(folio);
        other.join();
      },
      "folio freed twice");
}

// A static object frees after the thread's own storage is gone.
struct FreesAtExit {
  ~FreesAtExit() {
    allocator->FreeBulk(0, {&folio, 1});
    const AllocatorStats stats = allocator->stats();
    if (stats.in_use_bytes != 0 || stats.freed_folios != 1) std::abort();
    std::fprintf(stderr, "freed at exit\n");
  }
  std::shared_ptr<PageAllocator> allocator;
  Folio folio;
};

void ExitHoldingAFolio(const AllocatorCase& c) {
  static FreesAtExit at_exit{.allocator = c.Make(), .folio = {}};
  if (!at_exit.allocator->AllocateBulk({}, 0, {&at_exit.folio, 1}).ok()) _exit(1);
  std::exit(0);
}

TEST(AllocatorThreadsDeathTest, UseAfterThreadLocalsAreGone) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  for (const AllocatorCase& c : AllAllocatorCases()) {
    EXPECT_EXIT(ExitHoldingAFolio(c), testing::ExitedWithCode(0), "freed at exit");
  }
}

}  // namespace
}  // namespace ebcache
