#include "lib/format/chunk_check.h"

#include <absl/strings/str_cat.h>

#include <limits>

#include "lib/base/messages.h"
#include "lib/format/raid_profile.h"

namespace ebcache {
namespace {

// Of the length of a chunk: what 32 bits can count.
constexpr uint64_t kMostStripeElements = uint64_t{1} << 32;

absl::Status CheckRange(const Chunk& chunk, uint32_t sector_bytes) {
  if (chunk.length == 0) return absl::DataLossError("length is 0");
  if (chunk.length % sector_bytes != 0) {
    return absl::DataLossError(absl::StrCat(
        "length ", chunk.length, " is not a multiple of the sector size ", sector_bytes));
  }
  if (chunk.logical % sector_bytes != 0) {
    return absl::DataLossError(absl::StrCat(
        "logical address ", chunk.logical, " is not a multiple of the sector size ", sector_bytes));
  }
  if (chunk.length > kMostStripeElements * kStripeBytes) {
    return absl::DataLossError(
        absl::StrCat("length ", chunk.length, " is more than ", kMostStripeElements, " stripes"));
  }
  if (chunk.length > std::numeric_limits<uint64_t>::max() - chunk.logical) {
    return absl::DataLossError(absl::StrCat("length ", chunk.length, " from ", chunk.logical,
                                            " leaves the address space"));
  }
  return absl::OkStatus();
}

absl::Status CheckType(const Chunk& chunk) {
  absl::StatusOr<RaidProfile> profile = ProfileOfType(chunk.type);
  if (!profile.ok()) return profile.status();
  if (*profile != chunk.profile) {
    return absl::DataLossError(absl::StrCat("type 0x", absl::Hex(chunk.type), " is not ",
                                            AbslView(RaidProfileName(chunk.profile))));
  }
  uint64_t kind = chunk.type & kBlockGroupTypeMask;
  if (kind == 0) {
    return absl::DataLossError(
        absl::StrCat("type 0x", absl::Hex(chunk.type), " is neither data, metadata nor system"));
  }
  if ((kind & kBlockGroupSystem) != 0 && kind != kBlockGroupSystem) {
    return absl::DataLossError(
        absl::StrCat("type 0x", absl::Hex(chunk.type), " mixes system with something else"));
  }
  return absl::OkStatus();
}

absl::Status CheckStripes(const Chunk& chunk) {
  if (chunk.stripe_bytes != kStripeBytes) {
    return absl::DataLossError(
        absl::StrCat("stripe length ", chunk.stripe_bytes, " is not ", kStripeBytes));
  }
  const RaidTraits& traits = TraitsOf(chunk.profile);
  const size_t count = chunk.stripes.size();
  if (count < traits.min_stripes || count > traits.max_stripes) {
    return absl::DataLossError(absl::StrCat(count, " stripes do not make ", AbslView(traits.name)));
  }
  if (chunk.profile == RaidProfile::kRaid10 &&
      (chunk.sub_stripes != kRaid10SubStripes || count % kRaid10SubStripes != 0)) {
    return absl::DataLossError(absl::StrCat(count, " stripes with ", chunk.sub_stripes,
                                            " sub-stripes do not make RAID10"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckChunk(const Chunk& chunk, uint32_t sector_bytes) {
  if (absl::Status status = CheckRange(chunk, sector_bytes); !status.ok()) return status;
  if (absl::Status status = CheckType(chunk); !status.ok()) return status;
  return CheckStripes(chunk);
}

absl::Status CheckStripePlaces(const Chunk& chunk) {
  for (size_t i = 0; i < chunk.stripes.size(); ++i) {
    // No stripe is longer than its chunk; so nothing that is mapped can overflow.
    if (chunk.stripes[i].physical > std::numeric_limits<uint64_t>::max() - chunk.length) {
      return absl::DataLossError(absl::StrCat("stripe ", i, " at ", chunk.stripes[i].physical,
                                              " leaves the address space"));
    }
  }
  return absl::OkStatus();
}

}  // namespace ebcache
