// Where trees begin, according to the superblock and to root items.

#ifndef EBCACHE_LIB_FS_TREE_ROOTS_H_
#define EBCACHE_LIB_FS_TREE_ROOTS_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <cstddef>

#include "ebcache/btree.h"
#include "ebcache/extent_buffer.h"
#include "ebcache/on_disk.h"

namespace ebcache {

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
