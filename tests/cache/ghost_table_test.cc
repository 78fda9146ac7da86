// What reclaim remembers of blocks that are gone.

#include "lib/cache/ghost_table.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <random>

namespace ebcache {
namespace {

TEST(GhostTable, RemembersUntilAsked) {
  GhostTable ghosts;
  ghosts.Reset(1000);
  ghosts.Remember(4096, {.time = {7}, .kind = Ghost::kMostKind}, {8});
  ghosts.Remember(8192, {.time = {9}}, {9});
  const auto first = ghosts.Take(4096);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->time.value, 7u);
  EXPECT_EQ(first->kind, Ghost::kMostKind);
  EXPECT_FALSE(ghosts.Take(4096).has_value());
  EXPECT_EQ(ghosts.Take(8192)->kind, 0u);
  EXPECT_FALSE(ghosts.Take(12288).has_value());
}

TEST(GhostTable, TheLastMemoryOfABlockCounts) {
  GhostTable ghosts;
  ghosts.Reset(8);
  ghosts.Remember(4096, {.time = {1}}, {1});
  ghosts.Remember(4096, {.time = {2}}, {2});
  EXPECT_EQ(ghosts.Take(4096)->time.value, 2u);
  EXPECT_FALSE(ghosts.Take(4096).has_value());
}

TEST(GhostTable, WithoutRoomNothingIsRemembered) {
  GhostTable ghosts;
  ghosts.Remember(4096, {.time = {1}}, {1});
  EXPECT_FALSE(ghosts.Take(4096).has_value());
}

TEST(GhostTable, TheOldestMakeWay) {
  constexpr uint32_t kGhosts = 4096;
  GhostTable ghosts;
  ghosts.Reset(kGhosts);
  for (uint32_t i = 0; i < 4 * kGhosts; ++i) {
    ghosts.Remember(uint64_t{i} * 16384, {.time = {i}}, {i});
  }
  uint32_t young = 0;
  uint32_t old = 0;
  for (uint32_t i = 0; i < 4 * kGhosts; ++i) {
    if (!ghosts.Take(uint64_t{i} * 16384).has_value()) continue;
    ++(i < 2 * kGhosts ? old : young);
  }
  EXPECT_LE(young + old, ghosts.capacity());
  EXPECT_GE(young, kGhosts * 9 / 10);
  EXPECT_LE(old, kGhosts / 50);
}

// Time wraps; ages do not.
TEST(GhostTable, KnowsTheOldestAcrossTheWrap) {
  GhostTable ghosts;
  ghosts.Reset(1);  // one line
  const uint32_t before = ReclaimTime::kMask - 3;
  for (uint32_t i = 0; i < ghosts.capacity() + 4; ++i) {
    const ReclaimTime now{(before + i) & ReclaimTime::kMask};
    ghosts.Remember(uint64_t{i} * 4096, {.time = now}, now);
  }
  for (uint32_t i = 0; i < 4; ++i) EXPECT_FALSE(ghosts.Take(uint64_t{i} * 4096).has_value()) << i;
  EXPECT_TRUE(ghosts.Take(uint64_t{4} * 4096).has_value());
}

// One line of eight, and no more than eight blocks: there is room for all, so nothing is lost and
// the last memory of each is what is given back, in whatever order they come and go.
TEST(GhostTable, WhereThereIsRoomItIsAMap) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    GhostTable table;
    table.Reset(1);
    ASSERT_EQ(table.capacity(), 8u);
    std::map<uint64_t, uint32_t> model;
    for (uint32_t now = 1; now < 200; ++now) {
      const uint64_t start = random() % 8 * 16384 + round * (uint64_t{1} << 30);
      if (random() % 3 != 0) {
        const uint32_t time = random() % now;
        table.Remember(start, {.time = {time}}, {now});
        model[start] = time;
        continue;
      }
      const auto taken = table.Take(start);
      const auto known = model.find(start);
      ASSERT_EQ(taken.has_value(), known != model.end());
      if (!taken) continue;
      ASSERT_EQ(taken->time.value, known->second);
      model.erase(known);
    }
  }
}

// Room for about so many: a line more at the most.
TEST(GhostTable, HasTheRoomThatWasAskedFor) {
  for (const uint64_t ghosts : {1, 8, 100, 4096}) {
    GhostTable table;
    table.Reset(ghosts);
    EXPECT_GE(table.capacity(), ghosts);
    EXPECT_LE(table.capacity(), ghosts + 8);
    EXPECT_EQ(table.bytes(), table.capacity() * 8);
  }
}

// Blocks lie side by side, or a power of two apart. Either way they spread over the lines: of a
// table that is half full hardly a line has to hold more than eight.
TEST(GhostTable, AddressesSpreadOverTheLines) {
  constexpr uint64_t kGhosts = 8192;
  for (int shift = 12; shift <= 40; ++shift) {
    GhostTable table;
    table.Reset(2 * kGhosts);
    for (uint64_t i = 0; i < kGhosts; ++i) table.Remember(i << shift, {.time = {1}}, {2});
    uint64_t kept = 0;
    for (uint64_t i = 0; i < kGhosts; ++i) kept += table.Take(i << shift).has_value();
    EXPECT_GE(kept, kGhosts * 95 / 100) << "blocks of 2^" << shift << " bytes";
  }
}

// The header: one in 500 million is taken for another.
TEST(GhostTable, StrangersAreNotKnown) {
  constexpr uint64_t kGhosts = 65536;
  for (int shift = 12; shift <= 40; shift += 7) {
    GhostTable table;
    table.Reset(kGhosts);
    for (uint64_t i = 0; i < kGhosts; ++i) table.Remember(i << shift, {.time = {1}}, {2});
    uint64_t known = 0;
    for (uint64_t i = kGhosts; i < 4 * kGhosts; ++i) known += table.Take(i << shift).has_value();
    EXPECT_LE(known, 1u) << "blocks of 2^" << shift << " bytes";
  }
}

}  // namespace
}  // namespace ebcache
