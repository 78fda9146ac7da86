// Edits of one leaf. Each either does all of it or refuses, with a reason, and changes no byte.
//
// Beside the reasons that are named, each refuses a block that is no leaf (kWrongLevel). Bytes that
// become unused are zeroed. Slots and counts are in items, sizes in bytes.

#ifndef EBCACHE_LIB_TREE_EDIT_LEAF_EDIT_H_
#define EBCACHE_LIB_TREE_EDIT_LEAF_EDIT_H_

#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>

#include "ebcache/key.h"
#include "lib/tree/edit/mutable_block.h"
#include "lib/tree/edit/result.h"

namespace ebcache::edit {

// An item to insert.
struct NewItem {
  Key key;
  uint32_t size = 0;
  // `size` bytes outside of the leaf; or none, for `size` zeroes.
  absl::Span<const std::byte> data;
};

// The most bytes that an item can have in a leaf that has no other.
inline uint32_t MostItemBytes(const MutableBlock& leaf) { return leaf.area_bytes() - kItemBytes; }

// Inserts items side by side in front of what is in `slot`; of `slot` == item_count(), behind all.
// Refuses: kBadSlot; kBadCount when there is none; kBadData; kTooLarge; kKeyOrder; kNoRoom.
Result InsertItems(MutableBlock leaf, uint32_t slot, absl::Span<const NewItem> items);
inline Result InsertItem(MutableBlock leaf, uint32_t slot, const NewItem& item) {
  return InsertItems(leaf, slot, {&item, 1});
}

// Removes slots [slot, slot + count). Refuses: kBadSlot, kBadCount.
Result RemoveItems(MutableBlock leaf, uint32_t slot, uint32_t count);

// Which end of an item's data is changed when its size is: the other one stays.
enum class ItemEnd : uint8_t { kBack, kFront };

// Gives an item another size. Bytes that it gains are zero, those that it loses are lost.
// Refuses: kBadSlot, kTooLarge, kNoRoom.
Result ResizeItem(MutableBlock leaf, uint32_t slot, uint32_t size, ItemEnd end);

// Gives an item other data, of any length. Refuses: kBadSlot, kBadData when it lies in the leaf,
// kTooLarge, kNoRoom.
Result ReplaceData(MutableBlock leaf, uint32_t slot, absl::Span<const std::byte> data);

}  // namespace ebcache::edit

#endif  // EBCACHE_LIB_TREE_EDIT_LEAF_EDIT_H_
