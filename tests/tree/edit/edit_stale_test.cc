// Stale bytes of a block that came from elsewhere: behind the last entry lies one that is none.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lib/tree/edit/leaf_pair.h"
#include "lib/tree/edit/node_edit.h"
#include "tests/tree/edit/edit_fixture.h"

namespace ebcache::testing {
namespace {

using edit::MutableBlock;
using edit::Place;
using edit::Result;

class EditStale : public OfEveryNodeSize {
 protected:
  const Entries entries_ = {{K(1), "data"}, {K(5), "more!"}};

  // Two items, and the head of a third one, which would be an item of 4 bytes.
  void FillLeaf(OwnBlock& leaf) const {
    leaf.Fill(entries_);
    const size_t head = kHeaderBytes + 2 * kItemBytes;
    PutKey(leaf.bytes, head, K(9));
    Put<uint32_t>(leaf.bytes, head + 17, area() - 9 - 4);
    Put<uint32_t>(leaf.bytes, head + 21, 4);
  }
};
EBCACHE_FOR_ALL_NODE_SIZES(EditStale);

void ExpectNoThird(const MutableBlock& block) {
  EXPECT_EQ(block.key(1), K(5));
  EXPECT_EQ(block.key(2), Key{});
  EXPECT_TRUE(block.data(2).empty());
  EXPECT_EQ(block.pointer(2), KeyPointer{});
  EXPECT_EQ(edit::FindSlot(block, K(9)), (Place{2, false}));
  EXPECT_EQ(edit::FindSlot(block, K(10)), (Place{2, false}));
}

TEST_P(EditStale, IsNoItem) {
  OwnBlock leaf(node_bytes());
  FillLeaf(leaf);
  ExpectNoThird(*MutableBlock::Open(absl::MakeSpan(leaf.bytes)));
  EXPECT_TRUE(leaf.view.mutable_data(2).empty());
}

TEST_P(EditStale, IsNoPointer) {
  Bytes bytes =
      NodeBytes({.node_bytes = node_bytes(), .level = 1}, {{K(1), 4096, 7}, {K(5), 8192, 7}});
  const size_t third = kHeaderBytes + 2 * kKeyPointerBytes;
  PutKey(bytes, third, K(9));
  Put<uint64_t>(bytes, third + 17, 12288);
  ExpectNoThird(*MutableBlock::Open(absl::MakeSpan(bytes)));
}

TEST_P(EditStale, DoesNotGoToTheNeighbour) {
  OwnBlock left(node_bytes());
  OwnBlock right(node_bytes());
  FillLeaf(right);
  EXPECT_EQ(edit::ItemsThatFitLeft(left.view, right.view), 2u);
  EXPECT_EQ(edit::MergeLeaves(left.view, right.view), Result::kDone);
  ExpectLeaf(left, entries_);
}

TEST_P(EditStale, IsWrittenOver) {
  OwnBlock leaf(node_bytes());
  FillLeaf(leaf);
  EXPECT_EQ(edit::InsertItem(leaf.view, 2, {K(7), 6, {}}), Result::kDone);
  ExpectLeaf(leaf, {{K(1), "data"}, {K(5), "more!"}, {K(7), std::string(6, '\0')}});
}

TEST_P(EditStale, IsZeroed) {
  OwnBlock leaf(node_bytes());
  FillLeaf(leaf);
  edit::ZeroUnused(leaf.view);
  ExpectLeaf(leaf, entries_);
}

}  // namespace
}  // namespace ebcache::testing
