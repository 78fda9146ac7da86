// The items of one leaf, for a caller that goes through all of them.

#ifndef EBCACHE_LIB_FS_LEAF_ITEMS_H_
#define EBCACHE_LIB_FS_LEAF_ITEMS_H_

#include <absl/functional/function_ref.h>
#include <absl/types/span.h>

#include <cstddef>

#include "ebcache/extent_buffer.h"
#include "ebcache/on_disk.h"

namespace ebcache {

// Calls visit with each item of type `type`, in key order. The data is valid during the call.
// REQUIRES: the leaf has passed the checker.
void ForEachItemOfType(
    const ExtentBuffer& leaf, uint8_t type,
    absl::FunctionRef<void(const Key& key, absl::Span<const std::byte> data)> visit);

}  // namespace ebcache

#endif  // EBCACHE_LIB_FS_LEAF_ITEMS_H_
