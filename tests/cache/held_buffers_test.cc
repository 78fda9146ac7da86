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

// COW frees a block while a thread still has it at hand: its next visit lets go.
TEST_F(HeldBuffersTest, WhatIsStaleGoesWhenItIsMet) {
  HeldBuffers held(&cache_);
  ExtentBuffer* const root = held.Find(0);
  ASSERT_NE(held.Find(kNode), nullptr);
  cache_.Find(0).PutStale();
  EXPECT_TRUE(root->stale());
  EXPECT_EQ(held.Find(0), nullptr);
  EXPECT_EQ(cache_.stats().cached_buffers, 19u);
  cache_.Find(kNode).PutStale();
  ASSERT_NE(held.Find(5 * kNode), nullptr);  // met on the way to another
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
