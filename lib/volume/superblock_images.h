// Superblocks as they lie on devices, byte for byte: to be put back.

#ifndef EBCACHE_LIB_VOLUME_SUPERBLOCK_IMAGES_H_
#define EBCACHE_LIB_VOLUME_SUPERBLOCK_IMAGES_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <cstdint>
#include <vector>

#include "ebcache/block_device.h"
#include "ebcache/on_disk.h"
#include "ebcache/volume.h"

namespace ebcache {

// Every place on a device that has room for a copy, whatever is there; the first one first. Errors:
// the device's, with its name.
absl::StatusOr<std::vector<SuperblockImage>> ReadSuperblockImages(BlockDevice& device,
                                                                  const DeviceItem& item);

// What is to be written to one device. REQUIRES: the primary first.
struct DeviceImages {
  BlockDevice* device = nullptr;
  std::vector<SuperblockImage> images;
};
// Writes them in the order in which a commit writes superblocks: the primaries, each on disk before
// the next device has its turn; then the others; then a flush. An error leaves the rest unwritten, and
// each copy as it was or as it is to be: to do it again is right.
absl::Status WriteSuperblockImages(absl::Span<const DeviceImages> devices);

// A number that tells states of a filesystem apart: of all that its superblock says, but for which
// device and which copy it is.
uint64_t SuperblockStateHash(const Superblock& superblock);

}  // namespace ebcache

#endif  // EBCACHE_LIB_VOLUME_SUPERBLOCK_IMAGES_H_
