// Which way to go down a tree.

#ifndef EBCACHE_LIB_BTREE_SLOTS_H_
#define EBCACHE_LIB_BTREE_SLOTS_H_

#include <cstdint>

#include "ebcache/extent_buffer.h"
#include "ebcache/on_disk.h"

namespace ebcache {

// The slot of a node to go down by for `key`: the last one whose key is at or before it, or the
// first slot when all keys are above.
inline uint32_t NodeSlotTowards(const ExtentBuffer& node, const Key& key) {
  const uint32_t up_to = CountNodeKeysUpTo(node, key);
  return up_to == 0 ? 0 : up_to - 1;
}

}  // namespace ebcache

#endif  // EBCACHE_LIB_BTREE_SLOTS_H_
