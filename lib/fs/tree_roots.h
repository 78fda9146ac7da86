// Where trees begin, according to the superblock and to the items of leaves.

#ifndef EBCACHE_LIB_FS_TREE_ROOTS_H_
#define EBCACHE_LIB_FS_TREE_ROOTS_H_

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>

#include "ebcache/btree.h"
#include "ebcache/extent_buffer.h"
#include "ebcache/on_disk.h"

namespace ebcache {

// Calls visit with each item of type `type`, in key order. The data is valid during the call.
// REQUIRES: the leaf has passed the checker.
void ForEachItemOfType(
    const ExtentBuffer& leaf, uint8_t type,
    absl::FunctionRef<void(const Key& key, absl::Span<const std::byte> data)> visit);

TreeRoot RootTreeRoot(const Superblock& superblock);
TreeRoot ChunkTreeRoot(const Superblock& superblock);
// The tree whose items are the roots of all logs. REQUIRES: superblock.log_root != 0.
TreeRoot LogTreeRoot(const Superblock& superblock);

// The tree that a root item tells of. Errors: DataLoss.
absl::StatusOr<TreeRoot> ParseTreeRoot(const Key& key, absl::Span<const std::byte> item);

// Damage that is in one item of a leaf that is good otherwise.
WalkDamage ItemDamage(const TreeRoot& tree, const ExtentBuffer& leaf, const Key& key,
                      const absl::Status& status);

}  // namespace ebcache

#endif  // EBCACHE_LIB_FS_TREE_ROOTS_H_
