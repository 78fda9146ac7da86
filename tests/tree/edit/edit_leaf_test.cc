// Edits of one leaf at their borders.

#include <gtest/gtest.h>

#include "tests/tree/edit/edit_fixture.h"

namespace ebcache::testing {
namespace {

using edit::ItemEnd;
using edit::NewItem;
using edit::Result;

class EditLeaf : public OfEveryNodeSize {
 protected:
  static Result Insert(OwnBlock& leaf, uint32_t slot, uint64_t key, const std::string& data) {
    return edit::InsertItem(leaf.view, slot,
                            {K(key), static_cast<uint32_t>(data.size()), DataOf(data)});
  }
};
EBCACHE_FOR_ALL_NODE_SIZES(EditLeaf);

TEST_P(EditLeaf, InsertFirstMiddleAndLast) {
  OwnBlock leaf(node_bytes());
  EXPECT_EQ(Insert(leaf, 0, 20, "twenty"), Result::kDone);
  EXPECT_EQ(Insert(leaf, 0, 10, "ten"), Result::kDone);
  EXPECT_EQ(Insert(leaf, 2, 30, ""), Result::kDone);
  EXPECT_EQ(Insert(leaf, 2, 25, "xy"), Result::kDone);
  ExpectLeaf(leaf, {{K(10), "ten"}, {K(20), "twenty"}, {K(25), "xy"}, {K(30), ""}});
}

TEST_P(EditLeaf, SeveralItemsGoSideBySide) {
  OwnBlock leaf(node_bytes());
  leaf.Fill({{K(1), "one"}, {K(9), "nine"}});
  const NewItem items[] = {{K(2), 3, DataOf("two")}, {K(3), 4, {}}, {K(4), 0, {}}};
  EXPECT_EQ(edit::InsertItems(leaf.view, 1, items), Result::kDone);
  ExpectLeaf(
      leaf,
      {{K(1), "one"}, {K(2), "two"}, {K(3), std::string(4, '\0')}, {K(4), ""}, {K(9), "nine"}});
}

TEST_P(EditLeaf, TheLargestItem) {
  OwnBlock leaf(node_bytes());
  EXPECT_EQ(edit::MostItemBytes(leaf.view), most_item());
  const std::string data(most_item() + 1, 'x');
  ExpectRefused(Result::kTooLarge, {&leaf}, [&] { return Insert(leaf, 0, 1, data); });
  EXPECT_EQ(Insert(leaf, 0, 1, data.substr(1)), Result::kDone);
  EXPECT_EQ(leaf.view.free_bytes(), 0u);
  ExpectLeaf(leaf, {{K(1), data.substr(1)}});
  ExpectRefused(Result::kNoRoom, {&leaf}, [&] { return Insert(leaf, 1, 2, ""); });
}

TEST_P(EditLeaf, ExactlyWhatIsFreeFits) {
  OwnBlock leaf(node_bytes());
  leaf.Fill({{K(1), "first"}, {K(3), "third"}});
  const std::string data(leaf.view.free_bytes() - kItemBytes, 'd');
  ExpectRefused(Result::kNoRoom, {&leaf}, [&] { return Insert(leaf, 1, 2, data + "d"); });
  EXPECT_EQ(Insert(leaf, 1, 2, data), Result::kDone);
  ExpectLeaf(leaf, {{K(1), "first"}, {K(2), data}, {K(3), "third"}});
}

TEST_P(EditLeaf, FullOfHeads) {
  OwnBlock leaf(node_bytes());
  Entries entries;
  for (uint32_t i = 0; i < area() / kItemBytes; ++i) entries.push_back({K(i), ""});
  leaf.Fill(entries);
  ExpectLeaf(leaf, entries);
  EXPECT_LT(leaf.view.free_bytes(), kItemBytes);
  ExpectRefused(Result::kNoRoom, {&leaf},
                [&] { return Insert(leaf, leaf.view.item_count(), 1 << 20, ""); });
  EXPECT_EQ(edit::RemoveItems(leaf.view, 0, leaf.view.item_count()), Result::kDone);
  ExpectLeaf(leaf, {});
}

TEST_P(EditLeaf, InsertsThatAreRefused) {
  OwnBlock leaf(node_bytes());
  leaf.Fill({{K(10), "ten"}, {K(20), "twenty"}});
  const auto refuse = [&](Result reason, uint32_t slot, std::vector<NewItem> items) {
    ExpectRefused(reason, {&leaf}, [&] { return edit::InsertItems(leaf.view, slot, items); });
  };
  refuse(Result::kBadSlot, 3, {{K(30), 0, {}}});
  refuse(Result::kBadSlot, ~0u, {{K(30), 0, {}}});
  refuse(Result::kBadCount, 1, {});
  refuse(Result::kBadData, 1, {{K(15), 4, DataOf("xyz")}});
  refuse(Result::kBadData, 1, {{K(15), 2, DataOf("xyz")}});
  refuse(Result::kBadData, 1, {{K(15), 3, leaf.view.data(0)}});
  refuse(Result::kTooLarge, 1, {{K(15), ~0u, {}}});
  refuse(Result::kKeyOrder, 1, {{K(10), 0, {}}});
  refuse(Result::kKeyOrder, 1, {{K(20), 0, {}}});
  refuse(Result::kKeyOrder, 0, {{K(15), 0, {}}});
  refuse(Result::kKeyOrder, 1, {{K(15), 0, {}}, {K(15), 0, {}}});
  refuse(Result::kKeyOrder, 1, {{K(15), 0, {}}, {K(25), 0, {}}});
}

// No bytes are in no leaf, wherever they are said to begin.
TEST_P(EditLeaf, NoDataDoesNotLieInTheLeaf) {
  OwnBlock leaf(node_bytes());
  leaf.Fill({{K(10), "ten"}, {K(20), "twenty"}});
  const auto none = leaf.view.data(0).subspan(1, 0);
  EXPECT_EQ(edit::ReplaceData(leaf.view, 1, none), Result::kDone);
  EXPECT_EQ(edit::InsertItem(leaf.view, 1, {K(15), 2, none}), Result::kDone);
  ExpectLeaf(leaf, {{K(10), "ten"}, {K(15), std::string(2, '\0')}, {K(20), ""}});
}

// Of the largest leaf only, in which the fewest items make so many bytes.
TEST(EditLeaf, ItemsOf4GiBAreNotNoneIn32Bits) {
  OwnBlock leaf(65536);
  std::vector<NewItem> many;
  const uint32_t size = 32768 - kItemBytes;
  for (uint64_t i = 0; i < (uint64_t{1} << 32) / 32768; ++i) many.push_back({K(i), size, {}});
  ExpectRefused(Result::kNoRoom, {&leaf}, [&] { return edit::InsertItems(leaf.view, 0, many); });
}

TEST_P(EditLeaf, RemoveFirstMiddleLastAndAll) {
  const Entries all = {{K(1), "a"}, {K(2), "bb"}, {K(3), ""}, {K(4), "dddd"}, {K(5), "eeeee"}};
  for (uint32_t slot = 0; slot < all.size(); ++slot) {
    for (uint32_t count = 1; slot + count <= all.size(); ++count) {
      OwnBlock leaf(node_bytes());
      leaf.Fill(all);
      EXPECT_EQ(edit::RemoveItems(leaf.view, slot, count), Result::kDone);
      Entries left = all;
      left.erase(left.begin() + slot, left.begin() + slot + count);
      ExpectLeaf(leaf, left);
    }
  }
}

TEST_P(EditLeaf, RemovalsThatAreRefused) {
  OwnBlock leaf(node_bytes());
  leaf.Fill({{K(1), "one"}, {K(2), "two"}});
  const auto refuse = [&](Result reason, uint32_t slot, uint32_t count) {
    ExpectRefused(reason, {&leaf}, [&] { return edit::RemoveItems(leaf.view, slot, count); });
  };
  refuse(Result::kBadSlot, 2, 1);
  refuse(Result::kBadCount, 0, 0);
  refuse(Result::kBadCount, 0, 3);
  refuse(Result::kBadCount, 1, 2);
  refuse(Result::kBadCount, 1, ~0u);
}

TEST_P(EditLeaf, ResizeAtEitherEndOfEveryItem) {
  const Entries all = {{K(1), "abcdef"}, {K(2), "ghijkl"}, {K(3), "mnopqr"}};
  for (uint32_t slot = 0; slot < 3; ++slot) {
    for (uint32_t size : {0u, 1u, 5u, 6u, 7u, 20u}) {
      for (ItemEnd end : {ItemEnd::kBack, ItemEnd::kFront}) {
        OwnBlock leaf(node_bytes());
        leaf.Fill(all);
        EXPECT_EQ(edit::ResizeItem(leaf.view, slot, size, end), Result::kDone);
        Entries expected = all;
        std::string& value = expected[slot].value;
        if (end == ItemEnd::kBack) {
          value.resize(size, '\0');
        } else if (size < 6) {
          value = value.substr(6 - size);
        } else {
          value = std::string(size - 6, '\0') + value;
        }
        ExpectLeaf(leaf, expected);
      }
    }
  }
}

TEST_P(EditLeaf, ResizeToExactlyWhatIsFree) {
  for (ItemEnd end : {ItemEnd::kBack, ItemEnd::kFront}) {
    OwnBlock leaf(node_bytes());
    leaf.Fill({{K(1), "abc"}, {K(2), "def"}});
    const uint32_t most = 3 + leaf.view.free_bytes();
    ExpectRefused(Result::kNoRoom, {&leaf},
                  [&] { return edit::ResizeItem(leaf.view, 0, most + 1, end); });
    ExpectRefused(Result::kTooLarge, {&leaf},
                  [&] { return edit::ResizeItem(leaf.view, 0, most_item() + 1, end); });
    ExpectRefused(Result::kTooLarge, {&leaf},
                  [&] { return edit::ResizeItem(leaf.view, 0, ~0u, end); });
    ExpectRefused(Result::kBadSlot, {&leaf},
                  [&] { return edit::ResizeItem(leaf.view, 2, 1, end); });
    EXPECT_EQ(edit::ResizeItem(leaf.view, 0, most, end), Result::kDone);
    EXPECT_EQ(leaf.view.free_bytes(), 0u);
    EXPECT_EQ(edit::ResizeItem(leaf.view, 0, 3, end), Result::kDone);
    ExpectLeaf(leaf, {{K(1), "abc"}, {K(2), "def"}});
  }
}

TEST_P(EditLeaf, ReplaceDataByShorterLongerAndNone) {
  OwnBlock leaf(node_bytes());
  leaf.Fill({{K(1), "abc"}, {K(2), "def"}});
  for (const std::string& data : {std::string("xyz"), std::string("longer"), std::string("s"),
                                  std::string(), std::string(most_item() - kItemBytes - 3, 'm')}) {
    EXPECT_EQ(edit::ReplaceData(leaf.view, 0, DataOf(data)), Result::kDone);
    ExpectLeaf(leaf, {{K(1), data}, {K(2), "def"}});
  }
  const std::string large(most_item() + 1, 'l');
  ExpectRefused(Result::kTooLarge, {&leaf},
                [&] { return edit::ReplaceData(leaf.view, 0, DataOf(large)); });
  ExpectRefused(Result::kNoRoom, {&leaf},
                [&] { return edit::ReplaceData(leaf.view, 1, DataOf("defg")); });
  ExpectRefused(Result::kBadSlot, {&leaf},
                [&] { return edit::ReplaceData(leaf.view, 2, DataOf("x")); });
  ExpectRefused(Result::kBadData, {&leaf},
                [&] { return edit::ReplaceData(leaf.view, 1, leaf.view.data(0)); });
}

TEST_P(EditLeaf, NoItemsInNodes) {
  OwnBlock node(node_bytes(), 1);
  const auto refuse = [&](const std::function<Result()>& edit) {
    ExpectRefused(Result::kWrongLevel, {&node}, edit);
  };
  refuse([&] { return Insert(node, 0, 1, "x"); });
  refuse([&] { return edit::RemoveItems(node.view, 0, 1); });
  refuse([&] { return edit::ResizeItem(node.view, 0, 1, ItemEnd::kBack); });
  refuse([&] { return edit::ReplaceData(node.view, 0, {}); });
}

}  // namespace
}  // namespace ebcache::testing
