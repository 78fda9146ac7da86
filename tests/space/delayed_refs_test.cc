#include "lib/space/delayed_refs.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "tests/space/map_store.h"

namespace ebcache::space {
namespace {

ExtentChange BlockAt(uint64_t bytenr) {
  return {.bytenr = bytenr, .bytes = 16384, .level = 1, .generation = 7, .first_key = {1, 2, 3}};
}
ExtentChange NewBlockAt(uint64_t bytenr, uint64_t root) {
  ExtentChange change = BlockAt(bytenr);
  change.is_new = true;
  change.deltas = {{ExtentRef::OfTree(root), 1}};
  return change;
}

TEST(DelayedRefs, WhatIsMadeAndFreedLeavesNoTrace) {
  DelayedRefs refs;
  ASSERT_TRUE(refs.AddNew(NewBlockAt(65536, 5)).ok());
  EXPECT_EQ(refs.AddNew(NewBlockAt(65536, 5)).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(refs.Find(65536)->is_new);
  EXPECT_EQ(refs.Find(65536)->references, 1);
  EXPECT_EQ(refs.Add(BlockAt(65536), ExtentRef::OfTree(5), -1), DelayedRefs::Outcome::kCancelled);
  EXPECT_TRUE(refs.empty());
  EXPECT_FALSE(refs.Find(65536).has_value());
  ASSERT_TRUE(refs.AddNew(NewBlockAt(65536, 5)).ok());
}

TEST(DelayedRefs, WhatCancelsIsNotTold) {
  DelayedRefs refs;
  refs.Add(BlockAt(65536), ExtentRef::OfTree(5), -1);
  refs.Add(BlockAt(65536), ExtentRef::OfParent(1 << 20), 1);
  EXPECT_EQ(refs.Find(65536)->references, 0);
  EXPECT_EQ(refs.size(), 1);  // one for another is something to tell
  // It is in the tree, and stays there: no space was freed.
  refs.Add(BlockAt(65536), ExtentRef::OfTree(5), 1);
  EXPECT_EQ(refs.Add(BlockAt(65536), ExtentRef::OfParent(1 << 20), -1),
            DelayedRefs::Outcome::kNothing);
  EXPECT_TRUE(refs.empty());
}

// That a block's references are by its address from now on is told whatever cancels.
TEST(DelayedRefs, FullBackrefStays) {
  DelayedRefs refs;
  refs.SetFullBackref(BlockAt(65536));
  refs.Add(BlockAt(65536), ExtentRef::OfTree(5), 1);
  refs.Add(BlockAt(65536), ExtentRef::OfTree(5), -1);
  ASSERT_EQ(refs.size(), 1);
  EXPECT_TRUE(refs.Find(65536)->full_backref);
  const std::optional<ExtentChange> change = refs.Take();
  ASSERT_TRUE(change.has_value());
  EXPECT_TRUE(change->set_full_backref);
  EXPECT_TRUE(change->deltas.empty());
  // Unless the block is gone before the tree knew of it.
  ASSERT_TRUE(refs.AddNew(NewBlockAt(65536, 5)).ok());
  refs.SetFullBackref(BlockAt(65536));
  EXPECT_EQ(refs.Add(BlockAt(65536), ExtentRef::OfTree(5), -1), DelayedRefs::Outcome::kCancelled);
  EXPECT_TRUE(refs.empty());
}

TEST(DelayedRefs, TakesInTheOrderOfAddresses) {
  DelayedRefs refs;
  for (const uint64_t at : {3, 1, 2}) refs.Add(BlockAt(at << 16), ExtentRef::OfTree(at), 1);
  EXPECT_EQ(refs.Take(1 << 17)->bytenr, 2 << 16);
  EXPECT_EQ(refs.Take(1 << 17)->bytenr, 3 << 16);
  EXPECT_FALSE(refs.Take(1 << 17).has_value());
  const std::optional<ExtentChange> change = refs.Take();
  ASSERT_TRUE(change.has_value());
  EXPECT_EQ(change->bytes, 16384);
  EXPECT_EQ(change->level, 1);
  EXPECT_FALSE(change->is_new);
  ASSERT_EQ(change->deltas.size(), 1);
  EXPECT_EQ(change->deltas[0].ref, ExtentRef::OfTree(1));
  EXPECT_TRUE(refs.empty());
}

// Told late, in any batches, the tree is what it is when it is told of each change at once.
TEST(DelayedRefs, LateIsAsGoodAsAtOnce) {
  const ExtentRules rules{.node_bytes = 16384};
  std::mt19937_64 random(5);
  MapStore at_once, late;
  DelayedRefs refs;
  std::map<uint64_t, std::map<ExtentRef, int64_t>> model;
  const auto tell_all = [&] {
    while (std::optional<ExtentChange> change = refs.Take()) {
      const absl::StatusOr<ExtentState> state = ChangeExtent(late, *change, rules);
      ASSERT_TRUE(state.ok()) << state.status();
    }
  };
  for (int step = 0; step < 20000; ++step) {
    const uint64_t bytenr = (1 + random() % 12) << 16;
    std::map<ExtentRef, int64_t>& held = model[bytenr];
    const bool add = held.empty() || random() % 2 == 0;
    const ExtentRef ref = add ? (random() % 2 == 0 ? ExtentRef::OfTree(256 + random() % 5)
                                                   : ExtentRef::OfParent(random() % 5 << 20))
                              : std::next(held.begin(), random() % held.size())->first;
    if (add && held.contains(ref)) continue;
    // An address that was freed is used again after the commit only.
    if (held.empty() && refs.Find(bytenr).has_value()) continue;
    ExtentChange change = BlockAt(bytenr);
    change.is_new = held.empty();
    change.deltas = {{ref, add ? 1 : -1}};
    ASSERT_TRUE(ChangeExtent(at_once, change, rules).ok());
    if (change.is_new) {
      ASSERT_TRUE(refs.AddNew(change).ok());
    } else {
      refs.Add(change, ref, add ? 1 : -1);
    }
    add ? (void)held.emplace(ref, 1) : (void)held.erase(ref);
    if (random() % 40 == 0) {
      tell_all();
      ASSERT_EQ(at_once.items.size(), late.items.size());
      for (const auto& [key, data] : at_once.items) {
        ASSERT_TRUE(late.items.contains(key)) << key.ToString();
        ASSERT_EQ(late.items.at(key), data) << key.ToString();
      }
    }
  }
}

}  // namespace
}  // namespace ebcache::space
