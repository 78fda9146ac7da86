// Who is asked to release folios when memory runs out, for whom, and who is not.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "lib/mm/page_frame.h"
#include "tests/mm/allocator_cases.h"
#include "tests/mm/region_owner.h"

namespace ebcache {
namespace {

constexpr size_t kBytes = size_t{4} << 20;

std::shared_ptr<PageAllocator> Make(const std::string& name) {
  constexpr uint32_t kWaitMs = 1;
  if (name == "heap") return HeapAllocator({.max_bytes = kBytes, .no_fail_wait_ms = kWaitMs});
  if (name == "order0") {
    return Order0Allocator({.arena_bytes = kBytes, .no_fail_wait_ms = kWaitMs});
  }
  if (name == "vmap") return VmapAllocator({.arena_bytes = kBytes, .no_fail_wait_ms = kWaitMs});
  std::shared_ptr<PageAllocator> region = MovableRegion::Create(
      {.arena_bytes = kBytes, .superpageblock_bytes = kBytes, .no_fail_wait_ms = kWaitMs});
  if (name == "movable") return region;
  return HighOrderAllocator({.pages = region});
}

// Lets go of what it is asked for, unless told otherwise, and counts the questions.
class Holder final : public FolioOwner {
 public:
  Holder(PageAllocator* allocator, AllocFlags kind)
      : allocator_(*allocator), kind_(kind), id_(allocator->RegisterOwner(this)) {}
  ~Holder() override {
    FreeAll();
    allocator_.UnregisterOwner(id_);
  }

  std::string_view name() const override { return "holder"; }
  bool movable() const override { return Has(kind_, AllocFlags::kMovable); }
  bool Release(Folio folio, uint32_t) override {
    ++questions;
    if (!willing) return false;
    const auto held = std::find(folios.begin(), folios.end(), folio);
    if (held == folios.end()) return false;
    allocator_.FreeBulk(0, {&*held, 1});
    folios.erase(held);
    return true;
  }

  absl::Status Take(size_t count, AllocFlags more = AllocFlags::kNone) {
    std::vector<Folio> taken(count);
    const FolioRequest request{.flags = kind_ | more, .owner = id_};
    const absl::Status status = allocator_.AllocateBulk(request, 0, absl::MakeSpan(taken));
    if (status.ok()) folios.insert(folios.end(), taken.begin(), taken.end());
    return status;
  }
  // All that nobody else has.
  void TakeAll() {
    while (Take(1, AllocFlags::kNoReclaim | AllocFlags::kNoWarn).ok()) {
    }
  }
  void FreeAll() {
    allocator_.FreeBulk(0, absl::MakeSpan(folios));
    folios.clear();
  }
  OwnerId id() const { return id_; }

  std::vector<Folio> folios;
  bool willing = true;
  int questions = 0;

 private:
  PageAllocator& allocator_;
  const AllocFlags kind_;
  const OwnerId id_;
};

class ReleaseTest : public testing::TestWithParam<const char*> {
 protected:
  std::shared_ptr<PageAllocator> allocator_ = Make(GetParam());
};

INSTANTIATE_TEST_SUITE_P(All, ReleaseTest,
                         testing::Values("heap", "order0", "vmap", "movable", "high"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(ReleaseTest, WithoutKNoFailOtherOwnersAreAsked) {
  Holder rich(allocator_.get(), AllocFlags::kMovable);
  Holder poor(allocator_.get(), AllocFlags::kMovable);
  rich.TakeAll();
  const size_t all = rich.folios.size();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(poor.Take(1).ok()) << i;
  EXPECT_EQ(poor.folios.size(), 100u);
  EXPECT_LE(rich.folios.size(), all - 100);
  EXPECT_GE(rich.folios.size(), all - 300) << "far more than were wanted";
  EXPECT_GE(allocator_->stats().reclaims_from_others, 1u);
  EXPECT_EQ(allocator_->stats().failed_allocations, 0u);
}

TEST_P(ReleaseTest, SoAreThoseOfFoliosThatCannotMove) {
  Holder rich(allocator_.get(), AllocFlags::kReclaimable);
  Holder poor(allocator_.get(), AllocFlags::kNone);
  rich.TakeAll();
  EXPECT_TRUE(poor.Take(20).ok());
}

TEST_P(ReleaseTest, KNoFailAsksThemToo) {
  Holder rich(allocator_.get(), AllocFlags::kReclaimable);
  Holder poor(allocator_.get(), AllocFlags::kNone);
  rich.TakeAll();
  EXPECT_TRUE(poor.Take(20, AllocFlags::kNoFail).ok());
  EXPECT_GE(allocator_->stats().no_fail_reclaims, 1u);
  EXPECT_EQ(allocator_->stats().no_fail_reserves, 0u);
}

TEST_P(ReleaseTest, KNoReclaimAsksNobody) {
  Holder rich(allocator_.get(), AllocFlags::kMovable);
  Holder poor(allocator_.get(), AllocFlags::kMovable);
  rich.TakeAll();
  for (const AllocFlags flags :
       {AllocFlags::kNoReclaim, AllocFlags::kNoReclaim | AllocFlags::kNoFail}) {
    const absl::Status status = poor.Take(kNoFailReserveBytes / 4096 + 1, flags);
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  }
  EXPECT_EQ(rich.questions, 0);
}

// Only the owner knows which of its own it can do without: it finds out by the error.
TEST_P(ReleaseTest, TheOwnerOfTheRequestIsNotAsked) {
  Holder rich(allocator_.get(), AllocFlags::kMovable);
  Holder other(allocator_.get(), AllocFlags::kMovable);
  rich.TakeAll();
  const absl::Status status = rich.Take(1);
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_EQ(rich.questions, 0);
}

TEST_P(ReleaseTest, WhatCannotMoveNorGoIsNotAskedFor) {
  Holder rich(allocator_.get(), AllocFlags::kNone);
  Holder poor(allocator_.get(), AllocFlags::kMovable);
  rich.TakeAll();
  EXPECT_FALSE(poor.Take(1).ok());
  EXPECT_EQ(rich.questions, 0);
}

TEST_P(ReleaseTest, NobodyIsAskedForMoreThanThereCanBe) {
  Holder rich(allocator_.get(), AllocFlags::kMovable);
  Holder poor(allocator_.get(), AllocFlags::kMovable);
  rich.TakeAll();
  EXPECT_FALSE(poor.Take(kBytes / 4096 + 1).ok());
  EXPECT_EQ(rich.questions, 0);
}

// Owners that refuse are asked twice a request, all of them; and as soon as one agrees there is
// memory.
TEST_P(ReleaseTest, EachRequestAsksTwiceAround) {
  Holder rich(allocator_.get(), AllocFlags::kMovable);
  Holder poor(allocator_.get(), AllocFlags::kMovable);
  rich.TakeAll();
  rich.willing = false;
  const int all = static_cast<int>(rich.folios.size());
  for (int i = 1; i <= 20; ++i) {
    EXPECT_FALSE(poor.Take(1, AllocFlags::kNoWarn).ok());
    EXPECT_GE(rich.questions, 2 * i * all);
    EXPECT_LE(rich.questions, 2 * i * (all + 600)) << "more than around, and a page block";
  }
  rich.willing = true;
  EXPECT_TRUE(poor.Take(1).ok());
}

// Two requests at once, the second of which begins while the first asks about the last frame that
// there is: neither looks beyond it. Behind the table of frames lie words that look like folios.
class TableWithATail final : public OsCalls {
 public:
  void* Map(size_t bytes, size_t alignment) override {
    auto* const at = static_cast<std::byte*>(real_->Map(bytes + kTail, alignment));
    auto* const tail = reinterpret_cast<PageFrame*>(at + bytes);
    for (size_t i = 0; i < kTail / sizeof(PageFrame); ++i) {
      tail[i].Store(FrameState::Allocated({.flags = AllocFlags::kMovable, .owner = 1}, 0));
    }
    return at;
  }
  void Unmap(void* address, size_t bytes) override { real_->Unmap(address, bytes + kTail); }
  bool Purge(void*, size_t) override { return false; }
  bool AdviseHugePages(void*, size_t) override { return false; }

 private:
  static constexpr size_t kTail = 4096;
  OsCalls* const real_ = OsCalls::Real();
};

TEST(RegionRelease, NoFrameBeyondTheLastIsAskedFor) {
  TableWithATail os;
  constexpr uint32_t kPages = kBytes / 4096;
  auto region = MovableRegion::Create(
      {.arena_bytes = kBytes, .superpageblock_bytes = kBytes, .no_fail_wait_ms = 1, .os = &os});

  class Stubborn final : public FolioOwner {
   public:
    std::string_view name() const override { return "stubborn"; }
    bool movable() const override { return true; }
    bool Release(Folio folio, uint32_t) override {
      if (folio.pfn() >= kPages) beyond = true;
      if (folio.pfn() == kPages - 1 && !second_may_begin.exchange(true)) {
        while (!second_done) std::this_thread::yield();
      }
      return false;
    }
    std::atomic<bool> beyond{false};
    std::atomic<bool> second_may_begin{false};
    std::atomic<bool> second_done{false};
  } owner;
  const OwnerId id = region->RegisterOwner(&owner);
  ASSERT_EQ(id, 1);
  std::vector<Folio> all;
  const FolioRequest request{.flags = AllocFlags::kMovable | AllocFlags::kNoWarn, .owner = id};
  for (Folio page; region->AllocateBulk(request, 0, {&page, 1}).ok(); page = Folio()) {
    all.push_back(page);
  }
  ASSERT_EQ(all.size(), kPages);
  const auto want_one = [&] {
    Folio page;
    EXPECT_FALSE(region->AllocateBulk({.flags = AllocFlags::kNoFail}, 0, {&page, 1}).ok());
  };
  std::thread first(want_one);
  while (!owner.second_may_begin) std::this_thread::yield();
  want_one();
  owner.second_done = true;
  first.join();
  EXPECT_FALSE(owner.beyond);
  region->FreeBulk(0, absl::MakeSpan(all));
  region->UnregisterOwner(id);
}

// What is in the way may move, and stays: owners are not asked to release.
TEST(RegionRelease, ContiguousMemoryWithoutReclaim) {
  auto region = MovableRegion::Create(Small(MovableRegionOptions::Policy::kSuperpageblock, 2));
  Owner owner(region.get());
  owner.releasable = true;
  for (uint32_t key = 0; key < 2 * kSuperPages; ++key) ASSERT_TRUE(owner.Allocate(key));
  // All is in use: there is nowhere to move to.
  const FolioRequest no_reclaim{.flags = AllocFlags::kNoReclaim};
  for (int order = 1; order <= kSuperOrder; ++order) {
    auto got = region->AllocateContiguous(no_reclaim, order);
    EXPECT_TRUE(absl::IsResourceExhausted(got.status())) << order << " " << got.status();
  }
  EXPECT_EQ(owner.held.size(), 2 * kSuperPages);
  EXPECT_EQ(region->report().released_folios, 0u);
  // Half of it is: then the rest moves.
  for (uint32_t key = 0; key < 2 * kSuperPages; key += 2) owner.Free(key);
  auto got = region->AllocateContiguous(no_reclaim, kSuperOrder);
  EXPECT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(owner.held.size(), kSuperPages);
  EXPECT_EQ(region->report().released_folios, 0u);
  owner.ExpectStamps();
  // And without the flag what cannot move goes.
  auto second = region->AllocateContiguous({}, kSuperOrder);
  EXPECT_TRUE(second.ok()) << second.status();
  EXPECT_GE(region->report().released_folios, kSuperPages);
  EXPECT_TRUE(owner.held.empty());
  if (got.ok()) region->FreeBulk(kSuperOrder, {&*got, 1});
  if (second.ok()) region->FreeBulk(kSuperOrder, {&*second, 1});
}

}  // namespace
}  // namespace ebcache
