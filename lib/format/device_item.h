// Device items: in the chunk tree, and in the superblock of the device itself.

#ifndef EBCACHE_LIB_FORMAT_DEVICE_ITEM_H_
#define EBCACHE_LIB_FORMAT_DEVICE_ITEM_H_

#include <absl/types/span.h>

#include <cstddef>

#include "ebcache/on_disk.h"

namespace ebcache {

inline constexpr size_t kDeviceItemBytes = DeviceItem::kBytes;

// The fields as they are, unchecked. REQUIRES: kDeviceItemBytes bytes.
DeviceItem DecodeDeviceItem(absl::Span<const std::byte> item);

}  // namespace ebcache

#endif  // EBCACHE_LIB_FORMAT_DEVICE_ITEM_H_
