// What reclaim remembers of blocks that are gone.

#include "lib/cache/ghost_table.h"

#include <gtest/gtest.h>

namespace ebcache {
namespace {

TEST(GhostTable, RemembersUntilAsked) {
  GhostTable ghosts;
  ghosts.Reset(1000);
  ghosts.Remember(4096, {.time = {7}, .demoted = true}, {8});
  ghosts.Remember(8192, {.time = {9}}, {9});
  const auto first = ghosts.Take(4096);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->time.value, 7u);
  EXPECT_TRUE(first->demoted);
  EXPECT_FALSE(ghosts.Take(4096).has_value());
  EXPECT_FALSE(ghosts.Take(8192)->demoted);
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

}  // namespace
}  // namespace ebcache
