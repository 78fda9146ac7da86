#include "lib/volume/chunk_map.h"

#include <absl/strings/str_cat.h>

#include <utility>

#include "lib/base/messages.h"
#include "lib/format/chunk_check.h"
#include "lib/format/raid_profile.h"

namespace ebcache {
namespace {

bool SameStripe(const ChunkStripe& a, const ChunkStripe& b) {
  return a.device_id == b.device_id && a.physical == b.physical && a.device_uuid == b.device_uuid;
}

bool SameChunk(const Chunk& a, const Chunk& b) {
  return a.logical == b.logical && a.length == b.length && a.type == b.type &&
         std::equal(a.stripes.begin(), a.stripes.end(), b.stripes.begin(), b.stripes.end(),
                    SameStripe);
}

std::string Describe(const Chunk& chunk) {
  return absl::StrCat("chunk ", chunk.logical, ", length ", chunk.length, ", type 0x",
                      absl::Hex(chunk.type));
}

// Copies of the `offset`th byte of a chunk. What CheckChunk promises keeps this free of overflow
// and division by zero: stripe_bytes is kStripeBytes, and stripes fit the profile.
StripeLocations Locate(const Chunk& chunk, uint64_t offset) {
  const size_t copies = static_cast<size_t>(chunk.copies());
  size_t first_stripe = 0;
  uint64_t stripe_offset = offset;
  if (TraitsOf(chunk.profile).striped) {
    // Elements take turns over groups of stripes; the stripes of a group hold the same bytes.
    const uint64_t groups = chunk.stripes.size() / copies;
    const uint64_t element = offset / chunk.stripe_bytes;
    first_stripe = static_cast<size_t>(element % groups) * copies;
    stripe_offset = element / groups * chunk.stripe_bytes + offset % chunk.stripe_bytes;
  }
  StripeLocations locations;
  for (size_t copy = 0; copy < copies; ++copy) {
    locations.push_back({chunk.stripes[first_stripe + copy], stripe_offset});
  }
  return locations;
}

}  // namespace

absl::Status ChunkMap::Add(Chunk chunk) {
  absl::Status sound = CheckChunk(chunk, sector_bytes_);
  if (sound.ok()) sound = CheckStripePlaces(chunk);
  if (!sound.ok()) {
    return Prefixed(absl::StrCat("chunk ", chunk.logical), sound);
  }
  // Chunks in the map are disjoint, so the last one that begins before our end tells.
  auto after = chunks_.lower_bound(chunk.logical + chunk.length);
  if (after != chunks_.begin()) {
    const Chunk& before = std::prev(after)->second;
    if (before.logical + before.length > chunk.logical) {
      if (SameChunk(before, chunk)) return absl::OkStatus();
      return absl::DataLossError(absl::StrCat(
          Describe(chunk), before.logical == chunk.logical ? " contradicts " : " overlaps ",
          Describe(before)));
    }
  }
  const uint64_t logical = chunk.logical;
  chunks_.emplace_hint(after, logical, std::move(chunk));
  return absl::OkStatus();
}

const Chunk* ChunkMap::Find(uint64_t logical) const {
  auto after = chunks_.upper_bound(logical);
  if (after == chunks_.begin()) return nullptr;
  const Chunk& chunk = std::prev(after)->second;
  const uint64_t offset = logical - chunk.logical;
  return offset < chunk.length ? &chunk : nullptr;
}

absl::StatusOr<StripeLocations> ChunkMap::Map(uint64_t logical, uint64_t length) const {
  const Chunk* chunk = Find(logical);
  if (chunk == nullptr) return absl::NotFoundError("no chunk at this address");
  const RaidTraits& traits = TraitsOf(chunk->profile);
  if (traits.parity) {
    return absl::UnimplementedError(
        absl::StrCat("in ", Describe(*chunk), ": ", AbslView(traits.name), " cannot be read yet"));
  }
  const uint64_t offset = logical - chunk->logical;
  if (length > chunk->length - offset) {
    return absl::DataLossError(absl::StrCat(length, " bytes cross the end of ", Describe(*chunk)));
  }
  if (traits.striped && length > chunk->stripe_bytes - offset % chunk->stripe_bytes) {
    return absl::DataLossError(
        absl::StrCat(length, " bytes cross a stripe boundary of ", Describe(*chunk)));
  }
  return Locate(*chunk, offset);
}

std::vector<Chunk> ChunkMap::chunks() const {
  std::vector<Chunk> chunks;
  chunks.reserve(chunks_.size());
  for (const auto& [logical, chunk] : chunks_) chunks.push_back(chunk);
  return chunks;
}

}  // namespace ebcache
