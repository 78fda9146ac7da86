#include "lib/space/chunk_planner.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <vector>

#include "lib/base/messages.h"
#include "lib/base/rounding.h"
#include "lib/format/raid_profile.h"

namespace ebcache::space {
namespace {

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kGiB = 1 << 30;
// In front of every device: its superblock, and what boot loaders have there.
constexpr uint64_t kFrontOfDevice = kMiB;
// A filesystem of more than this is large: its metadata has chunks as data has.
constexpr uint64_t kLarge = 50 * kGiB;

struct Limits {
  uint64_t stripe = 0;
  uint64_t chunk = 0;
};

Limits LimitsOf(uint64_t type, uint64_t all_bytes) {
  Limits limits;
  if ((type & kBlockGroupSystem) != 0) {
    limits = {32 * kMiB, 64 * kMiB};
  } else if ((type & kBlockGroupData) != 0) {
    limits = {kGiB, 10 * kGiB};
  } else {
    const uint64_t most = all_bytes > kLarge ? kGiB : 256 * kMiB;
    limits = {most, most};
  }
  limits.chunk = std::min(limits.chunk, std::max(all_bytes / 10, kMiB));
  return limits;
}

// The longest hole of a device.
struct Hole {
  const DeviceSpace* device = nullptr;
  Range range;
};

std::optional<Hole> LongestHole(const DeviceSpace& device) {
  RangeSet free;
  if (device.total_bytes <= kFrontOfDevice) return std::nullopt;
  free.Unite({kFrontOfDevice, device.total_bytes - kFrontOfDevice});
  for (const auto& [start, end] : device.taken.ends()) free.Subtract({start, end - start});
  // Stripes begin where elements do, so that a copy of a superblock takes one element.
  std::optional<Hole> longest;
  for (const auto& [start, end] : free.ends()) {
    const uint64_t first = RoundUp(start, kStripeBytes);
    if (first >= end) continue;
    const uint64_t bytes = (end - first) / kStripeBytes * kStripeBytes;
    if (bytes > (longest ? longest->range.length : 0)) longest = Hole{&device, {first, bytes}};
  }
  return longest;
}

}  // namespace

uint64_t StripeBytesOf(const Chunk& chunk) {
  const RaidTraits& traits = TraitsOf(chunk.profile);
  return traits.striped ? chunk.length * traits.copies / chunk.stripes.size() : chunk.length;
}

absl::StatusOr<Chunk> PlanChunk(absl::Span<const DeviceSpace> devices,
                                const ChunkRequest& request) {
  const RaidTraits& traits = TraitsOf(request.profile);
  if (traits.parity) {
    return absl::UnimplementedError(absl::StrCat("new chunks of profile ", AbslView(traits.name)));
  }
  if ((request.type & kBlockGroupTypeMask) == 0) {
    return absl::InvalidArgumentError("a chunk is of data, metadata or system blocks");
  }
  // Dup has both copies on one device, side by side.
  const bool on_one = request.profile == RaidProfile::kDup;
  const uint64_t stripes_each = on_one ? 2 : 1;
  uint64_t all_bytes = 0;
  std::vector<Hole> holes;
  for (const DeviceSpace& device : devices) {
    all_bytes += device.total_bytes;
    std::optional<Hole> hole = LongestHole(device);
    if (hole && hole->range.length >= stripes_each * kStripeBytes) holes.push_back(*hole);
  }
  std::stable_sort(holes.begin(), holes.end(),
                   [](const Hole& a, const Hole& b) { return a.range.length > b.range.length; });
  const size_t wanted = std::max<size_t>(traits.min_stripes / stripes_each, 1);
  size_t count = std::min(holes.size(), std::max<size_t>(traits.max_stripes / stripes_each, 1));
  if (traits.striped) count -= count % traits.copies;
  if (count < wanted) {
    return WithNumber(absl::ResourceExhaustedError(
                          absl::StrCat("a chunk of profile ", AbslView(traits.name), " wants ",
                                       wanted, " devices with room, there are ", holes.size())),
                      ENOSPC);
  }
  holes.resize(count);

  const Limits limits = LimitsOf(request.type, all_bytes);
  const uint64_t columns = traits.striped ? count / traits.copies : 1;
  uint64_t most = limits.chunk;
  if (request.most_bytes != 0) most = std::min(most, request.most_bytes);
  uint64_t stripe = std::min(holes.back().range.length / stripes_each, limits.stripe);
  stripe = std::max(std::min(stripe, most / columns) / kStripeBytes, uint64_t{1}) * kStripeBytes;

  Chunk chunk{
      .logical = request.logical,
      .length = stripe * columns,
      .type = request.type | traits.type_bit,
      .profile = request.profile,
      .stripe_bytes = kStripeBytes,
      .sub_stripes = request.profile == RaidProfile::kRaid10 ? kRaid10SubStripes : uint16_t{1},
      .sector_bytes = request.sector_bytes};
  for (const Hole& hole : holes) {
    for (uint64_t i = 0; i < stripes_each; ++i) {
      chunk.stripes.push_back({.device_id = hole.device->id,
                               .physical = hole.range.start + i * stripe,
                               .device_uuid = hole.device->uuid});
    }
  }
  return chunk;
}

}  // namespace ebcache::space
