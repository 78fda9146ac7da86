// Searching the keys of one block.
//
// Keys lie in a row, one every so many bytes. In a block that is a page array the search first
// finds the page, and then goes on inside it by plain pointers: each step of a search waits for the
// one before, so a look into a table of pages in each of them would be felt.

#include <absl/types/span.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "ebcache/extent_buffer.h"
#include "ebcache/on_disk.h"
#include "lib/disk/key_bytes.h"

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

// Keys of a block, in order, for which before(key) is true; they come first.
template <typename Before>
uint32_t CountKeys(const ExtentBuffer& block, size_t stride, Before before) {
  const auto offset_of = [stride](uint32_t slot) { return kHeaderBytes + slot * stride; };
  const BlockView view(block);
  const auto load_before = [&](uint32_t slot) {
    std::byte scratch[kKeyBytes];
    const std::byte* const at = view.At(offset_of(slot), kKeyBytes, scratch);
    return before(at != nullptr ? KeyAt(at) : LoadKey(block, offset_of(slot)));
  };
  uint32_t low = 0;
  uint32_t high = std::min(Header(block).item_count(),
                           static_cast<uint32_t>((block.length() - kHeaderBytes) / stride));
  if (high == 0) return 0;
  const size_t piece_bytes = view.piece_bytes();
  // The first slot whose key begins in a piece that is not the first.
  const auto first_slot = [&](size_t piece) {
    return static_cast<uint32_t>((piece * piece_bytes - kHeaderBytes + stride - 1) / stride);
  };
  size_t piece = 0;
  for (size_t last = offset_of(high - 1) / piece_bytes; piece < last;) {
    const size_t middle = (piece + last + 1) / 2;
    const uint32_t slot = first_slot(middle);
    if (load_before(slot)) {
      low = slot + 1;
      piece = middle;
    } else {
      high = slot;
      last = middle - 1;
    }
  }
  const absl::Span<const std::byte> bytes = view.piece(piece);
  if (bytes.empty()) return PartitionPoint(low, high, load_before);  // frames without bytes
  // The last one that begins here may end in the next piece.
  const size_t end = piece * piece_bytes + bytes.size();
  const auto whole =
      std::min(high, static_cast<uint32_t>((end - kKeyBytes - kHeaderBytes) / stride) + 1);
  const std::byte* const base = bytes.data();
  const size_t begin = piece * piece_bytes;
  low = PartitionPoint(
      low, whole, [&](uint32_t slot) { return before(KeyAt(base + (offset_of(slot) - begin))); });
  return low == whole ? PartitionPoint(low, high, load_before) : low;
}

}  // namespace

uint32_t CountLeafKeysBelow(const ExtentBuffer& leaf, const Key& key) {
  return CountKeys(leaf, kItemBytes, [&key](const Key& other) { return other < key; });
}

uint32_t CountNodeKeysBelow(const ExtentBuffer& node, const Key& key) {
  return CountKeys(node, kKeyPointerBytes, [&key](const Key& other) { return other < key; });
}

uint32_t CountNodeKeysUpTo(const ExtentBuffer& node, const Key& key) {
  return CountKeys(node, kKeyPointerBytes, [&key](const Key& other) { return other <= key; });
}

}  // namespace ebcache
