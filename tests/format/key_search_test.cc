// Searching one block: on blocks in one piece, and on pages, where keys lie on either side of a
// seam and across it.

#include <gtest/gtest.h>

#include <vector>

#include "ebcache/on_disk.h"
#include "tests/format/buffer_pool.h"
#include "tests/format/format_bytes.h"

namespace ebcache::testing {
namespace {

class KeySearchTest : public ::testing::TestWithParam<Layout> {
 protected:
  BufferPool pool_{16384, GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Layouts, KeySearchTest,
                         ::testing::Values(Layout::kContiguous, Layout::kPages),
                         [](const auto& info) {
                           return info.param == Layout::kContiguous ? "Contiguous" : "Pages";
                         });

// Key number `n` of a block has an odd object id, so that there is one in front of each and behind.
Key KeyOf(uint32_t n) { return {2 * uint64_t{n} + 1, 12, ~uint64_t{n}}; }
Key InFrontOf(uint32_t n) { return {2 * uint64_t{n}, 255, ~uint64_t{0}}; }

// Every count up to beyond the first seam, and then those around the others and the most.
std::vector<uint32_t> Counts(uint32_t most) {
  std::vector<uint32_t> counts;
  for (uint32_t n = 0; n <= most; ++n) {
    if (n < 170 || n % 41 == 0 || n + 3 > most) counts.push_back(n);
  }
  return counts;
}

TEST_P(KeySearchTest, EveryPlaceInANode) {
  constexpr uint32_t kMost = (16384 - 101) / 33;
  for (const uint32_t count : Counts(kMost)) {
    std::vector<KeyPointer> pointers;
    for (uint32_t i = 0; i < count; ++i) pointers.push_back({KeyOf(i), 4096 * (i + 1), 1});
    const ExtentBufferRef node = pool_.Make(0, NodeBytes({.level = 1}, pointers));
    for (uint32_t i = 0; i < count; ++i) {
      ASSERT_EQ(CountNodeKeysBelow(*node, KeyOf(i)), i) << "of " << count;
      ASSERT_EQ(CountNodeKeysBelow(*node, InFrontOf(i)), i) << "of " << count;
      ASSERT_EQ(CountNodeKeysUpTo(*node, KeyOf(i)), i + 1) << "of " << count;
      ASSERT_EQ(CountNodeKeysUpTo(*node, InFrontOf(i)), i) << "of " << count;
    }
    ASSERT_EQ(CountNodeKeysBelow(*node, kMaxKey), count);
    ASSERT_EQ(CountNodeKeysUpTo(*node, kMinKey), 0);
  }
}

TEST_P(KeySearchTest, EveryPlaceInALeaf) {
  constexpr uint32_t kMost = (16384 - 101) / 25;
  for (const uint32_t count : Counts(kMost)) {
    std::vector<LeafItem> items;
    for (uint32_t i = 0; i < count; ++i) items.push_back({KeyOf(i), ""});
    const ExtentBufferRef leaf = pool_.Make(0, LeafBytes({}, items));
    for (uint32_t i = 0; i < count; ++i) {
      ASSERT_EQ(CountLeafKeysBelow(*leaf, KeyOf(i)), i) << "of " << count;
      ASSERT_EQ(CountLeafKeysBelow(*leaf, InFrontOf(i)), i) << "of " << count;
    }
    ASSERT_EQ(CountLeafKeysBelow(*leaf, kMaxKey), count);
  }
}

// The largest blocks have sixteen pages of 4 KiB, and a seam for each way a key can lie at one.
TEST(KeySearch, EverySeamOfTheLargestBlocks) {
  BufferPool pool(65536, Layout::kPages);
  constexpr uint32_t kPointers = (65536 - 101) / 33;
  constexpr uint32_t kItems = (65536 - 101) / 25;
  std::vector<KeyPointer> pointers;
  for (uint32_t i = 0; i < kPointers; ++i) pointers.push_back({KeyOf(i), 4096 * (i + 1), 1});
  std::vector<LeafItem> items;
  for (uint32_t i = 0; i < kItems; ++i) items.push_back({KeyOf(i), ""});
  const ExtentBufferRef node = pool.Make(0, NodeBytes({.node_bytes = 65536, .level = 1}, pointers));
  const ExtentBufferRef leaf = pool.Make(0, LeafBytes({.node_bytes = 65536}, items));
  for (uint32_t i = 0; i < kPointers; ++i) {
    ASSERT_EQ(CountNodeKeysBelow(*node, KeyOf(i)), i);
    ASSERT_EQ(CountNodeKeysBelow(*node, InFrontOf(i)), i);
    ASSERT_EQ(CountNodeKeysUpTo(*node, KeyOf(i)), i + 1);
  }
  for (uint32_t i = 0; i < kItems; ++i) {
    ASSERT_EQ(CountLeafKeysBelow(*leaf, KeyOf(i)), i);
    ASSERT_EQ(CountLeafKeysBelow(*leaf, InFrontOf(i)), i);
  }
}

}  // namespace
}  // namespace ebcache::testing
