// What the edits are made of: steps that trust their arguments. For lib/tree/edit/ only.
//
// A leaf, from the front: header, item heads, unused bytes, item data. Heads rise with the slots,
// data falls, without gaps. The offsets in heads count from the end of the header.

#ifndef EBCACHE_LIB_TREE_EDIT_BLOCK_EDITOR_H_
#define EBCACHE_LIB_TREE_EDIT_BLOCK_EDITOR_H_

#include <cstddef>
#include <cstdint>

#include "ebcache/items_block.h"
#include "ebcache/on_disk.h"
#include "lib/format/layout_block.h"
#include "lib/tree/edit/mutable_block.h"

namespace ebcache::edit {

class BlockEditor {
 public:
  explicit BlockEditor(const MutableBlock& block)
      : at_(block.bytes_.data()), size_(static_cast<uint32_t>(block.bytes_.size())) {}

  std::byte* area() const { return at_ + kHeaderBytes; }
  uint32_t area_bytes() const { return size_ - kHeaderBytes; }
  bool Overlaps(absl::Span<const std::byte> bytes) const;

  uint32_t count() const { return format::LoadField<&BlockHeader::item_count>(at_); }
  void set_count(uint32_t count) { format::StoreField<&BlockHeader::item_count>(count, at_); }
  uint8_t level() const { return format::LoadField<&BlockHeader::level>(at_); }

  // ---- Leaves -----------------------------------------------------------------------------------

  // REQUIRES of `slot` here: below count().
  std::byte* head(uint32_t slot) const { return area() + size_t{slot} * kItemBytes; }
  uint32_t offset(uint32_t slot) const {
    return format::LoadField<&DiskItemHead::offset>(head(slot));
  }
  uint32_t item_bytes(uint32_t slot) const {
    return format::LoadField<&DiskItemHead::size>(head(slot));
  }
  // Where the data of slot `slot` ends, or would end: of slots up to count(), which gives where the
  // data of all begins.
  uint32_t DataEnd(uint32_t slot) const { return slot == 0 ? area_bytes() : offset(slot - 1); }
  uint32_t LeafFree() const { return DataEnd(count()) - count() * kItemBytes; }
  // Of slots [slot, slot + count) with their heads.
  uint32_t BytesOf(uint32_t slot, uint32_t count) const {
    return DataEnd(slot) - DataEnd(slot + count) + count * kItemBytes;
  }

  // Makes room for `count` heads in front of slot `slot`, and for their data. The caller fills both.
  // REQUIRES: slot <= count(), and so much room.
  void OpenGap(uint32_t slot, uint32_t count, uint32_t data_bytes);
  // Takes heads and data of [slot, slot + count) away, and zeroes what becomes unused.
  // REQUIRES: there are so many.
  void CloseGap(uint32_t slot, uint32_t count);
  // Moves the data that lies in the area from where that of all items begins up to `end` by `by`
  // bytes, down where that is negative, and what heads of slots from `slot` on say of it. Zeroes
  // what becomes unused.
  void ShiftData(uint32_t slot, uint32_t end, int64_t by);
  void StoreHead(uint32_t slot, const Key& key, uint32_t offset, uint32_t bytes);
  void set_item_bytes(uint32_t slot, uint32_t bytes) {
    format::StoreField<&DiskItemHead::size>(bytes, head(slot));
  }

  // ---- Nodes ------------------------------------------------------------------------------------

  std::byte* pointer(uint32_t slot) const { return area() + size_t{slot} * kKeyPointerBytes; }
  // As above, without data.
  void OpenPointers(uint32_t slot, uint32_t count);
  void ClosePointers(uint32_t slot, uint32_t count);

  // ---- Both -------------------------------------------------------------------------------------

  std::byte* entry(uint32_t slot) const { return level() == 0 ? head(slot) : pointer(slot); }
  Key key(uint32_t slot) const { return format::Decode<Key>(entry(slot)); }
  // Whether keys from `first` to `last` may stand in front of slot `slot`, with `skipped` slots from
  // there on not being there any more.
  bool FitsBetween(uint32_t slot, uint32_t skipped, const Key& first, const Key& last) const;

 private:
  std::byte* at_;
  uint32_t size_;
};

// kMismatch unless these are two blocks of one size and one level; kWrongLevel where they are not
// leaves, or not nodes. `left` comes before `right`: kKeyOrder where keys say otherwise is the
// caller's to tell, after what it has to tell before: see InOrder.
Result CheckPair(const MutableBlock& left, const MutableBlock& right, bool leaves);
bool InOrder(const MutableBlock& left, const MutableBlock& right);

}  // namespace ebcache::edit

#endif  // EBCACHE_LIB_TREE_EDIT_BLOCK_EDITOR_H_
