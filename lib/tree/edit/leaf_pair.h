// Edits of two leaves that are neighbours: items go from one to the other.
//
// Each either does all of it or refuses, with a reason, and changes no byte of either. Beside the
// reasons that are named, each refuses blocks of different sizes or levels, or that share memory
// (kMismatch), and blocks that are no leaves (kWrongLevel). A leaf that is emptied is legal as a root
// only: the caller takes it out of its tree. Bytes that become unused are zeroed. What parents say
// of first keys is the caller's.

#ifndef EBCACHE_LIB_TREE_EDIT_LEAF_PAIR_H_
#define EBCACHE_LIB_TREE_EDIT_LEAF_PAIR_H_

#include <cstdint>

#include "lib/tree/edit/mutable_block.h"
#include "lib/tree/edit/result.h"

namespace ebcache::edit {

// How many items, at most, can go to the neighbour: from the end of `left`, from the front of
// `right`. 0 for blocks that the pushes below would refuse.
uint32_t ItemsThatFitRight(const MutableBlock& left, const MutableBlock& right);
uint32_t ItemsThatFitLeft(const MutableBlock& left, const MutableBlock& right);

// Moves the last `count` items of `left` to the front of `right`. Refuses: kBadCount for none, or for
// more than there are; kKeyOrder when `left` does not end below `right`; kNoRoom.
Result PushItemsRight(MutableBlock left, MutableBlock right, uint32_t count);
// The same for the first `count` items of `right`, which go behind those of `left`.
Result PushItemsLeft(MutableBlock left, MutableBlock right, uint32_t count);

// All items of `right` go behind those of `left`; where there are none, that is done. Refuses as
// PushItemsLeft.
Result MergeLeaves(MutableBlock left, MutableBlock right);

// How a leaf is to be split for an item that is to be inserted, or to grow.
struct LeafSplit {
  Result result = Result::kDone;
  uint32_t at = 0;  // the first slot that goes right; 0 and item_count() where all stay together
  // Where the item goes then: into the left leaf, the right one, or, where neither has the room, into
  // a leaf of its own between them, which makes three.
  enum class Home : uint8_t { kLeft, kRight, kBetween } home = Home::kLeft;
  uint32_t slot = 0;  // in the leaf that it goes into
};

// For an item of `size` bytes that is to stand in front of `slot`. Behind the last item the left leaf
// stays as it is: what comes in order leaves full leaves behind. Else the two leaves get as equal as
// they can by bytes, and neither is empty once the item is in. Refuses: kWrongLevel; kBadSlot;
// kBadCount for an empty leaf, which has room for any item; kTooLarge.
LeafSplit PlanLeafSplit(const MutableBlock& leaf, uint32_t slot, uint32_t size);

// The same for the item in `slot`, which is to have `size` bytes: where it is after SplitLeaf at `at`,
// ResizeItem and ReplaceData have the room. kBetween: it is the first one of the right leaf then, and
// has the room once all behind it go on to a third one: SplitLeaf at 1. Refuses: kWrongLevel;
// kBadSlot; kBadCount for a leaf of one item, where any size fits; kTooLarge.
LeafSplit PlanLeafSplitToResize(const MutableBlock& leaf, uint32_t slot, uint32_t size);

// Moves all items from slot `at` on to `right`, which is empty. Refuses: kBadSlot for `at` above
// item_count(), kBadCount when `right` is not empty. `at` == item_count() moves none and is done.
Result SplitLeaf(MutableBlock left, MutableBlock right, uint32_t at);

}  // namespace ebcache::edit

#endif  // EBCACHE_LIB_TREE_EDIT_LEAF_PAIR_H_
