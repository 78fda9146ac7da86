// Items that go from leaf to leaf: pushes, merges, and splits with their plans.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lib/tree/edit/leaf_pair.h"
#include "tests/tree/edit/edit_fixture.h"

namespace ebcache::testing {
namespace {

using edit::LeafSplit;
using edit::Result;
using Home = LeafSplit::Home;

class EditLeafPair : public OfEveryNodeSize {
 protected:
  // `count` items from `first` on, of `bytes` bytes each.
  static Entries Items(uint64_t first, size_t count, size_t bytes) {
    Entries entries;
    for (uint64_t i = 0; i < count; ++i) {
      entries.push_back({K(first + i), std::string(bytes, static_cast<char>('a' + i % 26))});
    }
    return entries;
  }
  // One item, beside which `free` bytes of a leaf stay unused.
  Entries AllBut(uint32_t free, uint64_t key) const {
    return {{K(key), std::string(most_item() - free, 'f')}};
  }
};
EBCACHE_FOR_ALL_NODE_SIZES(EditLeafPair);

Entries Part(const Entries& entries, size_t from, size_t to) {
  return Entries(entries.begin() + static_cast<std::ptrdiff_t>(from),
                 entries.begin() + static_cast<std::ptrdiff_t>(to));
}
Entries Joined(Entries first, const Entries& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

// ---- Pushes -------------------------------------------------------------------------------------

TEST_P(EditLeafPair, PushEveryNumberEitherWay) {
  const Entries low = {{K(1), "one"}, {K(2), ""}, {K(3), "three"}};
  const Entries high = {{K(11), "eleven"}, {K(12), "twelve"}, {K(13), ""}};
  for (uint32_t count = 1; count <= 3; ++count) {
    OwnBlock left(node_bytes());
    OwnBlock right(node_bytes());
    left.Fill(low);
    right.Fill(high);
    EXPECT_EQ(edit::PushItemsRight(left.view, right.view, count), Result::kDone);
    ExpectLeaf(left, Part(low, 0, 3 - count));
    ExpectLeaf(right, Joined(Part(low, 3 - count, 3), high));
    EXPECT_EQ(edit::PushItemsLeft(left.view, right.view, 3 + count), Result::kDone);
    ExpectLeaf(left, Joined(low, high));
    ExpectLeaf(right, {});
  }
}

TEST_P(EditLeafPair, AsManyAsFitAndNotOneByteMore) {
  const Entries moved = Items(10, 3, 100);
  for (const uint32_t spare : {0u, 1u, 124u}) {
    for (const uint32_t fit : {0u, 1u, 2u}) {
      const uint32_t free = fit * (kItemBytes + 100) + spare;
      {
        OwnBlock left(node_bytes());
        OwnBlock right(node_bytes());
        left.Fill(moved);
        right.Fill(AllBut(free, 99));
        EXPECT_EQ(edit::ItemsThatFitRight(left.view, right.view), fit);
        ExpectRefused(Result::kNoRoom, {&left, &right},
                      [&] { return edit::PushItemsRight(left.view, right.view, fit + 1); });
        if (fit == 0) continue;
        EXPECT_EQ(edit::PushItemsRight(left.view, right.view, fit), Result::kDone);
        EXPECT_EQ(right.view.free_bytes(), spare);
        ExpectLeaf(right, Joined(Part(moved, 3 - fit, 3), AllBut(free, 99)));
      }
      OwnBlock left(node_bytes());
      OwnBlock right(node_bytes());
      left.Fill(AllBut(free, 1));
      right.Fill(moved);
      EXPECT_EQ(edit::ItemsThatFitLeft(left.view, right.view), fit);
      ExpectRefused(Result::kNoRoom, {&left, &right},
                    [&] { return edit::PushItemsLeft(left.view, right.view, fit + 1); });
      EXPECT_EQ(edit::PushItemsLeft(left.view, right.view, fit), Result::kDone);
      ExpectLeaf(left, Joined(AllBut(free, 1), Part(moved, 0, fit)));
      ExpectLeaf(right, Part(moved, fit, 3));
    }
  }
}

// An empty leaf has no last key, not the lowest one.
TEST_P(EditLeafPair, TheLowestKeyGoesIntoAnEmptyLeaf) {
  OwnBlock left(node_bytes());
  OwnBlock right(node_bytes());
  const Entries all = {{kMinKey, "lowest"}, {K(1), "one"}};
  right.Fill(all);
  EXPECT_EQ(edit::ItemsThatFitLeft(left.view, right.view), 2u);
  EXPECT_EQ(edit::PushItemsLeft(left.view, right.view, 2), Result::kDone);
  ExpectLeaf(left, all);
}

TEST_P(EditLeafPair, PushesThatAreRefused) {
  OwnBlock left(node_bytes());
  OwnBlock right(node_bytes());
  left.Fill({{K(1), "one"}, {K(2), "two"}});
  right.Fill({{K(2), "zwei"}, {K(3), "drei"}});  // begins where the left one ends
  OwnBlock node(node_bytes(), 1);
  OwnBlock other_size(node_bytes() == 4096 ? 16384 : 4096);
  const std::vector<OwnBlock*> all = {&left, &right, &node, &other_size};
  using Push = Result (*)(edit::MutableBlock, edit::MutableBlock, uint32_t);
  for (Push push : {Push{edit::PushItemsRight}, Push{edit::PushItemsLeft}}) {
    const auto refuse = [&](Result reason, OwnBlock& a, OwnBlock& b, uint32_t count) {
      ExpectRefused(reason, all, [&] { return push(a.view, b.view, count); });
    };
    refuse(Result::kKeyOrder, left, right, 1);
    refuse(Result::kBadCount, left, right, 0);
    refuse(Result::kBadCount, left, right, 3);
    refuse(Result::kBadCount, left, right, ~0u);
    refuse(Result::kMismatch, left, left, 1);
    refuse(Result::kMismatch, left, node, 1);
    refuse(Result::kMismatch, other_size, right, 1);
    OwnBlock another_node(node_bytes(), 1);
    refuse(Result::kWrongLevel, node, another_node, 1);
  }
  EXPECT_EQ(edit::ItemsThatFitRight(left.view, right.view), 0u);
  EXPECT_EQ(edit::ItemsThatFitLeft(left.view, right.view), 0u);
  EXPECT_EQ(edit::ItemsThatFitLeft(left.view, node.view), 0u);
  ExpectRefused(Result::kKeyOrder, all, [&] { return edit::MergeLeaves(left.view, right.view); });
}

// ---- Merges -------------------------------------------------------------------------------------

TEST_P(EditLeafPair, MergeUpToTheLastByte) {
  const Entries high = Items(10, 2, 50);
  const uint32_t room = 2 * (kItemBytes + 50);
  for (const uint32_t missing : {0u, 1u}) {
    OwnBlock left(node_bytes());
    OwnBlock right(node_bytes());
    left.Fill(AllBut(room - missing, 1));
    right.Fill(high);
    if (missing == 1) {
      ExpectRefused(Result::kNoRoom, {&left, &right},
                    [&] { return edit::MergeLeaves(left.view, right.view); });
      continue;
    }
    EXPECT_EQ(edit::MergeLeaves(left.view, right.view), Result::kDone);
    EXPECT_EQ(left.view.free_bytes(), 0u);
    ExpectLeaf(left, Joined(AllBut(room, 1), high));
    ExpectLeaf(right, {});
  }
}

TEST_P(EditLeafPair, MergesWithEmptyLeaves) {
  OwnBlock left(node_bytes());
  OwnBlock right(node_bytes());
  EXPECT_EQ(edit::MergeLeaves(left.view, right.view), Result::kDone);
  right.Fill(Items(1, 3, 9));
  EXPECT_EQ(edit::MergeLeaves(left.view, right.view), Result::kDone);
  EXPECT_EQ(edit::MergeLeaves(left.view, right.view), Result::kDone);
  ExpectLeaf(left, Items(1, 3, 9));
  ExpectLeaf(right, {});
  OwnBlock node(node_bytes(), 1);
  OwnBlock another_node(node_bytes(), 1);
  EXPECT_EQ(edit::MergeLeaves(node.view, another_node.view), Result::kWrongLevel);
}

// ---- Splits -------------------------------------------------------------------------------------

// Carries a plan out, and holds what became of it against what was and what came.
void SplitAndInsert(uint32_t node_bytes, const Entries& before, uint32_t slot, uint32_t size,
                    LeafSplit& plan) {
  OwnBlock leaves[3] = {OwnBlock(node_bytes), OwnBlock(node_bytes), OwnBlock(node_bytes)};
  leaves[0].Fill(before);
  plan = edit::PlanLeafSplit(leaves[0].view, slot, size);
  ASSERT_EQ(plan.result, Result::kDone);
  ASSERT_EQ(edit::SplitLeaf(leaves[0].view, leaves[1].view, plan.at), Result::kDone);
  // Between the keys of its neighbours, which are even.
  const Key key = slot == 0 ? K(1) : K(before[slot - 1].key.offset + 1);
  const int home = plan.home == Home::kLeft ? 0 : plan.home == Home::kRight ? 1 : 2;
  ASSERT_EQ(edit::InsertItem(leaves[home].view, plan.slot, {key, size, {}}), Result::kDone);
  Entries after = before;
  after.insert(after.begin() + slot, {key, std::string(size, '\0')});
  Entries found = EntriesOf(leaves[0].view);
  if (home == 2) found = Joined(found, EntriesOf(leaves[2].view));
  found = Joined(found, EntriesOf(leaves[1].view));
  EXPECT_EQ(found, after);
  for (int i = 0; i < (home == 2 ? 3 : 2); ++i) {
    EXPECT_GT(leaves[i].view.item_count(), 0u) << i;
    ExpectLeaf(leaves[i], EntriesOf(leaves[i].view));
  }
}

class EditLeafSplit : public EditLeafPair {
 protected:
  // A leaf full of `count` items with even keys from 2 on.
  Entries Full(uint32_t count) const {
    Entries entries;
    const uint32_t each = area() / count - kItemBytes;
    for (uint64_t i = 0; i < count; ++i) entries.push_back({K(2 + 2 * i), std::string(each, 'x')});
    return entries;
  }
};
EBCACHE_FOR_ALL_NODE_SIZES(EditLeafSplit);

TEST_P(EditLeafSplit, HalvesAreEqualWhereverTheItemGoes) {
  const uint32_t each = area() / 8 - kItemBytes;
  for (uint32_t slot = 0; slot < 8; ++slot) {
    SCOPED_TRACE(slot);
    LeafSplit plan;
    SplitAndInsert(node_bytes(), Full(8), slot, each, plan);
    // Nine items: four in one leaf and five in the other.
    EXPECT_EQ(plan.home, slot <= 3 ? Home::kLeft : slot >= 5 ? Home::kRight : plan.home);
    const uint32_t left = plan.at + (plan.home == Home::kLeft ? 1 : 0);
    EXPECT_TRUE(left == 4 || left == 5) << left;
  }
}

TEST_P(EditLeafSplit, BehindTheLastItemTheLeftLeafStaysFull) {
  LeafSplit plan;
  SplitAndInsert(node_bytes(), Full(8), 8, 10, plan);
  EXPECT_EQ(plan.at, 8u);
  EXPECT_EQ(plan.home, Home::kRight);
  EXPECT_EQ(plan.slot, 0u);
}

TEST_P(EditLeafSplit, AnItemThatFitsNeitherHalfGetsALeafOfItsOwn) {
  for (const uint32_t slot : {1u, 2u, 3u}) {
    SCOPED_TRACE(slot);
    LeafSplit plan;
    SplitAndInsert(node_bytes(), Full(4), slot, most_item(), plan);
    EXPECT_EQ(plan.home, Home::kBetween);
    EXPECT_EQ(plan.at, slot);
  }
  // In front of all, and behind them, two are enough.
  LeafSplit plan;
  SplitAndInsert(node_bytes(), Full(4), 0, most_item(), plan);
  EXPECT_EQ(plan.home, Home::kLeft);
  EXPECT_EQ(plan.at, 0u);
  SplitAndInsert(node_bytes(), Full(4), 4, most_item(), plan);
  EXPECT_EQ(plan.home, Home::kRight);
}

// Two items with another one between: the largest that still fits beside one of them, and one byte
// more.
TEST_P(EditLeafSplit, TheLastByteDecidesAboutThreeLeaves) {
  const Entries two = {{K(2), std::string(area() / 2 - kItemBytes, 'x')},
                       {K(4), std::string(area() / 2 - kItemBytes - 7, 'y')}};
  const uint32_t fits = area() - kItemBytes - (area() / 2 - 7);
  LeafSplit plan;
  SplitAndInsert(node_bytes(), two, 1, fits, plan);
  EXPECT_EQ(plan.home, Home::kRight);
  SplitAndInsert(node_bytes(), two, 1, fits + 1, plan);
  EXPECT_EQ(plan.home, Home::kBetween);
}

TEST_P(EditLeafSplit, ALeafOfOneItem) {
  const Entries one = {{K(2), std::string(most_item(), 'x')}};
  for (const uint32_t slot : {0u, 1u}) {
    for (const uint32_t size : {0u, most_item()}) {
      LeafSplit plan;
      SplitAndInsert(node_bytes(), one, slot, size, plan);
      EXPECT_EQ(plan.at, slot);
      EXPECT_EQ(plan.home, slot == 0 ? Home::kLeft : Home::kRight);
    }
  }
}

// ---- Splits for an item that grows --------------------------------------------------------------

// Carries a plan out, and grows the item where it is said to be.
void SplitAndResize(uint32_t node_bytes, const Entries& before, uint32_t slot, uint32_t size,
                    LeafSplit& plan) {
  OwnBlock leaves[3] = {OwnBlock(node_bytes), OwnBlock(node_bytes), OwnBlock(node_bytes)};
  leaves[0].Fill(before);
  ASSERT_EQ(edit::ResizeItem(leaves[0].view, slot, size, edit::ItemEnd::kBack), Result::kNoRoom);
  plan = edit::PlanLeafSplitToResize(leaves[0].view, slot, size);
  ASSERT_EQ(plan.result, Result::kDone);
  ASSERT_EQ(edit::SplitLeaf(leaves[0].view, leaves[1].view, plan.at), Result::kDone);
  const bool alone = plan.home == Home::kBetween;
  if (alone) {
    ASSERT_EQ(edit::SplitLeaf(leaves[1].view, leaves[2].view, 1), Result::kDone);
  }
  OwnBlock& home = leaves[plan.home == Home::kLeft ? 0 : 1];
  EXPECT_EQ(home.view.key(plan.slot), before[slot].key);
  ASSERT_EQ(edit::ResizeItem(home.view, plan.slot, size, edit::ItemEnd::kBack), Result::kDone);
  Entries after = before;
  after[slot].value.resize(size, '\0');
  Entries found;
  for (int i = 0; i < (alone ? 3 : 2); ++i) {
    EXPECT_GT(leaves[i].view.item_count(), 0u) << i;
    ExpectLeaf(leaves[i], EntriesOf(leaves[i].view));
    found = Joined(found, EntriesOf(leaves[i].view));
  }
  EXPECT_EQ(found, after);
}

TEST_P(EditLeafSplit, ALeafIsHalvedWhicheverItemGrows) {
  const uint32_t each = area() / 8;
  for (uint32_t slot = 0; slot < 8; ++slot) {
    SCOPED_TRACE(slot);
    LeafSplit plan;
    SplitAndResize(node_bytes(), Full(8), slot, 2 * each - kItemBytes, plan);
    // Worth nine items: four in one leaf and five in the other.
    const uint32_t left = plan.at + (plan.home == Home::kLeft ? 1 : 0);
    EXPECT_TRUE(left == 4 || left == 5) << left;
  }
}

TEST_P(EditLeafSplit, WhatGrowsToALeafGetsOneOfItsOwn) {
  for (uint32_t slot = 0; slot < 4; ++slot) {
    SCOPED_TRACE(slot);
    LeafSplit plan;
    SplitAndResize(node_bytes(), Full(4), slot, most_item(), plan);
    EXPECT_EQ(plan.home, slot == 0 ? Home::kLeft : slot == 3 ? Home::kRight : Home::kBetween);
    EXPECT_EQ(plan.at, slot == 0 ? 1 : slot);
    EXPECT_EQ(plan.slot, 0u);
  }
}

// Of three items the one in the middle grows to the largest that fits beside the smaller neighbour,
// and by one byte more.
TEST_P(EditLeafSplit, TheLastByteDecidesWhereItGrows) {
  const uint32_t third = area() / 3 - kItemBytes;
  const Entries three = {{K(2), std::string(third, 'x')},
                         {K(4), std::string(third, 'y')},
                         {K(6), std::string(third - 7, 'z')}};
  const uint32_t fits = most_item() - kItemBytes - (third - 7);
  LeafSplit plan;
  SplitAndResize(node_bytes(), three, 1, fits, plan);
  EXPECT_EQ(plan.home, Home::kRight);
  SplitAndResize(node_bytes(), three, 1, fits + 1, plan);
  EXPECT_EQ(plan.home, Home::kBetween);
}

TEST_P(EditLeafSplit, PlansToResizeThatAreRefused) {
  OwnBlock leaf(node_bytes());
  EXPECT_EQ(edit::PlanLeafSplitToResize(leaf.view, 0, 1).result, Result::kBadSlot);
  leaf.Fill({{K(2), "only"}});
  EXPECT_EQ(edit::PlanLeafSplitToResize(leaf.view, 0, most_item()).result, Result::kBadCount);
  leaf.Fill({{K(4), "another"}});
  EXPECT_EQ(edit::PlanLeafSplitToResize(leaf.view, 1, most_item()).result, Result::kDone);
  EXPECT_EQ(edit::PlanLeafSplitToResize(leaf.view, 2, 1).result, Result::kBadSlot);
  EXPECT_EQ(edit::PlanLeafSplitToResize(leaf.view, 1, most_item() + 1).result, Result::kTooLarge);
  EXPECT_EQ(edit::PlanLeafSplitToResize(leaf.view, 1, ~0u).result, Result::kTooLarge);
  OwnBlock node(node_bytes(), 1);
  EXPECT_EQ(edit::PlanLeafSplitToResize(node.view, 0, 1).result, Result::kWrongLevel);
}

TEST_P(EditLeafSplit, PlansThatAreRefused) {
  OwnBlock leaf(node_bytes());
  EXPECT_EQ(edit::PlanLeafSplit(leaf.view, 0, 1).result, Result::kBadCount);
  leaf.Fill(Full(4));
  EXPECT_EQ(edit::PlanLeafSplit(leaf.view, 5, 1).result, Result::kBadSlot);
  EXPECT_EQ(edit::PlanLeafSplit(leaf.view, 4, most_item() + 1).result, Result::kTooLarge);
  EXPECT_EQ(edit::PlanLeafSplit(leaf.view, 2, ~0u).result, Result::kTooLarge);
  OwnBlock node(node_bytes(), 1);
  EXPECT_EQ(edit::PlanLeafSplit(node.view, 0, 1).result, Result::kWrongLevel);
}

TEST_P(EditLeafSplit, AtEverySlot) {
  for (uint32_t at = 0; at <= 4; ++at) {
    OwnBlock left(node_bytes());
    OwnBlock right(node_bytes());
    left.Fill(Full(4));
    ExpectRefused(Result::kBadSlot, {&left, &right},
                  [&] { return edit::SplitLeaf(left.view, right.view, 5); });
    EXPECT_EQ(edit::SplitLeaf(left.view, right.view, at), Result::kDone);
    ExpectLeaf(left, Part(Full(4), 0, at));
    ExpectLeaf(right, Part(Full(4), at, 4));
    if (at == 4) continue;
    ExpectRefused(Result::kBadCount, {&left, &right},
                  [&] { return edit::SplitLeaf(left.view, right.view, 0); });
    ExpectRefused(Result::kMismatch, {&left, &right},
                  [&] { return edit::SplitLeaf(left.view, left.view, 0); });
  }
}

}  // namespace
}  // namespace ebcache::testing
