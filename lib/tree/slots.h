// Which way to go down a tree.

#ifndef EBCACHE_LIB_TREE_SLOTS_H_
#define EBCACHE_LIB_TREE_SLOTS_H_

#include <cstdint>

#include "ebcache/btree.h"
#include "ebcache/extent_buffer.h"
#include "ebcache/on_disk.h"

namespace ebcache {

// The slot of a node to go down by for `key`: the last one whose key is at or before it, or the
// first slot when all keys are above.
inline uint32_t NodeSlotTowards(const ExtentBuffer& node, const Key& key) {
  const uint32_t up_to = CountNodeKeysUpTo(node, key);
  return up_to == 0 ? 0 : up_to - 1;
}

// The first slot of a node at `level` whose child is sure to be there. Deleting a subvolume goes
// through it in key order, and keeps its place as a key in a node on drop_level. The children
// before that place are gone; the nodes above it are still there, and so is everything behind.
inline uint32_t FirstSlotLeft(const TreeRoot& root, const ExtentBuffer& node, int level) {
  const bool dropping = root.drop_progress != kMinKey && root.drop_level > 0;
  if (!dropping || level < root.drop_level) return 0;
  return level == root.drop_level ? CountNodeKeysBelow(node, root.drop_progress)
                                  : NodeSlotTowards(node, root.drop_progress);
}

}  // namespace ebcache

#endif  // EBCACHE_LIB_TREE_SLOTS_H_
