// What every page allocator promises, over all of them and all page sizes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <vector>

#include "tests/mm/allocator_cases.h"

namespace ebcache {
namespace {

using ::testing::HasSubstr;

class AllocatorConformanceTest : public testing::TestWithParam<AllocatorCase> {
 protected:
  // A test leaks nothing unless it says so.
  void TearDown() override { EXPECT_EQ(allocator_->stats().in_use_bytes, 0u); }

  size_t page_bytes() const { return GetParam().page_bytes; }

  std::shared_ptr<PageAllocator> allocator_ = GetParam().Make();
};

INSTANTIATE_TEST_SUITE_P(All, AllocatorConformanceTest, testing::ValuesIn(AllAllocatorCases()),
                         AllocatorCaseName);

TEST_P(AllocatorConformanceTest, SaysWhatItIs) {
  EXPECT_EQ(allocator_->name(), GetParam().name);
  EXPECT_EQ(allocator_->page_bytes(), page_bytes());
  EXPECT_EQ(allocator_->stats().page_bytes, page_bytes());
}

TEST_P(AllocatorConformanceTest, BulkFillsOnlyTheEmptySlots) {
  std::vector<Folio> slots(4);
  ASSERT_TRUE(allocator_->AllocateBulk({}, 0, absl::MakeSpan(slots).subspan(1, 2)).ok());
  const std::vector<Folio> before = slots;
  ASSERT_TRUE(allocator_->AllocateBulk({}, 0, absl::MakeSpan(slots)).ok());
  EXPECT_EQ(slots[1], before[1]);
  EXPECT_EQ(slots[2], before[2]);
  std::set<uint32_t> numbers;
  for (Folio slot : slots) {
    ASSERT_FALSE(slot.empty());
    numbers.insert(slot.pfn());
  }
  EXPECT_EQ(numbers.size(), 4u);
  EXPECT_EQ(allocator_->stats().in_use_bytes, 4 * page_bytes());

  // Nothing to fill is nothing to do.
  ASSERT_TRUE(allocator_->AllocateBulk({}, 0, absl::MakeSpan(slots)).ok());
  ASSERT_TRUE(allocator_->AllocateBulk({}, 0, {}).ok());
  EXPECT_EQ(allocator_->stats().allocated_folios, 4u);

  // Empty slots are passed over when freeing.
  std::vector<Folio> holes = {slots[0], Folio(), slots[1], slots[2], slots[3]};
  allocator_->FreeBulk(0, absl::MakeSpan(holes));
  for (Folio hole : holes) EXPECT_TRUE(hole.empty());
  EXPECT_EQ(allocator_->stats().freed_folios, 4u);
}

TEST_P(AllocatorConformanceTest, FoliosDoNotOverlap) {
  struct Held {
    int order;
    Folio folio;
  };
  std::vector<Held> held;
  const auto bytes_of = [this](int order) { return page_bytes() << order; };
  for (int round = 0; round < 3; ++round) {
    for (int order = 0; order <= GetParam().max_order; ++order) {
      Folio folio;
      ASSERT_TRUE(allocator_->AllocateBulk({}, order, {&folio, 1}).ok());
      std::byte* const address = allocator_->Address(folio);
      ASSERT_EQ(reinterpret_cast<uintptr_t>(address) % page_bytes(), 0u);
      std::memset(address, static_cast<int>(held.size()), bytes_of(order));
      held.push_back({order, folio});
    }
  }
  for (size_t i = 0; i < held.size(); ++i) {
    const std::byte* const address = allocator_->Address(held[i].folio);
    const std::byte expected{static_cast<uint8_t>(i)};
    ASSERT_EQ(address[0], expected);
    ASSERT_EQ(std::memcmp(address, address + 1, bytes_of(held[i].order) - 1), 0);
  }
  for (Held& h : held) allocator_->FreeBulk(h.order, {&h.folio, 1});
}

// More than a thread keeps at hand, and more than one table chunk of the heap.
TEST_P(AllocatorConformanceTest, BulkOfManyPages) {
  const size_t count = GetParam().pages != 0 ? GetParam().pages : (size_t{64} << 20) / page_bytes();
  std::vector<Folio> slots(count);
  ASSERT_TRUE(allocator_->AllocateBulk({}, 0, absl::MakeSpan(slots)).ok());
  for (size_t i = 0; i < count; ++i) {
    std::memcpy(allocator_->Address(slots[i]), &i, sizeof(i));
  }
  for (size_t i = 0; i < count; ++i) {
    ASSERT_EQ(std::memcmp(allocator_->Address(slots[i]), &i, sizeof(i)), 0);
  }
  EXPECT_EQ(allocator_->stats().in_use_bytes, count * page_bytes());
  allocator_->FreeBulk(0, absl::MakeSpan(slots));
}

TEST_P(AllocatorConformanceTest, FreedFoliosAreHandedOutAgain) {
  std::vector<Folio> slots(8);
  std::set<uint32_t> numbers;
  for (int round = 0; round < 1000; ++round) {
    ASSERT_TRUE(allocator_->AllocateBulk({}, 0, absl::MakeSpan(slots)).ok());
    for (Folio slot : slots) numbers.insert(slot.pfn());
    allocator_->FreeBulk(0, absl::MakeSpan(slots));
  }
  EXPECT_EQ(numbers.size(), 8u);
}

TEST_P(AllocatorConformanceTest, OrdersOutOfRangeAreRefused) {
  for (int order : {-1, GetParam().max_order + 1, kMaxFolioOrder + 1, 1000}) {
    Folio folio;
    const absl::Status status = allocator_->AllocateBulk({}, order, {&folio, 1});
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_TRUE(folio.empty());
  }
  EXPECT_EQ(allocator_->stats().failed_allocations, 4u);
}

TEST_P(AllocatorConformanceTest, NoFailAboveOrderOneIsRefusedByName) {
  Folio folio;
  const FolioRequest request = {.flags = AllocFlags::kNoFail};
  const absl::Status status = allocator_->AllocateBulk(request, 2, {&folio, 1});
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("kNoFail"));
  EXPECT_TRUE(folio.empty());
  EXPECT_EQ(allocator_->stats().failed_allocations, 1u);
  EXPECT_EQ(allocator_->stats().no_fail_refused, 1u);
  for (int order = 0; order <= std::min(1, GetParam().max_order); ++order) {
    ASSERT_TRUE(allocator_->AllocateBulk(request, order, {&folio, 1}).ok());
    allocator_->FreeBulk(order, {&folio, 1});
  }
}

TEST_P(AllocatorConformanceTest, BreachesOfTheContractAreRefusedAndCounted) {
  TestOwner mover(true), squatter(false);
  const OwnerId can = allocator_->RegisterOwner(&mover);
  const OwnerId cannot = allocator_->RegisterOwner(&squatter);
  Folio folio;
  const auto allocate = [&](OwnerId owner) {
    return allocator_->AllocateBulk({.flags = AllocFlags::kMovable, .owner = owner}, 0,
                                    {&folio, 1});
  };
  EXPECT_TRUE(absl::IsInvalidArgument(allocate(cannot)));
  EXPECT_TRUE(absl::IsInvalidArgument(allocate(kNoOwner)));
  FolioBlock block = {.slots = {&folio, 1}};
  EXPECT_TRUE(absl::IsInvalidArgument(
      allocator_->AllocateBlock({.flags = AllocFlags::kMovable, .owner = cannot}, block)));
  EXPECT_TRUE(folio.empty());
  EXPECT_EQ(allocator_->stats().contract_breaches, 3u);
  EXPECT_EQ(allocator_->stats().failed_allocations, 3u);

  ASSERT_TRUE(allocate(can).ok());
  EXPECT_EQ(allocator_->stats().contract_breaches, 3u);
  allocator_->FreeBulk(0, {&folio, 1});
  allocator_->UnregisterOwner(can);
  allocator_->UnregisterOwner(cannot);
}

TEST_P(AllocatorConformanceTest, BlocksOfEveryLength) {
  for (size_t pages = 1; pages <= 16; pages *= 2) {
    std::vector<Folio> slots(pages);
    FolioBlock block = {.slots = absl::MakeSpan(slots)};
    ASSERT_TRUE(allocator_->AllocateBlock({}, block).ok());
    ASSERT_EQ(block.folios().size(), pages >> block.order);
    // Fresh memory, from one thread: everybody has one address.
    ASSERT_NE(block.direct, nullptr);
    for (size_t i = 0; i < block.folios().size(); ++i) {
      EXPECT_EQ(allocator_->Address(block.folios()[i]),
                block.direct + i * (page_bytes() << block.order));
    }
    for (Folio slot : block.slots.subspan(block.folios().size())) EXPECT_TRUE(slot.empty());
    std::memset(block.direct, 0x5a, pages * page_bytes());
    EXPECT_EQ(allocator_->stats().in_use_bytes, pages * page_bytes());
    allocator_->FreeBlock(block);
    EXPECT_EQ(block.direct, nullptr);
    for (Folio slot : slots) EXPECT_TRUE(slot.empty());
  }
  EXPECT_EQ(allocator_->stats().allocated_blocks, 5u);
  EXPECT_EQ(allocator_->stats().contiguous_blocks, 5u);
}

// Where no two free pages are neighbours: the same bytes, whatever a block is made of.
TEST_P(AllocatorConformanceTest, BlocksOfScatteredPages) {
  if (GetParam().pages == 0) GTEST_SKIP() << "the heap has no arena to scatter";
  {
    ScatteredPages scattered(allocator_);
    const bool maps = allocator_->name() == "vmap";
    for (size_t bytes = 4096; bytes <= 65536; bytes *= 2) {
      const size_t pages = std::max<size_t>(1, bytes / page_bytes());
      std::vector<Folio> slots(pages);
      FolioBlock block = {.slots = absl::MakeSpan(slots)};
      ASSERT_TRUE(allocator_->AllocateBlock({}, block).ok());
      EXPECT_EQ(block.direct != nullptr, pages == 1 || maps);
      ASSERT_EQ(block.order, 0);
      for (size_t i = 0; i < pages; ++i) {
        std::memset(allocator_->Address(slots[i]), static_cast<int>(i + 1), page_bytes());
      }
      for (size_t i = 0; block.direct != nullptr && i < pages; ++i) {
        const std::byte* const page = block.direct + i * page_bytes();
        EXPECT_EQ(page[0], std::byte{static_cast<uint8_t>(i + 1)});
        EXPECT_EQ(std::memcmp(page, page + 1, page_bytes() - 1), 0);
      }
      allocator_->FreeBlock(block);
      EXPECT_EQ(block.direct, nullptr);
    }
  }
  const AllocatorStats stats = allocator_->stats();
  EXPECT_EQ(stats.lucky_blocks + stats.large_blocks, 0u);
  EXPECT_EQ(stats.allocated_blocks, 5u);
}

// The N-th allocation fails, for every N: the others succeed, nothing is lost or leaked.
TEST_P(AllocatorConformanceTest, EveryAllocationFailsOnce) {
  bool failed = true;
  for (uint64_t n = 1; failed; ++n) {
    auto injector = std::make_shared<FaultInjector>(
        FaultOptions{.interval = n, .times = 1, .min_order = 0, .spare_no_fail = false});
    auto failing = FaultInjectingAllocator(allocator_, injector);
    std::vector<Folio> held(4);
    std::vector<Folio> slots(4);
    FolioBlock block = {.slots = absl::MakeSpan(slots)};
    failed = false;
    for (size_t i = 0; i < held.size(); ++i) {
      const bool ok = failing->AllocateBulk({}, 0, {&held[i], 1}).ok();
      EXPECT_EQ(ok, !held[i].empty());
      failed |= !ok;
    }
    const absl::Status status = failing->AllocateBlock({}, block);
    EXPECT_EQ(status.ok(), !slots[0].empty());
    failed |= !status.ok();
    EXPECT_EQ(failed, injector->counts().failed == 1) << n;
    if (status.ok()) failing->FreeBlock(block);
    failing->FreeBulk(0, absl::MakeSpan(held));
    EXPECT_EQ(allocator_->stats().in_use_bytes, 0u);
    ASSERT_LT(n, 100u);
  }
}

TEST_P(AllocatorConformanceTest, DirectMapAgreesWithAddresses) {
  std::vector<Folio> slots(5);
  ASSERT_TRUE(allocator_->AllocateBulk({}, 0, absl::MakeSpan(slots)).ok());
  if (std::byte* const base = allocator_->direct_map(); base != nullptr) {
    for (Folio slot : slots) {
      EXPECT_EQ(allocator_->Address(slot), base + slot.pfn() * page_bytes());
    }
  }
  allocator_->FreeBulk(0, absl::MakeSpan(slots));
}

TEST_P(AllocatorConformanceTest, MemoryIsUsableAfterTrim) {
  std::vector<Folio> kept(3), freed(100);
  ASSERT_TRUE(allocator_->AllocateBulk({}, 0, absl::MakeSpan(kept)).ok());
  for (Folio folio : kept) std::memset(allocator_->Address(folio), 7, page_bytes());
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(allocator_->AllocateBulk({}, 0, absl::MakeSpan(freed)).ok());
    for (Folio folio : freed) std::memset(allocator_->Address(folio), round, page_bytes());
    allocator_->FreeBulk(0, absl::MakeSpan(freed));
    allocator_->Trim();
  }
  for (Folio folio : kept) {
    const std::byte* const address = allocator_->Address(folio);
    EXPECT_EQ(address[0], std::byte{7});
    EXPECT_EQ(std::memcmp(address, address + 1, page_bytes() - 1), 0);
  }
  allocator_->FreeBulk(0, absl::MakeSpan(kept));
}

TEST_P(AllocatorConformanceTest, KnowsTwoHundredAndFiftyFiveOwners) {
  std::vector<TestOwner> owners(256, TestOwner(true));
  std::vector<OwnerId> ids;
  for (int i = 0; i < 255; ++i) ids.push_back(allocator_->RegisterOwner(&owners[i]));
  EXPECT_EQ(std::set<OwnerId>(ids.begin(), ids.end()).size(), 255u);
  EXPECT_EQ(allocator_->RegisterOwner(&owners[255]), kNoOwner);
  allocator_->QuiesceOwner(kNoOwner);
  allocator_->UnregisterOwner(kNoOwner);
  allocator_->UnregisterOwner(ids[7]);
  EXPECT_EQ(allocator_->RegisterOwner(&owners[255]), ids[7]);
  for (const OwnerId id : ids) allocator_->UnregisterOwner(id);
}

using AllocatorDeathTest = AllocatorConformanceTest;
INSTANTIATE_TEST_SUITE_P(All, AllocatorDeathTest, testing::ValuesIn(AllAllocatorCases()),
                         AllocatorCaseName);

TEST_P(AllocatorDeathTest, DoubleFree) {
  Folio folio;
  ASSERT_TRUE(allocator_->AllocateBulk({}, 0, {&folio, 1}).ok());
  Folio copy = folio;
  allocator_->FreeBulk(0, {&folio, 1});
  EXPECT_DEATH(allocator_->FreeBulk(0, {&copy, 1}), "folio freed twice");
  EXPECT_DEATH(allocator_->SetPrivate(copy, 1), "folio that is not in use");
}

TEST_P(AllocatorDeathTest, WrongOrder) {
  Folio folio;
  ASSERT_TRUE(allocator_->AllocateBulk({}, 0, {&folio, 1}).ok());
  EXPECT_DEATH(allocator_->FreeBulk(1, {&folio, 1}), "freed with another order");
  allocator_->FreeBulk(0, {&folio, 1});
}

TEST_P(AllocatorDeathTest, ForeignFolio) {
  Folio foreign(0x7fffffff);
  EXPECT_DEATH(allocator_->FreeBulk(0, {&foreign, 1}), "not handed out by this allocator");
  Folio never(3);  // no memory yet
  EXPECT_DEATH(allocator_->FreeBulk(0, {&never, 1}), "not handed out by this allocator");
}

TEST_P(AllocatorDeathTest, OwnerLeavesWithoutItsFolios) {
  TestOwner owner(true);
  const OwnerId id = allocator_->RegisterOwner(&owner);
  Folio folio;
  ASSERT_TRUE(allocator_->AllocateBulk({.owner = id}, 0, {&folio, 1}).ok());
  EXPECT_DEATH(allocator_->UnregisterOwner(id), "unregistered while it holds folios");
  allocator_->FreeBulk(0, {&folio, 1});
  allocator_->UnregisterOwner(id);
  EXPECT_DEATH(allocator_->UnregisterOwner(id), "never registered, or is gone");
}

TEST_P(AllocatorDeathTest, BlockIntoSlotsInUse) {
  std::vector<Folio> slots(2);
  FolioBlock block = {.slots = absl::MakeSpan(slots)};
  ASSERT_TRUE(allocator_->AllocateBlock({}, block).ok());
  EXPECT_DEATH((void)allocator_->AllocateBlock({}, block), "slots that are in use");
  allocator_->FreeBlock(block);
  std::vector<Folio> three(3);
  FolioBlock odd = {.slots = absl::MakeSpan(three)};
  EXPECT_DEATH((void)allocator_->AllocateBlock({}, odd), "power of two");
}

TEST(AllocatorOptionsDeathTest, OutOfRange) {
  EXPECT_DEATH(HeapAllocator({.page_bytes = 8192}), "page size of an allocator");
  EXPECT_DEATH(Order0Allocator({.page_bytes = 0}), "page size of an allocator");
  EXPECT_DEATH(Order0Allocator({.arena_bytes = 0}), "multiple of 2 MiB");
  EXPECT_DEATH(Order0Allocator({.arena_bytes = 4096}), "multiple of 2 MiB");
  EXPECT_DEATH(Order0Allocator({.arena_bytes = size_t{16} << 40}), "more pages than there are");
  EXPECT_DEATH(Order0Allocator({.os = nullptr}), "needs OS calls");
}

}  // namespace
}  // namespace ebcache
