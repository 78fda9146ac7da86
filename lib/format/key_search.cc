// Searching the keys of one block.
//
// Keys lie in a row, one every so many bytes. In a block that is a page array the search first
// finds the page, and then goes on inside it by plain pointers: each step of a search waits for the
// one before, so a look into a table of pages in each of them would be felt.

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "ebcache/on_disk.h"
#include "lib/base/rounding.h"
#include "lib/format/layout_block.h"

namespace ebcache {
namespace {

// The first of `low` to `high` for which `before` is false; those where it is true come first.
template <typename Before>
uint32_t PartitionPoint(uint32_t low, uint32_t high, Before before) {
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

// The keys of a block: one every `stride` bytes.
class KeyRow {
 public:
  KeyRow(const BlockBytes& block, size_t stride) : block_(block), stride_(stride) {}

  uint32_t size() const {
    return std::min(Header(block_).item_count(),
                    static_cast<uint32_t>((block_.length() - kHeaderBytes) / stride_));
  }
  size_t OffsetOf(uint32_t slot) const { return kHeaderBytes + slot * stride_; }
  // The first slot whose key begins at `offset`, which is behind the header, or behind it.
  uint32_t FirstFrom(size_t offset) const {
    return static_cast<uint32_t>(UnitsFor(offset - kHeaderBytes, stride_));
  }
  // Those before the first one that ends behind `end`.
  uint32_t EndingBy(size_t end) const {
    return static_cast<uint32_t>((end - kKeyBytes - kHeaderBytes) / stride_) + 1;
  }
  Key Load(uint32_t slot) const { return LoadKey(block_, OffsetOf(slot)); }

 private:
  const BlockBytes& block_;
  const size_t stride_;
};

// How many keys of a block `before` is true for; they come first.
template <typename Before>
uint32_t CountKeys(const BlockBytes& block, size_t stride, Before before) {
  const KeyRow keys(block, stride);
  uint32_t low = 0;
  uint32_t high = keys.size();
  const size_t piece_bytes = block.front_bytes();
  std::byte scratch[kKeyBytes];
  const std::byte* piece = block.View(0, 1, scratch);
  size_t begin = 0;  // of the piece, in the block
  if (high != 0 && piece_bytes != 0 && piece_bytes < block.length()) {
    // Which piece? Each is asked by the first key that begins in it.
    size_t first = 0;
    for (size_t last = keys.OffsetOf(high - 1) / piece_bytes; first < last;) {
      const size_t middle = (first + last + 1) / 2;
      const uint32_t slot = keys.FirstFrom(middle * piece_bytes);
      const size_t offset = keys.OffsetOf(slot);
      const std::byte* const at = block.View(offset, kKeyBytes, scratch);
      if (before(KeyAt(at))) {
        low = slot + 1;
        first = middle;
        begin = middle * piece_bytes;
        piece = at - (offset - begin);
      } else {
        high = slot;
        last = middle - 1;
      }
    }
  }
  const auto load_before = [&](uint32_t slot) { return before(keys.Load(slot)); };
  if (piece_bytes == 0) return PartitionPoint(low, high, load_before);  // frames without bytes
  const uint32_t whole = std::min(high, keys.EndingBy(begin + piece_bytes));
  low = PartitionPoint(low, whole, [&](uint32_t slot) {
    return before(KeyAt(piece + (keys.OffsetOf(slot) - begin)));
  });
  // The last one that begins here may end in the next piece.
  return low == whole ? PartitionPoint(low, high, load_before) : low;
}

}  // namespace

uint32_t CountLeafKeysBelow(const BlockBytes& leaf, const Key& key) {
  return CountKeys(leaf, kItemBytes, [&key](const Key& other) { return other < key; });
}

uint32_t CountNodeKeysBelow(const BlockBytes& node, const Key& key) {
  return CountKeys(node, kKeyPointerBytes, [&key](const Key& other) { return other < key; });
}

uint32_t CountNodeKeysUpTo(const BlockBytes& node, const Key& key) {
  return CountKeys(node, kKeyPointerBytes, [&key](const Key& other) { return other <= key; });
}

}  // namespace ebcache
