// An item of a leaf as the checker's rules see it: fields that are loaded where they lie.

#ifndef EBCACHE_LIB_FORMAT_CHECK_CHECKED_ITEM_H_
#define EBCACHE_LIB_FORMAT_CHECK_CHECKED_ITEM_H_

#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>

#include "ebcache/on_disk.h"
#include "lib/format/layout.h"

namespace ebcache {

// A view of an item whose place in the leaf is known to be sound. A pointer to its head is all it
// is: rules load the few fields that they look at, and copying keys would cost more than the rules.
class CheckedItem {
 public:
  // `slot` of a leaf whose items up to and including that one lie inside it.
  CheckedItem(const std::byte* leaf, uint32_t slot, const TreeBlockLimits& limits)
      : leaf_(leaf),
        head_(leaf + kHeaderBytes + size_t{slot} * kItemBytes),
        slot_(slot),
        limits_(limits) {}

  uint64_t objectid() const { return format::LoadField<&Key::objectid>(head_); }
  uint8_t type() const { return format::LoadField<&Key::type>(head_); }
  uint64_t offset() const { return format::LoadField<&Key::offset>(head_); }
  Key key() const { return format::LoadField<&DiskItemHead::key>(head_); }
  uint32_t size() const { return format::LoadField<&DiskItemHead::size>(head_); }
  absl::Span<const std::byte> data() const {
    return {leaf_ + kHeaderBytes + format::LoadField<&DiskItemHead::offset>(head_), size()};
  }

  // A field of the structure that is the data: Get<&InodeItem::mode>(), or of one that begins at
  // `at`. REQUIRES: the field lies inside, which a rule has established.
  template <auto kField>
  auto Get(uint64_t at = 0) const {
    return format::LoadField<kField>(data().data() + at);
  }
  // The length of a string of the structure at `at`. REQUIRES: the structure's fields lie inside.
  template <auto kString>
  uint16_t StringBytes(uint64_t at) const {
    return LoadLe<uint16_t>(data().data() + at + format::kLengthOffsetOf<kString>);
  }
  // All of a structure. REQUIRES: it lies inside.
  template <typename T>
  T Decode(uint64_t at = 0) const {
    return format::Decode<T>(data().data() + at);
  }

  // The item in the slot before, for rules about neighbours. REQUIRES: slot() > 0.
  CheckedItem previous() const { return {leaf_, slot_ - 1, limits_}; }
  uint32_t slot() const { return slot_; }
  // Whether there is an item before this one that has the same object and the same type.
  bool follows_its_kind() const {
    return slot_ > 0 && previous().objectid() == objectid() && previous().type() == type();
  }

  // The tree that the leaf says it belongs to.
  uint64_t leaf_owner() const { return format::LoadField<&BlockHeader::owner>(leaf_); }

  const TreeBlockLimits& limits() const { return limits_; }
  // Sector sizes are powers of two, and a division costs more than all else a rule does.
  bool Aligned(uint64_t value) const { return (value & (limits_.sector_bytes - 1)) == 0; }
  // No transaction is later than the one that is open.
  bool TooNew(uint64_t generation) const {
    return limits_.newest_generation != 0 && generation > limits_.newest_generation;
  }

 private:
  const std::byte* leaf_;
  const std::byte* head_;
  uint32_t slot_;
  const TreeBlockLimits& limits_;
};

// Whether [start, start + length) stays below 2^64.
constexpr bool FitsAddressSpace(uint64_t start, uint64_t length) { return start + length >= start; }

}  // namespace ebcache

#endif  // EBCACHE_LIB_FORMAT_CHECK_CHECKED_ITEM_H_
