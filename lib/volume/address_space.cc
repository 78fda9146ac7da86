#include "lib/volume/address_space.h"

#include <absl/strings/str_cat.h>

#include <mutex>
#include <utility>

namespace ebcache {

AddressSpace::AddressSpace(const Superblock& superblock)
    : mixed_groups_(superblock.has(IncompatFlag::kMixedGroups)),
      fsid_(superblock.header_fsid()),
      chunk_map_(superblock.sector_bytes),
      at_fork_(
          // The lock is held over the fork: the two are halves of one function.
          ForkHandler::Phase::kLocks, [this]() EBCACHE_NO_THREAD_SAFETY_ANALYSIS { mutex_.lock(); },
          [this](bool) EBCACHE_NO_THREAD_SAFETY_ANALYSIS { mutex_.unlock(); }) {}

void AddressSpace::Publish(const Superblock& next) {
  sync::MutexLock lock(mutex_);
  fsid_ = next.header_fsid();
}

absl::Status AddressSpace::AddOpenDevice(BlockDevice* device, const DeviceItem& item) {
  sync::MutexLock lock(mutex_);
  OpenDevice& slot = devices_[item.id];
  if (slot.device != nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(device->name(), ": has device id ", item.id,
                                                   ", as has ", slot.device->name()));
  }
  slot = {.device = device, .uuid = item.uuid, .superblock_bytes = item.total_bytes};
  return absl::OkStatus();
}

absl::Status AddressSpace::AddDeviceItem(const DeviceItem& item) {
  sync::MutexLock lock(mutex_);
  BlockDevice* device = FindDevice(item.id, item.uuid);
  if (device != nullptr) devices_[item.id].named = true;
  if (device == nullptr) {
    missing_[{item.id, item.uuid}] = {.id = item.id,
                                      .uuid = item.uuid,
                                      .fsid = item.fsid,
                                      .seed = item.fsid != fsid_ && item.fsid != Uuid{}};
  } else if (device->size_bytes() < item.total_bytes &&
             device->size_bytes() >= devices_.at(item.id).superblock_bytes) {
    // Where its superblock says it as well, Volume::Open has told of it.
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
  const std::vector<ChunkStripe> stripes = chunk.stripes;
  sync::MutexLock lock(mutex_);
  absl::Status status = chunk_map_.Add(std::move(chunk));
  if (!status.ok()) return status;
  for (const ChunkStripe& stripe : stripes) {
    if (FindDevice(stripe.device_id, stripe.device_uuid) != nullptr) continue;
    // A device item may have told more of it.
    missing_.try_emplace({stripe.device_id, stripe.device_uuid},
                         MissingDevice{.id = stripe.device_id, .uuid = stripe.device_uuid});
  }
  return status;
}

absl::Status AddressSpace::RemoveChunk(uint64_t logical) {
  sync::MutexLock lock(mutex_);
  if (chunk_map_.Remove(logical)) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat("no chunk begins at ", logical));
}

absl::StatusOr<Copies> AddressSpace::Map(uint64_t logical, uint64_t length) const {
  sync::MutexLock lock(mutex_);
  absl::StatusOr<StripeLocations> locations = chunk_map_.Map(logical, length);
  if (absl::IsNotFound(locations.status()) && !missing_chunks_.ok()) {
    return absl::UnavailableError(
        absl::StrCat(locations.status().message(),
                     " that is known, and not all are: ", missing_chunks_.message()));
  }
  if (!locations.ok()) return locations.status();
  Copies copies;
  for (const StripeLocation& location : *locations) {
    const ChunkStripe& stripe = location.stripe;
    copies.push_back(
        {.place = location.place(), .device = FindDevice(stripe.device_id, stripe.device_uuid)});
  }
  return copies;
}

std::vector<Chunk> AddressSpace::chunks() const {
  sync::MutexLock lock(mutex_);
  return chunk_map_.chunks();
}

void AddressSpace::NoteMissingChunks(const absl::Status& why) {
  sync::MutexLock lock(mutex_);
  missing_chunks_ = why;
}

std::vector<MissingDevice> AddressSpace::missing_devices() const {
  sync::MutexLock lock(mutex_);
  std::vector<MissingDevice> devices;
  for (const auto& [name, device] : missing_) devices.push_back(device);
  return devices;
}

bool AddressSpace::IsNamed(const DeviceItem& item) const {
  sync::MutexLock lock(mutex_);
  auto found = devices_.find(item.id);
  return found != devices_.end() && found->second.uuid == item.uuid && found->second.named;
}

BlockDevice* AddressSpace::FindDevice(uint64_t id, const Uuid& uuid) const {
  auto found = devices_.find(id);
  if (found == devices_.end() || found->second.uuid != uuid) return nullptr;
  return found->second.device;
}

}  // namespace ebcache
