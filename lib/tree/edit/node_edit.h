// Edits of nodes, one and two at a time. Each either does all of it or refuses, with a reason, and
// changes no byte.
//
// Beside the reasons that are named, each refuses a leaf (kWrongLevel), and where there are two,
// blocks of different sizes or levels, or that share memory (kMismatch). A node that is emptied is
// not legal on a disk: the caller takes it out of its tree. Bytes that become unused are zeroed. Slots
// and counts are in pointers.

#ifndef EBCACHE_LIB_TREE_EDIT_NODE_EDIT_H_
#define EBCACHE_LIB_TREE_EDIT_NODE_EDIT_H_

#include <absl/types/span.h>

#include <cstdint>

#include "ebcache/on_disk.h"
#include "lib/tree/edit/mutable_block.h"
#include "lib/tree/edit/result.h"

namespace ebcache::edit {

// The pointers that a node of this size can have.
inline uint32_t MostPointers(const MutableBlock& node) {
  return node.area_bytes() / kKeyPointerBytes;
}

// Inserts pointers side by side in front of what is in `slot`; of `slot` == item_count(), behind all.
// Refuses: kBadSlot; kBadCount when there is none; kBadPointer; kKeyOrder; kNoRoom.
Result InsertPointers(MutableBlock node, uint32_t slot, absl::Span<const KeyPointer> pointers);
inline Result InsertPointer(MutableBlock node, uint32_t slot, const KeyPointer& pointer) {
  return InsertPointers(node, slot, {&pointer, 1});
}

// Removes slots [slot, slot + count). Refuses: kBadSlot, kBadCount.
Result RemovePointers(MutableBlock node, uint32_t slot, uint32_t count);

// Another pointer in place of that of a slot. Refuses: kBadSlot, kBadPointer, kKeyOrder. A key alone
// is changed by ChangeKey.
Result ReplacePointer(MutableBlock node, uint32_t slot, const KeyPointer& pointer);

// How many pointers, at most, can go to the neighbour. 0 for nodes that the pushes would refuse.
uint32_t PointersThatFitRight(const MutableBlock& left, const MutableBlock& right);
uint32_t PointersThatFitLeft(const MutableBlock& left, const MutableBlock& right);

// The last `count` pointers of `left` go to the front of `right`, or the first of `right` behind
// those of `left`. Refuses: kBadCount for none, or for more than there are; kKeyOrder when `left` does
// not end below `right`; kNoRoom.
Result PushPointersRight(MutableBlock left, MutableBlock right, uint32_t count);
Result PushPointersLeft(MutableBlock left, MutableBlock right, uint32_t count);

// All pointers of `right` go behind those of `left`; where there are none, that is done. Refuses as
// PushPointersLeft.
Result MergeNodes(MutableBlock left, MutableBlock right);

// The first slot that is to go right when a node is split for a pointer in front of `slot`: the
// middle; behind the last pointer, item_count(), and the left node stays as it is.
// REQUIRES: a node; else the answer is of no use, and SplitNode refuses.
uint32_t PlanNodeSplit(const MutableBlock& node, uint32_t slot);

// Moves all pointers from slot `at` on to `right`, which is empty. Refuses: kBadSlot for `at` above
// item_count(), kBadCount when `right` is not empty. `at` == item_count() moves none and is done.
Result SplitNode(MutableBlock left, MutableBlock right, uint32_t at);

}  // namespace ebcache::edit

#endif  // EBCACHE_LIB_TREE_EDIT_NODE_EDIT_H_
