// Walks over damaged trees: each kind of damage is reported once, as what it is, and the rest of
// the tree is visited.

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "ebcache/btree.h"
#include "ebcache/buffer_cache.h"
#include "tests/tree/memory_tree.h"
#include "tests/tree/recording_visitor.h"

namespace ebcache::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// 27 leaves of one item under 9, 3 and 1 nodes of three.
class TreeWalkDamageTest : public ::testing::Test {
 protected:
  static constexpr int kBlocks = 27 + 9 + 3 + 1;

  RecordingVisitor Walk() { return Walk(built_.root); }
  RecordingVisitor Walk(const TreeRoot& root) {
    RecordingVisitor visitor;
    WalkTree(cache_, root, visitor);
    return visitor;
  }

  // Blocks below one on `level`.
  static int Below(int level) {
    int blocks = 0;
    for (int width = 3; level > 0; --level, width *= 3) blocks += width;
    return blocks;
  }

  // The one damage of a walk that missed `missed` blocks by it.
  void ExpectOneDamage(int level, uint64_t logical, const std::string& reason, int missed) {
    const RecordingVisitor walk = Walk();
    ASSERT_EQ(walk.damage.size(), 1);
    const WalkDamage& damage = walk.damage[0];
    EXPECT_EQ(damage.tree, kFsTreeId);
    EXPECT_EQ(damage.level, level);
    EXPECT_EQ(damage.logical, logical);
    EXPECT_THAT(std::string(damage.status.message()), HasSubstr(reason));
    EXPECT_EQ(walk.visited.size(), kBlocks - missed);
    EXPECT_EQ(std::set<uint64_t>(walk.visited.begin(), walk.visited.end()).size(),
              walk.visited.size())
        << "no block twice";
    cache_.DropCaches();
    EXPECT_EQ(cache_.stats().cached_buffers, 0) << "no reference left";
  }

  MemoryDisk source_;
  BufferCache cache_{{.node_bytes = 4096, .allocator = nullptr}, &source_};
  BuiltTree built_ = BuildTree(source_, NumberedItems(27), {.leaf_items = 1, .node_children = 3});
};

TEST_F(TreeWalkDamageTest, MissingLeaf) {
  source_.Erase(built_.levels[0][13]);
  ExpectOneDamage(0, built_.levels[0][13], "no such block", 1);
}

TEST_F(TreeWalkDamageTest, MissingNode) {
  source_.Erase(built_.levels[2][1]);
  ExpectOneDamage(2, built_.levels[2][1], "no such block", 1 + 3 + 9);
}

TEST_F(TreeWalkDamageTest, MissingRoot) {
  source_.Erase(built_.root.bytenr);
  ExpectOneDamage(3, built_.root.bytenr, "no such block", kBlocks);
}

TEST_F(TreeWalkDamageTest, WrongLevel) {
  source_.SetLevel(built_.levels[1][4], 2);
  ExpectOneDamage(1, built_.levels[1][4], "wrong level", 1 + 3);
}

TEST_F(TreeWalkDamageTest, WrongGeneration) {
  source_.SetGeneration(built_.levels[0][0], 6);
  ExpectOneDamage(0, built_.levels[0][0], "wrong generation", 1);
}

TEST_F(TreeWalkDamageTest, BlockOfAnotherTree) {
  source_.SetOwner(built_.levels[0][26], kExtentTreeId);
  ExpectOneDamage(0, built_.levels[0][26], "wrong owner", 1);
}

TEST_F(TreeWalkDamageTest, BlockClaimedTwice) {
  // By its neighbour's pointer, in the same node and so in the same batch.
  source_.SetPointerBytenr(built_.levels[1][4], 2, built_.levels[0][13]);
  ExpectOneDamage(0, built_.levels[0][13], "a second time", 1);
}

TEST_F(TreeWalkDamageTest, BlockClaimedByAnotherNode) {
  source_.SetPointerBytenr(built_.levels[1][8], 1, built_.levels[0][0]);
  ExpectOneDamage(0, built_.levels[0][0], "a second time", 1);
}

TEST_F(TreeWalkDamageTest, PointerBackToTheRoot) {
  source_.SetPointerBytenr(built_.levels[1][0], 0, built_.root.bytenr);
  ExpectOneDamage(0, built_.root.bytenr, "a second time", 1);
}

TEST_F(TreeWalkDamageTest, PointerToItself) {
  source_.SetPointerBytenr(built_.levels[2][1], 1, built_.levels[2][1]);
  ExpectOneDamage(1, built_.levels[2][1], "a second time", 1 + 3);
}

TEST_F(TreeWalkDamageTest, PointerToNowhere) {
  source_.SetPointerBytenr(built_.levels[1][3], 1, uint64_t{1} << 62);
  ExpectOneDamage(0, uint64_t{1} << 62, "no such block", 1);
}

TEST_F(TreeWalkDamageTest, EveryReadInTurn) {
  uint64_t failures = 0;
  for (uint64_t n = 1; n <= kBlocks; ++n) {
    source_.FailRead(n);
    const RecordingVisitor walk = Walk();
    ASSERT_EQ(walk.damage.size(), 1) << n;
    EXPECT_TRUE(absl::IsUnavailable(walk.damage[0].status));
    EXPECT_EQ(walk.visited.size() + walk.damage.size() + Below(walk.damage[0].level), kBlocks);
    ++failures;
    cache_.DropCaches();
    ASSERT_EQ(cache_.stats().cached_buffers, 0) << n;
    source_.FailRead(0);
  }
  EXPECT_EQ(failures, kBlocks);
  EXPECT_THAT(Walk().damage, IsEmpty());
}

TEST_F(TreeWalkDamageTest, SeveralAtOnceInKeyOrder) {
  source_.Erase(built_.levels[0][2]);
  source_.SetLevel(built_.levels[1][1], 5);
  source_.SetPointerBytenr(built_.levels[1][2], 0, built_.levels[0][0]);
  const RecordingVisitor walk = Walk();
  std::vector<uint64_t> damaged;
  for (const WalkDamage& damage : walk.damage) damaged.push_back(damage.logical);
  EXPECT_THAT(damaged, ElementsAre(built_.levels[0][2], built_.levels[1][1], built_.levels[0][0]));
  EXPECT_EQ(walk.visited.size(), kBlocks - 1 - 4 - 1);
}

TEST_F(TreeWalkDamageTest, WrongFirstKey) {
  source_.SetItem(built_.levels[0][5], 0, {1000, kStringItemType, 0}, 4096 - 13, "item number 5");
  ExpectOneDamage(0, built_.levels[0][5], "wrong first key", 1);
}

// Visits and damage come in key order together, also where one batch would have both.
TEST_F(TreeWalkDamageTest, ToldAmongTheVisits) {
  const std::vector<uint64_t>& leaves = built_.levels[0];
  source_.SetPointerBytenr(built_.levels[1][8], 1, leaves[0]);
  const RecordingVisitor walk = Walk();
  ASSERT_GE(walk.order.size(), 3);
  EXPECT_EQ(std::vector<uint64_t>(walk.order.end() - 3, walk.order.end()),
            std::vector<uint64_t>({leaves[24], leaves[0], leaves[26]}));
}

TEST_F(TreeWalkDamageTest, RootThatIsTooHigh) {
  TreeRoot root = built_.root;
  root.level = 255;
  const RecordingVisitor walk = Walk(root);
  EXPECT_THAT(walk.visited, IsEmpty());
  ASSERT_EQ(walk.damage.size(), 1);
  EXPECT_EQ(walk.damage[0].level, 255);
}

TEST_F(TreeWalkDamageTest, SaysWhereInWhichTree) {
  source_.Erase(built_.levels[1][4]);
  EXPECT_EQ(Walk().damage.at(0).ToString(),
            absl::StrCat("tree FS_TREE, level 1, block ", built_.levels[1][4], ": no such block"));
  const WalkDamage log{.tree = kTreeLogId,
                       .key_offset = 5,
                       .level = 0,
                       .logical = 4096,
                       .status = absl::DataLossError("block 4096: gone")};
  EXPECT_EQ(log.ToString(), "tree TREE_LOG 5, level 0, block 4096: gone");
}

// ---- Sources that check nothing -----------------------------------------------------------------

// Each of eight levels points many times to the one block below: 121^7 ways down.
TEST(TreeWalkBomb, EndsAtOnce) {
  MemoryDisk source;
  source.set_checking(false);
  constexpr uint32_t kPointers = (4096 - kHeaderBytes) / kKeyPointerBytes;
  uint64_t below = BuildTree(source, NumberedItems(1)).root.bytenr;
  for (uint8_t level = 1; level < kMaxLevels; ++level) {
    const uint64_t node = source.Allocate();
    for (uint32_t slot = 0; slot < kPointers; ++slot) {
      source.SetPointer(node, slot, {{256 + slot, kStringItemType, 0}, below, 7});
    }
    source.SetHeader(node, {.bytenr = node,
                            .generation = 7,
                            .owner = kFsTreeId,
                            .item_count = kPointers,
                            .level = level});
    below = node;
  }
  BufferCache cache({.node_bytes = 4096, .allocator = nullptr}, &source);
  RecordingVisitor visitor;
  WalkTree(cache, {.id = kFsTreeId, .bytenr = below, .generation = 7, .level = 7}, visitor);
  EXPECT_EQ(visitor.visited.size(), kMaxLevels);
  EXPECT_EQ(visitor.damage.size(), 7 * (kPointers - 1));
  EXPECT_EQ(source.reads().size(), kMaxLevels);
}

// A block that is in the batch of a node, and below another block of that batch.
TEST(TreeWalkBomb, NeighbourAndChildAtOnce) {
  MemoryDisk source;
  const BuiltTree built =
      BuildTree(source, NumberedItems(4), {.leaf_items = 1, .node_children = 2});
  source.set_checking(false);
  source.SetPointerBytenr(built.levels[1][0], 1, built.levels[1][1]);
  BufferCache cache({.node_bytes = 4096, .allocator = nullptr}, &source);
  RecordingVisitor visitor;
  WalkTree(cache, built.root, visitor);
  EXPECT_THAT(visitor.visited, ElementsAre(built.root.bytenr, built.levels[1][0],
                                           built.levels[0][0], built.levels[1][1]));
  ASSERT_EQ(visitor.damage.size(), 1);
  EXPECT_EQ(visitor.damage[0].level, 1);
  EXPECT_EQ(visitor.damage[0].logical, built.levels[1][1]);
}

}  // namespace
}  // namespace ebcache::testing
