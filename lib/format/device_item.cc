#include "lib/format/device_item.h"

#include <absl/strings/str_cat.h>

#include "lib/format/byte_reader.h"

namespace ebcache {

DeviceItem DecodeDeviceItem(absl::Span<const std::byte> item) {
  ByteReader reader(item);
  return {.id = reader.Load<uint64_t>(0),
          .total_bytes = reader.Load<uint64_t>(8),
          .uuid = reader.LoadUuid(66),
          .fsid = reader.LoadUuid(82)};
}

absl::StatusOr<DeviceItem> ParseDeviceItem(absl::Span<const std::byte> item) {
  if (item.size() != kDeviceItemBytes) {
    return absl::DataLossError(
        absl::StrCat("device item of ", item.size(), " bytes, they have ", kDeviceItemBytes));
  }
  DeviceItem device = DecodeDeviceItem(item);
  const uint64_t bytes_used = ByteReader(item).Load<uint64_t>(16);
  if (bytes_used > device.total_bytes) {
    return absl::DataLossError(absl::StrCat("device item ", device.id, ": ", bytes_used,
                                            " bytes used of ", device.total_bytes));
  }
  return device;
}

}  // namespace ebcache
