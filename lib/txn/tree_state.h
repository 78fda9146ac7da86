// TreeState: a tree as the open transaction has it.

#ifndef EBCACHE_LIB_TXN_TREE_STATE_H_
#define EBCACHE_LIB_TXN_TREE_STATE_H_

#include <cstdint>

#include "ebcache/btree.h"
#include "ebcache/items_root.h"
#include "ebcache/key.h"
#include "ebcache/on_disk.h"

namespace ebcache::txn {

// Whether a tree tells what is allocated and where.
inline bool KeepsSpace(uint64_t tree) {
  switch (tree) {
    case kExtentTreeId:
    case kChunkTreeId:
    case kDevTreeId:
    case kFreeSpaceTreeId:
    case kBlockGroupTreeId:
      return true;
    default:
      return false;
  }
}

struct TreeState {
  uint64_t id = 0;
  uint64_t bytenr = 0;  // of the root block
  uint64_t generation = 0;
  uint8_t level = 0;

  // Of the root item; meaningless for the root tree and the chunk tree, which superblocks tell of.
  Key root_key;
  RootItem root_item;
  // Bytes of blocks that the tree has more, or fewer, than its root item says.
  int64_t bytes_changed = 0;
  // A tree that goes: it is not found any more, though some of its blocks are there.
  bool dropped = false;
  // A tree that is new: its root item is to be inserted.
  bool is_new = false;

  bool in_superblock() const { return id == kRootTreeId || id == kChunkTreeId; }
  // Whether several trees may have a block of it. Its leaves refer to data.
  bool shareable() const { return IsFsTree(id); }
  // Whether its root item says something else.
  bool root_changed() const {
    return !in_superblock() && (is_new || bytenr != root_item.bytenr || level != root_item.level ||
                                generation != root_item.generation || bytes_changed != 0);
  }
  // Whether a kernel has begun to delete it, so that blocks of it are gone to which others still lead.
  bool partly_gone() const { return root_item.drop_progress != kMinKey; }
  // For reading it, as far as it is there now.
  TreeRoot root() const {
    return {.id = id,
            .key_offset = root_key.offset,
            .bytenr = bytenr,
            .generation = generation,
            .level = level,
            .name = TreeRootName(id, root_key.offset),
            .drop_progress = root_item.drop_progress,
            .drop_level = root_item.drop_level,
            .refs = in_superblock() || is_new ? 1 : root_item.refs};
  }
};

}  // namespace ebcache::txn

#endif  // EBCACHE_LIB_TXN_TREE_STATE_H_
