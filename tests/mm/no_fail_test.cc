// kNoFail: what is done before a request fails after all.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/mm/allocator_cases.h"

namespace ebcache {
namespace {

using ::testing::HasSubstr;

constexpr size_t kPageBytes = 4096;
constexpr size_t kBytes = size_t{4} << 20;
constexpr uint32_t kForEver = 600'000;

// `wait_ms`: short where nobody will free anything; for ever where somebody will.
std::shared_ptr<PageAllocator> Make(const std::string& name, uint32_t wait_ms) {
  if (name == "heap") return HeapAllocator({.max_bytes = kBytes, .no_fail_wait_ms = wait_ms});
  if (name == "order0") {
    return Order0Allocator({.arena_bytes = kBytes, .no_fail_wait_ms = wait_ms});
  }
  if (name == "vmap") return VmapAllocator({.arena_bytes = kBytes, .no_fail_wait_ms = wait_ms});
  std::shared_ptr<PageAllocator> region = MovableRegion::Create(
      {.arena_bytes = kBytes, .superpageblock_bytes = kBytes, .no_fail_wait_ms = wait_ms});
  if (name == "movable") return region;
  return HighOrderAllocator({.pages = region});
}

class NoFailTest : public testing::TestWithParam<const char*> {
 protected:
  void Use(uint32_t wait_ms) { allocator_ = Make(GetParam(), wait_ms); }

  // Takes all memory that anybody can have.
  std::vector<Folio> TakeAll(OwnerId owner = kNoOwner, AllocFlags flags = AllocFlags::kNone) {
    std::vector<Folio> pages;
    const FolioRequest request{.flags = flags | AllocFlags::kNoReclaim | AllocFlags::kNoWarn,
                               .owner = owner};
    for (Folio page; allocator_->AllocateBulk(request, 0, {&page, 1}).ok(); page = Folio()) {
      pages.push_back(page);
    }
    return pages;
  }
  absl::Status Allocate(Folio& page, int order = 0) {
    return allocator_->AllocateBulk({.flags = AllocFlags::kNoFail}, order, {&page, 1});
  }
  int max_order() const {
    const std::string_view name = GetParam();
    return name == "order0" || name == "vmap" ? 0 : 1;
  }
  void TearDown() override { EXPECT_EQ(allocator_->stats().in_use_bytes, 0u); }

  std::shared_ptr<PageAllocator> allocator_;
};

INSTANTIATE_TEST_SUITE_P(All, NoFailTest,
                         testing::Values("heap", "order0", "vmap", "movable", "high"),
                         [](const auto& info) { return std::string(info.param); });

// Owns folios that it lets go of when asked.
class Releaser final : public FolioOwner {
 public:
  explicit Releaser(PageAllocator* allocator) : allocator_(allocator) {}
  std::string_view name() const override { return "releaser"; }
  bool movable() const override { return true; }
  bool Release(Folio folio, uint32_t) override {
    std::lock_guard lock(mutex_);
    const auto held = std::find(folios_.begin(), folios_.end(), folio);
    if (held == folios_.end()) return false;
    allocator_->FreeBulk(0, {&*held, 1});
    folios_.erase(held);
    return true;
  }
  void Hold(std::vector<Folio> folios) { folios_ = std::move(folios); }
  void FreeAll() { allocator_->FreeBulk(0, absl::MakeSpan(folios_)); }
  size_t held() const { return folios_.size(); }

 private:
  PageAllocator* const allocator_;
  std::mutex mutex_;
  std::vector<Folio> folios_;
};

TEST_P(NoFailTest, OwnersAreAskedFirst) {
  Use(/*wait_ms=*/1);
  Releaser owner(allocator_.get());
  const OwnerId id = allocator_->RegisterOwner(&owner);
  owner.Hold(TakeAll(id, AllocFlags::kMovable));
  const size_t before = owner.held();
  for (int order = 0; order <= max_order(); ++order) {
    Folio page;
    ASSERT_TRUE(Allocate(page, order).ok()) << order;
    allocator_->FreeBulk(order, {&page, 1});
  }
  EXPECT_LT(owner.held(), before);
  EXPECT_GE(allocator_->stats().no_fail_reclaims, 1u);
  EXPECT_EQ(allocator_->stats().no_fail_reserves, 0u);
  owner.FreeAll();
  allocator_->UnregisterOwner(id);
}

TEST_P(NoFailTest, AQuiescedOwnerIsLeftAlone) {
  Use(/*wait_ms=*/1);
  Releaser owner(allocator_.get());
  const OwnerId id = allocator_->RegisterOwner(&owner);
  owner.Hold(TakeAll(id, AllocFlags::kMovable));
  const size_t before = owner.held();
  allocator_->QuiesceOwner(id);
  Folio page;
  (void)Allocate(page);
  EXPECT_EQ(owner.held(), before);
  allocator_->FreeBulk(0, {&page, 1});
  owner.FreeAll();
  allocator_->UnregisterOwner(id);
}

TEST_P(NoFailTest, WaitsForOthersToFree) {
  Use(kForEver);
  std::vector<Folio> all = TakeAll();
  std::atomic<bool> got{false};
  Folio page;
  std::thread waiter([&] {
    EXPECT_TRUE(Allocate(page).ok());
    got = true;
  });
  while (allocator_->stats().no_fail_waits == 0) std::this_thread::yield();
  EXPECT_FALSE(got);
  // What one thread frees another may have at once, although threads keep pages at hand.
  allocator_->FreeBulk(0, absl::MakeSpan(all).last(1));
  waiter.join();
  EXPECT_EQ(allocator_->stats().no_fail_reserves, 0u);
  allocator_->FreeBulk(0, {&page, 1});
  allocator_->FreeBulk(0, absl::MakeSpan(all));
}

TEST_P(NoFailTest, AtLastTheReserveAndThenAnErrorThatSaysSo) {
  Use(/*wait_ms=*/1);
  Folio first;
  ASSERT_TRUE(Allocate(first).ok());  // from here on some memory is held back, where it must be
  std::vector<Folio> all = TakeAll();
  std::vector<Folio> reserve;
  absl::Status status;
  for (;;) {
    Folio page;
    status = Allocate(page);
    if (!status.ok()) break;
    reserve.push_back(page);
    ASSERT_LE(reserve.size(), kNoFailReserveBytes / kPageBytes);
  }
  EXPECT_GE(reserve.size(), kBytes / 64 / kPageBytes);
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("kNoFail"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("reserve is spent"));
  AllocatorStats stats = allocator_->stats();
  // A region holds pairs back: every other request finds what is left of one.
  EXPECT_GE(2 * stats.no_fail_reserves, reserve.size());
  EXPECT_EQ(stats.no_fail_failures, 1u);
  EXPECT_EQ(stats.failed_allocations, 1u);

  // What comes back belongs to the reserve, not to everybody.
  allocator_->FreeBulk(0, absl::MakeSpan(reserve));
  if (std::string_view(GetParam()) != "movable" && std::string_view(GetParam()) != "high") {
    EXPECT_TRUE(TakeAll().empty());
  }
  allocator_->FreeBulk(0, {&first, 1});
  allocator_->FreeBulk(0, absl::MakeSpan(all));
}

TEST_P(NoFailTest, MoreThanThereCanBeIsAnErrorNotAWaitForEver) {
  Use(/*wait_ms=*/1);
  std::vector<Folio> slots((kBytes + kNoFailReserveBytes) / kPageBytes + 1);
  const absl::Status status =
      allocator_->AllocateBulk({.flags = AllocFlags::kNoFail}, 0, absl::MakeSpan(slots));
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  for (Folio slot : slots) EXPECT_TRUE(slot.empty());
}

// Threads that all cannot do without, with less memory than they want at a time.
TEST_P(NoFailTest, ManyThreadsShortOfMemory) {
  Use(kForEver);
  std::vector<Folio> all = TakeAll();
  // Each thread keeps pages at hand; there must be some beyond that.
  const size_t left = 64;
  allocator_->FreeBulk(0, absl::MakeSpan(all).last(left));
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        std::vector<Folio> pages(24);
        ASSERT_TRUE(
            allocator_->AllocateBulk({.flags = AllocFlags::kNoFail}, 0, absl::MakeSpan(pages))
                .ok());
        std::this_thread::yield();
        allocator_->FreeBulk(0, absl::MakeSpan(pages));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  allocator_->FreeBulk(0, absl::MakeSpan(all));
}

}  // namespace
}  // namespace ebcache
