// What is removed from a tree, and what becomes of blocks that are emptied by it.

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "lib/tree/edit/leaf_edit.h"
#include "lib/tree/edit/leaf_pair.h"
#include "lib/tree/edit/node_edit.h"
#include "lib/txn/block_edit.h"
#include "lib/txn/cow_tree.h"
#include "lib/txn/refusal.h"

namespace ebcache::txn {
namespace {

// A block is nearly empty that uses less than this part of its room.
constexpr uint32_t kNearlyEmpty = 4;

uint32_t UsedBytes(const edit::MutableBlock& block) {
  return block.area_bytes() - block.free_bytes();
}

}  // namespace

absl::Status CowTree::Remove(const Key& key) {
  absl::StatusOr<Way> way = GoTo(key, Room::kAny);
  if (!way.ok()) return way.status();
  {
    const BlockEdit edit(*way->block[0], BlockEdit::Purpose::kChange);
    const edit::MutableBlock view = edit.Reopen();
    absl::Status status = EditStatus(edit::RemoveItems(view, way->slot[0], 1),
                                     way->block[0]->start(), "removing an item");
    if (!status.ok()) return status;
  }
  return NoRefusal(Settle(*way, 0));
}

absl::StatusOr<uint64_t> CowTree::RemoveSome(const KeyRange& range) {
  Key first;
  {
    const absl::StatusOr<Path> path = Reader().Search(range.from);
    if (!path.ok()) return ReadError(path.status());
    if (!path->valid() || path->key() > range.to) return 0;
    first = path->key();
  }
  absl::StatusOr<Way> way = GoTo(first, Room::kAny);
  if (!way.ok()) return way.status();
  uint32_t count = 0;
  {
    const BlockEdit edit(*way->block[0], BlockEdit::Purpose::kChange);
    const edit::MutableBlock view = edit.Reopen();
    uint32_t end = way->slot[0] + 1;
    while (end < view.item_count() && view.key(end) <= range.to) ++end;
    count = end - way->slot[0];
    absl::Status status = EditStatus(edit::RemoveItems(view, way->slot[0], count),
                                     way->block[0]->start(), "removing items");
    if (!status.ok()) return status;
  }
  absl::Status settled = NoRefusal(Settle(*way, 0));
  if (!settled.ok()) return settled;
  return count;
}

absl::Status CowTree::Settle(Way& way, int level) {
  if (level == state_.level) return LowerRoot(way);
  if (Header(*way.block[level]).item_count() == 0) return RemoveBlock(way, level);
  if (absl::Status status = FixLowKey(way, level); !status.ok()) return status;
  return join_neighbours_ ? JoinNeighbour(way, level) : absl::OkStatus();
}

absl::Status CowTree::RemoveBlock(Way& way, int level) {
  absl::Status status = writer_.Free(state_, std::move(way.block[level]), false);
  if (!status.ok()) return status;
  ExtentBuffer& parent = *way.block[level + 1];
  {
    const BlockEdit edit(parent, BlockEdit::Purpose::kChange);
    const edit::MutableBlock view = edit.Reopen();
    status = EditStatus(edit::RemovePointers(view, way.slot[level + 1], 1), parent.start(),
                        "removing a pointer");
    if (!status.ok()) return status;
  }
  const uint32_t left = Header(parent).item_count();
  if (left == 0 && level + 1 == state_.level) {
    // The tree is empty: its root is a leaf again.
    status = writer_.Free(state_, std::move(way.block[level + 1]), true);
    return status.ok() ? MakeRoot() : status;
  }
  return Settle(way, level + 1);
}

absl::Status CowTree::LowerRoot(Way& way) {
  while (state_.level > 0 && Header(*way.block[state_.level]).item_count() == 1) {
    const int level = state_.level;
    // A root of one pointer is legal. What it leads to may lie beside the way to the change.
    const KeyPointer pointer = LoadKeyPointer(*way.block[level], 0);
    if (!writer_.MayChange(pointer.bytenr)) {
      if (!join_neighbours_) return absl::OkStatus();
      const absl::StatusOr<ExtentBufferRef> below = ReadChild(pointer, level - 1);
      if (!below.ok() || !writer_.IsOursAlone(state_, **below, false)) return absl::OkStatus();
    }
    absl::StatusOr<ExtentBufferRef> child = OwnChild(way, level, 0);
    if (!child.ok()) return child.status();
    SetRoot(**child);
    way.block[level - 1] = *std::move(child);
    absl::Status status = writer_.Free(state_, std::move(way.block[level]), true);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CowTree::JoinNeighbour(Way& way, int level) {
  {
    // Of this transaction: something was just removed from it.
    const BlockEdit look(*way.block[level], BlockEdit::Purpose::kLook);
    const edit::MutableBlock view = look.Reopen();
    if (UsedBytes(view) >= view.area_bytes() / kNearlyEmpty) return absl::OkStatus();
  }
  const uint32_t slot = way.slot[level + 1];
  absl::StatusOr<bool> joined = false;
  if (slot > 0) joined = Join(way, level, slot - 1);
  if (joined.ok() && !*joined && slot + 1 < Header(*way.block[level + 1]).item_count()) {
    joined = Join(way, level, slot);
  }
  if (!joined.ok()) return joined.status();
  return *joined ? Settle(way, level + 1) : absl::OkStatus();
}

absl::StatusOr<bool> CowTree::Join(Way& way, int level, uint32_t left_slot) {
  ExtentBuffer& parent = *way.block[level + 1];
  const auto child = [&](uint32_t slot) { return ReadChild(LoadKeyPointer(parent, slot), level); };
  absl::StatusOr<ExtentBufferRef> left = child(left_slot);
  absl::StatusOr<ExtentBufferRef> right = child(left_slot + 1);
  if (!left.ok() || !right.ok()) return false;
  for (const ExtentBufferRef* block : {&*left, &*right}) {
    if (!writer_.IsOursAlone(state_, **block, false)) return false;
  }
  {
    const BlockEdit left_look(**left, BlockEdit::Purpose::kLook);
    const BlockEdit right_look(**right, BlockEdit::Purpose::kLook);
    const absl::StatusOr<edit::MutableBlock> left_view = left_look.Open();
    const absl::StatusOr<edit::MutableBlock> right_view = right_look.Open();
    if (!left_view.ok() || !right_view.ok()) return false;
    if (UsedBytes(*right_view) > left_view->free_bytes()) return false;
  }
  // What needs room comes first: where there is none nothing has happened.
  absl::StatusOr<ExtentBufferRef> items = writer_.cache().Clone(**right);
  if (!items.ok()) return false;
  left->Put();
  left = OwnChild(way, level + 1, left_slot);
  if (absl::IsResourceExhausted(left.status())) return false;
  if (!left.ok()) return left.status();
  // What is right need not be copied to be emptied: its items are taken from a copy of its bytes.
  absl::Status status = writer_.Free(state_, *std::move(right), false);
  if (!status.ok()) return status;
  {
    const BlockEdit left_edit(**left, BlockEdit::Purpose::kChange);
    const BlockEdit items_edit(**items, BlockEdit::Purpose::kChange);
    const edit::MutableBlock to = left_edit.Reopen();
    const edit::MutableBlock from = items_edit.Reopen();
    status = EditStatus(level == 0 ? edit::MergeLeaves(to, from) : edit::MergeNodes(to, from),
                        (*left)->start(), "joining two blocks");
    if (!status.ok()) return status;
  }
  const BlockEdit edit(parent, BlockEdit::Purpose::kChange);
  const edit::MutableBlock view = edit.Reopen();
  status = EditStatus(edit::RemovePointers(view, left_slot + 1, 1), parent.start(),
                      "removing the pointer to a joined block");
  if (!status.ok()) return status;
  way.block[level] = ExtentBufferRef();
  return true;
}

}  // namespace ebcache::txn
