// Finds the superblock of a device among its copies.

#ifndef EBCACHE_LIB_VOLUME_SUPERBLOCK_READER_H_
#define EBCACHE_LIB_VOLUME_SUPERBLOCK_READER_H_

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "ebcache/block_device.h"
#include "ebcache/on_disk.h"

namespace ebcache {

struct DeviceSuperblock {
  Superblock superblock;
  // Other copies that are sound, newest first: what there is when the roots of the first one cannot
  // be read.
  std::vector<Superblock> others;
  // Copies that are damaged: they cannot be used, or are of another generation or filesystem than
  // the first one. With the device's name.
  std::vector<std::string> warnings;
};

// Whether a superblock at `offset` lies within the first `bytes` of a device.
constexpr bool SuperblockFits(uint64_t offset, uint64_t bytes) {
  return bytes >= kSuperblockBytes && offset <= bytes - kSuperblockBytes;
}

// The primary, as kernels have it; where that cannot be used the newest mirror. Errors name the
// device and what is wrong with each copy: DataLoss, Unimplemented (a feature that cannot be read;
// then of that copy alone), Unavailable (none could be read; with the number of status_number.h
// that all have), ResourceExhausted (there was no memory to read a copy with; of that one alone,
// whatever the others are like).
absl::StatusOr<DeviceSuperblock> ReadSuperblock(BlockDevice& device);

}  // namespace ebcache

#endif  // EBCACHE_LIB_VOLUME_SUPERBLOCK_READER_H_
