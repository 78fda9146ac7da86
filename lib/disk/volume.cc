#include "ebcache/volume.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "lib/disk/address_space.h"
#include "lib/disk/block_validator.h"
#include "lib/disk/feature_flags.h"
#include "lib/disk/messages.h"
#include "lib/disk/mirror_reader.h"
#include "lib/disk/mirror_writer.h"
#include "lib/disk/parent_check.h"
#include "lib/disk/superblock_reader.h"
#include "lib/disk/system_chunk_array.h"

namespace ebcache {
namespace {

// The superblocks of all devices, in the order in which the devices were given.
struct Superblocks {
  std::vector<DeviceSuperblock> devices;
  size_t newest = 0;
  std::vector<std::string> warnings;
};

absl::Status CheckBelongs(const BlockDevice& device, const Superblock& sb,
                          const BlockDevice& first_device, const Superblock& first) {
  if (sb.fsid != first.fsid) {
    return absl::InvalidArgumentError(
        absl::StrCat(device.name(), ": of another filesystem, ", UuidString(sb.fsid), ", than ",
                     first_device.name(), ", ", UuidString(first.fsid)));
  }
  if (device.size_bytes() < sb.device.total_bytes) {
    return absl::DataLossError(absl::StrCat(device.name(), ": truncated: ", device.size_bytes(),
                                            " bytes, its superblock says ", sb.device.total_bytes));
  }
  return absl::OkStatus();
}

absl::StatusOr<Superblocks> ReadSuperblocks(
    const std::vector<std::unique_ptr<BlockDevice>>& devices) {
  Superblocks all;
  for (size_t i = 0; i < devices.size(); ++i) {
    absl::StatusOr<DeviceSuperblock> found = ReadSuperblock(*devices[i]);
    if (!found.ok()) return found.status();
    all.devices.push_back(*std::move(found));
    const DeviceSuperblock& device = all.devices.back();
    absl::Status status =
        CheckBelongs(*devices[i], device.superblock, *devices[0], all.devices[0].superblock);
    if (!status.ok()) return status;
    all.warnings.insert(all.warnings.end(), device.warnings.begin(), device.warnings.end());
    if (device.superblock.generation > all.devices[all.newest].superblock.generation) {
      all.newest = i;
    }
  }
  const uint64_t newest_generation = all.devices[all.newest].superblock.generation;
  for (size_t i = 0; i < devices.size(); ++i) {
    const uint64_t generation = all.devices[i].superblock.generation;
    if (generation == newest_generation) continue;
    all.warnings.push_back(absl::StrCat(devices[i]->name(), ": superblock of generation ",
                                        generation, ", that of ", devices[all.newest]->name(),
                                        " is ", newest_generation));
  }
  return all;
}

}  // namespace

struct Volume::Impl {
  Impl(Superblock newest, std::vector<std::string> messages, const VolumeOptions& options)
      : superblock(std::move(newest)),
        warnings(std::move(messages)),
        space(superblock),
        validator(superblock),
        reader(&space, &validator, options),
        writer(&space, &validator, options) {}

  absl::Status AddSystemChunks() {
    absl::StatusOr<std::vector<Chunk>> chunks =
        ParseSystemChunkArray(superblock.system_chunk_array, superblock.sector_bytes);
    if (!chunks.ok()) return chunks.status();
    for (Chunk& chunk : *chunks) {
      absl::Status status = space.AddChunk(std::move(chunk));
      if (!status.ok()) return Prefixed("system chunk array", status);
    }
    return absl::OkStatus();
  }

  const Superblock superblock;
  const std::vector<std::string> warnings;
  AddressSpace space;
  const BlockValidator validator;
  const MirrorReader reader;
  const MirrorWriter writer;
};

absl::StatusOr<std::unique_ptr<Volume>> Volume::Open(
    std::vector<std::unique_ptr<BlockDevice>> devices, VolumeOptions options) {
  if (devices.empty()) return absl::InvalidArgumentError("no devices given");
  absl::StatusOr<Superblocks> superblocks = ReadSuperblocks(devices);
  if (!superblocks.ok()) return superblocks.status();
  const Superblock& newest = superblocks->devices[superblocks->newest].superblock;
  const std::string newest_name = devices[superblocks->newest]->name();
  if (options.writable) {
    absl::Status status = CheckCompatRoFeatures(newest.compat_ro_flags);
    if (!status.ok()) return Prefixed(newest_name, status);
  }
  auto impl = std::make_unique<Impl>(newest, std::move(superblocks->warnings), options);
  for (size_t i = 0; i < devices.size(); ++i) {
    absl::Status status =
        impl->space.AddOpenDevice(std::move(devices[i]), superblocks->devices[i].superblock.device);
    if (!status.ok()) return status;
  }
  if (absl::Status status = impl->AddSystemChunks(); !status.ok()) {
    return Prefixed(newest_name, status);
  }
  return std::unique_ptr<Volume>(new Volume(std::move(impl)));
}

Volume::Volume(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Volume::~Volume() = default;

const Superblock& Volume::superblock() const { return impl_->superblock; }

const std::vector<std::string>& Volume::superblock_warnings() const { return impl_->warnings; }

absl::Status Volume::AddChunk(Chunk chunk) { return impl_->space.AddChunk(std::move(chunk)); }

absl::Status Volume::AddDevice(const DeviceItem& device) {
  return impl_->space.AddDeviceItem(device);
}

std::vector<MissingDevice> Volume::missing_devices() const {
  return impl_->space.missing_devices();
}

bool Volume::OnMissingDevices(uint64_t logical) const {
  const absl::StatusOr<Copies> copies = impl_->space.Map(logical, impl_->superblock.node_bytes);
  if (!copies.ok()) return absl::IsUnavailable(copies.status());
  return std::all_of(copies->begin(), copies->end(),
                     [](const PhysicalExtent& copy) { return copy.device == nullptr; });
}

void Volume::NoteMissingChunks(const absl::Status& why) { impl_->space.NoteMissingChunks(why); }

std::vector<const Chunk*> Volume::chunks() const { return impl_->space.chunk_map().chunks(); }

absl::StatusOr<std::vector<PhysicalExtent>> Volume::Map(uint64_t logical, uint64_t length) const {
  absl::StatusOr<Copies> copies = impl_->space.Map(logical, length);
  if (!copies.ok()) return Prefixed(absl::StrCat("address ", logical), copies.status());
  return std::vector<PhysicalExtent>(copies->begin(), copies->end());
}

void Volume::Read(absl::Span<BlockRead> reads) { impl_->reader.Read(reads); }

void Volume::Write(absl::Span<BlockWrite> writes) { impl_->writer.Write(writes); }

absl::Status Volume::CheckParent(const ExtentBuffer& buffer, const ParentCheck& check) {
  absl::Status status = CheckAgainstParent(buffer, check);
  if (status.ok()) [[likely]]
    return status;
  return Prefixed(absl::StrCat("block ", buffer.start()), status);
}

absl::Status Volume::Validate(const ExtentBuffer& buffer, const ParentCheck* check) const {
  absl::Status status = impl_->validator.Validate(buffer, check);
  if (status.ok()) [[likely]]
    return status;
  return Prefixed(absl::StrCat("block ", buffer.start()), status);
}

}  // namespace ebcache
