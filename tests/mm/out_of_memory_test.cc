// Every allocator with an operator new that fails: the first time, the second, and so on until
// nothing asks for a call that would fail. What the call was for fails with an error, or does not
// need it; no folio is lost; and the allocator goes on as if nothing had been.

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <vector>

#include "tests/mm/allocator_cases.h"
#include "tests/mm/region_owner.h"
#include "tests/support/failing_new.h"

namespace ebcache {
namespace {

// More than any call makes.
constexpr int64_t kMostCalls = 2000;

class OutOfMemoryTest : public testing::TestWithParam<std::tuple<AllocatorCase, NewFails>> {
 protected:
  static const AllocatorCase& Case() { return std::get<0>(GetParam()); }
  static NewFails How() { return std::get<1>(GetParam()); }

  // `call` in a thread of its own, which has no list at hand yet, with the nth operator new
  // failing, for every n. `settle` undoes it, with memory.
  static void ForEveryN(const std::function<void()>& call, const std::function<void()>& settle) {
    for (int64_t n = 0;; ++n) {
      ASSERT_LT(n, kMostCalls) << "a call that never ends without a failure";
      bool failed = false;
      std::thread([&] {
        FailNew(n, How());
        call();
        failed = StopFailingNew();
        settle();
      }).join();
      if (testing::Test::HasFailure()) FAIL() << "with operator new number " << n;
      if (!failed) return;
    }
  }
};

std::vector<std::tuple<AllocatorCase, NewFails>> Cases() {
  std::vector<std::tuple<AllocatorCase, NewFails>> cases;
  for (const AllocatorCase& c : AllAllocatorCases()) {
    if (c.page_bytes != 4096) continue;
    cases.emplace_back(c, NewFails::kOnce);
    cases.emplace_back(c, NewFails::kFromThenOn);
  }
  return cases;
}

std::string NameOf(const testing::TestParamInfo<std::tuple<AllocatorCase, NewFails>>& info) {
  const bool once = std::get<1>(info.param) == NewFails::kOnce;
  return AllocatorCaseName({std::get<0>(info.param), 0}) + (once ? "_once" : "_from_then_on");
}

INSTANTIATE_TEST_SUITE_P(All, OutOfMemoryTest, testing::ValuesIn(Cases()), NameOf);

TEST_P(OutOfMemoryTest, MakingOne) {
  const int64_t before = LiveAllocations();
  for (int64_t n = 0;; ++n) {
    ASSERT_LT(n, kMostCalls);
    std::shared_ptr<PageAllocator> allocator;
    FailNew(n, How());
    try {
      allocator = Case().Make();
    } catch (const std::bad_alloc&) {
    }
    const bool failed = StopFailingNew();
    if (allocator != nullptr) {
      Folio page;
      EXPECT_TRUE(allocator->AllocateBulk({}, 0, {&page, 1}).ok());
      allocator->FreeBulk(0, {&page, 1});
    } else {
      EXPECT_TRUE(failed);
      if (n == 0) {
        EXPECT_EQ(LiveAllocations(), before) << "left behind by one that was not made";
      }
    }
    if (!failed) break;
  }
}

// All sizes of requests: what a thread has at hand, more than that, and large folios.
TEST_P(OutOfMemoryTest, AllocatingAndFreeing) {
  std::shared_ptr<PageAllocator> allocator = Case().Make();
  TestOwner owner(/*movable=*/true);
  const OwnerId id = allocator->RegisterOwner(&owner);
  const FolioRequest request{.flags = AllocFlags::kMovable, .owner = id};
  for (const size_t count : {1, 20, 300}) {
    for (int order = 0; order <= std::min(Case().max_order, 2); ++order) {
      std::vector<Folio> pages(count);
      ForEveryN(
          [&] {
            const absl::Status status =
                allocator->AllocateBulk(request, order, absl::MakeSpan(pages));
            for (Folio page : pages) EXPECT_NE(page.empty(), status.ok()) << status;
            EXPECT_TRUE(status.ok() || absl::IsResourceExhausted(status)) << status;
            if (status.ok()) allocator->FreeBulk(order, absl::MakeSpan(pages));
          },
          [&] { EXPECT_EQ(allocator->stats().in_use_bytes, 0u); });
    }
  }
  allocator->UnregisterOwner(id);
}

// A free that a thread makes which has allocated nothing.
TEST_P(OutOfMemoryTest, Freeing) {
  std::shared_ptr<PageAllocator> allocator = Case().Make();
  std::vector<Folio> pages(300);
  ForEveryN([&] { allocator->FreeBulk(0, absl::MakeSpan(pages)); },
            [&] {
              EXPECT_EQ(allocator->stats().in_use_bytes, 0u);
              ASSERT_TRUE(allocator->AllocateBulk({}, 0, absl::MakeSpan(pages)).ok());
            });
  allocator->FreeBulk(0, absl::MakeSpan(pages));
}

TEST_P(OutOfMemoryTest, Blocks) {
  std::shared_ptr<PageAllocator> allocator = Case().Make();
  // No two free pages are neighbours, so that windows are wanted.
  std::vector<Folio> scattered(Case().pages != 0 ? Case().pages / 2 : 400);
  ASSERT_TRUE(allocator->AllocateBulk({}, 0, absl::MakeSpan(scattered)).ok());
  for (size_t i = 0; i < scattered.size(); i += 2) allocator->FreeBulk(0, {&scattered[i], 1});
  const uint64_t before = allocator->stats().in_use_bytes;
  for (const size_t slots : {1, 4, 32}) {
    std::vector<std::vector<Folio>> folios(6, std::vector<Folio>(slots));
    ForEveryN(
        [&] {
          for (std::vector<Folio>& each : folios) {
            FolioBlock block{.slots = absl::MakeSpan(each)};
            const absl::Status status = allocator->AllocateBlock({}, block);
            EXPECT_TRUE(status.ok() || absl::IsResourceExhausted(status)) << status;
            if (!status.ok()) continue;
            if (block.direct != nullptr) block.direct[slots * 4096 - 1] = std::byte{1};
            allocator->FreeBlock(block);
          }
        },
        [&] { EXPECT_EQ(allocator->stats().in_use_bytes, before); });
  }
  allocator->FreeBulk(0, absl::MakeSpan(scattered));
}

TEST_P(OutOfMemoryTest, RequestsThatCannotBeServed) {
  std::shared_ptr<PageAllocator> allocator = Case().Make();
  std::vector<Folio> pages(Case().pages != 0 ? 2 * Case().pages + 600 : 1);
  ForEveryN(
      [&] {
        if (Case().pages != 0) {
          const absl::Status status = allocator->AllocateBulk({}, 0, absl::MakeSpan(pages));
          EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
        }
        EXPECT_FALSE(allocator->AllocateBulk({}, kMaxFolioOrder + 1, {&pages[0], 1}).ok());
        EXPECT_FALSE(
            allocator->AllocateBulk({.flags = AllocFlags::kNoFail}, 2, {&pages[0], 1}).ok());
        EXPECT_FALSE(
            allocator->AllocateBulk({.flags = AllocFlags::kMovable}, 0, {&pages[0], 1}).ok());
      },
      [&] { EXPECT_EQ(allocator->stats().in_use_bytes, 0u); });
}

TEST_P(OutOfMemoryTest, Owners) {
  std::shared_ptr<PageAllocator> allocator = Case().Make();
  TestOwner owner(/*movable=*/true);
  ForEveryN(
      [&] {
        try {
          const OwnerId id = allocator->RegisterOwner(&owner);
          allocator->QuiesceOwner(id);
          allocator->UnregisterOwner(id);
        } catch (const std::bad_alloc&) {
        }
        allocator->Trim();
        (void)allocator->stats();
      },
      [&] {
        const OwnerId id = allocator->RegisterOwner(&owner);
        EXPECT_EQ(id, 1) << "an owner was left registered";
        allocator->UnregisterOwner(id);
      });
}

// ---- What only heaps do -------------------------------------------------------------------------

// The C library's heap, which counts what it has given and not got back, and has an end.
class CountingHeap final : public HeapMemory {
 public:
  std::string_view name() const override { return "counting heap"; }
  void* Allocate(size_t bytes, size_t alignment, AllocFlags) override {
    if (live == most) return nullptr;
    ++live;
    return std::aligned_alloc(alignment, bytes);
  }
  void Free(void* address, size_t) override {
    --live;
    std::free(address);
  }
  size_t Trim() override { return 0; }

  size_t live = 0;
  size_t most = ~size_t{0};
};

// Of a request that fails halfway nothing stays: neither memory nor a part of the limit.
TEST(HeapOutOfMemory, WhatWasGotHalfwayGoesBack) {
  constexpr size_t kMost = 400;
  const auto memory = std::make_shared<CountingHeap>();
  const auto heap = HeapAllocator({.max_bytes = kMost * 4096, .memory = memory});
  std::vector<Folio> pages(300);
  for (size_t most = 0; most < pages.size(); most += 23) {
    memory->most = most;
    const absl::Status status = heap->AllocateBulk({}, 0, absl::MakeSpan(pages));
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    EXPECT_EQ(memory->live, 0u) << most;
  }
  for (const size_t most : {size_t{150}, ~size_t{0}}) {
    memory->most = most;
    for (int64_t n = 0;; ++n) {
      ASSERT_LT(n, kMostCalls);
      FailNew(n, NewFails::kFromThenOn);
      const absl::Status status = heap->AllocateBulk({}, 0, absl::MakeSpan(pages));
      const bool failed = StopFailingNew();
      if (status.ok()) heap->FreeBulk(0, absl::MakeSpan(pages));
      EXPECT_EQ(memory->live, 0u) << "after operator new number " << n;
      if (!failed) break;
    }
  }
  pages.resize(kMost);
  EXPECT_TRUE(heap->AllocateBulk({}, 0, absl::MakeSpan(pages)).ok());
  heap->FreeBulk(0, absl::MakeSpan(pages));
}

// ---- What only regions do -----------------------------------------------------------------------

// Moving, releasing, defragmenting need no memory of the heap but for the words of errors.
TEST(RegionOutOfMemory, MakingRoom) {
  for (int64_t n = 0;; ++n) {
    ASSERT_LT(n, kMostCalls);
    auto region = MovableRegion::Create(Small(MovableRegionOptions::Policy::kSuperpageblock, 4));
    Owner owner(region.get());
    for (uint32_t key = 0; key < 3 * kSuperPages; ++key) ASSERT_TRUE(owner.Allocate(key));
    owner.pinned = {5};
    FailNew(n, NewFails::kFromThenOn);
    std::optional<absl::StatusOr<Folio>> first = region->AllocateContiguous({}, kSuperOrder);
    std::optional<absl::StatusOr<Folio>> second = region->AllocateContiguous({}, kSuperOrder);
    region->DefragStep();
    const bool failed = StopFailingNew();
    EXPECT_TRUE(first->ok() || absl::IsResourceExhausted(first->status())) << first->status();
    for (auto& got : {&first, &second}) {
      if ((*got)->ok()) region->FreeBulk(kSuperOrder, {&***got, 1});
    }
    owner.ExpectStamps();
    const MovableRegionReport report = region->report();
    EXPECT_EQ(report.by_category[static_cast<size_t>(SuperpageblockCategory::kIsolated)], 0u);
    EXPECT_EQ(region->stats().in_use_bytes, owner.held.size() * kPage);
    // All of it can be had once the owner is gone.
    while (!owner.held.empty()) owner.Free(owner.held.begin()->first);
    std::vector<Folio> all;
    for (int i = 0; i < 4; ++i) {
      auto got = region->AllocateContiguous({}, kSuperOrder);
      ASSERT_TRUE(got.ok()) << got.status() << " after operator new number " << n;
      all.push_back(*got);
    }
    region->FreeBulk(kSuperOrder, absl::MakeSpan(all));
    if (!failed) break;
  }
}

}  // namespace
}  // namespace ebcache
