// Who sits where in a movable region, who may move, and what it says of itself.

#include "ebcache/movable_region.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <memory>
#include <vector>

#include "tests/mm/fake_os_calls.h"
#include "tests/mm/region_owner.h"

namespace ebcache {
namespace {

using ::testing::HasSubstr;
using Options = MovableRegionOptions;
using Policy = Options::Policy;
using Progress = MovableRegion::DefragProgress;

// ---- Steering -----------------------------------------------------------------------------------

TEST(MovableRegionSteering, KindsStayApart) {
  auto region = MovableRegion::Create(Small(Policy::kSuperpageblock));
  Owner owner(region.get());
  for (uint32_t i = 0; i < 300; ++i) {
    ASSERT_TRUE(owner.Allocate(3 * i, AllocFlags::kMovable));
    ASSERT_TRUE(owner.Allocate(3 * i + 1, AllocFlags::kNone));
    ASSERT_TRUE(owner.Allocate(3 * i + 2, AllocFlags::kReclaimable));
  }
  for (uint32_t i = 0; i < region->superpageblocks(); ++i) {
    const FrameCounts counts = region->CountSuperpageblock(i);
    EXPECT_TRUE(counts.movable == 0 || counts.unmovable + counts.reclaimable == 0) << i;
  }
  for (uint32_t i = 0; i < region->pageblocks(); ++i) {
    const FrameCounts counts = region->CountPageblock(i);
    EXPECT_TRUE(counts.unmovable == 0 || counts.reclaimable == 0) << i;
  }
  EXPECT_EQ(region->report().mixed_allocations, 0u);
}

TEST(MovableRegionSteering, MovableGoesToTheFullestClean) {
  auto region = MovableRegion::Create(Small(Policy::kSuperpageblock));
  Owner owner(region.get());
  for (uint32_t i = 0; i < 4 * kSuperPages; ++i) ASSERT_TRUE(owner.Allocate(i));
  // Room in two of them: a quarter of one, half of another.
  std::map<uint32_t, std::vector<uint32_t>> by_super;
  for (const auto& [key, folio] : owner.held) by_super[folio.pfn() / kSuperPages].push_back(key);
  ASSERT_GE(by_super.size(), 4u);
  for (uint32_t i = 0; i < kSuperPages / 4; ++i) owner.Free(by_super.at(1)[i]);
  for (uint32_t i = 0; i < kSuperPages / 2; ++i) owner.Free(by_super.at(2)[i]);
  region->Trim();  // nothing in page lists
  ASSERT_TRUE(owner.Allocate(10'000));
  EXPECT_EQ(owner.held.at(10'000).pfn() / kSuperPages, 1u);
}

TEST(MovableRegionSteering, UnmovableGoesToTaintedOnesFirst) {
  auto region = MovableRegion::Create(Small(Policy::kSuperpageblock));
  Owner owner(region.get());
  ASSERT_TRUE(owner.Allocate(0, AllocFlags::kNone));
  for (uint32_t i = 1; i < 3 * kSuperPages; ++i) ASSERT_TRUE(owner.Allocate(i));
  for (uint32_t i = 0; i < kSuperPages / 2; ++i) {
    ASSERT_TRUE(owner.Allocate(10'000 + i, AllocFlags::kReclaimable));
  }
  EXPECT_EQ(Category(*region, SuperpageblockCategory::kTainted), 1u);
}

// A page block of a tainted superpageblock that becomes another kind's is counted, as any other.
TEST(MovableRegionSteering, PageBlocksThatChangeTheirKindAreCounted) {
  auto region = MovableRegion::Create(Small(Policy::kSuperpageblock));
  Owner owner(region.get());
  ASSERT_TRUE(owner.Allocate(0, AllocFlags::kNone));
  EXPECT_EQ(region->report().stolen_pageblocks, 1u);
  ASSERT_TRUE(owner.Allocate(1, AllocFlags::kReclaimable));
  EXPECT_EQ(region->report().stolen_pageblocks, 2u);
  EXPECT_EQ(Category(*region, SuperpageblockCategory::kTainted), 1u);
}

// A region full of movable pages: what cannot move gets its room in what is tainted already.
TEST(MovableRegionSteering, MovablePagesAreMovedOutOfTheWayBeforeAnotherIsTainted) {
  auto region = MovableRegion::Create(Small(Policy::kSuperpageblock));
  Owner owner(region.get());
  ASSERT_TRUE(owner.Allocate(0, AllocFlags::kNone));
  const uint32_t all = 16 * kSuperPages;
  uint32_t key = 1;
  while (key < all && owner.Allocate(key)) ++key;
  ASSERT_GT(region->CountSuperpageblock(owner.held.at(0).pfn() / kSuperPages).movable, 0u);
  // Room elsewhere, in clean ones only.
  for (uint32_t k = 1; k < key; ++k) {
    if (owner.held.at(k).pfn() / kSuperPages >= 12) owner.Free(k);
  }
  for (uint32_t i = 0; i < 100; ++i) {
    ASSERT_TRUE(owner.Allocate(100'000 + i, AllocFlags::kNone)) << i;
  }
  EXPECT_EQ(Category(*region, SuperpageblockCategory::kTainted), 1u);
  EXPECT_GT(region->report().migrated_folios, 0u);
  owner.ExpectStamps();
}

// The same, by a caller whose request asks nobody: nothing is moved for it, and it gets its pages.
TEST(MovableRegionSteering, WithoutReclaimNothingIsMovedOutOfTheWay) {
  auto region = MovableRegion::Create(Small(Policy::kSuperpageblock));
  Owner owner(region.get());
  constexpr AllocFlags kAlone = AllocFlags::kNoReclaim;
  ASSERT_TRUE(owner.Allocate(0, kAlone));
  uint32_t key = 0;
  while (owner.Allocate(key + 1)) ++key;
  for (uint32_t k = 1; k <= key; ++k) {
    if (owner.held.at(k).pfn() / kSuperPages >= 12) owner.Free(k);
  }
  for (uint32_t i = 0; i < 100; ++i) ASSERT_TRUE(owner.Allocate(100'000 + i, kAlone)) << i;
  EXPECT_EQ(region->report().migrated_folios, 0u);
  EXPECT_GT(Category(*region, SuperpageblockCategory::kTainted), 1u);
  // Of several pages, too, where a clean superpageblock has to be tainted for it.
  Folio folio;
  EXPECT_TRUE(region->AllocateBulk({.flags = kAlone, .owner = owner.id()}, 3, {&folio, 1}).ok());
  region->FreeBulk(3, {&folio, 1});
}

TEST(MovableRegionSteering, TaintedBecomesCleanWithItsLastUnmovablePage) {
  auto region = MovableRegion::Create(Small(Policy::kSuperpageblock));
  Owner owner(region.get());
  for (uint32_t i = 0; i < 40; ++i) ASSERT_TRUE(owner.Allocate(i, AllocFlags::kNone));
  EXPECT_EQ(Category(*region, SuperpageblockCategory::kTainted), 1u);
  for (uint32_t i = 0; i < 40; ++i) owner.Free(i);
  region->Trim();
  EXPECT_EQ(Category(*region, SuperpageblockCategory::kTainted), 0u);
  EXPECT_EQ(Category(*region, SuperpageblockCategory::kEmpty), 16u);
}

TEST(MovableRegionPageblocks, StealsPageBlocksAndSpreads) {
  auto region = MovableRegion::Create(Small(Policy::kPageblock));
  Owner owner(region.get());
  ASSERT_TRUE(owner.Allocate(0, AllocFlags::kNone));
  EXPECT_GE(region->report().stolen_pageblocks, 1u);
  uint32_t key = 1;
  while (owner.Allocate(key)) ++key;
  // Holes everywhere: the unmovable pages go wherever there is one.
  for (uint32_t k = 5; k < key; k += 20) owner.Free(k);
  region->Trim();
  for (uint32_t i = 0; i < 60; ++i) ASSERT_TRUE(owner.Allocate(100'000 + i, AllocFlags::kNone));
  EXPECT_GT(region->report().mixed_allocations, 0u);
  EXPECT_GT(Category(*region, SuperpageblockCategory::kTainted), 4u);
}

// Nothing is moved for requests of another kind: page blocks are mixed instead.
TEST(MovableRegionPageblocks, NothingIsMovedOutOfTheWay) {
  auto region = MovableRegion::Create(Small(Policy::kPageblock, 2));
  Owner owner(region.get());
  uint32_t key = 0;
  while (owner.Allocate(key)) ++key;
  for (uint32_t k = 3; k < key; k += 4) owner.Free(k);
  region->Trim();
  for (uint32_t i = 0; i < 32; ++i) ASSERT_TRUE(owner.Allocate(key + i, AllocFlags::kNone));
  EXPECT_EQ(region->report().migrated_folios, 0u);
}

// Half a page block is free, in a piece that is worth it: the whole block changes its kind, rather
// than be mixed.
TEST(MovableRegionPageblocks, MovablePagesTakeOverPageBlocksThatAreMostlyFree) {
  auto region = MovableRegion::Create(Small(Policy::kPageblock, 1));
  Owner owner(region.get());
  ASSERT_TRUE(owner.Allocate(0, AllocFlags::kNone));
  const uint32_t block = owner.held.at(0).pfn() / kPageblockPages;
  uint32_t key = 0;
  // Until those of their own kind are full.
  while (key < kSuperPages - kPageblockPages) ASSERT_TRUE(owner.Allocate(++key));
  region->Trim();
  EXPECT_EQ(region->CountPageblock(block).free, kPageblockPages - 1);
  const uint64_t stolen = region->report().stolen_pageblocks;
  ASSERT_TRUE(owner.Allocate(++key));
  EXPECT_EQ(owner.held.at(key).pfn() / kPageblockPages, block);
  EXPECT_EQ(region->report().stolen_pageblocks, stolen + 1);
  EXPECT_EQ(region->report().mixed_allocations, 0u);
}

// ---- Owners -------------------------------------------------------------------------------------

class Squatter final : public FolioOwner {
 public:
  std::string_view name() const override { return "private buffers"; }
  bool movable() const override { return true; }  // it says
};

TEST(MovableRegionOwners, BreachesFoundByCompactionAreCountedByName) {
  auto region = MovableRegion::Create(Small(Policy::kSuperpageblock));
  Squatter squatter;
  const OwnerId id = region->RegisterOwner(&squatter);
  std::vector<Folio> folios(100);
  ASSERT_TRUE(
      region->AllocateBulk({.flags = AllocFlags::kMovable, .owner = id}, 0, absl::MakeSpan(folios))
          .ok());
  EXPECT_EQ(region->stats().contract_breaches, 0u);
  for (int i = 0; i < 30; ++i) {
    absl::StatusOr<Folio> got = region->AllocateContiguous({}, kSuperOrder);
    if (!got.ok()) continue;
    Folio folio = *got;
    // Until only the squatted one is left.
    folios.push_back(folio);
  }
  const MovableRegionReport report = region->report();
  ASSERT_EQ(report.owners.size(), 1u);
  EXPECT_EQ(report.owners[0].name, "private buffers");
  EXPECT_GE(report.owners[0].refused, 64u);
  EXPECT_LE(report.owners[0].refused, 30u * 3 * 100);  // each page in each of three passes
  EXPECT_EQ(report.owners[0].migrated, 0u);
  EXPECT_TRUE(report.owners[0].breach);
  EXPECT_EQ(region->stats().contract_breaches, 1u);
  absl::Span<Folio> all = absl::MakeSpan(folios);
  region->FreeBulk(0, all.first(100));
  region->FreeBulk(kSuperOrder, all.subspan(100));
  region->UnregisterOwner(id);
}

TEST(MovableRegionOwners, AFewRefusalsAreNoBreach) {
  auto region = MovableRegion::Create(Small(Policy::kSuperpageblock, 2));
  Squatter squatter;
  const OwnerId id = region->RegisterOwner(&squatter);
  Folio folios[2];
  const FolioRequest request = {.flags = AllocFlags::kMovable, .owner = id};
  ASSERT_TRUE(region->AllocateBulk(request, 0, folios).ok());
  auto first = region->AllocateContiguous({}, kSuperOrder);
  ASSERT_TRUE(first.ok());
  EXPECT_FALSE(region->AllocateContiguous({}, kSuperOrder).ok());
  const MovableRegionReport report = region->report();
  ASSERT_EQ(report.owners.size(), 1u);
  EXPECT_GT(report.owners[0].refused, 0u);
  EXPECT_LT(report.owners[0].refused, 64u);
  EXPECT_FALSE(report.owners[0].breach);
  region->FreeBulk(0, folios);
  region->FreeBulk(kSuperOrder, {&*first, 1});
  region->UnregisterOwner(id);
}

TEST(MovableRegionOwners, FoliosFreedWhileTheyMoveAreNotLost) {
  auto region = MovableRegion::Create(Small(Policy::kSuperpageblock, 4));
  Owner owner(region.get());
  for (uint32_t i = 0; i < 2 * kSuperPages; ++i) ASSERT_TRUE(owner.Allocate(i));
  for (uint32_t i = 0; i < 2 * kSuperPages; i += 2) owner.Free(i);
  // The holder frees every folio just as it is asked to let it move.
  owner.on_question = [&](uint32_t key) { owner.Free(key); };
  std::vector<Folio> huge;
  for (int i = 0; i < 4; ++i) {
    auto got = region->AllocateContiguous({}, kSuperOrder);
    ASSERT_TRUE(got.ok()) << got.status();
    huge.push_back(*got);
  }
  EXPECT_TRUE(owner.held.empty());
  EXPECT_GT(region->report().lost_races, 0u);
  region->FreeBulk(kSuperOrder, absl::MakeSpan(huge));
  EXPECT_EQ(region->stats().in_use_bytes, 0u);
  EXPECT_EQ(region->stats().allocated_folios, region->stats().freed_folios);
  EXPECT_EQ(Category(*region, SuperpageblockCategory::kEmpty), 4u);
}

TEST(MovableRegionOwners, NobodyIsAskedOnceQuiesced) {
  auto region = MovableRegion::Create(Small(Policy::kSuperpageblock, 2));
  Owner owner(region.get());
  for (uint32_t i = 0; i < kSuperPages + 5; ++i) ASSERT_TRUE(owner.Allocate(i));
  for (uint32_t i = 0; i < kSuperPages; ++i) owner.Free(i);
  owner.on_question = [](uint32_t) { FAIL() << "asked"; };
  region->QuiesceOwner(owner.id());
  auto first = region->AllocateContiguous({}, kSuperOrder);
  auto second = region->AllocateContiguous({}, kSuperOrder);
  EXPECT_TRUE(first.ok());
  EXPECT_FALSE(second.ok());
  region->FreeBulk(kSuperOrder, {&*first, 1});
}

// ---- Memory and the OS --------------------------------------------------------------------------

TEST(MovableRegionMemory, FreeMemoryGoesBackToTheOs) {
  FakeOsCalls os;
  {
    Options options = Small(Policy::kSuperpageblock);
    options.os = &os;
    auto region = MovableRegion::Create(options);
    EXPECT_EQ(os.mapped_bytes(), 0u);
    Owner owner(region.get());
    for (uint32_t i = 0; i < 4 * kSuperPages; ++i) ASSERT_TRUE(owner.Allocate(i));
    EXPECT_GE(region->stats().from_os_bytes, 4 * kSuperPages * kPage);
    for (uint32_t i = 10; i < 4 * kSuperPages; ++i) owner.Free(i);
    const size_t returned = region->Trim();
    EXPECT_GE(returned, 3 * kSuperPages * kPage);
    EXPECT_EQ(region->stats().from_os_bytes, kPageblockPages * kPage);
    size_t purged = 0;
    for (const FakeOsCalls::Range& range : os.TakePurged()) purged += range.bytes;
    EXPECT_EQ(purged, returned);
    owner.ExpectStamps();

    // Without being asked, by the defragmenter: whole superpageblocks.
    for (uint32_t i = 1000; i < 1000 + 4 * kSuperPages; ++i) ASSERT_TRUE(owner.Allocate(i));
    for (uint32_t i = 1000; i < 1000 + 4 * kSuperPages; ++i) owner.Free(i);
    const uint64_t before = region->stats().from_os_bytes;
    while (region->DefragStep() == Progress::kEmptied) {
    }
    EXPECT_LT(region->stats().from_os_bytes, before);
    os.set_purge_works(false);
    EXPECT_EQ(region->Trim(), 0u);
  }
  EXPECT_EQ(os.mapped_bytes(), 0u);
}

TEST(MovableRegionMemory, AnOsThatRefusesIsAnError) {
  for (int nth = 1; nth <= 2; ++nth) {
    FakeOsCalls os;
    Options options = Small(Policy::kSuperpageblock);
    options.os = &os;
    auto region = MovableRegion::Create(options);
    os.FailMap(nth);
    Folio folio;
    EXPECT_TRUE(absl::IsResourceExhausted(region->AllocateBulk({}, 0, {&folio, 1})));
    EXPECT_EQ(os.mapped_bytes(), 0u);
    ASSERT_TRUE(region->AllocateBulk({}, 0, {&folio, 1}).ok());
    region->FreeBulk(0, {&folio, 1});
  }
}

TEST(MovableRegionMemory, AFullOneSaysWhatWasWantedAndWhatThereIs) {
  auto region = MovableRegion::Create(Small(Policy::kSuperpageblock, 2));
  Owner owner(region.get());
  uint32_t key = 0;
  while (owner.Allocate(key)) ++key;
  Folio folio;
  const FolioRequest request = {.flags = AllocFlags::kNoReclaim};
  const absl::Status status = region->AllocateBulk(request, 0, {&folio, 1});
  EXPECT_THAT(std::string(status.message()), HasSubstr("order 0: 0 of 256 frames free"));
}

TEST(MovableRegionMemory, PhantomFramesHaveNoBytes) {
  FakeOsCalls os;
  auto region = MovableRegion::Create(
      {.arena_bytes = size_t{250} << 30, .backing = Options::Backing::kPhantom, .os = &os});
  std::vector<Folio> folios(1000);
  ASSERT_TRUE(region->AllocateBulk({}, 0, absl::MakeSpan(folios)).ok());
  EXPECT_EQ(region->Address(folios[0]), nullptr);
  EXPECT_EQ(region->direct_map(), nullptr);
  EXPECT_LE(os.mapped_bytes(), size_t{512} << 20);
  std::vector<Folio> huge(240);
  for (Folio& folio : huge) {
    auto got = region->AllocateContiguous({}, region->superpageblock_order());
    ASSERT_TRUE(got.ok());
    folio = *got;
  }
  EXPECT_EQ(region->stats().in_use_bytes, (uint64_t{240} << 30) + 1000 * 4096);
  region->FreeBulk(region->superpageblock_order(), absl::MakeSpan(huge));
  region->FreeBulk(0, absl::MakeSpan(folios));
}

// ---- Reports ------------------------------------------------------------------------------------

// By owner, page block by page block.
TEST(MovableRegionReports, PagesAreCountedForTheirOwners) {
  auto region = MovableRegion::Create(Small(Policy::kSuperpageblock, 2));
  Owner one(region.get(), "one");
  Owner other(region.get(), "other");
  for (uint32_t key = 0; key < 50; ++key) {
    ASSERT_TRUE(one.Allocate(key));
    if (key % 5 != 0) continue;
    ASSERT_TRUE(other.Allocate(key, AllocFlags::kNone));
  }
  uint32_t of_one = 0, of_other = 0;
  for (uint32_t block = 0; block < 2 * kSuperPages / kPageblockPages; ++block) {
    const FrameCounts counts = region->CountPageblock(block);
    of_one += counts.by_owner[one.id()];
    of_other += counts.by_owner[other.id()];
  }
  EXPECT_EQ(of_one, 50u);
  EXPECT_EQ(of_other, 10u);
}

// By zone and by mobility they are the same blocks.
TEST(MovableRegionReports, WhatIsFreeIsFreeOnceInEachTable) {
  auto region = MovableRegion::Create(Small(Policy::kSuperpageblock, 3));
  Owner owner(region.get());
  // An odd number: a single page is free as well.
  for (uint32_t key = 0; key < 41; ++key) ASSERT_TRUE(owner.Allocate(key));
  Folio unmovable;
  ASSERT_TRUE(region->AllocateBulk({}, 2, {&unmovable, 1}).ok());
  region->Trim();  // nothing waits in lists of threads
  const FreeMemoryReport free = region->free_memory();
  const auto sum_of = [](const auto& lists) {
    BlocksByOrder sum(kSuperOrder + 1);
    for (const BlocksByOrder& blocks : lists) {
      EXPECT_EQ(blocks.size(), sum.size());
      for (size_t order = 0; order < sum.size(); ++order) sum[order] += blocks.at(order);
    }
    return sum;
  };
  const BlocksByOrder by_zone = sum_of(free.by_zone);
  const BlocksByOrder by_mobility = sum_of(free.by_mobility);
  EXPECT_EQ(by_zone, by_mobility);
  EXPECT_GT(by_zone[0], 0u);
  uint64_t pages = 0;
  for (size_t order = 0; order < by_zone.size(); ++order) pages += by_zone[order] << order;
  EXPECT_EQ(pages * kPage + region->stats().in_use_bytes, 3 * kSuperPages * kPage);
  region->FreeBulk(2, {&unmovable, 1});
}

TEST(MovableRegionReports, WhatIsFreeAndInWhichPieces) {
  using ::testing::ElementsAre;
  auto region = MovableRegion::Create(Small(Policy::kSuperpageblock, 2));
  for (const BlocksByOrder& zone : region->free_memory().by_zone) {
    EXPECT_THAT(zone, testing::Each(0u)) << "nothing is set up yet";
  }
  Folio folio;
  ASSERT_TRUE(region->AllocateBulk({}, 4, {&folio, 1}).ok());
  const FreeMemoryReport free = region->free_memory();
  EXPECT_EQ(free.pageblock_order, 4);
  EXPECT_THAT(free.by_zone, ElementsAre(ElementsAre(0, 0, 0, 0, 1, 1, 1, 0),
                                        ElementsAre(0, 0, 0, 0, 0, 0, 0, 1)));
  EXPECT_THAT(free.pageblocks, ElementsAre(1, 0, 15, 0));
  ASSERT_EQ(free.superpageblocks.size(), 2u);
  EXPECT_EQ(free.superpageblocks[0].category, SuperpageblockCategory::kTainted);
  EXPECT_EQ(free.superpageblocks[0].nonmovable_frames, 16u);
  EXPECT_EQ(free.superpageblocks[0].free_frames, kSuperPages - 16);
  EXPECT_EQ(free.superpageblocks[0].free_pageblocks, 7u);
  EXPECT_EQ(free.superpageblocks[1].category, SuperpageblockCategory::kEmpty);
  const FrameCounts counts = region->CountPageblock(0);
  EXPECT_EQ(counts.unmovable, kPageblockPages);
  EXPECT_EQ(region->CountPageblock(9).free, kPageblockPages);
  region->FreeBulk(4, {&folio, 1});
}

TEST(MovableRegionOptionsDeathTest, OutOfRange) {
  const auto with = [](auto change) {
    Options options = Small(Policy::kSuperpageblock);
    change(options);
    return MovableRegion::Create(options);
  };
  EXPECT_DEATH(with([](Options& o) { o.page_bytes = 8192; }), "page size of an allocator");
  for (size_t bytes : {size_t{0}, size_t{2048}, size_t{4096 + 2048}, size_t{12288}}) {
    EXPECT_DEATH(with([bytes](Options& o) { o.page_bytes = bytes; }), "page size of an allocator");
  }
  EXPECT_DEATH(with([](Options& o) { o.arena_bytes = 0; }), "multiple of its superpageblocks");
  EXPECT_DEATH(with([](Options& o) { o.arena_bytes += 4096; }), "multiple of its superpageblocks");
  EXPECT_DEATH(with([](Options& o) { o.pageblock_bytes = 3 * 4096; }), "powers of two");
  EXPECT_DEATH(with([](Options& o) { o.superpageblock_bytes = size_t{2} << 30; }), "powers of two");
  EXPECT_DEATH(with([](Options& o) { o.arena_bytes = size_t{1} << 50; }), "more pages than");
  EXPECT_DEATH(with([](Options& o) { o.os = nullptr; }), "needs OS calls");
}

}  // namespace
}  // namespace ebcache
