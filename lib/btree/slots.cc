#include "lib/btree/slots.h"

#include <cstdint>

#include "ebcache/on_disk.h"

namespace ebcache {
namespace {

// The first slot for which `before(slot)` is false; slots where it is true come first.
template <typename Before>
uint32_t PartitionPoint(uint32_t slots, Before before) {
  uint32_t low = 0;
  uint32_t high = slots;
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    if (before(middle)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace

uint32_t LeafSlotAtOrAfter(const ExtentBuffer& leaf, const Key& key) {
  const BlockView view(leaf);
  return PartitionPoint(Header(leaf).item_count(),
                        [&](uint32_t slot) { return LeafKey(view, slot) < key; });
}

uint32_t NodeSlotAtOrAfter(const ExtentBuffer& node, const Key& key) {
  const BlockView view(node);
  return PartitionPoint(Header(node).item_count(),
                        [&](uint32_t slot) { return NodeKey(view, slot) < key; });
}

uint32_t NodeSlotTowards(const ExtentBuffer& node, const Key& key) {
  const BlockView view(node);
  const uint32_t above = PartitionPoint(Header(node).item_count(),
                                        [&](uint32_t slot) { return NodeKey(view, slot) <= key; });
  return above == 0 ? 0 : above - 1;
}

}  // namespace ebcache
