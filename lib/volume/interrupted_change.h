// Changes of a whole filesystem that were begun and not ended, as superblocks tell of them.

#ifndef EBCACHE_LIB_VOLUME_INTERRUPTED_CHANGE_H_
#define EBCACHE_LIB_VOLUME_INTERRUPTED_CHANGE_H_

#include <absl/container/inlined_vector.h>

#include <string>
#include <vector>

#include "ebcache/on_disk.h"

namespace ebcache {

// A sentence for each change that was interrupted: "a change of the data checksums was interrupted:
// there are two sets of them". None for a filesystem at rest.
std::vector<std::string> InterruptedChanges(const Superblock& superblock);

// Whether data checksums, or those of tree blocks, may be of another type than the superblock says.
bool ChangingChecksums(const Superblock& superblock);

// Whether two superblocks are of one filesystem whose fsid was being changed: one has the old one,
// and at least one says so.
bool ShareInterruptedFsid(const Superblock& a, const Superblock& b);

// The fsids that tree blocks of this superblock's filesystem may carry: one, or two while it is
// being changed. Needs no memory.
absl::InlinedVector<Uuid, 2> BlockFsids(const Superblock& superblock);

}  // namespace ebcache

#endif  // EBCACHE_LIB_VOLUME_INTERRUPTED_CHANGE_H_
