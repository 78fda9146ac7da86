// Edits of nodes, one and two at a time, at their borders.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "lib/tree/edit/leaf_pair.h"
#include "lib/tree/edit/node_edit.h"
#include "tests/tree/edit/edit_fixture.h"

namespace ebcache::testing {
namespace {

using edit::Result;
using Pointers = std::vector<KeyPointer>;

KeyPointer P(uint64_t number) { return {K(number), (number + 1) * 4096, 100 + number}; }

Pointers Range(uint64_t from, uint64_t to) {
  Pointers pointers;
  for (uint64_t i = from; i < to; ++i) pointers.push_back(P(i));
  return pointers;
}

class EditNode : public OfEveryNodeSize {
 protected:
  struct Node : OwnBlock {
    Node(uint32_t node_bytes, const Pointers& pointers) : OwnBlock(node_bytes, 1) {
      if (!pointers.empty()) {
        EXPECT_EQ(edit::InsertPointers(view, 0, pointers), Result::kDone);
      }
    }
  };
  uint32_t most() const { return area() / kKeyPointerBytes; }
};
EBCACHE_FOR_ALL_NODE_SIZES(EditNode);

// The same as ExpectLeaf.
void ExpectNode(const OwnBlock& node, const Pointers& pointers) {
  const Bytes expected =
      NodeBytes({.node_bytes = static_cast<uint32_t>(node.bytes.size()), .level = 1}, pointers);
  ASSERT_EQ(node.view.item_count(), pointers.size());
  for (uint32_t slot = 0; slot < pointers.size(); ++slot) {
    EXPECT_EQ(node.view.pointer(slot), pointers[slot]) << slot;
  }
  EXPECT_TRUE(std::equal(node.bytes.begin() + kHeaderBytes, node.bytes.end(),
                         expected.begin() + kHeaderBytes))
      << "not the bytes of such a node";
  if (pointers.empty()) return;  // which the checker refuses, and no tree has
  EXPECT_EQ(CheckTreeBlockBytes(node.bytes, {}), absl::OkStatus());
}

TEST_P(EditNode, InsertFirstMiddleLastAndSeveral) {
  Node node(node_bytes(), {});
  EXPECT_EQ(edit::InsertPointer(node.view, 0, P(20)), Result::kDone);
  EXPECT_EQ(edit::InsertPointer(node.view, 0, P(10)), Result::kDone);
  EXPECT_EQ(edit::InsertPointer(node.view, 2, P(30)), Result::kDone);
  EXPECT_EQ(edit::InsertPointers(node.view, 1, Range(12, 15)), Result::kDone);
  ExpectNode(node, {P(10), P(12), P(13), P(14), P(20), P(30)});
}

TEST_P(EditNode, FullToTheLastPointer) {
  EXPECT_EQ(edit::MostPointers(Node(node_bytes(), {}).view), most());
  Node node(node_bytes(), Range(0, most() - 1));
  ExpectRefused(Result::kNoRoom, {&node}, [&] {
    return edit::InsertPointers(node.view, most() - 1, Range(most() - 1, most() + 1));
  });
  EXPECT_EQ(edit::InsertPointer(node.view, most() - 1, P(most() - 1)), Result::kDone);
  EXPECT_LT(node.view.free_bytes(), kKeyPointerBytes);
  ExpectNode(node, Range(0, most()));
  ExpectRefused(Result::kNoRoom, {&node},
                [&] { return edit::InsertPointer(node.view, most(), P(most())); });
  EXPECT_EQ(edit::RemovePointers(node.view, 0, most()), Result::kDone);
  ExpectNode(node, {});
}

TEST_P(EditNode, InsertsThatAreRefused) {
  Node node(node_bytes(), {P(10), P(20)});
  const auto refuse = [&](Result reason, uint32_t slot, const Pointers& pointers) {
    ExpectRefused(reason, {&node}, [&] { return edit::InsertPointers(node.view, slot, pointers); });
  };
  refuse(Result::kBadSlot, 3, {P(30)});
  refuse(Result::kBadSlot, ~0u, {P(30)});
  refuse(Result::kBadCount, 1, {});
  refuse(Result::kBadPointer, 1, {P(15), {K(16), 0, 7}});
  refuse(Result::kKeyOrder, 1, {P(10)});
  refuse(Result::kKeyOrder, 1, {P(20)});
  refuse(Result::kKeyOrder, 2, {P(15)});
  refuse(Result::kKeyOrder, 1, {P(15), P(15)});
  refuse(Result::kKeyOrder, 1, {P(15), P(25)});
}

TEST_P(EditNode, RemoveEveryRange) {
  for (uint32_t slot = 0; slot < 5; ++slot) {
    for (uint32_t count = 1; slot + count <= 5; ++count) {
      Node node(node_bytes(), Range(0, 5));
      EXPECT_EQ(edit::RemovePointers(node.view, slot, count), Result::kDone);
      Pointers left = Range(0, 5);
      left.erase(left.begin() + slot, left.begin() + slot + count);
      ExpectNode(node, left);
    }
  }
  Node node(node_bytes(), Range(0, 5));
  for (auto [reason, slot, count] : {std::tuple{Result::kBadSlot, 5u, 1u},
                                     {Result::kBadCount, 0u, 0u},
                                     {Result::kBadCount, 0u, 6u},
                                     {Result::kBadCount, 4u, 2u},
                                     {Result::kBadCount, 1u, ~0u}}) {
    ExpectRefused(reason, {&node}, [&, slot = slot, count = count] {
      return edit::RemovePointers(node.view, slot, count);
    });
  }
}

TEST_P(EditNode, ReplaceAndChangeKey) {
  Node node(node_bytes(), {P(10), P(20), P(30)});
  const auto refuse = [&](Result reason, uint32_t slot, const KeyPointer& pointer) {
    ExpectRefused(reason, {&node}, [&] { return edit::ReplacePointer(node.view, slot, pointer); });
  };
  refuse(Result::kBadSlot, 3, P(40));
  refuse(Result::kBadPointer, 1, {K(20), 0, 7});
  refuse(Result::kKeyOrder, 1, P(10));
  refuse(Result::kKeyOrder, 1, P(30));
  EXPECT_EQ(edit::ReplacePointer(node.view, 1, {K(20), 65536, 9}), Result::kDone);
  EXPECT_EQ(edit::ReplacePointer(node.view, 2, P(21)), Result::kDone);
  EXPECT_EQ(edit::ChangeKey(node.view, 0, K(3)), Result::kDone);
  ExpectRefused(Result::kKeyOrder, {&node}, [&] { return edit::ChangeKey(node.view, 0, K(20)); });
  ExpectNode(node, {{K(3), P(10).bytenr, P(10).generation}, {K(20), 65536, 9}, P(21)});
  EXPECT_EQ(edit::FindSlot(node.view, K(21)), (edit::Place{2, true}));
}

TEST_P(EditNode, PushEveryNumberEitherWay) {
  for (uint32_t count = 1; count <= 3; ++count) {
    Node left(node_bytes(), Range(0, 3));
    Node right(node_bytes(), Range(10, 13));
    EXPECT_EQ(edit::PushPointersRight(left.view, right.view, count), Result::kDone);
    ExpectNode(left, Range(0, 3 - count));
    Pointers expected = Range(3 - count, 3);
    for (const KeyPointer& pointer : Range(10, 13)) expected.push_back(pointer);
    ExpectNode(right, expected);
    EXPECT_EQ(edit::PushPointersLeft(left.view, right.view, count + 2), Result::kDone);
    EXPECT_EQ(left.view.item_count(), 5u);
    ExpectNode(right, {P(12)});
  }
}

TEST_P(EditNode, AsManyAsFitAndNotOneMore) {
  Node left(node_bytes(), Range(0, 3));
  Node right(node_bytes(), Range(10, 10 + most() - 2));
  EXPECT_EQ(edit::PointersThatFitRight(left.view, right.view), 2u);
  EXPECT_EQ(edit::PointersThatFitLeft(left.view, right.view), most() - 3);
  ExpectRefused(Result::kNoRoom, {&left, &right},
                [&] { return edit::PushPointersRight(left.view, right.view, 3); });
  ExpectRefused(Result::kNoRoom, {&left, &right},
                [&] { return edit::MergeNodes(left.view, right.view); });
  ExpectRefused(Result::kNoRoom, {&left, &right},
                [&] { return edit::PushPointersLeft(left.view, right.view, most() - 2); });
  EXPECT_EQ(edit::PushPointersRight(left.view, right.view, 2), Result::kDone);
  EXPECT_EQ(right.view.item_count(), most());
  EXPECT_EQ(edit::PointersThatFitRight(left.view, right.view), 0u);
  EXPECT_EQ(edit::PushPointersLeft(left.view, right.view, most() - 1), Result::kDone);
  EXPECT_EQ(left.view.item_count(), most());
  ExpectNode(right, {P(10 + most() - 3)});
}

TEST_P(EditNode, MergeAndPairsThatAreRefused) {
  Node left(node_bytes(), {P(1), P(2)});
  Node right(node_bytes(), {P(3)});
  EXPECT_EQ(edit::MergeNodes(left.view, right.view), Result::kDone);
  EXPECT_EQ(edit::MergeNodes(left.view, right.view), Result::kDone);
  ExpectNode(left, Range(1, 4));
  ExpectNode(right, {});
  Node low(node_bytes(), {P(3)});
  OwnBlock leaf(node_bytes());
  OwnBlock another_leaf(node_bytes());
  OwnBlock higher(node_bytes(), 2);
  const std::vector<OwnBlock*> all = {&left, &right, &low, &leaf, &higher};
  using Push = Result (*)(edit::MutableBlock, edit::MutableBlock, uint32_t);
  for (Push push : {Push{edit::PushPointersRight}, Push{edit::PushPointersLeft}}) {
    const auto refuse = [&](Result reason, OwnBlock& a, OwnBlock& b, uint32_t count) {
      ExpectRefused(reason, all, [&] { return push(a.view, b.view, count); });
    };
    refuse(Result::kKeyOrder, left, low, 1);
    refuse(Result::kBadCount, left, low, 0);
    refuse(Result::kBadCount, left, low, 4);
    refuse(Result::kMismatch, left, left, 1);
    refuse(Result::kMismatch, left, higher, 1);
    refuse(Result::kWrongLevel, leaf, another_leaf, 1);
  }
  EXPECT_EQ(edit::PointersThatFitLeft(left.view, low.view), 0u);
  EXPECT_EQ(edit::PointersThatFitRight(left.view, low.view), 0u);
  EXPECT_EQ(edit::MergeNodes(leaf.view, another_leaf.view), Result::kWrongLevel);
}

TEST_P(EditNode, SplitAtEverySlotAndWhereToSplit) {
  for (uint32_t at = 0; at <= 5; ++at) {
    Node left(node_bytes(), Range(0, 5));
    Node right(node_bytes(), {});
    ExpectRefused(Result::kBadSlot, {&left, &right},
                  [&] { return edit::SplitNode(left.view, right.view, 6); });
    EXPECT_EQ(edit::SplitNode(left.view, right.view, at), Result::kDone);
    ExpectNode(left, Range(0, at));
    ExpectNode(right, Range(at, 5));
    if (at == 5) continue;
    ExpectRefused(Result::kBadCount, {&left, &right},
                  [&] { return edit::SplitNode(left.view, right.view, 0); });
  }
  OwnBlock leaf(node_bytes());
  OwnBlock another_leaf(node_bytes());
  EXPECT_EQ(edit::SplitNode(leaf.view, another_leaf.view, 0), Result::kWrongLevel);
  const Node full(node_bytes(), Range(0, most()));
  for (const uint32_t slot : {0u, 1u, most() / 2, most() - 1}) {
    const uint32_t at = edit::PlanNodeSplit(full.view, slot);
    EXPECT_EQ(at, (most() + 1) / 2) << slot;
  }
  EXPECT_EQ(edit::PlanNodeSplit(full.view, most()), most());
  // Of two, each half gets one.
  EXPECT_EQ(edit::PlanNodeSplit(Node(node_bytes(), Range(0, 2)).view, 0), 1u);
}

TEST_P(EditNode, NothingFitsWhereItDoesNotBelong) {
  OwnBlock leaf(node_bytes());
  OwnBlock another_leaf(node_bytes());
  leaf.Fill({{K(1), "one"}});
  another_leaf.Fill({{K(2), "two"}});
  EXPECT_EQ(edit::PointersThatFitRight(leaf.view, another_leaf.view), 0u);
  EXPECT_EQ(edit::PointersThatFitLeft(leaf.view, another_leaf.view), 0u);
  // Where a node is taken for a leaf, these pointers are items without data.
  Node node(node_bytes(), {{K(1), area(), 7}});
  Node another_node(node_bytes(), {{K(2), area(), 7}});
  EXPECT_EQ(edit::ItemsThatFitRight(node.view, another_node.view), 0u);
  EXPECT_EQ(edit::ItemsThatFitLeft(node.view, another_node.view), 0u);
}

// The address as a head: where data begins, and how much of it there is.
TEST_P(EditNode, PointersHaveNoData) {
  Node node(node_bytes(), {{K(1), uint64_t{8} << 32 | 1024, 7}});
  EXPECT_TRUE(node.view.data(0).empty());
  EXPECT_TRUE(node.view.mutable_data(0).empty());
}

TEST_P(EditNode, NoPointersInLeaves) {
  OwnBlock leaf(node_bytes());
  leaf.Fill({{K(1), std::string(100, 'x')}});
  const auto refuse = [&](const std::function<Result()>& edit) {
    ExpectRefused(Result::kWrongLevel, {&leaf}, edit);
  };
  refuse([&] { return edit::InsertPointer(leaf.view, 1, P(5)); });
  refuse([&] { return edit::RemovePointers(leaf.view, 0, 1); });
  refuse([&] { return edit::ReplacePointer(leaf.view, 0, P(1)); });
}

}  // namespace
}  // namespace ebcache::testing
