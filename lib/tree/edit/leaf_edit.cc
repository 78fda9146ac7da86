#include "lib/tree/edit/leaf_edit.h"

#include <algorithm>
#include <cstring>

#include "lib/tree/edit/block_editor.h"

namespace ebcache::edit {
namespace {

// What is to be said of the items themselves, the leaf's bytes left aside.
Result CheckItems(const MutableBlock& leaf, absl::Span<const NewItem> items) {
  const BlockEditor editor(leaf);
  for (const NewItem& item : items) {
    const bool as_long = item.data.empty() || item.data.size() == item.size;
    if (!as_long || editor.Overlaps(item.data)) return Result::kBadData;
  }
  for (const NewItem& item : items) {
    if (item.size > MostItemBytes(leaf)) return Result::kTooLarge;
  }
  for (size_t i = 1; i < items.size(); ++i) {
    if (items[i - 1].key >= items[i].key) return Result::kKeyOrder;
  }
  return Result::kDone;
}

void Fill(std::byte* at, uint32_t bytes, absl::Span<const std::byte> data) {
  if (data.empty()) {
    std::memset(at, 0, bytes);
  } else {
    std::memcpy(at, data.data(), data.size());
  }
}

// REQUIRES: there is room.
void Resize(BlockEditor& leaf, uint32_t slot, uint32_t size, ItemEnd end) {
  const uint32_t before = leaf.item_bytes(slot);
  const uint32_t begin = leaf.offset(slot);
  const int64_t by = int64_t{before} - size;
  // Of its own data, what is to stay as it is goes along with that of the items behind it only
  // where the change is at its back.
  const uint32_t kept = end == ItemEnd::kBack ? std::min(before, size) : 0;
  // What it loses at its front is overwritten, or zeroed, by what moves up.
  leaf.ShiftData(slot, begin + kept, by);
  leaf.set_item_bytes(slot, size);
  if (size > before) {
    std::memset(leaf.area() + leaf.offset(slot) + kept, 0, size - before);
  }
}

Result CheckResize(const MutableBlock& leaf, uint32_t slot, size_t size) {
  if (size > MostItemBytes(leaf)) return Result::kTooLarge;
  const uint32_t before = BlockEditor(leaf).item_bytes(slot);
  return size > size_t{before} + leaf.free_bytes() ? Result::kNoRoom : Result::kDone;
}

}  // namespace

Result InsertItems(MutableBlock leaf, uint32_t slot, absl::Span<const NewItem> items) {
  BlockEditor editor(leaf);
  if (!leaf.is_leaf()) return Result::kWrongLevel;
  if (slot > editor.count()) return Result::kBadSlot;
  if (items.empty()) return Result::kBadCount;
  if (const Result result = CheckItems(leaf, items); result != Result::kDone) return result;
  if (!editor.FitsBetween(slot, 0, items.front().key, items.back().key)) return Result::kKeyOrder;
  uint64_t data_bytes = 0;
  for (const NewItem& item : items) data_bytes += item.size;
  if (data_bytes + items.size() * kItemBytes > leaf.free_bytes()) {
    return Result::kNoRoom;
  }

  uint32_t end = editor.DataEnd(slot);
  editor.OpenGap(slot, static_cast<uint32_t>(items.size()), static_cast<uint32_t>(data_bytes));
  for (const NewItem& item : items) {
    end -= item.size;
    editor.StoreHead(slot++, item.key, end, item.size);
    Fill(editor.area() + end, item.size, item.data);
  }
  return Result::kDone;
}

Result RemoveItems(MutableBlock leaf, uint32_t slot, uint32_t count) {
  BlockEditor editor(leaf);
  if (!leaf.is_leaf()) return Result::kWrongLevel;
  if (slot >= editor.count()) return Result::kBadSlot;
  if (count == 0 || count > editor.count() - slot) return Result::kBadCount;
  editor.CloseGap(slot, count);
  return Result::kDone;
}

Result ResizeItem(MutableBlock leaf, uint32_t slot, uint32_t size, ItemEnd end) {
  BlockEditor editor(leaf);
  if (!leaf.is_leaf()) return Result::kWrongLevel;
  if (slot >= editor.count()) return Result::kBadSlot;
  const Result result = CheckResize(leaf, slot, size);
  if (result == Result::kDone) Resize(editor, slot, size, end);
  return result;
}

Result ReplaceData(MutableBlock leaf, uint32_t slot, absl::Span<const std::byte> data) {
  BlockEditor editor(leaf);
  if (!leaf.is_leaf()) return Result::kWrongLevel;
  if (slot >= editor.count()) return Result::kBadSlot;
  if (editor.Overlaps(data)) return Result::kBadData;
  const Result result = CheckResize(leaf, slot, data.size());
  if (result != Result::kDone) return result;
  Resize(editor, slot, static_cast<uint32_t>(data.size()), ItemEnd::kBack);
  if (!data.empty()) std::memcpy(editor.area() + editor.offset(slot), data.data(), data.size());
  return Result::kDone;
}

}  // namespace ebcache::edit
