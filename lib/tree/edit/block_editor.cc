#include "lib/tree/edit/block_editor.h"

#include <cstring>
#include <functional>

namespace ebcache::edit {

bool BlockEditor::Overlaps(absl::Span<const std::byte> bytes) const {
  const std::less<const std::byte*> below;  // of any two pointers
  return !bytes.empty() && below(bytes.data(), at_ + size_) &&
         below(at_, bytes.data() + bytes.size());
}

void BlockEditor::StoreHead(uint32_t slot, const Key& key, uint32_t offset, uint32_t bytes) {
  format::DiskType<DiskItemHead>::Encode({.key = key, .offset = offset, .size = bytes}, head(slot));
}

void BlockEditor::ShiftData(uint32_t slot, uint32_t end, int64_t by) {
  const uint32_t begin = DataEnd(count());
  std::memmove(area() + begin + by, area() + begin, end - begin);
  if (by > 0) {
    std::memset(area() + begin, 0, static_cast<size_t>(by));
  }
  for (uint32_t i = slot; i < count(); ++i) {
    format::StoreField<&DiskItemHead::offset>(static_cast<uint32_t>(offset(i) + by), head(i));
  }
}

void BlockEditor::OpenGap(uint32_t slot, uint32_t count, uint32_t data_bytes) {
  const uint32_t before = this->count();
  ShiftData(slot, DataEnd(slot), -int64_t{data_bytes});
  std::memmove(head(slot + count), head(slot), size_t{before - slot} * kItemBytes);
  set_count(before + count);
}

void BlockEditor::CloseGap(uint32_t slot, uint32_t count) {
  const uint32_t before = this->count();
  const uint32_t end = DataEnd(slot + count);
  const uint32_t data_bytes = DataEnd(slot) - end;
  ShiftData(slot + count, end, data_bytes);
  std::memmove(head(slot), head(slot + count), size_t{before - slot - count} * kItemBytes);
  std::memset(head(before - count), 0, size_t{count} * kItemBytes);
  set_count(before - count);
}

void BlockEditor::OpenPointers(uint32_t slot, uint32_t count) {
  const uint32_t before = this->count();
  std::memmove(pointer(slot + count), pointer(slot), size_t{before - slot} * kKeyPointerBytes);
  set_count(before + count);
}

void BlockEditor::ClosePointers(uint32_t slot, uint32_t count) {
  const uint32_t before = this->count();
  std::memmove(pointer(slot), pointer(slot + count),
               size_t{before - slot - count} * kKeyPointerBytes);
  std::memset(pointer(before - count), 0, size_t{count} * kKeyPointerBytes);
  set_count(before - count);
}

bool BlockEditor::FitsBetween(uint32_t slot, uint32_t skipped, const Key& first,
                              const Key& last) const {
  if (slot > 0 && key(slot - 1) >= first) return false;
  return slot + skipped >= count() || last < key(slot + skipped);
}

Result CheckPair(const MutableBlock& left, const MutableBlock& right, bool leaves) {
  if (left.size() != right.size() || left.level() != right.level() ||
      BlockEditor(left).Overlaps(right.bytes())) {
    return Result::kMismatch;
  }
  return left.is_leaf() == leaves ? Result::kDone : Result::kWrongLevel;
}

bool InOrder(const MutableBlock& left, const MutableBlock& right) {
  if (left.item_count() == 0 || right.item_count() == 0) return true;
  return left.key(left.item_count() - 1) < right.key(0);
}

}  // namespace ebcache::edit
