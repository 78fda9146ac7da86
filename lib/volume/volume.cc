#include "ebcache/volume.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <new>
#include <utility>

#include "lib/base/check.h"
#include "lib/base/messages.h"
#include "lib/device/device_batch.h"
#include "lib/format/check/parent_check.h"
#include "lib/format/feature_flags.h"
#include "lib/format/system_chunk_array.h"
#include "lib/volume/address_space.h"
#include "lib/volume/block_validator.h"
#include "lib/volume/committed_state.h"
#include "lib/volume/mirror_reader.h"
#include "lib/volume/mirror_writer.h"
#include "lib/volume/missed_writes.h"
#include "lib/volume/superblock_images.h"
#include "lib/volume/superblock_set.h"
#include "lib/volume/superblock_writer.h"
#include "lib/volume/unflushed_copies.h"

namespace ebcache {
namespace {

// What follows from the superblock that is in use.
struct Opened {
  Opened(const Superblock& superblock, const SuperblockSet& set, MissedWrites* missed,
         const VolumeOptions& options)
      : sector_bytes(superblock.sector_bytes),
        committed(superblock, set.devices),
        space(superblock),
        validator(superblock, set.other_fsids, options.writable),
        reader(&space, &validator, missed, options),
        writer(&space, &validator, missed, options) {}

  absl::Status AddSystemChunks(const Superblock& superblock) {
    absl::StatusOr<std::vector<Chunk>> chunks =
        ParseSystemChunkArray(superblock.system_chunk_array, superblock.sector_bytes);
    if (!chunks.ok()) return chunks.status();
    for (Chunk& chunk : *chunks) {
      absl::Status status = space.AddChunk(std::move(chunk));
      if (!status.ok()) return Prefixed("system chunk array", status);
    }
    return absl::OkStatus();
  }

  const uint32_t sector_bytes;
  CommittedState committed;
  AddressSpace space;
  BlockValidator validator;
  const MirrorReader reader;
  const MirrorWriter writer;
};

// Whether a filesystem may be written: not with features that only readers know, and not halfway
// through a change that only the program that began it can end.
absl::Status CheckWritable(const SuperblockSet& set) {
  const Superblock& superblock = set.candidates[0].superblock;
  absl::Status status = CheckCompatRoFeatures(superblock.compat_ro_flags);
  if (!status.ok()) return status;
  if (!set.notices.empty()) {
    return absl::FailedPreconditionError(absl::StrCat("cannot be written: ", set.notices[0]));
  }
  if (superblock.has(SuperblockFlag::kSeeding) || !set.seeds.empty()) {
    return absl::FailedPreconditionError("cannot be written: seed devices are for reading");
  }
  return absl::OkStatus();
}

// Whether a superblock may be written over the one that is in use.
absl::Status CheckSuccessor(const Superblock& next, const Superblock& now) {
  if (next.node_bytes != now.node_bytes || next.sector_bytes != now.sector_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "not written: a superblock of node size ", next.node_bytes, " and sector size ",
        next.sector_bytes, ", the filesystem's are ", now.node_bytes, " and ", now.sector_bytes));
  }
  if (next.generation <= now.generation) {
    return absl::FailedPreconditionError(
        absl::StrCat("not written: a superblock of generation ", next.generation,
                     ", which is not newer than the last committed, ", now.generation));
  }
  return absl::OkStatus();
}

// Of a device that `flushes` do not name, OK.
absl::Status FlushOf(absl::Span<const DeviceFlush> flushes, uint64_t device_id) {
  for (const DeviceFlush& flush : flushes) {
    if (flush.id == device_id) return flush.status;
  }
  return absl::OkStatus();
}

}  // namespace

struct Volume::Impl {
  // Everything that WriteSuperblocks does before it writes. Throws bad_alloc.
  absl::Status PrepareSuperblocks(const Superblock& next, absl::Span<const DeviceItem> items,
                                  absl::Span<const DeviceFlush> flushes,
                                  SuperblockWriter& writer) const;

  absl::Status Use(size_t candidate) {
    current = candidate;
    const Superblock& superblock = set.candidates[candidate].superblock;
    opened = std::make_unique<Opened>(superblock, set, &missed_writes, options);
    for (size_t i = 0; i < devices.size(); ++i) {
      absl::Status status = opened->space.AddOpenDevice(devices[i].get(), set.devices[i]);
      if (!status.ok()) return status;
    }
    return Prefixed(devices[set.candidates[candidate].device]->name(),
                    opened->AddSystemChunks(superblock));
  }

  SuperblockCopy CopyOf(size_t candidate) const {
    const SuperblockSet::Candidate& one = set.candidates[candidate];
    return {.device = devices[one.device]->name(),
            .place = {.device_id = one.superblock.device.id, .offset = one.superblock.bytenr},
            .generation = one.superblock.generation};
  }

  const std::vector<std::unique_ptr<BlockDevice>> devices;
  const VolumeOptions options;
  const SuperblockSet set;
  size_t current = 0;  // index of the candidate in use
  std::vector<std::string> notices = {};
  MissedWrites missed_writes = {};
  std::unique_ptr<Opened> opened = nullptr;  // never null once opening is done
};

absl::StatusOr<std::unique_ptr<Volume>> Volume::Open(
    std::vector<std::unique_ptr<BlockDevice>> devices, VolumeOptions options) {
  if (devices.empty()) return absl::InvalidArgumentError("no devices given");
  absl::StatusOr<SuperblockSet> set = ReadSuperblocks(devices);
  if (!set.ok()) return set.status();
  if (options.writable) {
    if (!set->truncated.empty()) return absl::DataLossError(set->truncated[0]);
    absl::Status status = CheckWritable(*set);
    if (!status.ok()) return Prefixed(devices[set->candidates[0].device]->name(), status);
  }
  std::unique_ptr<Impl> impl(new Impl{
      .devices = std::move(devices), .options = std::move(options), .set = *std::move(set)});
  impl->notices = impl->set.notices;
  if (absl::Status status = impl->Use(0); !status.ok()) return status;
  return std::unique_ptr<Volume>(new Volume(std::move(impl)));
}

absl::Status Volume::UseSuperblock(size_t candidate, const absl::Status& why) {
  EBCACHE_CHECK(candidate < superblock_candidates(), "there is no superblock of that number");
  impl_->notices = impl_->set.notices;
  if (candidate != 0) {
    impl_->notices.push_back(absl::StrCat(impl_->CopyOf(candidate).ToString(), " is used: by ",
                                          impl_->CopyOf(0).ToString(), " ", why.message()));
  }
  return impl_->Use(candidate);
}

size_t Volume::superblock_candidates() const { return impl_->set.candidates.size(); }

SuperblockCopy Volume::superblock_copy() const { return impl_->CopyOf(impl_->current); }

std::string SuperblockCopy::ToString() const {
  return absl::StrCat("the superblock at ", place.offset, " on ", device, " (generation ",
                      generation, ")");
}

absl::Status Volume::CheckSeedsAreNamed() const {
  for (const size_t seed : impl_->set.seeds) {
    if (impl_->opened->space.IsNamed(impl_->set.devices[seed])) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(impl_->devices[seed]->name(), ": of another filesystem, ",
                     UuidString(impl_->set.devices[seed].fsid), ", and no seed of ",
                     superblock_copy().device, ", ", UuidString(superblock().fsid)));
  }
  return absl::OkStatus();
}

Volume::Volume(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Volume::~Volume() = default;

Superblock Volume::superblock() const { return impl_->opened->committed.superblock(); }

const std::vector<std::string>& Volume::superblock_warnings() const { return impl_->set.warnings; }

const std::vector<std::string>& Volume::notices() const { return impl_->notices; }

absl::Status Volume::AddChunk(Chunk chunk) {
  return impl_->opened->space.AddChunk(std::move(chunk));
}

absl::Status Volume::AddDevice(const DeviceItem& device) {
  return impl_->opened->space.AddDeviceItem(device);
}

absl::Status Volume::RemoveChunk(uint64_t logical) {
  return impl_->opened->space.RemoveChunk(logical);
}

std::vector<MissingDevice> Volume::missing_devices() const {
  return impl_->opened->space.missing_devices();
}

bool Volume::OnMissingDevices(uint64_t logical) const {
  const absl::StatusOr<Copies> copies =
      impl_->opened->space.Map(logical, impl_->opened->validator.node_bytes());
  if (!copies.ok()) return absl::IsUnavailable(copies.status());
  return std::all_of(copies->begin(), copies->end(),
                     [](const PhysicalExtent& copy) { return copy.device == nullptr; });
}

void Volume::NoteMissingChunks(const absl::Status& why) {
  impl_->opened->space.NoteMissingChunks(why);
}

std::vector<Chunk> Volume::chunks() const { return impl_->opened->space.chunks(); }

absl::StatusOr<std::vector<PhysicalExtent>> Volume::Map(uint64_t logical, uint64_t length) const {
  absl::StatusOr<Copies> copies = impl_->opened->space.Map(logical, length);
  if (!copies.ok()) return Prefixed(absl::StrCat("address ", logical), copies.status());
  return std::vector<PhysicalExtent>(copies->begin(), copies->end());
}

void Volume::ReadCopies(absl::Span<CopyRead> reads) const {
  DeviceBatch<DeviceRead> batch;
  for (size_t i = 0; i < reads.size(); ++i) {
    CopyRead& read = reads[i];
    const uint64_t logical = read.buffer->start();
    const absl::StatusOr<Copies> copies = impl_->opened->space.Map(logical, read.buffer->length());
    if (read.buffer->length() != impl_->opened->validator.node_bytes()) {
      read.status = absl::InvalidArgumentError("the buffer is not as long as a block");
    } else if (!copies.ok()) {
      read.status = copies.status();
    } else if (read.mirror < 1 || static_cast<size_t>(read.mirror) > copies->size()) {
      read.status =
          absl::NotFoundError(absl::StrCat("no mirror ", read.mirror, ", it has ", copies->size()));
    } else if (const PhysicalExtent& copy = (*copies)[read.mirror - 1]; copy.device == nullptr) {
      read.status =
          absl::UnavailableError(absl::StrCat("device ", copy.place.device_id, " is missing"));
    } else if (absl::Status missed = MissedWrite(logical, read.mirror); !missed.ok()) {
      read.status = std::move(missed);
    } else {
      batch.Add(copy.device, i,
                {.offset = copy.place.offset, .segments = read.buffer->mutable_segments()});
    }
  }
  if (!batch.empty()) {
    batch.Run([&](size_t i, absl::Status transferred) {
      CopyRead& read = reads[i];
      read.status = std::move(transferred);
      if (!read.status.ok()) return;
      read.buffer->set_mirror(read.mirror);
      read.status = impl_->opened->validator.Validate(*read.buffer, read.check);
    });
  }
  for (CopyRead& read : reads) {
    read.status = Prefixed(absl::StrCat("block ", read.buffer->start()), read.status);
  }
}

absl::Status Volume::ReadCopy(ExtentBuffer& buffer, int mirror, const ParentCheck* check) const {
  CopyRead read{.buffer = &buffer, .mirror = mirror, .check = check};
  ReadCopies(absl::MakeSpan(&read, 1));
  return std::move(read.status);
}

// Why a copy may not be read, "its last write failed: REASON"; OK where it may.
absl::Status Volume::MissedWrite(uint64_t logical, int mirror) const {
  absl::Status status;
  impl_->missed_writes.ForEachOf(logical, [&](size_t copy, const absl::Status& why) {
    if (static_cast<int>(copy) + 1 == mirror) status = why;
  });
  return status;
}

absl::Status Volume::CheckCopy(uint64_t logical, int mirror) const {
  return Prefixed(absl::StrCat("block ", logical, ": mirror ", mirror),
                  MissedWrite(logical, mirror));
}

void Volume::Read(absl::Span<BlockRead> reads) { impl_->opened->reader.Read(reads); }

void Volume::Write(absl::Span<BlockWrite> writes) { impl_->opened->writer.Write(writes); }

std::vector<DeviceItem> Volume::devices() const { return impl_->opened->committed.items(); }

absl::StatusOr<std::vector<SuperblockImage>> Volume::SuperblockImages() const {
  std::vector<SuperblockImage> images;
  const std::vector<DeviceItem> items = devices();
  for (size_t i = 0; i < items.size(); ++i) {
    absl::StatusOr<std::vector<SuperblockImage>> of_device =
        ReadSuperblockImages(*impl_->devices[i], items[i]);
    if (!of_device.ok()) return of_device.status();
    images.insert(images.end(), of_device->begin(), of_device->end());
  }
  return images;
}

// A device tells of a failure once: what needs memory comes first.
std::vector<DeviceFlush> Volume::FlushDevices() {
  std::vector<DeviceFlush> flushes;
  for (size_t i = 0; i < impl_->devices.size(); ++i) {
    flushes.push_back(
        {.id = impl_->set.devices[i].id, .device = impl_->devices[i]->name(), .status = {}});
  }
  for (size_t i = 0; i < flushes.size(); ++i) flushes[i].status = FlushDevice(*impl_->devices[i]);
  return flushes;
}

absl::Status Volume::Flush() {
  absl::Status first_error;
  for (const std::unique_ptr<BlockDevice>& device : impl_->devices) {
    absl::Status status = FlushDevice(*device);
    if (first_error.ok()) first_error = std::move(status);
  }
  return first_error;
}

absl::Status Volume::LoseUnflushed(absl::Span<const uint64_t> blocks,
                                   absl::Span<const DeviceFlush> flushes) {
  const Opened& opened = *impl_->opened;
  return UnflushedCopies(&opened.space, &impl_->missed_writes, &impl_->options,
                         opened.validator.node_bytes(), flushes)
      .Lose(blocks);
}

absl::Status Volume::Impl::PrepareSuperblocks(const Superblock& next,
                                              absl::Span<const DeviceItem> items,
                                              absl::Span<const DeviceFlush> flushes,
                                              SuperblockWriter& writer) const {
  if (!options.writable) return absl::PermissionDeniedError("the volume is open read-only");
  if (absl::Status status = CheckSuccessor(next, opened->committed.superblock()); !status.ok()) {
    return status;
  }
  const std::vector<DeviceItem> ours = opened->committed.items();
  bool any_flushed = false;
  for (size_t i = 0; i < devices.size(); ++i) {
    const auto item = std::find_if(items.begin(), items.end(), [&](const DeviceItem& candidate) {
      return candidate.id == ours[i].id;
    });
    if (item == items.end() || item->uuid != ours[i].uuid) {
      return absl::InvalidArgumentError(
          absl::StrCat(devices[i]->name(), ": the item of device ", ours[i].id,
                       item == items.end() ? " is not given" : " is of another device's uuid"));
    }
    Superblock superblock = next;
    superblock.device = *item;
    absl::Status status = writer.Add(devices[i].get(), superblock, FlushOf(flushes, ours[i].id));
    if (!status.ok()) return status;
    any_flushed |= FlushOf(flushes, ours[i].id).ok();
  }
  if (any_flushed) return absl::OkStatus();
  return absl::FailedPreconditionError("not written: no device has flushed what it leads to");
}

absl::Status Volume::WriteSuperblocks(const Superblock& next, absl::Span<const DeviceItem> devices,
                                      std::vector<SuperblockFailure>* failures,
                                      absl::Span<const DeviceFlush> flushes) {
  failures->clear();
  SuperblockWriter writer;
  try {
    absl::Status ready = impl_->PrepareSuperblocks(next, devices, flushes, writer);
    if (!ready.ok()) return ready;
  } catch (const std::bad_alloc&) {
    return absl::Status(absl::StatusCode::kResourceExhausted, "");
  }
  absl::Status written = writer.Write();
  *failures = writer.TakeFailures();
  for (size_t i = 0; i < impl_->devices.size(); ++i) {
    if (writer.HasPrimary(i)) impl_->opened->committed.SetItem(i, writer.item(i));
  }
  return written;
}

void Volume::PublishSuperblock(Superblock next) {
  Opened& opened = *impl_->opened;
  EBCACHE_CHECK(
      next.node_bytes == opened.validator.node_bytes() && next.sector_bytes == opened.sector_bytes,
      "a superblock was published that is of another node or sector size");
  // What may throw first.
  opened.validator.Publish(next);
  opened.space.Publish(next);
  opened.committed.Publish(std::move(next));
}

absl::Status Volume::CheckParent(const ExtentBuffer& buffer, const ParentCheck& check) {
  absl::Status status = CheckAgainstParent(buffer, check);
  if (status.ok()) [[likely]]
    return status;
  return Prefixed(absl::StrCat("block ", buffer.start()), status);
}

absl::Status Volume::Validate(const ExtentBuffer& buffer, const ParentCheck* check) const {
  absl::Status status = impl_->opened->validator.Validate(buffer, check);
  if (status.ok()) [[likely]]
    return status;
  return Prefixed(absl::StrCat("block ", buffer.start()), status);
}

}  // namespace ebcache
