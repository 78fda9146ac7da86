// The chunks that must be known before the chunk tree can be read; a superblock carries them.

#ifndef EBCACHE_LIB_FORMAT_SYSTEM_CHUNK_ARRAY_H_
#define EBCACHE_LIB_FORMAT_SYSTEM_CHUNK_ARRAY_H_

#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ebcache/on_disk.h"

namespace ebcache {

// Size of a chunk item with that many stripes.
size_t ChunkItemBytes(size_t stripes);

// Errors: DataLoss, with the byte of the array.
absl::StatusOr<std::vector<Chunk>> ParseSystemChunkArray(absl::Span<const std::byte> array,
                                                         uint32_t sector_bytes);

}  // namespace ebcache

#endif  // EBCACHE_LIB_FORMAT_SYSTEM_CHUNK_ARRAY_H_
