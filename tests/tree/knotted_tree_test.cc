// Trees that are none: cycles, levels that do not fall, blocks with two parents, roots that are
// their own children. Searching, iterating and walking each end, with an error that says where, in
// as many steps as there are blocks; the steps are counted.

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "ebcache/btree.h"
#include "ebcache/buffer_cache.h"
#include "tests/tree/memory_tree.h"
#include "tests/tree/recording_visitor.h"

namespace ebcache::testing {
namespace {

using ::testing::HasSubstr;

constexpr uint32_t kMostPointers = (4096 - kHeaderBytes) / kKeyPointerBytes;

// The knots are tried twice: with a source that holds blocks against their parents, as every volume
// does, and with one that lets everything pass, so that the tree code stands alone.
class KnottedTreeTest : public ::testing::TestWithParam<bool> {
 protected:
  KnottedTreeTest() { source_.set_checking(GetParam()); }
  bool checking() const { return GetParam(); }

  // A node of `slots` pointers that all lead to `child`.
  uint64_t Node(uint8_t level, uint64_t child, uint32_t slots = 1) {
    const uint64_t node = source_.Allocate();
    FillNode(node, level, child, slots);
    return node;
  }
  void FillNode(uint64_t node, uint8_t level, uint64_t child, uint32_t slots) {
    for (uint32_t slot = 0; slot < slots; ++slot) {
      source_.SetPointer(node, slot, {{256 + slot, kStringItemType, 0}, child, 7});
    }
    source_.SetHeader(
        node,
        {.bytenr = node, .generation = 7, .owner = kFsTreeId, .item_count = slots, .level = level});
  }
  uint64_t Leaf() { return BuildTree(source_, NumberedItems(1)).root.bytenr; }

  static TreeRoot Root(uint64_t bytenr, uint8_t level) {
    return {.id = kFsTreeId, .bytenr = bytenr, .generation = 7, .level = level, .name = "FS_TREE"};
  }

  // Every way to go through a tree; none may take more than `most` reads, nor come upon more items
  // than these blocks have room for.
  void ExpectQuickEnd(const TreeRoot& root, uint64_t most) {
    const BTree tree(&cache_, root);
    for (const Key& key : {kMinKey, kMaxKey, Key{300, kStringItemType, 0}}) {
      ExpectReads(most, [&] { (void)tree.Search(key); });
      ExpectReads(most, [&] { (void)tree.Find(key); });
      ExpectReads(most, [&] { (void)tree.SearchBackward(key); });
    }
    uint64_t items = 0;
    ExpectReads(most, [&] {
      ItemRange range = tree.Items();
      for ([[maybe_unused]] const Item& item : range) ASSERT_LE(++items, most * kMostPointers);
    });
    uint64_t found = 0;
    uint64_t gaps = 0;
    // A block that is no good is read again for other pointers to it, twice at the most.
    ExpectReads(3 * most, [&] {
      ItemRange range = tree.Items({}, {.on_gap = [&](const ItemGap&) { ++gaps; }});
      for ([[maybe_unused]] const Item& item : range) ASSERT_LE(++found, most * kMostPointers);
      EXPECT_LE(gaps, 1 + most * kMostPointers);
      if (gaps > 0) {
        EXPECT_FALSE(range.status().ok());
      }
    });
    EXPECT_GE(found, items) << "less than without going on";
    ExpectReads(most, [&] { ExpectBackwardEnd(tree, most); });
    ExpectReads(most, [&] {
      RecordingVisitor walk;
      WalkTree(cache_, root, walk);
      EXPECT_LE(walk.visited.size(), most);
      // Without a check, a row of nodes is as good a tree as any.
      if (checking()) {
        EXPECT_FALSE(walk.damage.empty());
      }
    });
  }

  void ExpectBackwardEnd(const BTree& tree, uint64_t most) {
    absl::StatusOr<Path> path = tree.SearchBackward(kMaxKey);
    if (!path.ok()) return;
    for (uint64_t steps = 0; tree.Previous(*path).ok(); ++steps) {
      ASSERT_LE(steps, most * kMostPointers);
    }
  }

  // In a cache that is cold, and holds nothing afterwards.
  template <typename Work>
  void ExpectReads(uint64_t most, Work work) {
    cache_.DropCaches();
    const size_t before = source_.reads().size();
    work();
    EXPECT_LE(source_.reads().size() - before, most);
    cache_.DropCaches();
    EXPECT_EQ(cache_.stats().cached_buffers, 0) << "somebody still holds a reference";
  }

  MemoryDisk source_;
  BufferCache cache_{{.node_bytes = 4096, .allocator = nullptr}, &source_};
};

INSTANTIATE_TEST_SUITE_P(Sources, KnottedTreeTest, ::testing::Bool(),
                         [](const ::testing::TestParamInfo<bool>& info) {
                           return info.param ? "Checking" : "Trusting";
                         });

TEST_P(KnottedTreeTest, ARootThatIsItsOwnChild) {
  const uint64_t root = source_.Allocate();
  FillNode(root, 3, root, 1);
  ExpectQuickEnd(Root(root, 3), 2);
  FillNode(root, 7, root, kMostPointers);
  ExpectQuickEnd(Root(root, 7), 2);
}

TEST_P(KnottedTreeTest, ACycleOfTwo) {
  const uint64_t lower = source_.Allocate();
  const uint64_t upper = Node(2, lower, 5);
  FillNode(lower, 1, upper, 5);
  ExpectQuickEnd(Root(upper, 2), 3);
}

TEST_P(KnottedTreeTest, ACycleThroughAllLevels) {
  const uint64_t lowest = source_.Allocate();
  uint64_t below = lowest;
  for (uint8_t level = 2; level < kMaxLevels; ++level) below = Node(level, below, 3);
  FillNode(lowest, 1, below, 3);
  ExpectQuickEnd(Root(below, 7), kMaxLevels);
}

TEST_P(KnottedTreeTest, ALevelThatDoesNotFall) {
  // Twenty nodes in a row, each of them on level 1 by its header.
  uint64_t below = Leaf();
  for (int i = 0; i < 20; ++i) below = Node(1, below);
  ExpectQuickEnd(Root(below, 7), kMaxLevels);
  if (!checking()) return;
  RecordingVisitor walk;
  WalkTree(cache_, Root(below, 1), walk);
  ASSERT_EQ(walk.damage.size(), 1);
  EXPECT_EQ(walk.damage[0].level, 0);
  EXPECT_THAT(walk.damage[0].reason(), HasSubstr("wrong level"));
}

TEST_P(KnottedTreeTest, ALevelThatRises) {
  const uint64_t high = Node(6, Leaf(), 4);
  // The bad child is asked for by some of the pointers to it, not by all.
  ExpectQuickEnd(Root(Node(2, high, kMostPointers), 2), 1 + 3);
}

TEST_P(KnottedTreeTest, LevelsThatCannotBe) {
  const uint64_t root = Node(255, Leaf(), 4);
  for (int level : {8, 100, 255}) {
    const TreeRoot too_high = Root(root, static_cast<uint8_t>(level));
    ExpectQuickEnd(too_high, 0);
    const absl::Status status = BTree(&cache_, too_high).Search(kMinKey).status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("at most 8 levels"));
  }
}

// 121 pointers to the block below, on each of seven levels: 121^7 ways down.
TEST_P(KnottedTreeTest, ABomb) {
  uint64_t below = Leaf();
  for (uint8_t level = 1; level < kMaxLevels; ++level) below = Node(level, below, kMostPointers);
  ExpectQuickEnd(Root(below, 7), kMaxLevels);
}

// The neighbour's child is one's own, too: by either way it is what its parents say, and yet a
// block met twice.
TEST_P(KnottedTreeTest, ABlockWithTwoParents) {
  const BuiltTree built =
      BuildTree(source_, NumberedItems(8), {.leaf_items = 1, .node_children = 2});
  const uint64_t shared = built.levels[0][0];
  source_.SetPointer(built.levels[1][2], 0, {{256, kStringItemType, 0}, shared, 7});
  ExpectQuickEnd(built.root, built.blocks());
}

// Two parents that expect different things of a block: who is right gets it, who is wrong gets an
// error, in either order, and the block is read once.
TEST_P(KnottedTreeTest, ABlockWithTwoExpectations) {
  if (!checking()) GTEST_SKIP() << "a source that checks nothing expects nothing";
  const uint64_t leaf = Leaf();
  const ParentCheck right{.level = 0, .generation = 7, .owner = 0, .first_key = {}};
  const std::vector<ParentCheck> wrong = {
      {.level = 1, .generation = 7, .owner = 0, .first_key = {}},
      {.level = 0, .generation = 8, .owner = 0, .first_key = {}},
      {.level = 0, .generation = 7, .owner = kExtentTreeId, .first_key = {}},
      {.level = 0, .generation = 7, .owner = 0, .first_key = kMaxKey},
  };
  const ExtentBufferRef held = *cache_.ReadBlock(leaf, &right);
  for (const ParentCheck& check : wrong) {
    EXPECT_TRUE(absl::IsDataLoss(cache_.ReadBlock(leaf, &check).status()));
    EXPECT_TRUE(cache_.ReadBlock(leaf, &right).ok()) << "spoiled by the other parent";
  }
  EXPECT_EQ(source_.reads().size(), 1);
}

TEST_P(KnottedTreeTest, AWrongExpectationFirst) {
  if (!checking()) GTEST_SKIP() << "a source that checks nothing expects nothing";
  const uint64_t leaf = Leaf();
  const ParentCheck right{.level = 0, .generation = 7, .owner = 0, .first_key = {}};
  const ParentCheck wrong{.level = 0, .generation = 8, .owner = 0, .first_key = {}};
  EXPECT_FALSE(cache_.ReadBlock(leaf, &wrong).ok());
  EXPECT_EQ(cache_.stats().cached_buffers, 0) << "a failed read stayed";
  EXPECT_TRUE(cache_.ReadBlock(leaf, &right).ok());
}

}  // namespace
}  // namespace ebcache::testing
