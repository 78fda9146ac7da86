// What is in a block, as a sorted list: the model that edits are held against. Knows nothing of
// where bytes lie.

#ifndef EBCACHE_TESTS_TREE_EDIT_EDIT_ENTRIES_H_
#define EBCACHE_TESTS_TREE_EDIT_EDIT_ENTRIES_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "ebcache/on_disk.h"
#include "lib/tree/edit/mutable_block.h"

namespace ebcache::testing {

// An item, or a pointer, whose value is its address and generation.
struct Entry {
  Key key;
  std::string value;

  friend bool operator==(const Entry&, const Entry&) = default;
};
using Entries = std::vector<Entry>;

// Bytes of entries in a leaf, or in a node.
inline size_t RoomOf(const Entry& entry, bool leaf) {
  return leaf ? kItemBytes + entry.value.size() : size_t{kKeyPointerBytes};
}
inline size_t RoomOf(const Entries& entries, bool leaf) {
  size_t bytes = 0;
  for (const Entry& entry : entries) bytes += RoomOf(entry, leaf);
  return bytes;
}

inline bool Rises(const Entries& entries) {
  for (size_t i = 1; i < entries.size(); ++i) {
    if (entries[i - 1].key >= entries[i].key) return false;
  }
  return true;
}

inline std::string PointerValue(uint64_t bytenr, uint64_t generation) {
  std::string value(16, '\0');
  for (size_t i = 0; i < 8; ++i) value[i] = static_cast<char>(bytenr >> (8 * i) & 0xff);
  for (size_t i = 0; i < 8; ++i) value[8 + i] = static_cast<char>(generation >> (8 * i) & 0xff);
  return value;
}

// Whether a block says of itself that it has these, without a copy of them.
inline bool Holds(const edit::MutableBlock& block, const Entries& entries) {
  if (block.item_count() != entries.size()) return false;
  for (uint32_t slot = 0; slot < entries.size(); ++slot) {
    const auto& [key, value] = entries[slot];
    if (block.key(slot) != key) return false;
    if (block.is_leaf()) {
      const auto data = block.data(slot);
      if (data.size() != value.size()) return false;
      if (!value.empty() && std::memcmp(data.data(), value.data(), value.size()) != 0) return false;
    } else {
      const KeyPointer pointer = block.pointer(slot);
      if (PointerValue(pointer.bytenr, pointer.generation) != value) return false;
    }
  }
  return true;
}

inline bool AllZero(const std::byte* at, size_t bytes) {
  // Each byte is the one before it, and the first is zero.
  return bytes == 0 || (*at == std::byte{0} && std::memcmp(at, at + 1, bytes - 1) == 0);
}

// What a block says of itself.
inline Entries EntriesOf(const edit::MutableBlock& block) {
  Entries entries;
  for (uint32_t slot = 0; slot < block.item_count(); ++slot) {
    if (block.is_leaf()) {
      const auto data = block.data(slot);
      entries.push_back(
          {block.key(slot), std::string(reinterpret_cast<const char*>(data.data()), data.size())});
    } else {
      const KeyPointer pointer = block.pointer(slot);
      entries.push_back({pointer.key, PointerValue(pointer.bytenr, pointer.generation)});
    }
  }
  return entries;
}

}  // namespace ebcache::testing

#endif  // EBCACHE_TESTS_TREE_EDIT_EDIT_ENTRIES_H_
