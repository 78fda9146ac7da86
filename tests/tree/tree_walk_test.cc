// Walks over trees that are whole: order, sharing, subvolumes that are being deleted, memory.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <set>
#include <tuple>
#include <vector>

#include "ebcache/allocators.h"
#include "ebcache/btree.h"
#include "ebcache/buffer_cache.h"
#include "tests/tree/memory_tree.h"
#include "tests/tree/recording_visitor.h"

namespace ebcache::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;

class TreeWalkTest : public ::testing::Test {
 protected:
  RecordingVisitor Walk(const TreeRoot& root, const WalkOptions& options = {}) {
    RecordingVisitor visitor;
    WalkTree(cache_, root, visitor, options);
    return visitor;
  }

  MemoryDisk source_;
  BufferCache cache_{{.node_bytes = 4096, .allocator = nullptr}, &source_};
};

// The blocks below (and with) `bytenr`, parents first, by plain recursion over the disk's pointers.
void Preorder(BufferCache& cache, uint64_t bytenr, std::vector<uint64_t>& order) {
  order.push_back(bytenr);
  const ExtentBufferRef block = *cache.ReadBlock(bytenr);
  const Header header(*block);
  if (header.level() == 0) return;
  for (uint32_t slot = 0; slot < header.item_count(); ++slot) {
    Preorder(cache, LoadKeyPointer(*block, slot).bytenr, order);
  }
}

TEST_F(TreeWalkTest, EmptyTree) {
  const BuiltTree built = BuildTree(source_, {}, {.id = kCsumTreeId});
  const RecordingVisitor walk = Walk(built.root);
  EXPECT_THAT(walk.visited, ElementsAre(built.root.bytenr));
  EXPECT_THAT(walk.damage, IsEmpty());
}

TEST_F(TreeWalkTest, ParentsFirstChildrenInKeyOrderWhateverTheBatch) {
  const BuiltTree built = BuildTree(source_, NumberedItems(200), {.node_children = 5});
  std::vector<uint64_t> order;
  Preorder(cache_, built.root.bytenr, order);
  ASSERT_EQ(order.size(), built.blocks());
  for (int batch : {-1, 0, 1, 2, 3, 7, 8, 64, 1000}) {
    const RecordingVisitor walk = Walk(built.root, {.batch = batch});
    EXPECT_THAT(walk.visited, ElementsAreArray(order)) << "batch " << batch;
    EXPECT_THAT(walk.damage, IsEmpty());
    EXPECT_EQ(walk.items, 200);
  }
}

TEST_F(TreeWalkTest, ReadsInBatches) {
  const BuiltTree built = BuildTree(source_, NumberedItems(300), {.node_children = 100});
  Walk(built.root, {.batch = 16});
  EXPECT_EQ(source_.largest_batch(), 16);
  EXPECT_EQ(source_.reads().size(), built.blocks()) << "each block once";
}

TEST_F(TreeWalkTest, DoesNotGoBelowWhatTheVisitorDeclines) {
  const BuiltTree built = BuildTree(source_, NumberedItems(12));  // four leaves under two nodes
  ASSERT_EQ(built.levels[1].size(), 2);
  RecordingVisitor visitor;
  visitor.not_below = {built.levels[1][0]};
  WalkTree(cache_, built.root, visitor);
  EXPECT_THAT(visitor.visited,
              ElementsAre(built.root.bytenr, built.levels[1][0], built.levels[1][1],
                          built.levels[0][2], built.levels[0][3]));
  EXPECT_THAT(visitor.damage, IsEmpty());
}

TEST_F(TreeWalkTest, HoldsNothingWhenItIsOver) {
  const BuiltTree built = BuildTree(source_, NumberedItems(300), {.node_children = 4});
  Walk(built.root);
  cache_.DropCaches();
  EXPECT_EQ(cache_.stats().cached_buffers, 0);
}

// A tree many times larger than the cache: what is read ahead stays within the batches.
TEST(TreeWalkMemory, IsBoundedByBatchesAndBudget) {
  MemoryDisk source;
  const BuiltTree built =
      BuildTree(source, NumberedItems(8000), {.leaf_items = 1, .node_children = 20});
  constexpr int kBatch = 16;
  BufferCache cache({.node_bytes = 4096, .budget_bytes = 64 << 10, .allocator = nullptr}, &source);
  RecordingVisitor visitor;
  WalkTree(cache, built.root, visitor, {.batch = kBatch});
  EXPECT_EQ(visitor.visited.size(), built.blocks());
  // A batch of leaves, and on each level above a node and a smaller batch.
  EXPECT_LE(cache.stats().peak_cached_buffers,
            16 + kBatch + built.root.level * (1 + kBatch / 8 + 1));
}

// ---- Blocks that trees share --------------------------------------------------------------------

class SnapshotTest : public TreeWalkTest {
 protected:
  // A subvolume of four leaves under two nodes, and a snapshot of it with a root of its own.
  void SetUp() override {
    subvolume_ = BuildTree(source_, NumberedItems(12), {.id = 256});
    snapshot_ = subvolume_.root;
    snapshot_.id = 257;
    snapshot_.name = "257";
    snapshot_.generation = 9;
    snapshot_.bytenr = source_.Allocate();
    for (uint32_t slot = 0; slot < 2; ++slot) {
      source_.SetPointer(snapshot_.bytenr, slot,
                         {slot == 0 ? Key{256, kStringItemType, 0} : Key{262, kStringItemType, 0},
                          subvolume_.levels[1][slot], 7});
    }
    source_.SetHeader(
        snapshot_.bytenr,
        {.bytenr = snapshot_.bytenr, .generation = 9, .owner = 257, .item_count = 2, .level = 2});
  }

  BuiltTree subvolume_;
  TreeRoot snapshot_;
};

TEST_F(SnapshotTest, SharedBlocksEachTime) {
  EXPECT_EQ(Walk(subvolume_.root).visited.size(), 7);
  const RecordingVisitor walk = Walk(snapshot_);
  EXPECT_EQ(walk.visited.size(), 7);
  EXPECT_THAT(walk.damage, IsEmpty());
}

TEST_F(SnapshotTest, SharedBlocksOnce) {
  BlockSet visited(4096);
  EXPECT_EQ(Walk(subvolume_.root, {.visited = &visited}).visited.size(), 7);
  EXPECT_EQ(visited.size(), 7);
  const RecordingVisitor walk = Walk(snapshot_, {.visited = &visited});
  EXPECT_THAT(walk.visited, ElementsAre(snapshot_.bytenr));
  EXPECT_THAT(walk.damage, IsEmpty());
  EXPECT_EQ(visited.size(), 8);
}

TEST_F(SnapshotTest, ATreeVisitedBeforeIsPassedOver) {
  BlockSet visited(4096);
  Walk(subvolume_.root, {.visited = &visited});
  const RecordingVisitor walk = Walk(subvolume_.root, {.visited = &visited});
  EXPECT_THAT(walk.visited, IsEmpty());
  EXPECT_THAT(walk.damage, IsEmpty());
}

TEST_F(SnapshotTest, ABlockPassedOverTwiceInOneTreeIsDamageAllTheSame) {
  BlockSet visited(4096);
  Walk(subvolume_.root, {.visited = &visited});
  source_.SetPointerBytenr(snapshot_.bytenr, 1, subvolume_.levels[1][0]);
  const RecordingVisitor walk = Walk(snapshot_, {.visited = &visited});
  EXPECT_THAT(walk.visited, ElementsAre(snapshot_.bytenr));
  ASSERT_EQ(walk.damage.size(), 1);
  EXPECT_EQ(walk.damage[0].logical, subvolume_.levels[1][0]);
  EXPECT_EQ(walk.damage[0].tree, 257);
}

// ---- Subvolumes that are being deleted ----------------------------------------------------------

// A tree of leaves of one item; deleting has come as far as the item `first_left`, with its place
// kept on `drop_level`. Everything before is off the disk, as if written over.
class DropProgressTest : public TreeWalkTest,
                         public ::testing::WithParamInterface<std::tuple<int, int>> {};

TEST_P(DropProgressTest, WhatIsGoneIsNeitherVisitedNorDamage) {
  const auto [drop_level, place] = GetParam();
  constexpr int kItems = 27;  // leaves under 9, 3 and 1 nodes of three
  const BuiltTree built =
      BuildTree(source_, NumberedItems(kItems), {.leaf_items = 1, .node_children = 3});
  ASSERT_EQ(built.root.level, 3);

  // The place is a child of a node on drop_level: a block on the level below.
  const std::vector<uint64_t>& children = built.levels[drop_level - 1];
  const int items_below = kItems / static_cast<int>(children.size());
  const int first_left = place % static_cast<int>(children.size());
  TreeRoot root = built.root;
  root.drop_level = static_cast<uint8_t>(drop_level);
  root.drop_progress = {256 + uint64_t(first_left) * items_below, kStringItemType, 0};

  std::set<uint64_t> expected;
  for (int level = 0; level <= root.level; ++level) {
    const std::vector<uint64_t>& blocks = built.levels[level];
    for (size_t i = 0; i < blocks.size(); ++i) {
      // Blocks that end at or before the place are gone.
      const size_t end = (i + 1) * kItems / blocks.size();
      if (end <= size_t(first_left) * items_below) {
        source_.Erase(blocks[i]);
      } else {
        expected.insert(blocks[i]);
      }
    }
  }

  const RecordingVisitor walk = Walk(root);
  EXPECT_EQ(std::set<uint64_t>(walk.visited.begin(), walk.visited.end()), expected);
  EXPECT_EQ(walk.visited.size(), expected.size());
  EXPECT_THAT(walk.damage, IsEmpty());
  EXPECT_EQ(walk.items, kItems - first_left * items_below);
}

INSTANTIATE_TEST_SUITE_P(EveryPlace, DropProgressTest,
                         ::testing::Combine(::testing::Values(1, 2, 3), ::testing::Range(0, 27)));

TEST_F(TreeWalkTest, DropLevelAboveTheRootHidesNothing) {
  const BuiltTree built = BuildTree(source_, NumberedItems(12));
  for (uint8_t drop_level : {0, 3, 7, 255}) {
    TreeRoot root = built.root;
    root.drop_level = drop_level;
    root.drop_progress = {262, kStringItemType, 0};
    EXPECT_EQ(Walk(root).visited.size(), built.blocks()) << int{drop_level};
  }
}

}  // namespace
}  // namespace ebcache::testing
