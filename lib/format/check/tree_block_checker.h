// The check of a tree block that is in one piece of memory.

#ifndef EBCACHE_LIB_FORMAT_CHECK_TREE_BLOCK_CHECKER_H_
#define EBCACHE_LIB_FORMAT_CHECK_TREE_BLOCK_CHECKER_H_

#include <absl/status/status.h>
#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>

#include "ebcache/on_disk.h"

namespace ebcache {

// As CheckTreeBlock. REQUIRES: limits.sector_bytes is a power of two.
absl::Status CheckTreeBlockBytes(absl::Span<const std::byte> block, const TreeBlockLimits& limits);

// The bytes of a block that passed the check and mean nothing: behind the pointers of a node,
// between the item heads and the data of a leaf. As offset and length.
struct UnusedBytes {
  size_t offset = 0;
  size_t length = 0;
};
UnusedBytes FindUnusedBytes(absl::Span<const std::byte> block);

}  // namespace ebcache

#endif  // EBCACHE_LIB_FORMAT_CHECK_TREE_BLOCK_CHECKER_H_
