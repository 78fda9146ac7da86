#include "lib/tree/edit/node_edit.h"

#include <algorithm>
#include <cstring>

#include "lib/tree/edit/block_editor.h"

namespace ebcache::edit {
namespace {

uint32_t Room(const MutableBlock& node) { return MostPointers(node) - node.item_count(); }

void Store(const BlockEditor& node, uint32_t slot, const KeyPointer& pointer) {
  format::DiskType<KeyPointer>::Encode(pointer, node.pointer(slot));
}

// REQUIRES: they are there, and there is room.
void Move(BlockEditor from, uint32_t slot, uint32_t count, BlockEditor to, uint32_t to_slot) {
  to.OpenPointers(to_slot, count);
  std::memcpy(to.pointer(to_slot), from.pointer(slot), size_t{count} * kKeyPointerBytes);
  from.ClosePointers(slot, count);
}

bool MayPush(const MutableBlock& left, const MutableBlock& right) {
  return CheckPair(left, right, false) == Result::kDone && InOrder(left, right);
}

Result CheckPush(const MutableBlock& left, const MutableBlock& right, const MutableBlock& from,
                 const MutableBlock& to, uint32_t count) {
  const Result result = CheckPair(left, right, false);
  if (result != Result::kDone) return result;
  if (count == 0 || count > from.item_count()) return Result::kBadCount;
  if (!InOrder(left, right)) return Result::kKeyOrder;
  return count > Room(to) ? Result::kNoRoom : Result::kDone;
}

}  // namespace

Result InsertPointers(MutableBlock node, uint32_t slot, absl::Span<const KeyPointer> pointers) {
  BlockEditor editor(node);
  if (node.is_leaf()) return Result::kWrongLevel;
  if (slot > editor.count()) return Result::kBadSlot;
  if (pointers.empty()) return Result::kBadCount;
  for (const KeyPointer& pointer : pointers) {
    if (pointer.bytenr == 0) return Result::kBadPointer;
  }
  for (size_t i = 1; i < pointers.size(); ++i) {
    if (pointers[i - 1].key >= pointers[i].key) return Result::kKeyOrder;
  }
  if (!editor.FitsBetween(slot, 0, pointers.front().key, pointers.back().key)) {
    return Result::kKeyOrder;
  }
  if (pointers.size() > Room(node)) return Result::kNoRoom;
  editor.OpenPointers(slot, static_cast<uint32_t>(pointers.size()));
  for (const KeyPointer& pointer : pointers) Store(editor, slot++, pointer);
  return Result::kDone;
}

Result RemovePointers(MutableBlock node, uint32_t slot, uint32_t count) {
  BlockEditor editor(node);
  if (node.is_leaf()) return Result::kWrongLevel;
  if (slot >= editor.count()) return Result::kBadSlot;
  if (count == 0 || count > editor.count() - slot) return Result::kBadCount;
  editor.ClosePointers(slot, count);
  return Result::kDone;
}

Result ReplacePointer(MutableBlock node, uint32_t slot, const KeyPointer& pointer) {
  const BlockEditor editor(node);
  if (node.is_leaf()) return Result::kWrongLevel;
  if (slot >= editor.count()) return Result::kBadSlot;
  if (pointer.bytenr == 0) {
    return Result::kBadPointer;
  }
  if (!editor.FitsBetween(slot, 1, pointer.key, pointer.key)) return Result::kKeyOrder;
  Store(editor, slot, pointer);
  return Result::kDone;
}

uint32_t PointersThatFitRight(const MutableBlock& left, const MutableBlock& right) {
  return MayPush(left, right) ? std::min(left.item_count(), Room(right)) : 0;
}

uint32_t PointersThatFitLeft(const MutableBlock& left, const MutableBlock& right) {
  return MayPush(left, right) ? std::min(right.item_count(), Room(left)) : 0;
}

Result PushPointersRight(MutableBlock left, MutableBlock right, uint32_t count) {
  const Result result = CheckPush(left, right, left, right, count);
  if (result != Result::kDone) return result;
  Move(BlockEditor(left), left.item_count() - count, count, BlockEditor(right), 0);
  return Result::kDone;
}

Result PushPointersLeft(MutableBlock left, MutableBlock right, uint32_t count) {
  const Result result = CheckPush(left, right, right, left, count);
  if (result != Result::kDone) return result;
  Move(BlockEditor(right), 0, count, BlockEditor(left), left.item_count());
  return Result::kDone;
}

Result MergeNodes(MutableBlock left, MutableBlock right) {
  const Result result = CheckPair(left, right, false);
  if (result != Result::kDone || right.item_count() == 0) return result;
  return PushPointersLeft(left, right, right.item_count());
}

uint32_t PlanNodeSplit(const MutableBlock& node, uint32_t slot) {
  return slot >= node.item_count() ? node.item_count() : (node.item_count() + 1) / 2;
}

Result SplitNode(MutableBlock left, MutableBlock right, uint32_t at) {
  const Result result = CheckPair(left, right, false);
  if (result != Result::kDone) return result;
  if (at > left.item_count()) return Result::kBadSlot;
  if (right.item_count() != 0) return Result::kBadCount;
  if (at == left.item_count()) return Result::kDone;
  return PushPointersRight(left, right, left.item_count() - at);
}

}  // namespace ebcache::edit
