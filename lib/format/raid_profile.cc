#include "lib/format/raid_profile.h"

#include <absl/strings/str_cat.h>

#include <array>
#include <bit>

namespace ebcache {
namespace {

// No upper limit but the number's own: a chunk item counts its stripes in 16 bits.
constexpr size_t kAny = 65535;

// In the order of RaidProfile.
constexpr std::array<RaidTraits, 9> kTraits = {{
    {RaidProfile::kSingle, "single", 0, 1, 1, 1, false, false},
    {RaidProfile::kDup, "DUP", 1 << 5, 2, 2, 2, false, false},
    {RaidProfile::kRaid0, "RAID0", 1 << 3, 1, 1, kAny, true, false},
    {RaidProfile::kRaid1, "RAID1", 1 << 4, 2, 2, 2, false, false},
    {RaidProfile::kRaid1c3, "RAID1C3", 1 << 9, 3, 3, 3, false, false},
    {RaidProfile::kRaid1c4, "RAID1C4", 1 << 10, 4, 4, 4, false, false},
    {RaidProfile::kRaid10, "RAID10", 1 << 6, 2, 2, kAny, true, false},
    {RaidProfile::kRaid5, "RAID5", 1 << 7, 1, 2, kAny, true, true},
    {RaidProfile::kRaid6, "RAID6", 1 << 8, 1, 3, kAny, true, true},
}};

}  // namespace

uint64_t ProfileMask() {
  constexpr uint64_t kMask = [] {
    uint64_t mask = 0;
    for (const RaidTraits& traits : kTraits) mask |= traits.type_bit;
    return mask;
  }();
  return kMask;
}

const RaidTraits& TraitsOf(RaidProfile profile) { return kTraits[static_cast<size_t>(profile)]; }

std::string_view RaidProfileName(RaidProfile profile) { return TraitsOf(profile).name; }

absl::StatusOr<RaidProfile> ProfileOfType(uint64_t type) {
  uint64_t unknown = type & ~(kBlockGroupTypeMask | ProfileMask());
  if (unknown != 0) {
    return absl::DataLossError(absl::StrCat("unknown type bits 0x", absl::Hex(unknown)));
  }
  uint64_t bits = type & ProfileMask();
  if (std::popcount(bits) > 1) {
    return absl::DataLossError(absl::StrCat("more than one profile in type 0x", absl::Hex(type)));
  }
  for (const RaidTraits& traits : kTraits) {
    if (traits.type_bit == bits) return traits.profile;
  }
  return absl::InternalError("a profile bit without a profile");  // the mask is made of the table
}

}  // namespace ebcache
