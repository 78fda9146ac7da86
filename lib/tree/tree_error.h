// Errors that say where in which tree they happened.

#ifndef EBCACHE_LIB_TREE_TREE_ERROR_H_
#define EBCACHE_LIB_TREE_TREE_ERROR_H_

#include <absl/status/status.h>

#include <cstdint>
#include <string_view>

#include "ebcache/btree.h"

namespace ebcache {

// DataLoss about a block, in the words of WalkDamage::ToString.
absl::Status TreeError(const TreeRoot& tree, int level, uint64_t logical, std::string_view reason);

// `status`, with tree, level and block in front of its message. NotFound, of a block that no chunk
// has, becomes DataLoss.
absl::Status InTree(const TreeRoot& tree, int level, uint64_t logical, const absl::Status& status);

}  // namespace ebcache

#endif  // EBCACHE_LIB_TREE_TREE_ERROR_H_
