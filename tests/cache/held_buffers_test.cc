#include "ebcache/held_buffers.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <thread>

#include "ebcache/buffer_cache.h"

namespace ebcache {
namespace {

constexpr uint64_t kNode = 4096;

class HeldBuffersTest : public testing::Test {
 protected:
  HeldBuffersTest() {
    for (uint64_t i = 0; i < 20; ++i) (void)*cache_.Create(i * kNode);
  }
  // References to a block beside the cache's own.
  uint32_t Users(uint64_t block) { return cache_.Find(block * kNode)->state().refs - 2; }

  BufferCache cache_{{.node_bytes = kNode, .budget_bytes = 0}};
};

TEST_F(HeldBuffersTest, KeepsOneReferenceHoweverOftenItIsVisited) {
  HeldBuffers held(&cache_);
  ExtentBuffer* const first = held.Find(3 * kNode);
  ASSERT_NE(first, nullptr);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(held.Find(3 * kNode), first);
  EXPECT_EQ(first->start(), 3 * kNode);
  EXPECT_EQ(Users(3), 1u);
  held.LetGo();
  EXPECT_EQ(Users(3), 0u);
  EXPECT_EQ(held.Find(3 * kNode), first);
}

TEST_F(HeldBuffersTest, TheOneNotVisitedForLongestGoes) {
  HeldBuffers held(&cache_);
  for (uint64_t i = 0; i < HeldBuffers::kMost; ++i) ASSERT_NE(held.Find(i * kNode), nullptr);
  ASSERT_NE(held.Find(0), nullptr);
  ASSERT_NE(held.Find(15 * kNode), nullptr);
  EXPECT_EQ(Users(1), 0u);
  for (const uint64_t block : {0, 2, 3, 4, 5, 6, 7, 15}) EXPECT_EQ(Users(block), 1u) << block;
}

TEST_F(HeldBuffersTest, WhatIsNotCachedIsNotHeld) {
  HeldBuffers held(&cache_);
  EXPECT_EQ(held.Find(100 * kNode), nullptr);
  (void)*cache_.Create(100 * kNode);
  EXPECT_NE(held.Find(100 * kNode), nullptr);
}

// The promise, as the header has it: what Find gave stays what it is until seven other blocks were
// asked for. COW may free the block meanwhile, and others may want its memory.
TEST_F(HeldBuffersTest, StaysWhatItIsUntilSevenOthersWereAskedFor) {
  for (int others = 0; others <= 7; ++others) {
    for (const bool asked_again : {false, true}) {
      BufferCache cache({.node_bytes = kNode, .budget_bytes = 0});
      for (uint64_t i = 0; i < 20; ++i) (void)*cache.Create(i * kNode);
      HeldBuffers held(&cache);
      ExtentBuffer* const root = held.Find(0);
      ASSERT_NE(root, nullptr);
      cache.Find(0).PutStale();
      if (asked_again) {
        EXPECT_EQ(held.Find(0), root);
      }
      for (int i = 1; i <= others; ++i) {
        ExtentBuffer* const other = held.Find(static_cast<uint64_t>(i) * kNode);
        ASSERT_NE(other, nullptr);
        // Neither another block that is held, nor one that is not cached.
        ASSERT_EQ(held.Find(static_cast<uint64_t>(i) * kNode), other);
        if (i < 7) {
          ASSERT_EQ(held.Find(1000 * kNode), nullptr);
        }
      }
      // Whoever takes a descriptor that was given back takes this one.
      (void)*cache.Create(99 * kNode);
      EXPECT_EQ(root->start(), 0u) << others << " others";
      EXPECT_GE(root->state().refs, 2u) << others << " others: " << root->state().ToString();
      EXPECT_TRUE(root->stale());
      EXPECT_EQ(cache.stats().cached_buffers, 21u);
    }
  }
}

// Whose turn is over goes when it is STALE, also where nobody needs its place.
TEST_F(HeldBuffersTest, WhatIsStaleGoesAfterItsTurn) {
  HeldBuffers held(&cache_);
  for (uint64_t i = 0; i < HeldBuffers::kMost; ++i) ASSERT_NE(held.Find(i * kNode), nullptr);
  cache_.Find(0).PutStale();
  cache_.Find(kNode).PutStale();
  EXPECT_EQ(cache_.stats().cached_buffers, 20u);
  ASSERT_NE(held.Find(5 * kNode), nullptr);
  EXPECT_EQ(cache_.stats().cached_buffers, 19u);
  EXPECT_FALSE(cache_.Find(0));
  // The other one is still in its turn: six were asked for since, and one place is empty.
  for (int i = 0; i < 3; ++i) ASSERT_NE(held.Find((5 + i % 2) * kNode), nullptr);
  EXPECT_EQ(cache_.stats().cached_buffers, 19u);
  // The seventh fills that place; whatever is asked for next ends the turn.
  ASSERT_NE(held.Find(10 * kNode), nullptr);
  EXPECT_EQ(cache_.stats().cached_buffers, 19u);
  EXPECT_EQ(held.Find(1000 * kNode), nullptr);
  EXPECT_EQ(cache_.stats().cached_buffers, 18u);
  // One that is asked for again while its turn is over begins another.
  cache_.Find(2 * kNode).PutStale();
  EXPECT_NE(held.Find(2 * kNode), nullptr);
  EXPECT_EQ(cache_.stats().cached_buffers, 18u);
}

TEST_F(HeldBuffersTest, NothingIsLeftBehind) {
  {
    HeldBuffers held(&cache_);
    for (uint64_t i = 0; i < 20; ++i) ASSERT_NE(held.Find(i * kNode), nullptr);
  }
  EXPECT_EQ(cache_.DropCaches(), 20u);
}

TEST_F(HeldBuffersTest, EachThreadHasItsOwn) {
  const auto visit = [this] {
    HeldBuffers held(&cache_);
    for (int i = 0; i < 10000; ++i) ASSERT_EQ(held.Find(i % 3 * kNode)->start(), i % 3 * kNode);
  };
  std::thread other(visit);
  visit();
  other.join();
  EXPECT_EQ(Users(0), 0u);
}

}  // namespace
}  // namespace ebcache
