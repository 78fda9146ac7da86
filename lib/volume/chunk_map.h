// Chunks by logical address, and the arithmetic from a logical address to its copies.

#ifndef EBCACHE_LIB_VOLUME_CHUNK_MAP_H_
#define EBCACHE_LIB_VOLUME_CHUNK_MAP_H_

#include <absl/container/inlined_vector.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <vector>

#include "ebcache/block_device.h"
#include "ebcache/on_disk.h"

namespace ebcache {

// Where one copy lies: on which stripe of its chunk, and where on that device.
struct StripeLocation {
  DevicePlace place() const { return {stripe.device_id, stripe.physical + offset}; }

  ChunkStripe stripe;   // as the chunk has it: that may be gone meanwhile
  uint64_t offset = 0;  // from where the stripe begins
};
using StripeLocations = absl::InlinedVector<StripeLocation, 4>;

// Thread safety: the const methods from any thread while no other changes the object.
class ChunkMap {
 public:
  explicit ChunkMap(uint32_t sector_bytes) : sector_bytes_(sector_bytes) {}

  // A chunk equal to one in the map is fine. Errors: DataLoss (unsound, overlaps another).
  absl::Status Add(Chunk chunk);

  // The chunk that begins at `logical`. False: none does.
  bool Remove(uint64_t logical) { return chunks_.erase(logical) != 0; }

  // The chunk that holds `logical`; null when there is none. Valid until it is removed.
  const Chunk* Find(uint64_t logical) const;

  // All copies of a range, by mirror number - 1. Errors do not name the range: NotFound (no chunk),
  // Unimplemented (parity profiles), DataLoss (crosses a boundary).
  absl::StatusOr<StripeLocations> Map(uint64_t logical, uint64_t length) const;

  // By logical address.
  std::vector<Chunk> chunks() const;

 private:
  const uint32_t sector_bytes_;
  std::map<uint64_t, Chunk> chunks_;  // by logical address; disjoint; all of them sound
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_VOLUME_CHUNK_MAP_H_
