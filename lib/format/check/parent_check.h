// What a parent says of a block, held against the block.

#ifndef EBCACHE_LIB_FORMAT_CHECK_PARENT_CHECK_H_
#define EBCACHE_LIB_FORMAT_CHECK_PARENT_CHECK_H_

#include <absl/status/status.h>

#include "ebcache/on_disk.h"

namespace ebcache {

// Level, generation, first key, owner: in the kernel's order, each where `check` has it. Safe on a
// block that has not passed the checker. Errors: DataLoss, without the block's address.
absl::Status CheckAgainstParent(const BlockBytes& block, const ParentCheck& check);

}  // namespace ebcache

#endif  // EBCACHE_LIB_FORMAT_CHECK_PARENT_CHECK_H_
