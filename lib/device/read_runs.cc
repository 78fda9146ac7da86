#include "lib/device/read_runs.h"

#include <cstddef>
#include <cstdint>

#include "lib/device/transfer_range.h"

namespace ebcache {
namespace {

// A longer transfer would be no faster, and what follows a read could begin only after all of it.
constexpr uint64_t kMostBytes = uint64_t{256} << 10;

bool Aligned(const DeviceRead& read) {
  uint64_t all = read.offset;
  for (const auto& piece : read.segments) {
    all |= reinterpret_cast<uintptr_t>(piece.data()) | piece.size();
  }
  return all % kDirectAlignment == 0;
}

}  // namespace

ReadRuns::ReadRuns(absl::Span<const DeviceRead> reads) {
  runs.reserve(reads.size());
  vectors.reserve(reads.size() * 4);
  for (size_t i = 0; i < reads.size(); ++i) {
    const DeviceRead& read = reads[i];
    if (!read.status.ok()) continue;
    const uint64_t bytes = SegmentBytes(read.segments);
    const bool aligned = Aligned(read);
    ReadRun* run = runs.empty() ? nullptr : &runs.back();
    const bool joins = run != nullptr && run->first + run->count == i &&
                       run->offset + run->bytes == read.offset && run->aligned == aligned &&
                       run->bytes + bytes <= kMostBytes;
    if (!joins) {
      runs.push_back(
          {.offset = read.offset, .first = i, .first_vector = vectors.size(), .aligned = aligned});
      run = &runs.back();
    }
    for (const auto& piece : read.segments) {
      // Neighbours in memory are one piece: fewer for the kernel to go through.
      const bool grows =
          run->vectors > 0 &&
          static_cast<std::byte*>(vectors.back().iov_base) + vectors.back().iov_len == piece.data();
      if (grows) {
        vectors.back().iov_len += piece.size();
      } else {
        vectors.push_back({piece.data(), piece.size()});
        ++run->vectors;
      }
    }
    run->bytes += bytes;
    ++run->count;
  }
}

}  // namespace ebcache
