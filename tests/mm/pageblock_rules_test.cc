// Policy kPageblock against what is promised of it: what Linux 6.12 does when a kind of memory runs
// out, what company a page is put into, and how compaction goes about it.

#include <gtest/gtest.h>

#include "ebcache/movable_region.h"
#include "tests/mm/region_owner.h"

namespace ebcache {
namespace {

using Policy = MovableRegionOptions::Policy;

// Two page blocks of 16 pages make the largest block, as two of 2 MiB do in Linux.
MovableRegionOptions Pairs() {
  MovableRegionOptions options = Small(Policy::kPageblock, 4);
  options.superpageblock_bytes = 2 * options.pageblock_bytes;
  options.arena_bytes = 16 * options.pageblock_bytes;
  options.page_list_pages = 1;
  return options;
}

uint64_t BlocksOf(const MovableRegion& region, Mobility kind) {
  return region.free_memory().pageblocks[static_cast<size_t>(kind)];
}

TEST(PageblockRules, FallingBackClaimsTheWholeOfALargeBlock) {
  for (const bool claim_largest : {true, false}) {
    MovableRegionOptions options = Pairs();
    options.pageblock_rules.claim_largest = claim_largest;
    auto region = MovableRegion::Create(options);
    Folio folio;
    ASSERT_TRUE(region->AllocateBulk({}, 0, {&folio, 1}).ok());
    EXPECT_EQ(BlocksOf(*region, Mobility::kUnmovable), claim_largest ? 2U : 1U);
    region->FreeBulk(0, {&folio, 1});
  }
}

TEST(PageblockRules, MovablePagesMayBeGroupedWithWhatCannotMove) {
  auto region = MovableRegion::Create(Pairs());
  Owner owner(region.get(), "btree");
  ASSERT_TRUE(owner.Allocate(1, AllocFlags::kMovable | AllocFlags::kGroupedUnmovable));
  const uint32_t block = owner.held.at(1).pfn() / kPageblockPages;
  EXPECT_EQ(BlocksOf(*region, Mobility::kUnmovable), 2U);
  // In fact it can move, and counts as what can.
  const FrameCounts counts = region->CountPageblock(block);
  EXPECT_EQ(counts.movable, 1U);
  EXPECT_EQ(counts.unmovable, 0U);
  // And does, when memory in one piece is wanted of all there is.
  ASSERT_TRUE(owner.Allocate(2));
  EXPECT_GT(region->Compact({}).moved, 0U);
  EXPECT_NE(owner.held.at(1).pfn() / kPageblockPages, block);
  owner.Free(1);
  owner.Free(2);
}

TEST(PageblockRules, CompactionFillsMovablePageBlocksFromAbove) {
  auto region = MovableRegion::Create(Pairs());
  Owner owner(region.get(), "pages");
  // Everything, and then all but each fourth page free again.
  uint32_t pages = 0;
  while (owner.Allocate(pages, AllocFlags::kMovable | AllocFlags::kNoReclaim)) ++pages;
  ASSERT_EQ(pages, 16 * kPageblockPages);
  for (uint32_t key = 0; key < pages; ++key) {
    if (owner.held.at(key).pfn() % 4 != 0) owner.Free(key);
  }
  const auto pass = region->Compact({});
  EXPECT_TRUE(pass.met);
  EXPECT_GT(pass.moved, 0U);
  // A quarter is in use: what was below lies above. The scanners meet in page block 11.
  for (uint32_t block = 0; block < 11; ++block) {
    EXPECT_EQ(region->CountPageblock(block).free, kPageblockPages) << block;
  }
  owner.ExpectStamps();
  while (!owner.held.empty()) owner.Free(owner.held.begin()->first);
}

TEST(PageblockRules, WhatIsFreeAmongUnmovablePagesIsNoDestination) {
  auto region = MovableRegion::Create(Pairs());
  Owner owner(region.get(), "pages");
  Folio slab;
  ASSERT_TRUE(owner.Allocate(1));
  ASSERT_TRUE(region->AllocateBulk({}, 0, {&slab, 1}).ok());  // in page blocks of its own
  // All other movable page blocks are wholly free, which is what compaction is after.
  EXPECT_EQ(region->Compact({}).moved, 0U);
  region->FreeBulk(0, {&slab, 1});
  owner.Free(1);
}

TEST(PageblockRules, APassEndsWithTheBlockThatWasWanted) {
  auto region = MovableRegion::Create(Pairs());
  const auto pass = region->Compact({.order = 0});
  EXPECT_FALSE(pass.reached);  // nothing was ever allocated
  Owner owner(region.get(), "pages");
  ASSERT_TRUE(owner.Allocate(1));
  EXPECT_TRUE(region->Compact({.order = 4}).reached);
  EXPECT_FALSE(region->Compact({.order = 4}).met);
  owner.Free(1);
}

}  // namespace
}  // namespace ebcache
