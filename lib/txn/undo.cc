// The way back, also from another process: superblocks as a session has found them.

#include "ebcache/undo.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <array>
#include <utility>

#include "ebcache/transaction.h"
#include "lib/base/messages.h"
#include "lib/txn/no_exceptions.h"
#include "lib/txn/undo_check.h"
#include "lib/txn/undo_file.h"
#include "lib/volume/superblock_images.h"
#include "lib/volume/superblock_reader.h"

namespace ebcache {
namespace {

// A device, as it is and as it was.
struct Found {
  Superblock superblock;
  DeviceImages old;
};

txn::UndoRecord RecordOf(const Superblock& superblock) {
  return {superblock.generation, SuperblockStateHash(superblock)};
}

// Whether it is a state of the session, or what the device had when it began: a commit before it may
// not have come to all devices.
bool Knows(const txn::UndoContents& contents, const Found& device) {
  const txn::UndoRecord found = RecordOf(device.superblock);
  const auto is_found = [&found](const SuperblockImage& image) {
    const absl::StatusOr<Superblock> had = ParseSuperblock(image.bytes, image.offset);
    return had.ok() && RecordOf(*had) == found;
  };
  const std::vector<txn::UndoRecord>& records = contents.records;
  return std::find(records.begin(), records.end(), found) != records.end() ||
         std::any_of(device.old.images.begin(), device.old.images.end(), is_found);
}

absl::StatusOr<Found> LookAt(BlockDevice& device, const txn::UndoContents& contents,
                             const std::string& undo_file) {
  absl::StatusOr<DeviceSuperblock> found = ReadSuperblock(device);
  if (!found.ok()) return found.status();
  Found result{.superblock = std::move(found->superblock),
               .old = {.device = &device, .images = {}}};
  for (const SuperblockImage& image : contents.images) {
    if (image.device_uuid == result.superblock.device.uuid) result.old.images.push_back(image);
  }
  if (result.old.images.empty() || result.old.images[0].offset != kSuperblockOffsets[0]) {
    return absl::InvalidArgumentError(
        absl::StrCat(device.name(), " is not a device that ", undo_file, " is about"));
  }
  return result;
}

// Whether superblocks are as they were when the session began: there is nothing to undo.
absl::StatusOr<bool> NothingHasHappened(absl::Span<const DeviceImages> devices) {
  for (const DeviceImages& one : devices) {
    for (const SuperblockImage& image : one.images) {
      std::array<std::byte, kSuperblockBytes> bytes;
      DeviceRead read{.offset = image.offset, .segments = {absl::MakeSpan(bytes)}};
      one.device->Read(absl::MakeSpan(&read, 1));
      if (!read.status.ok()) return read.status;
      if (bytes != image.bytes) return false;
    }
  }
  return true;
}

// What the file says of the state that it leads back to.
absl::StatusOr<UndoFileSummary> Summarize(const txn::UndoContents& contents,
                                          const std::string& undo_file) {
  for (const SuperblockImage& image : contents.images) {
    absl::StatusOr<Superblock> superblock = ParseSuperblock(image.bytes, image.offset);
    if (!superblock.ok() || RecordOf(*superblock) != contents.records[0]) continue;
    return UndoFileSummary{.old_state = *std::move(superblock),
                           .commits = contents.records.size() - 1};
  }
  return absl::DataLossError(
      absl::StrCat(undo_file, ": none of its superblocks is the one that the session began with"));
}

}  // namespace

struct Undo::Impl {
  static absl::StatusOr<std::unique_ptr<Undo>> Make(absl::Span<BlockDevice* const> devices,
                                                    const std::string& undo_file, bool writable,
                                                    std::vector<std::unique_ptr<BlockDevice>> own);

  std::vector<std::unique_ptr<BlockDevice>> own_devices;
  std::string undo_file;
  bool writable = false;
  bool may_write = false;  // Check has said so
  txn::UndoContents contents;
  UndoFileSummary file;
  std::vector<Found> devices;
  UndoCounts counts;
};

Undo::Undo(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Undo::~Undo() = default;

absl::StatusOr<std::unique_ptr<Undo>> Undo::Impl::Make(
    absl::Span<BlockDevice* const> devices, const std::string& undo_file, bool writable,
    std::vector<std::unique_ptr<BlockDevice>> own) {
  absl::StatusOr<txn::UndoContents> contents = txn::UndoFile::Load(undo_file);
  if (!contents.ok()) return contents.status();
  absl::StatusOr<UndoFileSummary> file = Summarize(*contents, undo_file);
  if (!file.ok()) return file.status();
  auto impl = std::make_unique<Impl>();
  impl->own_devices = std::move(own);
  impl->undo_file = undo_file;
  impl->writable = writable;
  impl->file = *std::move(file);
  size_t used = 0;
  for (BlockDevice* device : devices) {
    absl::StatusOr<Found> one = LookAt(*device, *contents, undo_file);
    if (!one.ok()) return one.status();
    used += one->old.images.size();
    impl->devices.push_back(*std::move(one));
  }
  if (used != contents->images.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat(undo_file, " is about more devices than were given, or one was given twice"));
  }
  impl->contents = *std::move(contents);
  return std::unique_ptr<Undo>(new Undo(std::move(impl)));
}

absl::StatusOr<std::unique_ptr<Undo>> Undo::Open(const std::vector<std::string>& paths,
                                                 const std::string& undo_file,
                                                 UndoOptions options) {
  std::vector<std::unique_ptr<BlockDevice>> own;
  std::vector<BlockDevice*> devices;
  for (const std::string& path : paths) {
    absl::StatusOr<std::unique_ptr<BlockDevice>> device =
        OpenFileDevice(path, {.writable = options.writable});
    if (!device.ok()) return device.status();
    devices.push_back(device->get());
    own.push_back(*std::move(device));
  }
  return Impl::Make(devices, undo_file, options.writable, std::move(own));
}

absl::StatusOr<std::unique_ptr<Undo>> Undo::OpenDevices(
    absl::Span<const std::unique_ptr<BlockDevice>> devices, const std::string& undo_file) {
  std::vector<BlockDevice*> borrowed;
  for (const std::unique_ptr<BlockDevice>& device : devices) borrowed.push_back(device.get());
  return Impl::Make(borrowed, undo_file, true, {});
}

const UndoFileSummary& Undo::file() const { return impl_->file; }

uint64_t Undo::found_generation() const {
  uint64_t newest = 0;
  for (const Found& device : impl_->devices) {
    newest = std::max(newest, device.superblock.generation);
  }
  return newest;
}

UndoCounts Undo::counts() const { return impl_->counts; }

absl::Status Undo::Check(const Progress& progress) {
  impl_->counts = {};
  impl_->may_write = false;
  std::vector<DeviceImages> images;
  for (const Found& device : impl_->devices) {
    if (!Knows(impl_->contents, device)) {
      return absl::FailedPreconditionError(absl::StrCat(
          device.old.device->name(), " was changed by something else than the session of ",
          impl_->undo_file, ": what the session has kept may be overwritten (generation ",
          device.superblock.generation, ")"));
    }
    images.push_back(device.old);
  }
  const absl::StatusOr<bool> nothing = NothingHasHappened(images);
  absl::Status status = nothing.status();
  // Where they lead to the old state already, no look at it would keep anything from harm.
  if (nothing.ok() && !*nothing) {
    status = txn::CheckOldStateIsThere(images, found_generation(), progress, impl_->counts);
  }
  impl_->may_write = status.ok();
  return Prefixed("not undone", status);
}

absl::Status Undo::Write() {
  if (!impl_->writable) {
    return absl::FailedPreconditionError("not undone: the devices are open for reading only");
  }
  if (!impl_->may_write) {
    return absl::FailedPreconditionError("not undone: it was not found that it may be done");
  }
  impl_->may_write = false;  // what the devices have is not what was looked at, from here on
  std::vector<DeviceImages> images;
  for (const Found& device : impl_->devices) images.push_back(device.old);
  absl::Status status = WriteSuperblockImages(images);
  if (!status.ok()) return Prefixed("not undone yet, to be done again", status);
  return txn::RemoveUndoFile(impl_->undo_file);
}

// ---- All of it -----------------------------------------------------------------------------------

namespace {

absl::Status CheckAndWrite(const absl::StatusOr<std::unique_ptr<Undo>>& undo) {
  if (!undo.ok()) return undo.status();
  absl::Status status = (*undo)->Check();
  return status.ok() ? (*undo)->Write() : status;
}

}  // namespace

absl::Status UndoSession(absl::Span<const std::unique_ptr<BlockDevice>> devices,
                         const std::string& undo_file) {
  return txn::WithoutExceptions(
      [&] { return CheckAndWrite(Undo::OpenDevices(devices, undo_file)); });
}

absl::Status UndoSession(const std::vector<std::string>& paths, const std::string& undo_file) {
  return txn::WithoutExceptions(
      [&] { return CheckAndWrite(Undo::Open(paths, undo_file, {.writable = true})); });
}

absl::StatusOr<UndoFileSummary> ReadUndoFile(const std::string& undo_file) {
  const absl::StatusOr<txn::UndoContents> contents = txn::UndoFile::Load(undo_file);
  if (!contents.ok()) return contents.status();
  return Summarize(*contents, undo_file);
}

absl::Status SettleUndoFile(const std::string& undo_file) {
  const absl::StatusOr<txn::UndoContents> contents = txn::UndoFile::Load(undo_file);
  if (!contents.ok()) return contents.status();
  return txn::RemoveUndoFile(undo_file);
}

}  // namespace ebcache
