// What makes a chunk sound, so that mapping through it needs no further checks.

#ifndef EBCACHE_LIB_FORMAT_CHUNK_CHECK_H_
#define EBCACHE_LIB_FORMAT_CHUNK_CHECK_H_

#include <absl/status/status.h>

#include <cstdint>

#include "ebcache/on_disk.h"

namespace ebcache {

// Range, alignment, type, stripe length and number of stripes: what kernels refuse a leaf for.
// Errors: DataLoss.
absl::Status CheckChunk(const Chunk& chunk, uint32_t sector_bytes);

// Where the stripes lie on their devices, which is no fault of the leaf. Errors: DataLoss.
absl::Status CheckStripePlaces(const Chunk& chunk);

}  // namespace ebcache

#endif  // EBCACHE_LIB_FORMAT_CHUNK_CHECK_H_
