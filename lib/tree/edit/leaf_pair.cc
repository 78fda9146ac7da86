#include "lib/tree/edit/leaf_pair.h"

#include <cstring>

#include "lib/tree/edit/block_editor.h"
#include "lib/tree/edit/leaf_edit.h"

namespace ebcache::edit {
namespace {

// Moves slots [slot, slot + count) of one leaf in front of slot `to_slot` of another one.
// REQUIRES: they are there, and there is room.
void Move(BlockEditor from, uint32_t slot, uint32_t count, BlockEditor to, uint32_t to_slot) {
  const uint32_t from_end = from.DataEnd(slot);
  const uint32_t from_begin = from.DataEnd(slot + count);
  const uint32_t bytes = from_end - from_begin;
  const uint32_t to_end = to.DataEnd(to_slot);
  to.OpenGap(to_slot, count, bytes);
  std::memcpy(to.area() + (to_end - bytes), from.area() + from_begin, bytes);
  for (uint32_t i = 0; i < count; ++i) {
    to.StoreHead(to_slot + i, from.key(slot + i), from.offset(slot + i) + to_end - from_end,
                 from.item_bytes(slot + i));
  }
  from.CloseGap(slot, count);
}

bool MayPush(const MutableBlock& left, const MutableBlock& right) {
  return CheckPair(left, right, true) == Result::kDone && InOrder(left, right);
}

Result CheckPush(const MutableBlock& left, const MutableBlock& right, const MutableBlock& from,
                 uint32_t count) {
  const Result result = CheckPair(left, right, true);
  if (result != Result::kDone) return result;
  if (count == 0 || count > from.item_count()) return Result::kBadCount;
  return InOrder(left, right) ? Result::kDone : Result::kKeyOrder;
}

// What a leaf would hold if it had the room: its items, and one more in front of `slot`, or the one
// in `slot` at another size.
struct Wanted {
  BlockEditor leaf;
  uint32_t slot;
  uint32_t size;
  bool is_new;

  uint32_t count() const { return leaf.count() + (is_new ? 1 : 0); }
  // Of the first `count` of them, with their heads.
  uint64_t BytesOfFirst(uint32_t count) const {
    if (count <= slot) return leaf.BytesOf(0, count);
    const uint64_t item = uint64_t{size} + kItemBytes;
    if (is_new) return leaf.BytesOf(0, count - 1) + item;
    return leaf.BytesOf(0, count) - leaf.BytesOf(slot, 1) + item;
  }
};

// The cut that makes two leaves as equal as they can be, neither of them empty. Where no cut leaves
// two that have the room: everything before the item, the item, everything behind it.
LeafSplit MostEqual(const Wanted& wanted) {
  using Home = LeafSplit::Home;
  const uint32_t area = wanted.leaf.area_bytes();
  const uint64_t all = wanted.BytesOfFirst(wanted.count());
  LeafSplit best{.at = wanted.slot, .home = Home::kBetween, .slot = 0};
  uint64_t least = ~uint64_t{0};
  for (uint32_t part = 1; part < wanted.count(); ++part) {
    const uint64_t left = wanted.BytesOfFirst(part);
    const uint64_t right = all - left;
    const uint64_t difference = left > right ? left - right : right - left;
    if (left > area || right > area || difference >= least) continue;
    least = difference;
    best = wanted.slot < part
               ? LeafSplit{.at = wanted.is_new ? part - 1 : part, .slot = wanted.slot}
               : LeafSplit{.at = part, .home = Home::kRight, .slot = wanted.slot - part};
  }
  return best;
}

}  // namespace

uint32_t ItemsThatFitRight(const MutableBlock& left, const MutableBlock& right) {
  if (!MayPush(left, right)) return 0;
  const BlockEditor from(left);
  const uint32_t all = from.count();
  uint32_t count = 0;
  while (count < all && from.BytesOf(all - count - 1, count + 1) <= right.free_bytes()) ++count;
  return count;
}

uint32_t ItemsThatFitLeft(const MutableBlock& left, const MutableBlock& right) {
  if (!MayPush(left, right)) return 0;
  const BlockEditor from(right);
  uint32_t count = 0;
  while (count < from.count() && from.BytesOf(0, count + 1) <= left.free_bytes()) ++count;
  return count;
}

Result PushItemsRight(MutableBlock left, MutableBlock right, uint32_t count) {
  const Result result = CheckPush(left, right, left, count);
  if (result != Result::kDone) return result;
  const BlockEditor from(left);
  const uint32_t slot = from.count() - count;
  if (from.BytesOf(slot, count) > right.free_bytes()) return Result::kNoRoom;
  Move(from, slot, count, BlockEditor(right), 0);
  return Result::kDone;
}

Result PushItemsLeft(MutableBlock left, MutableBlock right, uint32_t count) {
  const Result result = CheckPush(left, right, right, count);
  if (result != Result::kDone) return result;
  const BlockEditor from(right);
  if (from.BytesOf(0, count) > left.free_bytes()) return Result::kNoRoom;
  Move(from, 0, count, BlockEditor(left), left.item_count());
  return Result::kDone;
}

Result MergeLeaves(MutableBlock left, MutableBlock right) {
  const Result result = CheckPair(left, right, true);
  if (result != Result::kDone || right.item_count() == 0) return result;
  return PushItemsLeft(left, right, right.item_count());
}

LeafSplit PlanLeafSplit(const MutableBlock& leaf, uint32_t slot, uint32_t size) {
  const uint32_t count = leaf.item_count();
  if (!leaf.is_leaf()) return {.result = Result::kWrongLevel};
  if (slot > count) return {.result = Result::kBadSlot};
  if (count == 0) return {.result = Result::kBadCount};
  if (size > MostItemBytes(leaf)) return {.result = Result::kTooLarge};
  if (slot == count) return {.at = count, .home = LeafSplit::Home::kRight, .slot = 0};
  return MostEqual({BlockEditor(leaf), slot, size, true});
}

LeafSplit PlanLeafSplitToResize(const MutableBlock& leaf, uint32_t slot, uint32_t size) {
  const uint32_t count = leaf.item_count();
  if (!leaf.is_leaf()) return {.result = Result::kWrongLevel};
  if (slot >= count) return {.result = Result::kBadSlot};
  if (count == 1) return {.result = Result::kBadCount};
  if (size > MostItemBytes(leaf)) return {.result = Result::kTooLarge};
  return MostEqual({BlockEditor(leaf), slot, size, false});
}

Result SplitLeaf(MutableBlock left, MutableBlock right, uint32_t at) {
  const Result result = CheckPair(left, right, true);
  if (result != Result::kDone) return result;
  if (at > left.item_count()) return Result::kBadSlot;
  if (right.item_count() != 0) return Result::kBadCount;
  if (at == left.item_count()) return Result::kDone;
  return PushItemsRight(left, right, left.item_count() - at);
}

}  // namespace ebcache::edit
