// Items that tie trees together: their roots, references between subvolumes, and subvolumes by
// uuid.

#ifndef EBCACHE_ITEMS_ROOT_H_
#define EBCACHE_ITEMS_ROOT_H_

#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "ebcache/items_file.h"
#include "ebcache/key.h"
#include "ebcache/uuid.h"

namespace ebcache {

// RootItem::flags.
inline constexpr uint64_t kRootReadOnly = 1 << 0;
inline constexpr uint64_t kRootDead = uint64_t{1} << 48;  // is being deleted

// What root items have behind their other fields, since 2012.
struct RootItemExtension {
  static constexpr size_t kBytes = 200;

  uint64_t generation_v2 = 0;  // RootItem::generation; else older kernels have written since
  Uuid uuid{};
  Uuid parent_uuid{};               // of what it is a snapshot of
  Uuid received_uuid{};             // of what was sent
  uint64_t change_transaction = 0;  // that changed an inode last
  uint64_t origin_transaction = 0;  // that made it
  uint64_t send_transaction = 0;
  uint64_t receive_transaction = 0;
  DiskTime change_time;
  DiskTime origin_time;
  DiskTime send_time;
  DiskTime receive_time;
  std::array<uint64_t, 8> reserved{};

  friend constexpr bool operator==(const RootItemExtension&, const RootItemExtension&) = default;
};

// (tree id, ROOT_ITEM, 0 or the transaction that made the snapshot): where a tree is.
struct RootItem {
  static constexpr size_t kBytes = 239;  // and RootItemExtension::kBytes

  InodeItem inode;  // of the top directory; says little
  uint64_t generation = 0;
  uint64_t root_directory = 0;  // its inode number; 0 in trees without files
  uint64_t bytenr = 0;
  uint64_t byte_limit = 0;     // never in use
  uint64_t bytes_used = 0;     // of its blocks
  uint64_t last_snapshot = 0;  // generation of the last one that was made of it
  uint64_t flags = 0;
  uint32_t refs = 0;  // 0: being deleted
  Key drop_progress;  // of a tree being deleted: what is gone below it
  uint8_t drop_level = 0;
  uint8_t level = 0;
  std::optional<RootItemExtension> extension;

  friend constexpr bool operator==(const RootItem&, const RootItem&) = default;
};

// Parses a root item of either size in use (239 or 439 bytes) and checks where it leads: a block at
// a multiple of 4096, levels that there are. Errors: DataLoss.
absl::StatusOr<RootItem> ParseRootItem(absl::Span<const std::byte> item);

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
