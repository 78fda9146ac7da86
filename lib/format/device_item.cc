#include "lib/format/device_item.h"

#include <absl/strings/str_cat.h>

#include "lib/format/layout_device.h"

namespace ebcache {

DeviceItem DecodeDeviceItem(absl::Span<const std::byte> item) {
  return format::Decode<DeviceItem>(item.data());
}

absl::StatusOr<DeviceItem> ParseDeviceItem(absl::Span<const std::byte> item) {
  if (item.size() != kDeviceItemBytes) {
    return absl::DataLossError(
        absl::StrCat("device item of ", item.size(), " bytes, they have ", kDeviceItemBytes));
  }
  DeviceItem device = DecodeDeviceItem(item);
  if (device.bytes_used > device.total_bytes) {
    return absl::DataLossError(absl::StrCat("device item ", device.id, ": ", device.bytes_used,
                                            " bytes used of ", device.total_bytes));
  }
  return device;
}

}  // namespace ebcache
