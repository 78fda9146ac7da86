#include "lib/disk/address_space.h"

#include <absl/strings/str_cat.h>

#include <utility>

namespace ebcache {

AddressSpace::AddressSpace(const Superblock& superblock)
    : mixed_groups_(superblock.has(IncompatFlag::kMixedGroups)),
      chunk_map_(superblock.sector_bytes) {}

absl::Status AddressSpace::AddOpenDevice(std::unique_ptr<BlockDevice> device,
                                         const DeviceItem& item) {
  OpenDevice& slot = devices_[item.id];
  if (slot.device != nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(device->name(), ": has device id ", item.id,
                                                   ", as has ", slot.device->name()));
  }
  slot = {std::move(device), item.uuid};
  return absl::OkStatus();
}

absl::Status AddressSpace::AddDeviceItem(const DeviceItem& item) {
  BlockDevice* device = FindDevice(item.id, item.uuid);
  if (device == nullptr) {
    missing_.insert(item.id);
  } else if (device->size_bytes() < item.total_bytes) {
    return absl::DataLossError(absl::StrCat(device->name(), ": has ", device->size_bytes(),
                                            " bytes, the chunk tree says ", item.total_bytes));
  }
  return absl::OkStatus();
}

absl::Status AddressSpace::AddChunk(Chunk chunk) {
  constexpr uint64_t kMixed = kBlockGroupData | kBlockGroupMetadata;
  if ((chunk.type & kMixed) == kMixed && !mixed_groups_) {
    return absl::DataLossError(absl::StrCat("chunk ", chunk.logical, ": type 0x",
                                            absl::Hex(chunk.type),
                                            " is mixed, and the filesystem has no mixed groups"));
  }
  std::set<uint64_t> missing;
  for (const ChunkStripe& stripe : chunk.stripes) {
    if (FindDevice(stripe.device_id, stripe.device_uuid) == nullptr) {
      missing.insert(stripe.device_id);
    }
  }
  absl::Status status = chunk_map_.Add(std::move(chunk));
  if (status.ok()) missing_.merge(missing);
  return status;
}

absl::StatusOr<Copies> AddressSpace::Map(uint64_t logical, uint64_t length) const {
  absl::StatusOr<StripeLocations> locations = chunk_map_.Map(logical, length);
  if (!locations.ok()) return locations.status();
  Copies copies;
  for (const StripeLocation& location : *locations) {
    const ChunkStripe& stripe = *location.stripe;
    copies.push_back({.device_id = stripe.device_id,
                      .device = FindDevice(stripe.device_id, stripe.device_uuid),
                      .physical = location.physical});
  }
  return copies;
}

BlockDevice* AddressSpace::FindDevice(uint64_t id, const Uuid& uuid) const {
  auto found = devices_.find(id);
  if (found == devices_.end() || found->second.uuid != uuid) return nullptr;
  return found->second.device.get();
}

}  // namespace ebcache
