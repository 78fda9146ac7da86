// Chunks, devices and block groups: which part of the space belongs to which.

#include <absl/strings/str_cat.h>

#include <bit>

#include "lib/format/check/item_rules.h"
#include "lib/format/check/rejection.h"
#include "lib/format/raid_profile.h"

namespace ebcache {
namespace {

constexpr uint64_t kDeviceItemsObjectId = 1;

// Bits that are not known are let pass here, as in no chunk.
bool IsBlockGroupType(uint64_t type) {
  constexpr uint64_t kMixed = kBlockGroupData | kBlockGroupMetadata;
  if (std::popcount(type & ProfileMask()) > 1) return false;
  const uint64_t kind = type & kBlockGroupTypeMask;
  return kind == kBlockGroupData || kind == kBlockGroupSystem || kind == kBlockGroupMetadata ||
         kind == kMixed;
}

}  // namespace

absl::Status CheckChunkItem(const CheckedItem& item) {
  // Chunks are few: parsing one costs nothing that counts, and there is one place for the rules.
  absl::StatusOr<Chunk> chunk =
      ParseChunkItem(item.offset(), item.data(), item.limits().sector_bytes);
  if (!chunk.ok()) [[unlikely]] {
    return Reject(Rejection::kChunkItem, chunk.status().message());
  }
  constexpr uint64_t kMixed = kBlockGroupData | kBlockGroupMetadata;
  if ((chunk->type & kMixed) == kMixed && !item.limits().mixed_groups) [[unlikely]] {
    return Reject(Rejection::kChunkItem, "type 0x", absl::Hex(chunk->type),
                  " is mixed, and the filesystem has no mixed groups");
  }
  return absl::OkStatus();
}

absl::Status CheckDeviceItem(const CheckedItem& item) {
  absl::StatusOr<DeviceItem> device = ParseDeviceItem(item.data());
  if (!device.ok()) [[unlikely]] {
    return Reject(Rejection::kDeviceItem, device.status().message());
  }
  if (item.objectid() != kDeviceItemsObjectId || !(item.offset() == device->id)) [[unlikely]] {
    return Reject(Rejection::kDeviceKey, "not the key of device ", device->id);
  }
  return absl::OkStatus();
}

absl::Status CheckDeviceExtent(const CheckedItem& item) {
  if (absl::Status status = CheckExactSize(item, DeviceExtent::kBytes); !status.ok()) return status;
  const uint64_t tree = item.Get<&DeviceExtent::chunk_tree>();
  const uint64_t objectid = item.Get<&DeviceExtent::chunk_objectid>();
  if (tree != kChunkTreeId || objectid != kFirstChunkTreeObjectId) [[unlikely]] {
    return Reject(Rejection::kDeviceExtentOwner, "belongs to object ", objectid, " of tree ",
                  TreeName(tree));
  }
  const uint64_t chunk = item.Get<&DeviceExtent::chunk_offset>();
  const uint64_t length = item.Get<&DeviceExtent::length>();
  if (!item.Aligned(item.offset() | chunk | length)) [[unlikely]] {
    return Reject(Rejection::kDeviceExtentRange, "length ", length, ", of chunk ", chunk);
  }
  if (item.follows_its_kind()) {
    const CheckedItem previous = item.previous();  // has passed already
    if (item.offset() - previous.offset() < previous.Get<&DeviceExtent::length>()) [[unlikely]] {
      return Reject(Rejection::kDeviceExtentOverlap, "overlaps the extent at ", previous.offset());
    }
  }
  return absl::OkStatus();
}

absl::Status CheckBlockGroup(const CheckedItem& item) {
  if (absl::Status status = CheckExactSize(item, BlockGroupItem::kBytes); !status.ok())
    return status;
  if (item.offset() == 0) [[unlikely]]
    return Reject(Rejection::kBlockGroupRange, "length 0");
  const uint64_t used = item.Get<&BlockGroupItem::used>();
  if (used > item.offset()) [[unlikely]] {
    return Reject(Rejection::kBlockGroupUsed, used, " bytes used of ", item.offset());
  }
  const uint64_t chunk_objectid = item.Get<&BlockGroupItem::chunk_objectid>();
  if (chunk_objectid != kFirstChunkTreeObjectId) [[unlikely]] {
    return Reject(Rejection::kBlockGroupChunk, "chunk object ", chunk_objectid);
  }
  const uint64_t type = item.Get<&BlockGroupItem::flags>();
  if (!IsBlockGroupType(type)) [[unlikely]] {
    return Reject(Rejection::kBlockGroupType, "type 0x", absl::Hex(type));
  }
  return absl::OkStatus();
}

absl::Status CheckRaidStripe(const CheckedItem& item) {
  if (!item.limits().raid_stripe_tree) [[unlikely]] {
    return Reject(Rejection::kStripeFeature, "the filesystem has no raid stripe tree");
  }
  return CheckRecords(item, RaidStride::kBytes);
}

}  // namespace ebcache
