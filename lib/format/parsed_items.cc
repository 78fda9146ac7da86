// Items that are more than their fields: roots, devices, checksums of data.

#include <absl/strings/str_cat.h>

#include "ebcache/item_codec.h"
#include "ebcache/items_file.h"
#include "ebcache/on_disk.h"
#include "lib/format/layout_device.h"

namespace ebcache {
namespace {

// Filesystems made before 2012 have items without the extension.
constexpr size_t kLegacyRootItemBytes = RootItem::kBytes;
constexpr size_t kRootItemBytes = RootItem::kBytes + RootItemExtension::kBytes;
// Any sector size is a multiple of this one.
constexpr uint64_t kMinSectorBytes = 4096;

absl::Status CheckRootItem(const RootItem& root) {
  if (root.bytenr % kMinSectorBytes != 0) {
    return absl::DataLossError(
        absl::StrCat("root item: block ", root.bytenr, " is not sector-aligned"));
  }
  if (root.level >= kMaxLevels) {
    return absl::DataLossError(
        absl::StrCat("root item: level ", root.level, ", the highest is ", kMaxLevels - 1));
  }
  if (root.drop_level >= kMaxLevels) {
    return absl::DataLossError(absl::StrCat("root item: drop level ", root.drop_level,
                                            ", the highest is ", kMaxLevels - 1));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RootItem> ParseRootItem(absl::Span<const std::byte> item) {
  if (item.size() != kLegacyRootItemBytes && item.size() != kRootItemBytes) {
    return absl::DataLossError(absl::StrCat("root item of ", item.size(), " bytes, they have ",
                                            kLegacyRootItemBytes, " or ", kRootItemBytes));
  }
  absl::StatusOr<RootItem> root = ParseItem<RootItem>(item);
  if (!root.ok()) return root.status();
  if (absl::Status status = CheckRootItem(*root); !status.ok()) return status;
  return root;
}

absl::StatusOr<DeviceItem> ParseDeviceItem(absl::Span<const std::byte> item) {
  if (item.size() != DeviceItem::kBytes) {
    return absl::DataLossError(
        absl::StrCat("device item of ", item.size(), " bytes, they have ", DeviceItem::kBytes));
  }
  const auto device = format::Decode<DeviceItem>(item.data());
  if (device.bytes_used > device.total_bytes) {
    return absl::DataLossError(absl::StrCat("device item ", device.id, ": ", device.bytes_used,
                                            " bytes used of ", device.total_bytes));
  }
  return device;
}

absl::StatusOr<DataChecksums> ParseDataChecksums(absl::Span<const std::byte> item,
                                                 size_t checksum_bytes) {
  if (checksum_bytes == 0) return absl::InvalidArgumentError("checksums of 0 bytes");
  if (item.size() % checksum_bytes != 0) {
    return absl::DataLossError(
        absl::StrCat("checksums: ", item.size(), " bytes, each has ", checksum_bytes));
  }
  return DataChecksums(item, checksum_bytes);
}

}  // namespace ebcache
