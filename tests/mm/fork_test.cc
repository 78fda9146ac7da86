// What a child of a fork may do with each allocator: docs/forks.md.

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <string_view>
#include <thread>
#include <vector>

#include "ebcache/background_threads.h"
#include "ebcache/testing/fault_injection.h"
#include "tests/mm/allocator_cases.h"
#include "tests/mm/region_owner.h"
#include "tests/support/in_child.h"

namespace ebcache {
namespace {

class ForkTest : public testing::TestWithParam<AllocatorCase> {
 protected:
  // The pages of vmap are shared memory, and withheld.
  bool withheld() const { return std::string_view(GetParam().name) == "vmap"; }

  static void Fill(PageAllocator& allocator, absl::Span<const Folio> pages, int byte) {
    for (Folio page : pages) std::memset(allocator.Address(page), byte, allocator.page_bytes());
  }
  static void ExpectAll(PageAllocator& allocator, absl::Span<const Folio> pages, int byte) {
    for (Folio page : pages) {
      const std::byte* const bytes = allocator.Address(page);
      for (size_t i = 0; i < allocator.page_bytes(); ++i) {
        ASSERT_EQ(static_cast<int>(bytes[i]), byte) << "page " << page.pfn() << " byte " << i;
      }
    }
  }
};

INSTANTIATE_TEST_SUITE_P(All, ForkTest, testing::ValuesIn(AllAllocatorCases()), AllocatorCaseName);

TEST_P(ForkTest, AChildHasMemoryOfItsOwnAndTheParentKeepsIts) {
  std::shared_ptr<PageAllocator> allocator = GetParam().Make();
  std::vector<Folio> pages(40);
  ASSERT_TRUE(allocator->AllocateBulk({}, 0, absl::MakeSpan(pages)).ok());
  Fill(*allocator, pages, 1);
  const AllocatorStats before = allocator->stats();

  EXPECT_EQ(InChild([&] {
              std::vector<Folio> more(200);
              const absl::Status status = allocator->AllocateBulk({}, 0, absl::MakeSpan(more));
              if (withheld()) {
                EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
              } else {
                ASSERT_TRUE(status.ok()) << status;
                ExpectAll(*allocator, pages, 1);
                Fill(*allocator, pages, 2);
                Fill(*allocator, more, 3);
                ExpectAll(*allocator, pages, 2);
              }
              allocator->FreeBulk(0, absl::MakeSpan(more));
              allocator->FreeBulk(0, absl::MakeSpan(pages));
              EXPECT_EQ(allocator->stats().in_use_bytes, 0u);
              allocator->Trim();
              allocator.reset();
            }),
            "");

  EXPECT_EQ(allocator->stats().in_use_bytes, before.in_use_bytes);
  ExpectAll(*allocator, pages, 1);
  std::vector<Folio> more(200);
  ASSERT_TRUE(allocator->AllocateBulk({}, 0, absl::MakeSpan(more)).ok());
  Fill(*allocator, more, 4);
  ExpectAll(*allocator, pages, 1);
  allocator->FreeBulk(0, absl::MakeSpan(more));
  allocator->FreeBulk(0, absl::MakeSpan(pages));
}

TEST_P(ForkTest, OwnersOfAParentAreOwnersInAChild) {
  std::shared_ptr<PageAllocator> allocator = GetParam().Make();
  TestOwner owner(/*movable=*/true);
  const OwnerId id = allocator->RegisterOwner(&owner);
  EXPECT_EQ(InChild([&] {
              allocator->QuiesceOwner(id);
              allocator->UnregisterOwner(id);
              EXPECT_EQ(allocator->RegisterOwner(&owner), id);
            }),
            "");
  allocator->UnregisterOwner(id);
}

// A thread that is in the middle of something at every fork. Locks that it has are not taken along.
TEST_P(ForkTest, LocksThatAnotherThreadHadAreFreeInTheChild) {
  if (!kForksBesideMalloc) GTEST_SKIP() << kNoForksBesideMalloc;
  std::shared_ptr<PageAllocator> allocator = GetParam().Make();
  Folio first;  // so that there is an arena
  ASSERT_TRUE(allocator->AllocateBulk({}, 0, {&first, 1}).ok());
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      TestOwner owner(/*movable=*/true);
      while (!stop) {
        const OwnerId id = allocator->RegisterOwner(&owner);
        std::vector<Folio> pages(80);
        (void)allocator->AllocateBulk({.owner = id}, 0, absl::MakeSpan(pages));
        allocator->FreeBulk(0, absl::MakeSpan(pages));
        allocator->Trim();
        allocator->UnregisterOwner(id);
      }
    });
  }
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(InChild([&] {
                std::vector<Folio> pages(40);
                EXPECT_NE(allocator->AllocateBulk({}, 0, absl::MakeSpan(pages)).ok(), withheld());
                allocator->FreeBulk(0, absl::MakeSpan(pages));
                (void)allocator->stats();
                allocator->Trim();
                allocator.reset();
              }),
              "")
        << i;
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  allocator->FreeBulk(0, {&first, 1});
}

// Nothing but the lock is ever in the way of this thread, so nearly every fork meets it.
TEST(ForkLock, OfAFaultInjectorIsFreeInTheChild) {
  FaultInjector injector({.probability = 0.5, .min_order = 0});
  std::atomic<bool> stop{false};
  std::thread thread([&] {
    while (!stop) (void)injector.ShouldFail(0, 4096, AllocFlags::kNone);
  });
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(InChild([&] {
                (void)injector.ShouldFail(0, 4096, AllocFlags::kNone);
                EXPECT_GT(injector.counts().eligible, 0u);
              }),
              "")
        << i;
  }
  stop = true;
  thread.join();
}

// An OS that holds up whoever asks it something, lock and all.
class SlowOs final : public OsCalls {
 public:
  void* Map(size_t bytes, size_t alignment) override { return real_->Map(bytes, alignment); }
  void Unmap(void* address, size_t bytes) override { real_->Unmap(address, bytes); }
  bool Purge(void* address, size_t bytes) override { return real_->Purge(address, bytes); }
  bool AdviseHugePages(void* address, size_t bytes) override {
    inside = true;
    while (!about_to_fork) std::this_thread::yield();
    for (int i = 0; i < 10'000; ++i) std::this_thread::yield();
    return real_->AdviseHugePages(address, bytes);
  }
  std::atomic<bool> inside{false};
  std::atomic<bool> about_to_fork{false};

 private:
  OsCalls* const real_ = OsCalls::Real();
};

void ForkWhileAThreadHasTheLock(SlowOs& os, std::shared_ptr<PageAllocator> allocator) {
  Folio theirs;
  std::thread thread([&] { EXPECT_TRUE(allocator->AllocateBulk({}, 0, {&theirs, 1}).ok()); });
  while (!os.inside) std::this_thread::yield();
  os.about_to_fork = true;
  EXPECT_EQ(InChild([&] {
              Folio page;
              EXPECT_TRUE(allocator->AllocateBulk({}, 0, {&page, 1}).ok());
              allocator->FreeBulk(0, {&page, 1});
            }),
            "");
  thread.join();
  allocator->FreeBulk(0, {&theirs, 1});
}

TEST(ForkLock, OfADepotIsWaitedFor) {
  SlowOs os;
  ForkWhileAThreadHasTheLock(os, Order0Allocator({.arena_bytes = size_t{4} << 20, .os = &os}));
}

TEST(ForkLock, OfARegionIsWaitedFor) {
  SlowOs os;
  ForkWhileAThreadHasTheLock(os, MovableRegion::Create({.arena_bytes = size_t{4} << 20,
                                                        .superpageblock_bytes = size_t{4} << 20,
                                                        .os = &os}));
}

// In a child there is no thread that could end a call of an owner, or a wait.
TEST(Fork, CallsOfOwnersInOtherThreadsAreNotUnderWayInAChild) {
  auto region = MovableRegion::Create(Small(MovableRegionOptions::Policy::kSuperpageblock, 2));
  Owner owner(region.get());
  for (uint32_t key = 0; key < kSuperPages + 1; ++key) ASSERT_TRUE(owner.Allocate(key));
  std::atomic<bool> asked{false};
  std::atomic<bool> answer{false};
  owner.on_question = [&](uint32_t) {
    asked = true;
    while (!answer) std::this_thread::yield();
  };
  std::thread compaction([&] { (void)region->AllocateContiguous({}, kSuperOrder); });
  while (!asked) std::this_thread::yield();
  EXPECT_EQ(InChild([&] { region->QuiesceOwner(owner.id()); }), "");
  answer = true;
  compaction.join();
  owner.on_question = nullptr;
}

TEST(Fork, ADefragmenterIsNotThereInAChildAndMayBeStarted) {
  if (!kChildrenHaveThreads) GTEST_SKIP() << kNoThreadsInChildren;
  auto region = MovableRegion::Create(Small(MovableRegionOptions::Policy::kSuperpageblock));
  ASSERT_TRUE(region->StartDefragmenter());
  EXPECT_EQ(InChild([&] {
              region->StopDefragmenter();
              EXPECT_TRUE(region->StartDefragmenter());
              region->StopDefragmenter();
              region.reset();
            }),
            "");
  region->StopDefragmenter();
}

// Those that wait for memory are threads of the parent's.
TEST(Fork, WhoWaitsForMemoryDoesNotWaitInAChild) {
  auto allocator = Order0Allocator({.arena_bytes = size_t{4} << 20, .no_fail_wait_ms = 600'000});
  std::vector<Folio> all;
  for (Folio page; allocator->AllocateBulk({}, 0, {&page, 1}).ok(); page = Folio()) {
    all.push_back(page);
  }
  Folio page;
  std::thread waiter([&] {
    EXPECT_TRUE(allocator->AllocateBulk({.flags = AllocFlags::kNoFail}, 0, {&page, 1}).ok());
  });
  while (allocator->stats().no_fail_waits == 0) std::this_thread::yield();
  EXPECT_EQ(InChild([&] {
              allocator->FreeBulk(0, absl::MakeSpan(all));
              allocator.reset();
            }),
            "");
  allocator->FreeBulk(0, absl::MakeSpan(all));
  waiter.join();
  allocator->FreeBulk(0, {&page, 1});
}

// Its windows have a lock of their own, which a child that gives one back must find free.
TEST(ForkLock, OfWindowsIsFreeInTheChild) {
  if (!kForksBesideMalloc) GTEST_SKIP() << kNoForksBesideMalloc;
  auto vmap = VmapAllocator({.arena_bytes = size_t{4} << 20, .contiguous_by_luck = false});
  const auto make = [&](std::vector<Folio>& slots) {
    FolioBlock block{.slots = absl::MakeSpan(slots)};
    EXPECT_TRUE(vmap->AllocateBlock({}, block).ok());
    return block;
  };
  std::vector<Folio> mine(4), theirs(4);
  FolioBlock block = make(mine);
  std::atomic<bool> stop{false};
  std::thread thread([&] {
    while (!stop) {
      FolioBlock other = make(theirs);
      vmap->FreeBlock(other);
    }
  });
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(InChild([&] { vmap->FreeBlock(block); }), "") << i;
  }
  stop = true;
  thread.join();
  vmap->FreeBlock(block);
}

// The pages of vmap are its parent's: a child must not give them back to the OS.
TEST(Fork, TrimOfVmapInAChildTakesNothingFromTheParent) {
  auto vmap = VmapAllocator({.arena_bytes = size_t{4} << 20, .contiguous_by_luck = false});
  std::vector<Folio> slots(4);
  FolioBlock block{.slots = absl::MakeSpan(slots)};
  ASSERT_TRUE(vmap->AllocateBlock({}, block).ok());
  ASSERT_NE(block.direct, nullptr);
  std::memset(block.direct, 7, 4 * vmap->page_bytes());
  EXPECT_EQ(InChild([&] {
              vmap->FreeBlock(block);
              EXPECT_EQ(vmap->Trim(), 0u);
              vmap.reset();
            }),
            "");
  for (size_t i = 0; i < 4 * vmap->page_bytes(); ++i) {
    ASSERT_EQ(static_cast<int>(block.direct[i]), 7) << i;
  }
  vmap->FreeBlock(block);
}

}  // namespace
}  // namespace ebcache
