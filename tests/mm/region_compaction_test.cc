// Memory in one piece, and room in tainted superpageblocks.

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "ebcache/movable_region.h"
#include "tests/mm/region_owner.h"

namespace ebcache {
namespace {

using Policy = MovableRegionOptions::Policy;
using Progress = MovableRegion::DefragProgress;

// ---- Memory in one piece ------------------------------------------------------------------------

TEST(MovableRegionContiguous, EveryCleanSuperpageblockCanBeHad) {
  for (const Policy policy : {Policy::kSuperpageblock, Policy::kPageblock}) {
    auto region = MovableRegion::Create(Small(policy));
    Owner owner(region.get());
    for (uint32_t i = 0; i < 10 * kSuperPages; ++i) ASSERT_TRUE(owner.Allocate(i));
    // One page in ten stays, all over the place: more than a superpageblock's worth.
    for (uint32_t i = 0; i < 10 * kSuperPages; ++i) {
      if (i % 8 != 3) owner.Free(i);
    }
    std::vector<Folio> huge;
    for (;;) {
      auto got = region->AllocateContiguous({}, kSuperOrder);
      if (!got.ok()) {
        EXPECT_TRUE(absl::IsResourceExhausted(got.status()));
        break;
      }
      huge.push_back(*got);
      EXPECT_EQ(got->pfn() % kSuperPages, 0u);
      std::memset(region->Address(*got), 0xee, kSuperPages * kPage);
    }
    EXPECT_EQ(huge.size(), 14u);  // 160 pages fill one and a quarter
    EXPECT_GT(region->report().migrated_folios, 0u);
    owner.ExpectStamps();
    region->FreeBulk(kSuperOrder, absl::MakeSpan(huge));
  }
}

// Larger than the largest block of the buddy allocator.
TEST(MovableRegionContiguous, WholeSuperpageblocksUnderThePageblockPolicy) {
  auto region = MovableRegion::Create({.arena_bytes = size_t{64} << 20,
                                       .superpageblock_bytes = size_t{16} << 20,
                                       .policy = Policy::kPageblock});
  Owner owner(region.get());
  for (uint32_t i = 0; i < 100; ++i) ASSERT_TRUE(owner.Allocate(i));
  for (int round = 0; round < 2; ++round) {
    std::vector<Folio> huge;
    for (;;) {
      auto got = region->AllocateContiguous({}, region->superpageblock_order());
      if (!got.ok()) break;
      huge.push_back(*got);
    }
    EXPECT_EQ(huge.size(), 3u);
    region->FreeBulk(region->superpageblock_order(), absl::MakeSpan(huge));
  }
  owner.ExpectStamps();
}

TEST(MovableRegionContiguous, PinnedPagesHoldOnlyTheirOwnSuperpageblock) {
  auto region = MovableRegion::Create(Small(Policy::kSuperpageblock));
  Owner owner(region.get());
  for (uint32_t i = 0; i < 4 * kSuperPages; ++i) ASSERT_TRUE(owner.Allocate(i));
  for (uint32_t i = 0; i < 4 * kSuperPages; ++i) {
    if (i % 16 != 0) owner.Free(i);
  }
  owner.pinned = {0};
  std::vector<Folio> huge;
  for (;;) {
    auto got = region->AllocateContiguous({}, kSuperOrder);
    if (!got.ok()) break;
    huge.push_back(*got);
  }
  EXPECT_EQ(huge.size(), 15u);
  owner.ExpectStamps();
  region->FreeBulk(kSuperOrder, absl::MakeSpan(huge));
}

// As many superpageblocks with one page in use as one allocation would have patience for; those
// without are found all the same, and the busy ones are not emptied in vain again and again.
TEST(MovableRegionContiguous, PagesInUseDoNotHideWhatCanBeHad) {
  constexpr uint32_t kSupers = 40;
  auto region = MovableRegion::Create(Small(Policy::kSuperpageblock, kSupers));
  Owner owner(region.get());
  for (uint32_t i = 0; i < kSupers * kSuperPages; ++i) ASSERT_TRUE(owner.Allocate(i));
  // In the last page block of each: a page in use in three of four superpageblocks, which are
  // nearly empty and so look cheap; in the others half of the pages.
  std::map<uint32_t, uint32_t> key_of;
  for (const auto& [key, folio] : owner.held) key_of[folio.pfn()] = key;
  for (const auto& [pfn, key] : key_of) {
    const bool busy = pfn / kSuperPages % 4 != 0;
    const uint32_t page = pfn % kSuperPages;
    if (busy && page == kSuperPages - 1) {
      owner.pinned.insert(key);
    } else if (busy ? page % 16 != 3 : page % 2 != 0) {
      owner.Free(key);
    }
  }
  uint64_t questions = 0;
  owner.on_question = [&](uint32_t key) { questions += owner.pinned.contains(key); };
  std::vector<Folio> huge;
  for (;;) {
    auto got = region->AllocateContiguous({}, kSuperOrder);
    if (!got.ok()) break;
    huge.push_back(*got);
  }
  EXPECT_EQ(huge.size(), kSupers / 4);
  // Each busy one was met by the first allocation, and by the last, which left nothing untried.
  EXPECT_LE(questions, 2 * 3 * owner.pinned.size());
  owner.ExpectStamps();

  // What is no longer in use is forgiven.
  owner.on_question = nullptr;
  owner.pinned.clear();
  for (;;) {
    auto got = region->AllocateContiguous({}, kSuperOrder);
    if (!got.ok()) break;
    huge.push_back(*got);
  }
  EXPECT_GT(huge.size(), 2 * kSupers / 4);
  region->FreeBulk(kSuperOrder, absl::MakeSpan(huge));
}

TEST(MovableRegionContiguous, ReleasesWhatHasNowhereToGo) {
  auto region = MovableRegion::Create(Small(Policy::kSuperpageblock, 2));
  Owner owner(region.get());
  uint32_t key = 0;
  while (owner.Allocate(key)) ++key;
  EXPECT_EQ(key, 2 * kSuperPages);
  EXPECT_FALSE(region->AllocateContiguous({}, kSuperOrder).ok());
  EXPECT_EQ(owner.held.size(), 2 * kSuperPages);
  owner.releasable = true;
  auto got = region->AllocateContiguous({}, kSuperOrder);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(owner.held.size(), kSuperPages);
  EXPECT_EQ(region->report().released_folios, kSuperPages);
  EXPECT_EQ(region->report().owners[0].released, kSuperPages);
  owner.ExpectStamps();
  region->FreeBulk(kSuperOrder, {&*got, 1});
}

// What would be a page in use by two is found at once.
TEST(MovableRegionContiguousDeathTest, AnOwnerThatSaysItReleasedAndDidNot) {
  class Liar final : public Owner {
   public:
    using Owner::Owner;
    bool Release(Folio, uint32_t) override { return true; }
  };
  const auto empty = [] {
    auto region = MovableRegion::Create(Small(Policy::kSuperpageblock, 2));
    Liar liar(region.get());
    uint32_t key = 0;
    while (liar.Allocate(key)) ++key;
    (void)region->AllocateContiguous({}, kSuperOrder);
  };
  EXPECT_DEATH(empty(), "said that it released a folio, and did not free it");
}

// Pages that another thread has freed wait in its list: a request that asks no owner gets them too.
TEST(MovableRegionContiguous, WithoutReclaimListsOfOthersAreNoHidingPlace) {
  auto region = MovableRegion::Create(Small(Policy::kSuperpageblock, 2));
  Owner owner(region.get());
  uint32_t key = 0;
  while (owner.Allocate(key)) ++key;
  std::thread([&] {
    for (uint32_t k = 0; k < 8; ++k) owner.Free(k);
  }).join();
  for (uint32_t k = 0; k < 8; ++k) {
    EXPECT_TRUE(owner.Allocate(k, AllocFlags::kMovable | AllocFlags::kNoReclaim)) << k;
  }
}

TEST(MovableRegionContiguous, OrdersBetween) {
  for (const Policy policy : {Policy::kSuperpageblock, Policy::kPageblock}) {
    auto region = MovableRegion::Create(Small(policy));
    for (int order = 0; order <= kSuperOrder; ++order) {
      for (const AllocFlags flags : {AllocFlags::kNone, AllocFlags::kReclaimable}) {
        auto got = region->AllocateContiguous({.flags = flags}, order);
        ASSERT_TRUE(got.ok()) << order << got.status();
        EXPECT_EQ(got->pfn() % (1u << order), 0u);
        region->FreeBulk(order, {&*got, 1});
      }
    }
    EXPECT_TRUE(absl::IsInvalidArgument(region->AllocateContiguous({}, kSuperOrder + 1).status()));
    EXPECT_TRUE(absl::IsInvalidArgument(region->AllocateContiguous({}, -1).status()));
    EXPECT_EQ(region->stats().in_use_bytes, 0u);
  }
}

// What a holder frees in a range that is being emptied stays in it: kept at hand for the next
// request, it would be in the way.
TEST(MovableRegionContiguous, FreesIntoARangeThatIsEmptiedHelp) {
  auto region = MovableRegion::Create(Small(Policy::kSuperpageblock, 3));
  Owner owner(region.get());
  // A superpageblock with a page in each page block, one that is full, and one with a page that
  // stays: only the first can be had.
  for (uint32_t key = 0; key < 2 * kSuperPages; ++key) ASSERT_TRUE(owner.Allocate(key));
  Owner squatter(region.get(), "squatter");
  ASSERT_TRUE(squatter.Allocate(0, AllocFlags::kNone));
  std::map<uint32_t, uint32_t> key_of;
  for (const auto& [key, folio] : owner.held) key_of[folio.pfn()] = key;
  const uint32_t first = owner.held.at(0).pfn() / kSuperPages * kSuperPages;
  for (uint32_t page = 0; page < kSuperPages; ++page) {
    if (page % kPageblockPages != 0) owner.Free(key_of.at(first + page));
  }
  for (const auto& [key, folio] : owner.held) {
    if (folio.pfn() / kSuperPages * kSuperPages != first) owner.pinned.insert(key);
  }
  // At the first question, about a page of the first page block, that in the last one is freed.
  const uint32_t last = key_of.at(first + kSuperPages - kPageblockPages);
  owner.on_question = [&](uint32_t) {
    if (owner.held.contains(last)) owner.Free(last);
  };
  auto got = region->AllocateContiguous({}, kSuperOrder);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->pfn(), first);
  owner.on_question = nullptr;
  owner.ExpectStamps();
  region->FreeBulk(kSuperOrder, {&*got, 1});
}

// A folio of several pages, in a region whose free pages lie apart: they are brought together.
TEST(MovableRegionContiguous, LargeFoliosCompactWhatIsInTheirWay) {
  auto region = MovableRegion::Create(Small(Policy::kSuperpageblock, 2));
  Owner owner(region.get());
  uint32_t key = 0;
  while (owner.Allocate(key)) ++key;
  for (uint32_t k = 0; k < key; k += 2) owner.Free(k);
  Folio folio;
  const FolioRequest request = {.flags = AllocFlags::kMovable, .owner = owner.id()};
  const FolioRequest no_reclaim = {.flags = AllocFlags::kMovable | AllocFlags::kNoReclaim,
                                   .owner = owner.id()};
  EXPECT_FALSE(region->AllocateBulk(no_reclaim, 3, {&folio, 1}).ok());
  ASSERT_TRUE(region->AllocateBulk(request, 3, {&folio, 1}).ok());
  owner.ExpectStamps();
  region->FreeBulk(3, {&folio, 1});
}

// Each owner is asked about its own folios, also where two call theirs by the same number; and the
// superpageblock that is being emptied is out of bounds meanwhile, and told as that.
TEST(MovableRegionContiguous, FoliosOfTwoOwnersWithOneNumber) {
  auto region = MovableRegion::Create(Small(Policy::kSuperpageblock, 2));
  Owner squatter(region.get(), "squatter");
  ASSERT_TRUE(squatter.Allocate(0, AllocFlags::kNone));
  Owner one(region.get(), "one");
  Owner other(region.get(), "other");
  ASSERT_TRUE(one.Allocate(7));
  ASSERT_TRUE(other.Allocate(7));
  ASSERT_EQ(one.held.at(7).pfn() / kSuperPages, other.held.at(7).pfn() / kSuperPages);
  region->Trim();  // nothing is put back into it on the way
  uint32_t isolated = 0;
  one.on_question = [&](uint32_t) {
    isolated = Category(*region, SuperpageblockCategory::kIsolated);
  };
  auto got = region->AllocateContiguous({}, kSuperOrder);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(isolated, 1u);
  EXPECT_EQ(region->report().migrated_folios, 2u);
  EXPECT_EQ(region->report().refused_folios, 0u);
  one.ExpectStamps();
  other.ExpectStamps();
  region->FreeBulk(kSuperOrder, {&*got, 1});
}

// What was taken apart for it is whole again.
TEST(MovableRegionContiguous, AnAttemptInVainLeavesFreeMemoryAsItWas) {
  auto region = MovableRegion::Create(Small(Policy::kSuperpageblock, 1));
  Owner owner(region.get());
  ASSERT_TRUE(owner.Allocate(0));
  owner.pinned.insert(0);
  region->Trim();
  const std::vector<BlocksByOrder> before = region->free_memory().by_zone;
  EXPECT_FALSE(region->AllocateContiguous({}, kSuperOrder).ok());
  region->Trim();
  EXPECT_EQ(region->free_memory().by_zone, before);
}

// Of page blocks with pages in use the one with the fewest is emptied.
TEST(MovableRegionContiguous, TheRangeWithLeastToMoveIsEmptied) {
  auto region = MovableRegion::Create(Small(Policy::kSuperpageblock, 2));
  Owner owner(region.get());
  uint32_t key = 0;
  while (owner.Allocate(key)) ++key;
  // One page of every block is free, of one all but one.
  const uint32_t nearly_free = owner.held.at(key / 2).pfn() / kPageblockPages;
  for (uint32_t k = 0; k < key; ++k) {
    const uint32_t pfn = owner.held.at(k).pfn();
    const bool first = pfn % kPageblockPages == 0;
    if (first != (pfn / kPageblockPages == nearly_free)) owner.Free(k);
  }
  region->Trim();
  const auto folio = region->AllocateContiguous({}, 4);
  ASSERT_TRUE(folio.ok()) << folio.status();
  EXPECT_EQ(folio->pfn() / kPageblockPages, nearly_free);
  EXPECT_EQ(region->report().migrated_folios, 1u);
  owner.ExpectStamps();
  Folio gone = *folio;
  region->FreeBulk(4, {&gone, 1});
}

// ---- Defragmentation ----------------------------------------------------------------------------

// Under the policy of page blocks there is nothing tainted to make room in: a folio that cannot
// move gets the room that its own order is compacted for.
TEST(MovableRegionDefrag, NothingMakesRoomUnderThePageblockPolicy) {
  auto region = MovableRegion::Create(Small(Policy::kPageblock, 2));
  Owner owner(region.get());
  Owner squatter(region.get(), "squatter");
  ASSERT_TRUE(squatter.Allocate(0, AllocFlags::kNone));
  uint32_t key = 0;
  while (owner.Allocate(key)) ++key;
  for (uint32_t k = 0; k < key; k += 2) owner.Free(k);
  region->Trim();
  Folio folio;
  ASSERT_TRUE(region->AllocateBulk({}, 3, {&folio, 1}).ok());
  EXPECT_EQ(region->report().defrag_pageblocks, 0u);
  region->FreeBulk(3, {&folio, 1});
}

// A tainted superpageblock full of movable pages, and room elsewhere.
std::unique_ptr<Owner> FullTainted(MovableRegion* region) {
  auto owner = std::make_unique<Owner>(region);
  EXPECT_TRUE(owner->Allocate(0, AllocFlags::kNone));
  uint32_t key = 1;
  while (owner->Allocate(key)) ++key;
  for (uint32_t k = 1; k < key; ++k) {
    if (owner->held.at(k).pfn() / kSuperPages >= 8) owner->Free(k);
  }
  region->Trim();
  return owner;
}

TEST(MovableRegionDefrag, WorksUntilTwoPageBlocksAreFreeAndNoMore) {
  auto region = MovableRegion::Create(Small(Policy::kSuperpageblock));
  std::unique_ptr<Owner> owner = FullTainted(region.get());
  const uint32_t super = owner->held.at(0).pfn() / kSuperPages;
  int steps = 0;
  while (region->DefragStep() == Progress::kEmptied) ASSERT_LT(++steps, 100);
  uint32_t free_blocks = 0;
  for (uint32_t i = 0; i < kSuperPages / kPageblockPages; ++i) {
    const FrameCounts counts = region->CountPageblock(super * (kSuperPages / kPageblockPages) + i);
    free_blocks += counts.free == kPageblockPages;
  }
  EXPECT_EQ(free_blocks, 2u);
  EXPECT_EQ(region->report().defrag_pageblocks, 2u);
  EXPECT_EQ(region->report().defrag_steps, 2u);
  owner->ExpectStamps();
  EXPECT_EQ(region->DefragStep(), Progress::kDone);
}

TEST(MovableRegionDefrag, PagesThatStayDoNotKeepItBusy) {
  auto region = MovableRegion::Create(Small(Policy::kSuperpageblock));
  std::unique_ptr<Owner> owner = FullTainted(region.get());
  for (const auto& [key, folio] : owner->held) owner->pinned.insert(key);
  int steps = 0;
  while (region->DefragStep() == Progress::kEmptied) ASSERT_LT(++steps, 100);
  EXPECT_EQ(region->report().migrated_folios, 0u);
  // Idle now: the next step finds out by itself.
  owner->pinned.clear();
  EXPECT_EQ(region->DefragStep(), Progress::kEmptied);
}

// One page block in vain is no reason to give up those beside it.
TEST(MovableRegionDefrag, APageBlockThatStaysDoesNotKeepOthers) {
  auto region = MovableRegion::Create(Small(Policy::kSuperpageblock));
  std::unique_ptr<Owner> owner = FullTainted(region.get());
  const uint32_t first = owner->held.at(0).pfn() / kPageblockPages;
  for (const auto& [key, folio] : owner->held) {
    if (folio.pfn() / kPageblockPages == first + 1) owner->pinned.insert(key);
  }
  EXPECT_EQ(region->DefragStep(), Progress::kEmptied);
  EXPECT_EQ(region->report().migrated_folios, kPageblockPages);
  EXPECT_EQ(region->CountPageblock(first + 1).free, 0u);
  EXPECT_EQ(region->CountPageblock(first + 2).free, kPageblockPages);
}

// The next 64 page blocks are looked at, not all there are: the lock is held meanwhile.
TEST(MovableRegionDefrag, LooksNoFurtherThanItNeeds) {
  constexpr uint32_t kBlocks = 128;
  constexpr uint32_t kPages = kBlocks * 2;
  auto region = MovableRegion::Create({.page_bytes = kPage,
                                       .arena_bytes = 16 * kPages * kPage,
                                       .pageblock_bytes = 2 * kPage,
                                       .superpageblock_bytes = kPages * kPage,
                                       .tainted_reserve = 1});
  Owner owner(region.get());
  ASSERT_TRUE(owner.Allocate(0, AllocFlags::kNone));
  const uint32_t super = owner.held.at(0).pfn() / kPages;
  uint32_t key = 0;
  while (owner.Allocate(key + 1)) ++key;
  uint32_t far = 0;
  for (uint32_t k = 1; k <= key; ++k) {
    const uint32_t page = owner.held.at(k).pfn();
    if (page / kPages != super && page / kPages >= 8) owner.Free(k);
    if (page == super * kPages + 200) far = k;
  }
  // One page less to move than in any other.
  ASSERT_NE(far, 0u);
  owner.Free(far);
  region->Trim();
  ASSERT_EQ(region->CountPageblock(super * kBlocks + 100).free, 1u);
  EXPECT_EQ(region->DefragStep(), Progress::kEmptied);
  EXPECT_EQ(region->report().migrated_folios, 2u);
  EXPECT_EQ(region->CountPageblock(super * kBlocks + 100).free, 1u);
}

// Pages that are free here and there are no room for a page block.
TEST(MovableRegionDefrag, ScatteredPagesAreNoRoom) {
  auto region = MovableRegion::Create(Small(Policy::kSuperpageblock));
  std::unique_ptr<Owner> owner = FullTainted(region.get());
  const uint32_t super = owner->held.at(0).pfn() / kSuperPages;
  std::vector<uint32_t> here;
  for (const auto& [key, folio] : owner->held) {
    if (folio.pfn() / kSuperPages == super && folio.pfn() % 4 == 3) here.push_back(key);
  }
  for (uint32_t key : here) owner->Free(key);
  region->Trim();
  const FrameCounts counts = region->CountSuperpageblock(super);
  ASSERT_GE(counts.free, 2 * kPageblockPages);
  ASSERT_LT(counts.free, 3 * kPageblockPages);
  EXPECT_EQ(region->DefragStep(), Progress::kEmptied);
  EXPECT_EQ(region->report().defrag_pageblocks, 1u);
}

TEST(MovableRegionDefrag, BackgroundThreadMakesRoomAndStopsWhenTold) {
  auto region = MovableRegion::Create(Small(Policy::kSuperpageblock));
  std::unique_ptr<Owner> owner = FullTainted(region.get());
  region->StartDefragmenter();
  region->StartDefragmenter();
  while (region->report().defrag_pageblocks < 2) std::this_thread::yield();
  region->StopDefragmenter();
  region->StopDefragmenter();
  owner->ExpectStamps();
  region->StartDefragmenter();
  // Stops by itself when the region goes; the owner's destructor comes first.
}

}  // namespace
}  // namespace ebcache
