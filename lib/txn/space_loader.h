// Reads the block groups of a filesystem, and what is free in those that tree blocks may be in.

#ifndef EBCACHE_LIB_TXN_SPACE_LOADER_H_
#define EBCACHE_LIB_TXN_SPACE_LOADER_H_

#include <absl/status/status.h>

#include "ebcache/filesystem.h"
#include "lib/txn/block_space.h"
#include "lib/txn/extent_updates.h"

namespace ebcache::txn {

// Fills `space` from the last commit: from the free space tree where that is exact, else from the
// extent tree. Where superblocks lie is not free, whatever these say. Errors: DataLoss, a chunk has no
// block group, extents overlap, and the like; those of reading.
absl::Status LoadSpace(Filesystem& filesystem, const SpaceForm& form, BlockSpace& space);

}  // namespace ebcache::txn

#endif  // EBCACHE_LIB_TXN_SPACE_LOADER_H_
