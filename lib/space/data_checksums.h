// The checksums of data, as the checksum tree has them: (-10, EXTENT_CSUM, logical), one for each
// sector from there on.

#ifndef EBCACHE_LIB_SPACE_DATA_CHECKSUMS_H_
#define EBCACHE_LIB_SPACE_DATA_CHECKSUMS_H_

#include <absl/status/status.h>

#include <cstdint>

#include "lib/space/item_store.h"
#include "lib/space/range.h"

namespace ebcache::space {

// Removes the checksums of a range of data that is free: items, and the parts of items that lie in
// it. What has none is fine. Plans first: an error leaves the tree as it was. REQUIRES:
// checksum_bytes > 0. Errors: InvalidArgument, the range is not of whole sectors; DataLoss, an item is
// no whole number of checksums, or begins inside of a sector; or what the store says.
absl::Status RemoveChecksums(ItemStore& store, const Range& range, uint32_t sector_bytes,
                             uint32_t checksum_bytes);

}  // namespace ebcache::space

#endif  // EBCACHE_LIB_SPACE_DATA_CHECKSUMS_H_
