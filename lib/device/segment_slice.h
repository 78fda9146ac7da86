// Pieces of the pieces of memory of a transfer.

#ifndef EBCACHE_LIB_DEVICE_SEGMENT_SLICE_H_
#define EBCACHE_LIB_DEVICE_SEGMENT_SLICE_H_

#include <absl/types/span.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "ebcache/block_bytes.h"

namespace ebcache {

// `length` bytes from byte `from` on. REQUIRES: the transfer has them.
template <typename Segments>
Segments SliceOf(const Segments& segments, uint64_t from, uint64_t length) {
  Segments slice;
  for (const auto& segment : segments) {
    const uint64_t skip = std::min<uint64_t>(from, segment.size());
    const uint64_t taken = std::min<uint64_t>(length, segment.size() - skip);
    if (taken > 0) slice.push_back(segment.subspan(skip, taken));
    from -= skip;
    length -= taken;
  }
  return slice;
}

// REQUIRES: both have as many bytes.
inline void Gather(const Segments& from, absl::Span<std::byte> to) {
  for (const auto& segment : from) {
    std::copy_n(segment.begin(), segment.size(), to.begin());
    to.remove_prefix(segment.size());
  }
}
inline void Scatter(absl::Span<const std::byte> from, const MutableSegments& to) {
  for (const auto& segment : to) {
    std::copy_n(from.begin(), segment.size(), segment.begin());
    from.remove_prefix(segment.size());
  }
}

}  // namespace ebcache

#endif  // EBCACHE_LIB_DEVICE_SEGMENT_SLICE_H_
