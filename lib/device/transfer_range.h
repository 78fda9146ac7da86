// The range check that every device makes before a transfer.

#ifndef EBCACHE_LIB_DEVICE_TRANSFER_RANGE_H_
#define EBCACHE_LIB_DEVICE_TRANSFER_RANGE_H_

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <cstdint>

namespace ebcache {

template <typename Segments>
uint64_t SegmentBytes(const Segments& segments) {
  uint64_t bytes = 0;
  for (const auto& segment : segments) bytes += segment.size();
  return bytes;
}

// OutOfRange when the transfer would leave a device of that size.
template <typename Segments>
absl::Status CheckTransferRange(uint64_t offset, const Segments& segments, uint64_t device_bytes) {
  const uint64_t bytes = SegmentBytes(segments);
  if (offset <= device_bytes && bytes <= device_bytes - offset) return absl::OkStatus();
  return absl::OutOfRangeError(
      absl::StrCat(bytes, " bytes there leave the device, which has ", device_bytes));
}

}  // namespace ebcache

#endif  // EBCACHE_LIB_DEVICE_TRANSFER_RANGE_H_
