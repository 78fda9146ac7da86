// Items of the quota tree. The upper 16 bits of a group's id are its level, the lower 48 at level 0
// the subvolume's id.

#ifndef EBCACHE_ITEMS_QUOTA_H_
#define EBCACHE_ITEMS_QUOTA_H_

#include <cstddef>
#include <cstdint>
#include <optional>

namespace ebcache {

// QgroupStatus::flags.
inline constexpr uint64_t kQgroupStatusOn = 1 << 0;
inline constexpr uint64_t kQgroupStatusRescan = 1 << 1;
inline constexpr uint64_t kQgroupStatusInconsistent = 1 << 2;
inline constexpr uint64_t kQgroupStatusSimple = 1 << 3;

// (0, QGROUP_STATUS, 0).
struct QgroupStatus {
  static constexpr size_t kBytes = 32;  // and 8 for enable_generation

  uint64_t version = 1;
  uint64_t generation = 0;
  uint64_t flags = 0;
  uint64_t rescan = 0;  // objectid that a rescan has come to
  // Simple quotas count what was made since. Older filesystems have items without it.
  std::optional<uint64_t> enable_generation;

  friend constexpr bool operator==(const QgroupStatus&, const QgroupStatus&) = default;
};

// (0, QGROUP_INFO, group).
struct QgroupInfo {
  static constexpr size_t kBytes = 40;

  uint64_t generation = 0;
  uint64_t referenced = 0;
  uint64_t referenced_compressed = 0;
  uint64_t exclusive = 0;
  uint64_t exclusive_compressed = 0;

  friend constexpr bool operator==(const QgroupInfo&, const QgroupInfo&) = default;
};

// QgroupLimit::flags: which of the limits hold.
inline constexpr uint64_t kQgroupLimitMaxReferenced = 1 << 0;
inline constexpr uint64_t kQgroupLimitMaxExclusive = 1 << 1;
inline constexpr uint64_t kQgroupLimitReservedReferenced = 1 << 2;
inline constexpr uint64_t kQgroupLimitReservedExclusive = 1 << 3;
inline constexpr uint64_t kQgroupLimitReferencedCompressed = 1 << 4;
inline constexpr uint64_t kQgroupLimitExclusiveCompressed = 1 << 5;

// (0, QGROUP_LIMIT, group).
struct QgroupLimit {
  static constexpr size_t kBytes = 40;

  uint64_t flags = 0;
  uint64_t max_referenced = 0;
  uint64_t max_exclusive = 0;
  uint64_t reserved_referenced = 0;
  uint64_t reserved_exclusive = 0;

  friend constexpr bool operator==(const QgroupLimit&, const QgroupLimit&) = default;
};

}  // namespace ebcache

#endif  // EBCACHE_ITEMS_QUOTA_H_
