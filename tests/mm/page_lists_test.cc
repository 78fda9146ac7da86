// Which of the page lists a thread uses.

#include "lib/mm/region/page_lists.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>

namespace ebcache {
namespace {

TEST(PageLists, EachThreadHasASetOfItsOwnAndKeepsIt) {
  PageLists lists({.page_bytes = 4096, .frames = 1024, .superpageblock_order = 10}, 0);
  std::set<const PageListSet*> sets = {&lists.Mine()};
  EXPECT_EQ(&lists.Mine(), *sets.begin());
  // More threads than there are sets share.
  for (uint32_t i = 1; i < PageLists::kSets; ++i) {
    std::thread([&] {
      const PageListSet* const mine = &lists.Mine();
      EXPECT_TRUE(sets.insert(mine).second) << "thread " << i;
      EXPECT_EQ(&lists.Mine(), mine);
    }).join();
  }
}

// 512 KiB at most, and little of a small region.
TEST(PageLists, WhatAListKeeps) {
  const auto capacity = [](size_t page_bytes, uint32_t frames, uint32_t wanted = 0) {
    return PageLists({.page_bytes = page_bytes, .frames = frames}, wanted).capacity();
  };
  EXPECT_EQ(capacity(4096, 1 << 20), 128u);
  EXPECT_EQ(capacity(16384, 1 << 20), 32u);
  EXPECT_EQ(capacity(65536, 1 << 20), 16u);
  EXPECT_EQ(capacity(4096, 4096), 32u);
  EXPECT_EQ(capacity(4096, 256), 16u);
  // What was asked for, up to what a list has room for.
  EXPECT_EQ(capacity(4096, 256, 3), 3u);
  EXPECT_EQ(capacity(4096, 1 << 20, ~0u), FrameStack::kMaxCapacity);
}

}  // namespace
}  // namespace ebcache
