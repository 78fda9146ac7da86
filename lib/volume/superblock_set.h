// The superblocks of all devices of a filesystem: which devices go together, and which copy to
// begin with.

#ifndef EBCACHE_LIB_VOLUME_SUPERBLOCK_SET_H_
#define EBCACHE_LIB_VOLUME_SUPERBLOCK_SET_H_

#include <absl/status/statusor.h>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "ebcache/block_device.h"
#include "ebcache/on_disk.h"

namespace ebcache {

struct SuperblockSet {
  // A superblock that a filesystem can be opened by.
  struct Candidate {
    size_t device = 0;  // index of the device that has it
    Superblock superblock;
  };

  std::vector<DeviceItem> devices;  // what each device says it is, in the order given
  std::vector<size_t> seeds;        // indices of those that may be seeds: of another fsid
  // Of blocks that are not of the main one's: of seeds, or from before or after a change of the
  // fsid.
  std::vector<Uuid> other_fsids;
  // The best first: that of the newest device, as kernels have it; then those of the others, then
  // mirrors, newest first. Each tells of other roots than those before it.
  std::vector<Candidate> candidates;
  std::vector<std::string> warnings;   // damaged copies, devices behind the others, truncated ones
  std::vector<std::string> truncated;  // devices that are shorter than they say
  std::vector<std::string> notices;    // interrupted changes
};

// Errors name the device: those of ReadSuperblock; InvalidArgument (of another filesystem).
// REQUIRES: at least one device.
absl::StatusOr<SuperblockSet> ReadSuperblocks(
    const std::vector<std::unique_ptr<BlockDevice>>& devices);

}  // namespace ebcache

#endif  // EBCACHE_LIB_VOLUME_SUPERBLOCK_SET_H_
