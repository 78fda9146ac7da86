// What becomes of blocks that were written where the flush of a device has failed.

#ifndef EBCACHE_LIB_VOLUME_UNFLUSHED_COPIES_H_
#define EBCACHE_LIB_VOLUME_UNFLUSHED_COPIES_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <cstdint>
#include <vector>

#include "ebcache/volume.h"
#include "lib/volume/address_space.h"
#include "lib/volume/missed_writes.h"

namespace ebcache {

// A failed flush does not say which writes the device has lost. So all copies on it that it was to
// make durable are as good as not written, and each block needs another one.
//
// Thread safety: any thread.
class UnflushedCopies {
 public:
  // All must outlive this.
  UnflushedCopies(const AddressSpace* space, MissedWrites* missed, const VolumeOptions* options,
                  uint32_t node_bytes, absl::Span<const DeviceFlush> flushes);

  // As Volume::LoseUnflushed.
  absl::Status Lose(absl::Span<const uint64_t> blocks) const;

 private:
  // The copies of a block that are lost; an error where no other is good.
  absl::StatusOr<std::vector<MirrorDamage>> LostOf(uint64_t logical) const;
  void Tell(std::vector<MirrorDamage>& lost) const;
  // Why the device's flush has failed; null where it has not.
  const DeviceFlush* FailureOf(const PhysicalExtent& copy) const;
  int NumberOfAll(const Copies& copies) const;

  const AddressSpace* const space_;
  MissedWrites* const missed_;
  const VolumeOptions* const options_;
  const uint32_t node_bytes_;
  const absl::Span<const DeviceFlush> flushes_;
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_VOLUME_UNFLUSHED_COPIES_H_
