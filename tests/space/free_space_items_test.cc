// What is made at one go is what the free space tree comes to that is told of one extent after the
// other: a tree that only gets more runs goes over to bitmaps once.

#include "lib/space/free_space_items.h"

#include <gtest/gtest.h>

#include <iterator>
#include <vector>

#include "ebcache/on_disk.h"
#include "lib/space/free_space_tree.h"
#include "tests/space/map_store.h"

namespace ebcache::space {
namespace {

constexpr uint64_t kMiB = 1 << 20;
constexpr uint32_t kSector = 4096;

// The items of a group in which every third sector is used, `holes` times.
MapStore::Items Told(const Range& group, uint64_t holes) {
  MapStore store;
  FreeSpaceTree tree(&store, group, kSector);
  EXPECT_TRUE(tree.Create().ok());
  for (uint64_t i = 0; i < holes; ++i) {
    EXPECT_TRUE(tree.Allocate({group.start + (3 * i + 1) * kSector, kSector}).ok());
  }
  return store.items;
}

MapStore::Items MadeAtOnce(const Range& group, uint64_t holes) {
  FreeSpaceItems made(group, kSector);
  uint64_t at = group.start;
  for (uint64_t i = 0; i < holes; ++i) {
    const uint64_t hole = group.start + (3 * i + 1) * kSector;
    EXPECT_TRUE(made.AddRun({at, hole - at}).ok());
    at = hole + kSector;
  }
  EXPECT_TRUE(made.AddRun({at, group.end() - at}).ok());
  const auto items = made.Items();
  EXPECT_TRUE(items.ok()) << items.status();
  MapStore::Items map;
  for (const StoredItem& item : *items) {
    EXPECT_TRUE(map.empty() || std::prev(map.end())->first < item.key);
    map[item.key] = item.data;
  }
  return map;
}

TEST(FreeSpaceItemsTest, TheyAreWhatIsToldOneByOne) {
  for (const uint64_t length : {8 * kMiB, 7 * kMiB + 5 * kSector, 100 * kMiB}) {
    const Range group{1024 * kMiB, length};
    const uint32_t above = ThresholdsOf(length, kSector).bitmaps_above;
    for (const uint64_t holes : {uint64_t{0}, uint64_t{1}, uint64_t{above} - 1, uint64_t{above},
                                 uint64_t{above} + 1, length / kSector / 3}) {
      EXPECT_EQ(MadeAtOnce(group, holes), Told(group, holes)) << length << ", " << holes;
    }
  }
}

TEST(FreeSpaceItemsTest, AGroupThatIsFullHasNoRuns) {
  const auto items = FreeSpaceItems({kMiB, kMiB}, kSector).Items();
  ASSERT_TRUE(items.ok());
  ASSERT_EQ(items->size(), 1u);
  EXPECT_EQ((*items)[0].key.type, kFreeSpaceInfoType);
  EXPECT_EQ((*items)[0].data, std::vector<std::byte>(8));
}

TEST(FreeSpaceItemsTest, WhatIsNoRunIsRefused) {
  const Range group{16 * kMiB, kMiB};
  FreeSpaceItems items(group, kSector);
  ASSERT_TRUE(items.AddRun({group.start + 4 * kSector, kSector}).ok());
  for (const Range& wrong :
       {Range{group.start + 8 * kSector, 0}, Range{group.start + 4 * kSector, kSector},
        Range{group.start + 5 * kSector, kSector},  // one with the last
        Range{group.start, kSector}, Range{group.end() - kSector, 2 * kSector},
        Range{group.end(), kSector}, Range{group.start - kSector, kSector},
        Range{group.start + 8 * kSector + 512, kSector}, Range{group.start + 8 * kSector, 512}}) {
    EXPECT_TRUE(absl::IsInvalidArgument(items.AddRun(wrong))) << wrong.ToString();
  }
  ASSERT_TRUE(items.AddRun({group.start + 6 * kSector, kSector}).ok());
}

}  // namespace
}  // namespace ebcache::space
