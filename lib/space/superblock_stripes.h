// Where in a chunk no block may be: over the superblocks of the devices that it lies on.

#ifndef EBCACHE_LIB_SPACE_SUPERBLOCK_STRIPES_H_
#define EBCACHE_LIB_SPACE_SUPERBLOCK_STRIPES_H_

#include <absl/status/statusor.h>

#include <array>
#include <vector>

#include "ebcache/on_disk.h"
#include "lib/space/range.h"

namespace ebcache::space {

// Of every device: its front, and the 64 KiB that begin with each copy of its superblock. In the
// order of addresses.
inline constexpr std::array<Range, 3> kReservedOnDevices = {
    Range{0, 1 << 20}, Range{64 << 20, 64 << 10}, Range{uint64_t{256} << 30, 64 << 10}};

// The logical ranges of the chunk of which a copy would cover any of these: in order, disjoint.
// Neither the extent tree nor the free space tree knows of them. Errors: Unimplemented (raid5,
// raid6), DataLoss (a chunk that is none: no stripes, an odd number of them for raid10).
absl::StatusOr<std::vector<Range>> SuperblockStripes(const Chunk& chunk);

}  // namespace ebcache::space

#endif  // EBCACHE_LIB_SPACE_SUPERBLOCK_STRIPES_H_
