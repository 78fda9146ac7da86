// Items that tie trees together: references between subvolumes, and subvolumes by uuid.

#ifndef EBCACHE_ITEMS_ROOT_H_
#define EBCACHE_ITEMS_ROOT_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ebcache {

// (parent, ROOT_REF, child) and (child, ROOT_BACKREF, parent): under which name a subvolume is in
// another.
struct RootRef {
  static constexpr size_t kHeadBytes = 18;

  uint64_t directory = 0;  // inode of the parent
  uint64_t sequence = 0;   // the index of the name there
  std::string_view name;

  friend constexpr bool operator==(const RootRef&, const RootRef&) = default;
};

// An entry of (first half of a uuid, UUID_KEY_SUBVOL or UUID_KEY_RECEIVED_SUBVOL, second half).
struct UuidSubvolume {
  static constexpr size_t kBytes = 8;

  uint64_t id = 0;

  friend constexpr bool operator==(const UuidSubvolume&, const UuidSubvolume&) = default;
};

}  // namespace ebcache

#endif  // EBCACHE_ITEMS_ROOT_H_
