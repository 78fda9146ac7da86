// What tells the profiles apart.

#ifndef EBCACHE_LIB_FORMAT_RAID_PROFILE_H_
#define EBCACHE_LIB_FORMAT_RAID_PROFILE_H_

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "ebcache/on_disk.h"

namespace ebcache {

struct RaidTraits {
  RaidProfile profile;
  std::string_view name;
  uint64_t type_bit;  // in a chunk's type; 0 for single
  int copies;         // of each block
  size_t min_stripes;
  size_t max_stripes;
  bool striped;  // consecutive stripe elements lie on different stripes
  bool parity;   // has parity stripes: no plain copies to map to
};

inline constexpr uint64_t kBlockGroupTypeMask =
    kBlockGroupData | kBlockGroupSystem | kBlockGroupMetadata;
// The only length of a stripe element that was ever in use.
inline constexpr uint64_t kStripeBytes = 65536;
// Stripes in one copy group of raid10.
inline constexpr uint16_t kRaid10SubStripes = 2;

const RaidTraits& TraitsOf(RaidProfile profile);

// The bits of all profiles, in a chunk's or a block group's type.
uint64_t ProfileMask();

// The profile that the bits of a chunk's type name. Errors: DataLoss (unknown bits, two profiles).
absl::StatusOr<RaidProfile> ProfileOfType(uint64_t type);

}  // namespace ebcache

#endif  // EBCACHE_LIB_FORMAT_RAID_PROFILE_H_
