// Finds the superblock of a device among its copies.

#ifndef EBCACHE_LIB_DISK_SUPERBLOCK_READER_H_
#define EBCACHE_LIB_DISK_SUPERBLOCK_READER_H_

#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "ebcache/block_device.h"
#include "ebcache/on_disk.h"

namespace ebcache {

struct DeviceSuperblock {
  Superblock superblock;
  std::vector<std::string> warnings;  // copies that could not be used, with the device's name
};

// The newest valid copy; of equally new ones the first, because a commit of the log updates the
// primary only. Errors name the device and what is wrong with each copy: DataLoss, Unimplemented
// (some copy has a feature that cannot be read), Unavailable (none could be read).
absl::StatusOr<DeviceSuperblock> ReadSuperblock(BlockDevice& device);

}  // namespace ebcache

#endif  // EBCACHE_LIB_DISK_SUPERBLOCK_READER_H_
