// Where a new chunk goes: how long it is, on which devices, and where on these.

#ifndef EBCACHE_LIB_SPACE_CHUNK_PLANNER_H_
#define EBCACHE_LIB_SPACE_CHUNK_PLANNER_H_

#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <cstdint>

#include "ebcache/on_disk.h"
#include "ebcache/uuid.h"
#include "lib/space/range.h"

namespace ebcache::space {

// A device that chunks can be put on: one that is missing, or may not be written, is none.
struct DeviceSpace {
  uint64_t id = 0;
  Uuid uuid{};
  uint64_t total_bytes = 0;
  // What DEV_EXTENT items say is taken. The first MiB is never given out, whatever they say.
  RangeSet taken;
};

struct ChunkRequest {
  uint64_t logical = 0;  // where the chunk is to begin: behind all others
  uint64_t type = 0;  // kBlockGroupData, ...Metadata, ...System; data and metadata for mixed groups
  RaidProfile profile = RaidProfile::kSingle;
  uint32_t sector_bytes = 4096;
  // The most that it is to have; 0: what a kernel would make of it.
  uint64_t most_bytes = 0;
};

// Plans a chunk: a stripe has 64 KiB or a multiple, all are as long. As the kernel does, it takes
// the devices with the longest holes, as many of them as the profile can use; data has up to 1 GiB
// on a device (metadata 256 MiB, and 1 GiB where the filesystem has more than 50; system chunks 32
// MiB), at most 10 GiB (metadata as on a device, system 64 MiB), and never more than a tenth of all
// devices together, unless that is less than 1 MiB. Nothing is changed: the caller adds the items,
// and takes the stripes from the devices' space.
//
// Errors: ResourceExhausted, there are not enough devices with a hole of 64 KiB (says how many are
// wanted and there); Unimplemented, raid5 and raid6; InvalidArgument, no type.
absl::StatusOr<Chunk> PlanChunk(absl::Span<const DeviceSpace> devices, const ChunkRequest& request);

// What each stripe of a chunk takes of its device, in bytes. REQUIRES: no parity profile, stripes.
uint64_t StripeBytesOf(const Chunk& chunk);

}  // namespace ebcache::space

#endif  // EBCACHE_LIB_SPACE_CHUNK_PLANNER_H_
