// Where a key is in one block.

#ifndef EBCACHE_LIB_BTREE_SLOTS_H_
#define EBCACHE_LIB_BTREE_SLOTS_H_

#include <cstdint>

#include "ebcache/extent_buffer.h"
#include "ebcache/on_disk.h"

namespace ebcache {

// The first slot of a leaf whose key is at or after `key`; the number of items when there is none.
uint32_t LeafSlotAtOrAfter(const ExtentBuffer& leaf, const Key& key);

// The same for a node.
uint32_t NodeSlotAtOrAfter(const ExtentBuffer& node, const Key& key);

// The slot of a node to go down by for `key`: the last one whose key is at or before it, or the
// first slot when all keys are above.
uint32_t NodeSlotTowards(const ExtentBuffer& node, const Key& key);

}  // namespace ebcache

#endif  // EBCACHE_LIB_BTREE_SLOTS_H_
