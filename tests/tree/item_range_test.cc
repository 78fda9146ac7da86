// Iteration past damage, and through subvolumes that are being deleted: what is there is handed
// out, what is not is told of, each in its place.

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "ebcache/btree.h"
#include "ebcache/buffer_cache.h"
#include "tests/tree/memory_tree.h"

namespace ebcache::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr uint32_t kLeafItems = 3;
constexpr uint32_t kNodeChildren = 2;

Key NumberedKey(uint64_t number) { return {256 + number, kStringItemType, 0}; }

// A tree of numbered items, of which a test takes blocks away.
class DamagedTree {
 public:
  explicit DamagedTree(int items)
      : built_(BuildTree(disk_, NumberedItems(items),
                         {.leaf_items = kLeafItems, .node_children = kNodeChildren})) {}

  TreeRoot& root() { return built_.root; }
  MemoryDisk& disk() { return disk_; }
  int levels() const { return static_cast<int>(built_.levels.size()); }
  size_t blocks_on(int level) const { return built_.levels[level].size(); }
  uint64_t block(int level, size_t number) const { return built_.levels[level][number]; }
  void Erase(int level, size_t number) {
    disk_.Erase(block(level, number));
    erased_.insert(block(level, number));
  }

  // Whether every block from the root down to the item is there.
  bool Has(uint64_t item) const {
    size_t number = item / kLeafItems;
    for (const std::vector<uint64_t>& level : built_.levels) {
      if (erased_.contains(level[number])) return false;
      number /= kNodeChildren;
    }
    return true;
  }

  // "256", "257", "gap 258-260 at level 0", in the order in which they came.
  std::vector<std::string> Iterate(KeyRange range = {}) {
    std::vector<std::string> events;
    const auto note = [&](const ItemGap& gap) {
      events.push_back(absl::StrCat("gap ", gap.keys.from.objectid, "-", gap.keys.to.objectid,
                                    " at level ", gap.damage.level));
      gaps_.push_back(gap);
    };
    ItemRange items = BTree(&cache_, root()).Items(range, {.on_gap = note});
    for (const Item& item : items) {
      events.push_back(absl::StrCat(item.key().objectid));
      found_.push_back(item.key().objectid - 256);
    }
    status_ = items.status();
    return events;
  }

  const std::vector<ItemGap>& gaps() const { return gaps_; }
  const std::vector<uint64_t>& found() const { return found_; }
  const absl::Status& status() const { return status_; }
  BufferCache& cache() { return cache_; }

 private:
  MemoryDisk disk_;
  BufferCache cache_{{.node_bytes = 4096, .allocator = nullptr}, &disk_};
  BuiltTree built_;
  std::set<uint64_t> erased_;
  std::vector<ItemGap> gaps_;
  std::vector<uint64_t> found_;
  absl::Status status_;
};

TEST(ItemRangeTest, WithoutDamageItIsTheSame) {
  DamagedTree tree(7);
  EXPECT_THAT(tree.Iterate(), ElementsAre("256", "257", "258", "259", "260", "261", "262"));
  EXPECT_TRUE(tree.status().ok()) << tree.status();
}

TEST(ItemRangeTest, EndsAtDamageUnlessItIsToGoOn) {
  DamagedTree tree(9);
  tree.Erase(0, 1);
  ItemRange items = BTree(&tree.cache(), tree.root()).Items();
  std::vector<uint64_t> ids;
  for (const Item& item : items) ids.push_back(item.key().objectid);
  EXPECT_THAT(ids, ElementsAre(256, 257, 258));
  EXPECT_FALSE(items.status().ok());
}

TEST(ItemRangeTest, GoesOnBehindALeaf) {
  DamagedTree tree(9);
  tree.Erase(0, 1);
  EXPECT_THAT(tree.Iterate(),
              ElementsAre("256", "257", "258", "gap 259-262 at level 0", "262", "263", "264"));
  // The last key before the next leaf's first.
  EXPECT_EQ(tree.gaps()[0].keys.from, NumberedKey(3));
  EXPECT_EQ(tree.gaps()[0].keys.to, (Key{262, kStringItemType - 1, ~uint64_t{0}}));
  EXPECT_EQ(tree.gaps()[0].damage.logical, tree.block(0, 1));
  EXPECT_THAT(tree.status().ToString(), HasSubstr(absl::StrCat("block ", tree.block(0, 1))));
  EXPECT_THAT(tree.status().ToString(), HasSubstr("tree FS_TREE, level 0"));
}

TEST(ItemRangeTest, GoesOnBehindANode) {
  DamagedTree tree(18);  // two nodes of two leaves, and one
  tree.Erase(1, 1);
  EXPECT_THAT(tree.Iterate(),
              ElementsAre("256", "257", "258", "259", "260", "261", "gap 262-268 at level 1", "268",
                          "269", "270", "271", "272", "273"));
}

TEST(ItemRangeTest, WithoutARootAllIsMissing) {
  DamagedTree tree(9);
  tree.Erase(tree.levels() - 1, 0);
  EXPECT_THAT(tree.Iterate({.from = NumberedKey(1), .to = NumberedKey(5)}),
              ElementsAre("gap 257-261 at level 2"));
  EXPECT_FALSE(tree.status().ok());
}

TEST(ItemRangeTest, DamageOutsideOfTheRangeIsNotLookedFor) {
  DamagedTree tree(12);
  tree.Erase(0, 0);
  tree.Erase(0, 3);
  EXPECT_THAT(tree.Iterate({.from = NumberedKey(3), .to = NumberedKey(8)}),
              ElementsAre("259", "260", "261", "262", "263", "264"));
  EXPECT_TRUE(tree.status().ok()) << tree.status();
  EXPECT_THAT(tree.Iterate({.from = NumberedKey(2), .to = NumberedKey(4)}),
              ElementsAre("gap 258-259 at level 0", "259", "260"));
}

TEST(ItemRangeTest, LeavesThatOverlapAreLeftOut) {
  DamagedTree tree(9);
  // The second leaf's last item gets a key from behind the third leaf's first.
  tree.disk().SetItem(tree.block(0, 1), 2, NumberedKey(7), 4096 - 3 * 13, "item number 5");
  EXPECT_THAT(tree.Iterate(), ElementsAre("256", "257", "258", "259", "260", "263",
                                          absl::StrCat("gap 262-", ~uint64_t{0}, " at level 0")));
  EXPECT_THAT(tree.status().ToString(), HasSubstr("the leaf before it ends with"));
}

// Seen from behind as well.
TEST(ItemRangeTest, TheWayBackSaysWhichLeafOverlaps) {
  DamagedTree tree(9);
  tree.disk().SetItem(tree.block(0, 1), 2, NumberedKey(7), 4096 - 3 * 13, "item number 5");
  const BTree btree(&tree.cache(), tree.root());
  absl::StatusOr<Path> path = btree.Search(NumberedKey(6));
  ASSERT_TRUE(path.ok()) << path.status();
  const absl::Status status = btree.Previous(*path);
  EXPECT_THAT(status.ToString(), HasSubstr("level 0"));
  EXPECT_THAT(status.ToString(), HasSubstr("the leaf after it starts with"));
}

TEST(ItemRangeTest, HoldsNothingAtItsEnd) {
  DamagedTree tree(9);
  tree.Erase(0, 2);
  tree.Iterate();
  tree.cache().DropCaches();
  EXPECT_EQ(tree.cache().stats().cached_buffers, 0);
}

RC_GTEST_PROP(ItemRangeProperties, ItemsAndGapsAreAllThereIs, ()) {
  const int count = *rc::gen::inRange(1, 60);
  DamagedTree tree(count);
  for (int level = 0; level < tree.levels(); ++level) {
    for (size_t number = 0; number < tree.blocks_on(level); ++number) {
      if (*rc::gen::weightedElement<bool>({{4, false}, {1, true}})) tree.Erase(level, number);
    }
  }
  const uint64_t first = *rc::gen::inRange(0, count);
  const uint64_t last = *rc::gen::inRange<int>(static_cast<int>(first), count);
  tree.Iterate({.from = NumberedKey(first), .to = NumberedKey(last)});

  std::vector<uint64_t> expected;
  for (uint64_t item = first; item <= last; ++item) {
    const bool there = tree.Has(item);
    if (there) expected.push_back(item);
    int covering = 0;
    for (const ItemGap& gap : tree.gaps()) {
      covering += gap.keys.from <= NumberedKey(item) && NumberedKey(item) <= gap.keys.to;
    }
    RC_ASSERT(covering == (there ? 0 : 1));
  }
  RC_ASSERT(tree.found() == expected);
  RC_ASSERT(tree.status().ok() == tree.gaps().empty());
  for (const ItemGap& gap : tree.gaps()) {
    RC_ASSERT(NumberedKey(first) <= gap.keys.from && gap.keys.to <= NumberedKey(last));
  }
}

// The kernel deletes a subvolume in key order; all blocks before the place it has come to are gone,
// but for the nodes above that place.
RC_GTEST_PROP(ItemRangeProperties, OfAHalfDeletedSubvolumeTheRest, ()) {
  const int count = *rc::gen::inRange(10, 60);
  DamagedTree tree(count);
  const int drop_level = *rc::gen::inRange(1, tree.levels());
  const auto left = *rc::gen::inRange<size_t>(0, tree.blocks_on(drop_level - 1));
  size_t first_left = left;  // the first block of each level that is not gone
  uint64_t first_item = left;
  for (int level = drop_level - 1; level < tree.levels(); ++level) {
    for (size_t number = 0; number < first_left; ++number) tree.Erase(level, number);
    first_left /= kNodeChildren;
  }
  for (int level = drop_level - 1; level > 0; --level) first_item *= kNodeChildren;
  first_item *= kLeafItems;
  for (int level = 0; level < drop_level - 1; ++level) {
    size_t span = 1;
    for (int above = level; above < drop_level - 1; ++above) span *= kNodeChildren;
    for (size_t number = 0; number < left * span && number < tree.blocks_on(level); ++number) {
      tree.Erase(level, number);
    }
  }
  tree.root().drop_level = static_cast<uint8_t>(drop_level);
  tree.root().drop_progress = NumberedKey(first_item);
  tree.root().refs = 0;

  std::vector<uint64_t> expected;
  for (uint64_t item = first_item; item < count; ++item) expected.push_back(item);
  tree.Iterate();
  RC_ASSERT(tree.gaps().empty());
  RC_ASSERT(tree.found() == expected);

  const BTree dropped(&tree.cache(), tree.root());
  ItemRange plain = dropped.Items();
  std::vector<uint64_t> found;
  for (const Item& item : plain) found.push_back(item.key().objectid - 256);
  RC_ASSERT(plain.status().ok());
  RC_ASSERT(found == expected);
  absl::StatusOr<Path> path = dropped.SearchBackward(kMaxKey);
  for (auto item = expected.rbegin(); item != expected.rend(); ++item) {
    RC_ASSERT(path.ok());
    RC_ASSERT(path->key() == NumberedKey(*item));
    const absl::Status moved = dropped.Previous(*path);
    RC_ASSERT(moved.ok() == (item + 1 != expected.rend()));
    // And not: no such block.
    RC_ASSERT(moved.ok() || moved.message() == "tree FS_TREE has no item before this one");
  }
}

// A place that no deletion leaves behind, but that an image may claim.
TEST(ItemRangeTest, APlaceOfDeletionBehindAllKeys) {
  DamagedTree tree(9);
  tree.root().drop_level = 1;
  tree.root().drop_progress = kMaxKey;
  EXPECT_THAT(tree.Iterate(), ElementsAre());
  const absl::StatusOr<Path> path = BTree(&tree.cache(), tree.root()).Search(kMinKey);
  EXPECT_TRUE(path.ok()) << path.status();
}

TEST(TreeRootTest, OnlySubvolumesAreDeleted) {
  EXPECT_FALSE(TreeRoot{}.deleted());
  EXPECT_TRUE((TreeRoot{.id = 256, .refs = 0}).deleted());
  EXPECT_FALSE((TreeRoot{.id = 256, .refs = 1}).deleted());
  EXPECT_FALSE((TreeRoot{.id = kTreeLogId, .refs = 0}).deleted());
}

}  // namespace
}  // namespace ebcache::testing
