// What only the order-0 allocator does: the arena, the OS behind it, and its recycling.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <thread>
#include <vector>

#include "ebcache/allocators.h"
#include "tests/mm/allocator_cases.h"
#include "tests/mm/fake_os_calls.h"

namespace ebcache {
namespace {

using ::testing::HasSubstr;

constexpr size_t kMiB = size_t{1} << 20;
constexpr size_t kPage = 4096;

std::vector<Folio> Allocate(PageAllocator& allocator, size_t count) {
  std::vector<Folio> slots(count);
  EXPECT_TRUE(allocator.AllocateBulk({}, 0, absl::MakeSpan(slots)).ok());
  return slots;
}

void Free(PageAllocator& allocator, std::vector<Folio>& slots) {
  allocator.FreeBulk(0, absl::MakeSpan(slots));
}

TEST(Order0AllocatorTest, AsksForNothingBeforeTheFirstAllocation) {
  FakeOsCalls os;
  const std::shared_ptr<PageAllocator> allocator = Order0Allocator({.os = &os});
  EXPECT_EQ(os.mapped_bytes(), 0u);
  EXPECT_EQ(allocator->direct_map(), nullptr);
  EXPECT_EQ(allocator->Trim(), 0u);
  EXPECT_EQ(allocator->stats().from_os_bytes, 0u);
}

TEST(Order0AllocatorTest, GivesAllMemoryBackAtTheEnd) {
  FakeOsCalls os;
  std::shared_ptr<PageAllocator> allocator = Order0Allocator({.os = &os});
  std::vector<Folio> pages = Allocate(*allocator, 1000);
  EXPECT_GT(os.mapped_bytes(), size_t{64} << 30);
  Free(*allocator, pages);
  allocator.reset();
  EXPECT_EQ(os.mapped_bytes(), 0u);
}

TEST(Order0AllocatorTest, RefusedAddressSpaceIsAnErrorAndCanBeRetried) {
  for (int nth : {1, 2}) {  // the arena, the frame table
    FakeOsCalls os;
    // So small that less is not worth asking for.
    const std::shared_ptr<PageAllocator> allocator =
        Order0Allocator({.arena_bytes = 64 * kMiB, .os = &os});
    os.FailMap(nth);
    std::vector<Folio> slots(4);
    const absl::Status status = allocator->AllocateBulk({}, 0, absl::MakeSpan(slots));
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("the OS refused"));
    for (Folio slot : slots) EXPECT_TRUE(slot.empty());
    EXPECT_EQ(os.mapped_bytes(), 0u);
    EXPECT_EQ(allocator->direct_map(), nullptr);
    EXPECT_EQ(allocator->stats().failed_allocations, 1u);

    ASSERT_TRUE(allocator->AllocateBulk({}, 0, absl::MakeSpan(slots)).ok());
    Free(*allocator, slots);
  }
}

TEST(Order0AllocatorTest, HugePagesAreAdvisedStepByStep) {
  FakeOsCalls os;
  const std::shared_ptr<PageAllocator> allocator =
      Order0Allocator({.arena_bytes = 8 * kMiB, .os = &os});
  std::vector<Folio> first = Allocate(*allocator, 1);
  std::byte* const base = allocator->direct_map();
  std::vector<FakeOsCalls::Range> advised = os.TakeAdvised();
  ASSERT_EQ(advised.size(), 1u);
  EXPECT_EQ(advised[0].address, base);
  EXPECT_EQ(advised[0].bytes, 2 * kMiB);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(base) % (2 * kMiB), 0u);
  EXPECT_EQ(allocator->stats().from_os_bytes, 2 * kMiB);

  std::vector<Folio> rest = Allocate(*allocator, 511);
  EXPECT_TRUE(os.TakeAdvised().empty());
  std::vector<Folio> more = Allocate(*allocator, 600);
  advised = os.TakeAdvised();
  ASSERT_EQ(advised.size(), 1u);
  EXPECT_EQ(advised[0].address, base + 2 * kMiB);
  EXPECT_EQ(advised[0].bytes, 4 * kMiB);
  for (auto* pages : {&first, &rest, &more}) Free(*allocator, *pages);
}

TEST(Order0AllocatorTest, RefusedAdviceChangesNothing) {
  FakeOsCalls os;
  os.set_advice_works(false);
  const std::shared_ptr<PageAllocator> allocator = Order0Allocator({.os = &os});
  std::vector<Folio> pages = Allocate(*allocator, 10);
  EXPECT_EQ(allocator->stats().in_use_bytes, 10u * allocator->page_bytes());
  Free(*allocator, pages);
  EXPECT_EQ(allocator->stats().in_use_bytes, 0u);
}

TEST(Order0AllocatorTest, AllOrNothingWhenTheArenaIsFull) {
  for (size_t page_bytes : {4096, 16384, 65536}) {
    const size_t pages = 4 * kMiB / page_bytes;
    const std::shared_ptr<PageAllocator> allocator =
        Order0Allocator({.page_bytes = page_bytes, .arena_bytes = 4 * kMiB});
    std::vector<Folio> most = Allocate(*allocator, pages - 2);
    std::vector<Folio> slots(3);
    const absl::Status status = allocator->AllocateBulk({}, 0, absl::MakeSpan(slots));
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    for (Folio slot : slots) EXPECT_TRUE(slot.empty());
    EXPECT_EQ(allocator->stats().failed_allocations, 1u);
    EXPECT_FALSE(
        allocator->AllocateBulk({.flags = AllocFlags::kNoWarn}, 0, absl::MakeSpan(slots)).ok());
    EXPECT_EQ(allocator->stats().failed_allocations, 1u);

    std::vector<Folio> last = Allocate(*allocator, 2);
    EXPECT_EQ(allocator->stats().in_use_bytes, 4 * kMiB);
    Free(*allocator, last);
    Free(*allocator, most);
    std::vector<Folio> all = Allocate(*allocator, pages);
    Free(*allocator, all);
  }
}

TEST(Order0AllocatorTest, LastFreedIsFirstHandedOut) {
  const std::shared_ptr<PageAllocator> allocator = Order0Allocator();
  std::vector<Folio> old = Allocate(*allocator, 1000);
  std::vector<Folio> young = Allocate(*allocator, 8);
  const std::vector<Folio> young_before = young;
  Free(*allocator, old);
  Free(*allocator, young);
  std::vector<Folio> again = Allocate(*allocator, 8);
  EXPECT_EQ(again, young_before);
  Free(*allocator, again);
}

TEST(Order0AllocatorTest, RecycledPagesComeBeforeFreshOnes) {
  const std::shared_ptr<PageAllocator> allocator = Order0Allocator();
  for (int round = 0; round < 20; ++round) {
    std::vector<Folio> pages = Allocate(*allocator, 500);
    for (Folio page : pages) EXPECT_LT(page.pfn(), 500u);
    Free(*allocator, pages);
  }
  EXPECT_EQ(allocator->stats().from_os_bytes, 2 * kMiB);
}

TEST(Order0AllocatorTest, ABlockStaysInOnePieceThroughRecycling) {
  const std::shared_ptr<PageAllocator> allocator = Order0Allocator();
  std::vector<std::vector<Folio>> slots(300, std::vector<Folio>(4));
  for (int round = 0; round < 3; ++round) {
    for (std::vector<Folio>& s : slots) {
      FolioBlock block = {.slots = absl::MakeSpan(s)};
      ASSERT_TRUE(allocator->AllocateBlock({}, block).ok());
      ASSERT_NE(block.direct, nullptr);
    }
    for (std::vector<Folio>& s : slots) Free(*allocator, s);
  }
}

TEST(Order0AllocatorTest, ScatteredPagesHaveNoAddress) {
  const std::shared_ptr<PageAllocator> allocator = Order0Allocator();
  std::vector<Folio> pages = Allocate(*allocator, 8);
  std::vector<Folio> odd;
  for (size_t i = 1; i < 8; i += 2) odd.push_back(std::exchange(pages[i], Folio()));
  Free(*allocator, odd);
  std::vector<Folio> slots(4);
  FolioBlock block = {.slots = absl::MakeSpan(slots)};
  ASSERT_TRUE(allocator->AllocateBlock({}, block).ok());
  EXPECT_EQ(block.direct, nullptr);
  EXPECT_EQ(block.order, 0);
  EXPECT_EQ(allocator->stats().allocated_blocks, 1u);
  EXPECT_EQ(allocator->stats().contiguous_blocks, 0u);
  allocator->FreeBlock(block);
  Free(*allocator, pages);
}

TEST(Order0AllocatorTest, LuckCanBeTurnedOff) {
  const std::shared_ptr<PageAllocator> allocator = Order0Allocator({.contiguous_by_luck = false});
  std::vector<Folio> slots(2);
  FolioBlock two = {.slots = absl::MakeSpan(slots)};
  ASSERT_TRUE(allocator->AllocateBlock({}, two).ok());
  EXPECT_EQ(two.direct, nullptr);
  allocator->FreeBlock(two);
  FolioBlock one = {.slots = absl::MakeSpan(slots).first(1)};
  ASSERT_TRUE(allocator->AllocateBlock({}, one).ok());
  EXPECT_NE(one.direct, nullptr);
  allocator->FreeBlock(one);
}

TEST(Order0AllocatorTest, TrimPurgesWholeRunsOfFreePages) {
  FakeOsCalls os;
  const std::shared_ptr<PageAllocator> allocator = Order0Allocator({.os = &os});
  std::vector<Folio> pages = Allocate(*allocator, 600);
  std::byte* const base = allocator->direct_map();
  // Free but for pages 0, 100 and 599: two runs.
  std::vector<Folio> kept;
  for (uint32_t i : {0, 100, 599}) {
    const auto it = std::find(pages.begin(), pages.end(), Folio(i));
    kept.push_back(std::exchange(*it, Folio()));
  }
  Free(*allocator, pages);
  EXPECT_EQ(allocator->Trim(), 597 * kPage);
  std::vector<FakeOsCalls::Range> purged = os.TakePurged();
  ASSERT_EQ(purged.size(), 2u);
  EXPECT_EQ(purged[0].address, base + kPage);
  EXPECT_EQ(purged[0].bytes, 99 * kPage);
  EXPECT_EQ(purged[1].address, base + 101 * kPage);
  EXPECT_EQ(purged[1].bytes, 498 * kPage);
  EXPECT_EQ(allocator->stats().from_os_bytes, 4 * kMiB - 597 * kPage);

  // Nothing is purged twice.
  EXPECT_EQ(allocator->Trim(), 0u);
  EXPECT_TRUE(os.TakePurged().empty());

  // Purged pages are usable, and are used before fresh ones.
  std::vector<Folio> again = Allocate(*allocator, 597);
  for (Folio page : again) {
    EXPECT_LT(page.pfn(), 600u);
    std::memset(allocator->Address(page), 1, kPage);
  }
  EXPECT_EQ(allocator->stats().from_os_bytes, 4 * kMiB);
  Free(*allocator, again);
  Free(*allocator, kept);
}

TEST(Order0AllocatorTest, TrimOfEverythingForgetsTheArenaWasUsed) {
  FakeOsCalls os;
  const std::shared_ptr<PageAllocator> allocator = Order0Allocator({.os = &os});
  std::vector<Folio> pages = Allocate(*allocator, 1025);
  Free(*allocator, pages);
  EXPECT_EQ(allocator->Trim(), 6 * kMiB);
  EXPECT_EQ(allocator->stats().from_os_bytes, 0u);
  EXPECT_EQ(os.TakePurged().size(), 1u);
  os.TakeAdvised();
  pages = Allocate(*allocator, 1);
  EXPECT_EQ(pages[0].pfn(), 0u);
  EXPECT_EQ(os.TakeAdvised().size(), 1u);
  Free(*allocator, pages);
}

TEST(Order0AllocatorTest, RefusedPurgeLeavesThePagesUsable) {
  FakeOsCalls os;
  const std::shared_ptr<PageAllocator> allocator = Order0Allocator({.os = &os});
  std::vector<Folio> pages = Allocate(*allocator, 1000);
  Free(*allocator, pages);
  os.set_purge_works(false);
  EXPECT_EQ(allocator->Trim(), 0u);
  EXPECT_EQ(allocator->stats().from_os_bytes, 4 * kMiB);
  pages = Allocate(*allocator, 1000);
  for (Folio page : pages) EXPECT_LT(page.pfn(), 1000u);
  Free(*allocator, pages);
  os.set_purge_works(true);
  EXPECT_EQ(allocator->Trim(), 4 * kMiB);
}

// Another thread may keep a little at hand, also when memory runs out; never much.
TEST(Order0AllocatorTest, IdleThreadsHoldLittleBack) {
  const std::shared_ptr<PageAllocator> allocator = Order0Allocator({.arena_bytes = 4 * kMiB});
  std::vector<Folio> all;
  std::thread([&] {
    std::vector<Folio> pages = Allocate(*allocator, 1024);
    Free(*allocator, pages);
    // From here on this thread is idle, with a full list.
    std::thread([&] { all = Allocate(*allocator, 1024 - 1024 / 64); }).join();
    EXPECT_EQ(allocator->stats().in_use_bytes, all.size() * 4096);
  }).join();
  Free(*allocator, all);
}

TEST(Order0AllocatorDeathTest, UseOfAFreePage) {
#if !defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "only the address sanitizer sees it";
#endif
  const std::shared_ptr<PageAllocator> allocator = Order0Allocator();
  std::vector<Folio> pages = Allocate(*allocator, 2);
  volatile std::byte* const first = allocator->Address(pages[0]);
  Free(*allocator, pages);
  EXPECT_DEATH((void)first[100], "use-after-poison");
  pages = Allocate(*allocator, 2);
  (void)first[100];
  Free(*allocator, pages);
}

size_t ResidentBytes() {
  size_t pages = 0, resident = 0;
  std::FILE* const file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr) return 0;
  if (std::fscanf(file, "%zu %zu", &pages, &resident) != 2) resident = 0;
  std::fclose(file);
  return resident * kPage;
}

TEST(Order0AllocatorTest, OnlyWhatIsInUseIsResident) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "shadow memory of the sanitizer counts as resident too";
#endif
  if (ResidentBytes() == 0) GTEST_SKIP() << "no /proc/self/statm";
  const std::shared_ptr<PageAllocator> allocator = Order0Allocator();
  const size_t before = ResidentBytes();
  const auto grown = [before] { return static_cast<int64_t>(ResidentBytes() - before); };
  std::vector<Folio> pages = Allocate(*allocator, 8 * kMiB / kPage);
  for (Folio page : pages) std::memset(allocator->Address(page), 1, kPage);
  EXPECT_GE(grown(), int64_t{8 * kMiB});
  EXPECT_LT(grown(), int64_t{10 * kMiB});
  Free(*allocator, pages);
  EXPECT_GE(allocator->Trim(), 8 * kMiB);
  EXPECT_LT(grown(), int64_t{kMiB});
}

}  // namespace
}  // namespace ebcache
