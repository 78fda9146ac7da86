// Searches and steps at the edges of trees, and on trees that are damaged.

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ebcache/allocators.h"
#include "ebcache/btree.h"
#include "ebcache/buffer_cache.h"
#include "tests/tree/memory_tree.h"

namespace ebcache::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Key NumberedKey(uint64_t number) { return {256 + number, kStringItemType, 0}; }

std::string Text(const Item& item) {
  return std::string(reinterpret_cast<const char*>(item.data().data()), item.data().size());
}

std::vector<uint64_t> ObjectIds(ItemRange range) {
  std::vector<uint64_t> ids;
  for (const Item& item : range) ids.push_back(item.key().objectid);
  EXPECT_TRUE(range.status().ok()) << range.status();
  return ids;
}

class SearchTest : public ::testing::Test {
 protected:
  BTree Build(const ItemMap& items, const TreeShape& shape = {}) {
    built_ = BuildTree(source_, items, shape);
    return BTree(&cache_, built_.root);
  }

  MemoryDisk source_;
  BufferCache cache_{{.node_bytes = 4096, .allocator = nullptr}, &source_};
  BuiltTree built_;
};

TEST_F(SearchTest, EmptyTree) {
  const BTree tree = Build({}, {.id = kCsumTreeId});  // an FS tree is never empty
  absl::StatusOr<Path> path = tree.Search(kMinKey);
  ASSERT_TRUE(path.ok()) << path.status();
  EXPECT_FALSE(path->valid());
  EXPECT_TRUE(tree.Next(*path).ok());
  EXPECT_FALSE(path->valid());
  EXPECT_TRUE(absl::IsNotFound(tree.Previous(*path)));
  EXPECT_TRUE(path->leaf());
  EXPECT_TRUE(absl::IsNotFound(tree.Find(kMinKey).status()));
  EXPECT_TRUE(absl::IsNotFound(tree.SearchBackward(kMaxKey).status()));
  EXPECT_THAT(ObjectIds(tree.Items()), IsEmpty());
}

TEST_F(SearchTest, SingleItem) {
  const BTree tree = Build(NumberedItems(1));
  EXPECT_EQ(tree.Search(kMinKey)->key(), NumberedKey(0));
  EXPECT_EQ(tree.Search(NumberedKey(0))->key(), NumberedKey(0));
  EXPECT_FALSE(tree.Search(NumberedKey(1))->valid());
  EXPECT_EQ(tree.SearchBackward(kMaxKey)->key(), NumberedKey(0));
  EXPECT_TRUE(absl::IsNotFound(tree.SearchBackward(kMinKey).status()));
  EXPECT_THAT(ObjectIds(tree.Items()), ElementsAre(256));
}

TEST_F(SearchTest, PastTheLastItemAndBack) {
  const BTree tree = Build(NumberedItems(20));
  Path path = *tree.Find(NumberedKey(19));
  ASSERT_TRUE(tree.Next(path).ok());
  EXPECT_FALSE(path.valid());
  ASSERT_TRUE(tree.Next(path).ok()) << "stays there";
  EXPECT_FALSE(path.valid());
  ASSERT_TRUE(tree.Previous(path).ok());
  EXPECT_EQ(path.key(), NumberedKey(19));

  Path searched = *tree.Search(kMaxKey);
  EXPECT_FALSE(searched.valid());
  ASSERT_TRUE(tree.Previous(searched).ok());
  EXPECT_EQ(searched.key(), NumberedKey(19));
}

TEST_F(SearchTest, BeforeTheFirstItem) {
  const BTree tree = Build(NumberedItems(20));
  Path path = *tree.Search(kMinKey);
  EXPECT_EQ(path.key(), NumberedKey(0));
  EXPECT_TRUE(absl::IsNotFound(tree.Previous(path)));
  EXPECT_EQ(path.key(), NumberedKey(0)) << "stays where it was";
}

TEST_F(SearchTest, EightLevels) {
  const BTree tree = Build(NumberedItems(128), {.leaf_items = 1, .node_children = 2});
  ASSERT_EQ(built_.root.level, kMaxLevels - 1);
  EXPECT_EQ(tree.Find(NumberedKey(77))->key(), NumberedKey(77));
  EXPECT_EQ(ObjectIds(tree.Items()).size(), 128);
}

TEST_F(SearchTest, PathHoldsOneBlockALevel) {
  const BTree tree = Build(NumberedItems(50));
  {
    const Path path = *tree.Find(NumberedKey(30));
    EXPECT_EQ(path.root_level(), built_.root.level);
    for (int level = 0; level < kMaxLevels; ++level) {
      EXPECT_EQ(static_cast<bool>(path.node(level)), level <= path.root_level()) << level;
    }
    EXPECT_EQ(path.node(path.root_level())->start(), built_.root.bytenr);
  }
  cache_.DropCaches();
  EXPECT_EQ(cache_.stats().cached_buffers, 0) << "the path kept a reference";
}

TEST_F(SearchTest, RangesIncludeBothEnds) {
  const BTree tree = Build(NumberedItems(30));
  EXPECT_THAT(ObjectIds(tree.Items({.from = NumberedKey(7), .to = NumberedKey(10)})),
              ElementsAre(263, 264, 265, 266));
  EXPECT_THAT(ObjectIds(tree.Items({.from = NumberedKey(29), .to = kMaxKey})), ElementsAre(285));
  EXPECT_THAT(ObjectIds(tree.Items({.from = kMaxKey, .to = kMaxKey})), IsEmpty());
  EXPECT_THAT(ObjectIds(tree.Items({.from = NumberedKey(10), .to = NumberedKey(7)})), IsEmpty());
}

TEST_F(SearchTest, ARangeKeepsNoBlocksOnceItEnded) {
  const BTree tree = Build(NumberedItems(30));
  ItemRange range = tree.Items({.from = kMinKey, .to = NumberedKey(3)});
  for (const Item& item : range) EXPECT_THAT(Text(item), HasSubstr("item number"));
  cache_.DropCaches();
  EXPECT_EQ(cache_.stats().cached_buffers, 0);
}

TEST_F(SearchTest, ErrorsNameTreeLevelAndBlock) {
  const BTree tree = Build(NumberedItems(30));
  source_.Erase(built_.levels[1][2]);
  const absl::Status status = tree.Find(NumberedKey(14)).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr(absl::StrCat("tree FS_TREE, level 1, block ", built_.levels[1][2], ": ")));
}

// The item may be there: NotFound would say that it is not.
TEST_F(SearchTest, ABlockThatIsNowhereIsNoAnswer) {
  const BTree tree = Build(NumberedItems(30));
  Path in_front = *tree.Find(NumberedKey(0));
  const uint32_t items = Header(*in_front.leaf()).item_count();
  const Key key = NumberedKey(items);
  source_.Erase(tree.Find(key)->leaf()->start());
  cache_.DropCaches();
  while (in_front.slot(0) + 1 < items) ASSERT_TRUE(tree.Next(in_front).ok());

  EXPECT_TRUE(absl::IsDataLoss(tree.Find(key).status()));
  EXPECT_TRUE(absl::IsDataLoss(tree.Search(key).status()));
  EXPECT_TRUE(absl::IsDataLoss(tree.SearchBackward(key).status()));
  Path sought;
  EXPECT_TRUE(absl::IsDataLoss(tree.Seek(key, sought)));
  EXPECT_TRUE(absl::IsDataLoss(tree.Next(in_front)));
}

TEST_F(SearchTest, ARootThatIsNowhereIsNoAnswer) {
  const BTree tree = Build(NumberedItems(30));
  source_.Erase(built_.root.bytenr);
  EXPECT_TRUE(absl::IsDataLoss(tree.Find(kMinKey).status()));
  EXPECT_TRUE(absl::IsDataLoss(tree.Search(kMinKey).status()));
  EXPECT_TRUE(absl::IsDataLoss(tree.SearchBackward(kMaxKey).status()));
}

TEST_F(SearchTest, RangeEndsAtDamageAndTells) {
  const BTree tree = Build(NumberedItems(30));
  source_.SetGeneration(built_.levels[0][2], 6);
  ItemRange range = tree.Items();
  int items = 0;
  for (const Item& item : range) items += item.key().objectid > 0;
  EXPECT_EQ(items, 6) << "two leaves of three";
  EXPECT_TRUE(absl::IsDataLoss(range.status())) << range.status();
  cache_.DropCaches();
  EXPECT_EQ(cache_.stats().cached_buffers, 0);
}

TEST_F(SearchTest, PathIsEmptyAfterAFailedStep) {
  const BTree tree = Build(NumberedItems(30));
  source_.Erase(built_.levels[0][1]);
  Path forward = *tree.Find(NumberedKey(2));
  EXPECT_FALSE(tree.Next(forward).ok());
  EXPECT_FALSE(forward.leaf());
  Path backward = *tree.Find(NumberedKey(6));
  EXPECT_FALSE(tree.Previous(backward).ok());
  EXPECT_FALSE(backward.leaf());
}

TEST_F(SearchTest, RootThatIsTooHigh) {
  TreeRoot root = Build(NumberedItems(3)).root();
  source_.set_checking(false);
  for (uint8_t level : {8, 9, 255}) {
    root.level = level;
    EXPECT_TRUE(absl::IsDataLoss(BTree(&cache_, root).Search(kMinKey).status())) << int{level};
  }
}

// What a parent says of its child is passed on, all of it.
TEST_F(SearchTest, ChildrenThatAreNotWhatTheirParentSays) {
  const BTree tree = Build(NumberedItems(30));
  const uint64_t leaf = built_.levels[0][3];  // items 9 to 11
  const auto error = [&] {
    cache_.DropCaches();
    return std::string(tree.Find(NumberedKey(10)).status().message());
  };
  EXPECT_EQ(error(), "");
  source_.SetGeneration(leaf, 6);
  EXPECT_THAT(error(), HasSubstr("wrong generation"));
  source_.SetGeneration(leaf, 7);
  source_.SetOwner(leaf, kExtentTreeId);
  EXPECT_THAT(error(), HasSubstr("wrong owner"));
  source_.SetOwner(leaf, kFsTreeId);
  source_.SetLevel(leaf, 1);
  EXPECT_THAT(error(), HasSubstr("wrong level"));
  source_.SetLevel(leaf, 0);
  source_.SetItem(leaf, 0, {264, kStringItemType, 0}, 4096 - 13, "item number 9");
  EXPECT_THAT(error(), HasSubstr("wrong first key"));
}

TEST_F(SearchTest, RootOnAnotherLevelThanItsItemSays) {
  TreeRoot root = Build(NumberedItems(30)).root();
  --root.level;
  EXPECT_TRUE(absl::IsDataLoss(BTree(&cache_, root).Search(kMinKey).status()));
}

// Leaves that overlap: with a node for each pair of them a tree of few blocks would have more paths
// than anybody can walk.
TEST_F(SearchTest, LeavesThatOverlapEndTheIteration) {
  const BTree tree = Build(NumberedItems(6));  // two leaves of three items
  ASSERT_EQ(built_.levels[0].size(), 2);
  // The first leaf's last key becomes larger than the second leaf's first.
  source_.SetItem(built_.levels[0][0], 2, NumberedKey(4), 4096 - 3 * 13, "item number 2");
  ItemRange range = tree.Items();
  std::vector<uint64_t> ids;
  for (const Item& item : range) ids.push_back(item.key().objectid);
  EXPECT_THAT(ids, ElementsAre(256, 257, 260));
  EXPECT_TRUE(absl::IsDataLoss(range.status())) << range.status();

  Path path = *tree.SearchBackward(kMaxKey);
  ASSERT_TRUE(tree.Previous(path).ok());
  ASSERT_TRUE(tree.Previous(path).ok());
  EXPECT_EQ(path.key(), NumberedKey(3));
  EXPECT_TRUE(absl::IsDataLoss(tree.Previous(path)));
  EXPECT_FALSE(path.leaf());
}

// A source that checks nothing must not lead a path into an empty leaf.
TEST_F(SearchTest, EmptyLeafBelowANodeIsDamage) {
  const BTree tree = Build(NumberedItems(6));
  source_.set_checking(false);
  source_.SetHeader(built_.levels[0][1], {.bytenr = built_.levels[0][1],
                                          .generation = 7,
                                          .owner = kFsTreeId,
                                          .item_count = 0,
                                          .level = 0});
  Path path = *tree.Find(NumberedKey(2));
  EXPECT_TRUE(absl::IsDataLoss(tree.Next(path)));
  EXPECT_TRUE(absl::IsDataLoss(tree.SearchBackward(kMaxKey).status()));
}

// Item data is the same wherever it lies: in one page, on the seam of two, across several.
TEST(ItemData, IsWholeInPageArrays) {
  MemoryDisk source(16384);
  BufferCache cache({.node_bytes = 16384,
                     .allocator = Order0Allocator(
                         {.arena_bytes = size_t{64} << 20, .contiguous_by_luck = false})},
                    &source);
  ItemMap items;
  for (int i = 0; i < 200; ++i) {
    std::string& data = items[NumberedKey(i)];
    for (int byte = 0; byte < (i * 977) % 9001; ++byte) data.push_back('a' + (i + byte) % 26);
  }
  const BuiltTree built = BuildTree(source, items, {.leaf_items = 600, .node_children = 10});
  ItemRange range = BTree(&cache, built.root).Items();
  auto expected = items.begin();
  for (const Item& item : range) {
    ASSERT_NE(expected, items.end());
    EXPECT_EQ(item.key(), expected->first);
    EXPECT_EQ(Text(item), expected->second) << item.key().ToString();
    ++expected;
  }
  EXPECT_TRUE(range.status().ok()) << range.status();
  EXPECT_EQ(expected, items.end());
}

TEST_F(SearchTest, StepsFromAnEmptyPathAreMisuse) {
  const BTree tree = Build(NumberedItems(3));
  Path path;
  EXPECT_FALSE(path.valid());
  EXPECT_DEATH((void)tree.Next(path), "Next needs a path");
  EXPECT_DEATH((void)tree.Previous(path), "Previous needs a path");
  Item item;
  EXPECT_DEATH((void)path.Load(item), "stands on an item");
}

TEST_F(SearchTest, APathOfAnotherTreeIsMisuse) {
  const BTree tree = Build(NumberedItems(30));
  const BTree other = Build(NumberedItems(30, 1000));
  ASSERT_EQ(tree.root().level, other.root().level);
  Path path = *other.Search(kMinKey);
  EXPECT_DEATH((void)tree.Seek({.objectid = 260}, path), "a path of another tree");
  EXPECT_DEATH((void)tree.Next(path), "a path of another tree");
  EXPECT_DEATH((void)tree.Previous(path), "a path of another tree");
  EXPECT_TRUE(other.Next(path).ok());
  EXPECT_TRUE(other.Previous(path).ok());
  EXPECT_TRUE(other.Seek({.objectid = 1010}, path).ok());
  // An empty one is of no tree.
  path = Path();
  EXPECT_TRUE(tree.Seek({.objectid = 260}, path).ok());
  EXPECT_EQ(path.key().objectid, 260u);
}

// The same address in another cache, as two filesystems have it.
TEST_F(SearchTest, APathOfAnotherCacheIsMisuse) {
  const BTree tree = Build(NumberedItems(30));
  BufferCache second({.node_bytes = 4096, .allocator = nullptr}, &source_);
  const BTree same(&second, tree.root());
  Path path = *same.Search(kMinKey);
  EXPECT_DEATH((void)tree.Next(path), "a path of another tree");
  EXPECT_TRUE(same.Next(path).ok());
}

TEST(TreeRootName, NamesTheSubvolumeOfLogsAndRelocationTrees) {
  EXPECT_EQ(TreeRootName(kFsTreeId, 0), "FS_TREE");
  EXPECT_EQ(TreeRootName(257, 31), "257");
  EXPECT_EQ(TreeRootName(kTreeLogId, 0), "TREE_LOG");
  EXPECT_EQ(TreeRootName(kTreeLogId, 5), "TREE_LOG 5");
  EXPECT_EQ(TreeRootName(kTreeRelocId, 256), "TREE_RELOC 256");
}

}  // namespace
}  // namespace ebcache::testing
