// Keys, and what the parent of a block says about it.
//
// They are passed through rooms that know no format: a cache hands a ParentCheck to its source, and
// compares two of them.

#ifndef EBCACHE_KEY_H_
#define EBCACHE_KEY_H_

#include <compare>
#include <cstdint>
#include <optional>
#include <string>

namespace ebcache {

// Where an item is in a tree; ordered by objectid, type, offset.
struct Key {
  uint64_t objectid = 0;
  uint8_t type = 0;
  uint64_t offset = 0;

  friend constexpr auto operator<=>(const Key&, const Key&) = default;
  // "(256 INODE_ITEM 0)" with the type's number where it has no name. Defined in lib/format, which
  // knows the names: what stands beside it, as a cache does, hands keys on and prints none.
  std::string ToString() const;
};
inline constexpr Key kMinKey{};
inline constexpr Key kMaxKey{~uint64_t{0}, 0xff, ~uint64_t{0}};

// What the parent of a block says about it; each part is checked where it is present. The kernel's
// btrfs_tree_parent_check.
struct ParentCheck {
  std::optional<uint8_t> level;
  uint64_t generation = 0;  // 0: any
  uint64_t owner = 0;       // id of the tree being read; 0: any
  std::optional<Key> first_key;

  friend constexpr bool operator==(const ParentCheck&, const ParentCheck&) = default;
};

}  // namespace ebcache

#endif  // EBCACHE_KEY_H_
