#include "lib/device/transfer_runs.h"

#include <cstddef>
#include <cstdint>

#include "lib/device/transfer_range.h"

namespace ebcache {
namespace {

// A longer transfer would be no faster, and what follows a read could begin only after all of it.
constexpr uint64_t kMostBytes = uint64_t{256} << 10;

template <typename Transfer>
bool Aligned(const Transfer& transfer) {
  uint64_t all = transfer.offset;
  for (const auto& piece : transfer.segments) {
    all |= reinterpret_cast<uintptr_t>(piece.data()) | piece.size();
  }
  return all % kDirectAlignment == 0;
}

}  // namespace

TransferRuns::TransferRuns(absl::Span<const DeviceRead> reads) { Plan(reads); }
TransferRuns::TransferRuns(absl::Span<const DeviceWrite> writes) { Plan(writes); }

template <typename Transfer>
void TransferRuns::Plan(absl::Span<const Transfer> transfers) {
  runs.reserve(transfers.size());
  vectors.reserve(transfers.size() * 4);
  for (size_t i = 0; i < transfers.size(); ++i) {
    const Transfer& transfer = transfers[i];
    if (!transfer.status.ok()) continue;
    const uint64_t bytes = SegmentBytes(transfer.segments);
    const bool aligned = Aligned(transfer);
    TransferRun* run = runs.empty() ? nullptr : &runs.back();
    const bool joins = run != nullptr && run->first + run->count == i &&
                       run->offset + run->bytes == transfer.offset && run->aligned == aligned &&
                       run->bytes + bytes <= kMostBytes;
    if (!joins) {
      runs.push_back({.offset = transfer.offset,
                      .first = i,
                      .first_vector = vectors.size(),
                      .aligned = aligned});
      run = &runs.back();
    }
    for (const auto& piece : transfer.segments) {
      // Neighbours in memory are one piece: fewer for the kernel to go through.
      const bool grows =
          run->vectors > 0 &&
          static_cast<std::byte*>(vectors.back().iov_base) + vectors.back().iov_len == piece.data();
      if (grows) {
        vectors.back().iov_len += piece.size();
      } else {
        vectors.push_back({const_cast<std::byte*>(piece.data()), piece.size()});
        ++run->vectors;
      }
    }
    run->bytes += bytes;
    ++run->count;
  }
}

}  // namespace ebcache
