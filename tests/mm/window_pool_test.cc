// The pool of windows by itself: which one is taken, and what it says about itself.

#include "lib/mm/arena/window_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <initializer_list>
#include <thread>
#include <vector>

#include "tests/mm/fake_os_calls.h"
#include "tests/support/in_child.h"

namespace ebcache {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kPages = 64;  // of the memory that windows show

class WindowPoolTest : public testing::Test {
 protected:
  ~WindowPoolTest() override { os_.CloseMemory(memory_); }

  // A window that shows these pages, which lie apart unless their numbers follow each other.
  std::byte* Map(WindowPool& pool, std::initializer_list<uint32_t> pages) {
    std::vector<Folio> folios;
    for (const uint32_t page : pages) folios.emplace_back(page);
    return pool.Map(memory_, folios);
  }

  FakeOsCalls os_;
  const int memory_ = os_.CreateMemory(kPages * kPage);
};

// The one that was retired last is taken out of the list; those behind it stay in it.
TEST_F(WindowPoolTest, WhatIsFoundAgainLeavesTheOthersRetired) {
  WindowPool pool(&os_, kPage, 10, 100);
  std::byte* const first = Map(pool, {0, 2});
  std::byte* const second = Map(pool, {4, 6});
  std::byte* const third = Map(pool, {8, 10});
  for (std::byte* const window : {first, second, third}) pool.Retire(window, 2 * kPage);
  EXPECT_EQ(Map(pool, {8, 10}), third);
  EXPECT_EQ(pool.stats().retired, 2u);
  EXPECT_EQ(pool.Purge(), 2u);
  EXPECT_EQ(pool.stats().windows, 1u);
}

// A window that another one is mapped over costs what that one costs.
TEST_F(WindowPoolTest, WhatIsMappedOverCountsWithItsOwnPieces) {
  WindowPool pool(&os_, kPage, 10, 6);
  std::byte* const two_pieces = Map(pool, {0, 1, 10, 11});
  ASSERT_NE(two_pieces, nullptr);
  ASSERT_NE(Map(pool, {20, 21, 30, 31}), nullptr);
  pool.Retire(two_pieces, 4 * kPage);
  EXPECT_EQ(Map(pool, {40, 42, 44, 46}), two_pieces);  // four pieces, where two were
  EXPECT_EQ(Map(pool, {50, 52}), nullptr);             // two and four are all six
}

// While a thread maps a window over what it showed, that may be allocated again: its pages are not
// to be had in this window any more.
TEST_F(WindowPoolTest, AWindowThatIsBeingMappedIsNotFoundAgain) {
  WindowPool pool(&os_, kPage, 1, 100);
  std::byte* const window = Map(pool, {0, 2});
  pool.Retire(window, 2 * kPage);
  std::byte* meanwhile = window;
  os_.set_on_map_window([&] {
    os_.set_on_map_window(nullptr);
    meanwhile = Map(pool, {0, 2});
  });
  EXPECT_EQ(Map(pool, {4, 6}), window);
  EXPECT_EQ(meanwhile, nullptr);
}

TEST_F(WindowPoolTest, WhatIsNoWindowIsNotRetired) {
  WindowPool pool(&os_, kPage, 2, 100);
  std::byte elsewhere[1];
  EXPECT_FALSE(pool.Retire(elsewhere, 2 * kPage));
  std::byte* const window = Map(pool, {0, 2});  // the first, where the windows begin
  EXPECT_FALSE(pool.Retire(window - 2 * kPage, 2 * kPage));
  EXPECT_FALSE(pool.Retire(window + 2 * 2 * kPage, 2 * kPage));
  EXPECT_FALSE(pool.Retire(window, kPage));
  EXPECT_EQ(pool.stats().retired, 0u);
  EXPECT_TRUE(pool.Retire(window, 2 * kPage));
}

// Windows are looked for by their first pages: those of neighbours do not push each other out.
TEST_F(WindowPoolTest, NeighboursAreFoundAgain) {
  constexpr uint32_t kWindows = 32;
  WindowPool pool(&os_, kPage, kWindows, 1000);
  std::vector<std::byte*> windows;
  for (uint32_t i = 0; i < kWindows; ++i) windows.push_back(Map(pool, {2 * i, 63}));
  for (std::byte* const window : windows) pool.Retire(window, 2 * kPage);
  for (uint32_t i = 0; i < kWindows; ++i) Map(pool, {2 * i, 63});
  EXPECT_GE(pool.stats().found_again, kWindows / 2);
}

// A fork waits for a thread that is changing the pool, which a child would find half changed.
TEST_F(WindowPoolTest, AForkWaitsForAChangeThatIsUnderWay) {
  if (!kForksBesideMalloc) GTEST_SKIP() << kNoForksBesideMalloc;
  WindowPool pool(&os_, kPage, 10, 100);
  std::atomic<bool> changing{false};
  std::atomic<bool> forked{false};
  bool forked_meanwhile = true;
  // Addresses are reserved under the pool's lock.
  os_.set_on_reserve([&] {
    changing = true;
    // A fork cannot end before this does, however long it is given.
    for (int i = 0; i < 100 && !forked; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    forked_meanwhile = forked;
  });
  std::thread other([&] { EXPECT_NE(Map(pool, {0, 2}), nullptr); });
  while (!changing) std::this_thread::yield();
  EXPECT_EQ(InChild([] {}), "");
  forked = true;
  other.join();
  EXPECT_FALSE(forked_meanwhile);
}

}  // namespace
}  // namespace ebcache
