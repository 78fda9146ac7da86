// The way back, also from another process: superblocks as a session has found them.

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "ebcache/transaction.h"
#include "lib/base/messages.h"
#include "lib/txn/undo_check.h"
#include "lib/txn/undo_file.h"
#include "lib/volume/superblock_images.h"
#include "lib/volume/superblock_reader.h"

namespace ebcache {
namespace {

// Whether it is a state of the session, or what the device had when it began: a commit before it may
// not have come to all devices.
bool Knows(const txn::UndoContents& contents, const DeviceImages& images,
           const Superblock& superblock) {
  const txn::UndoRecord found{superblock.generation, SuperblockStateHash(superblock)};
  const auto is_found = [&found](const SuperblockImage& image) {
    const absl::StatusOr<Superblock> had = ParseSuperblock(image.bytes, image.offset);
    return had.ok() && txn::UndoRecord{had->generation, SuperblockStateHash(*had)} == found;
  };
  return std::find(contents.records.begin(), contents.records.end(), found) !=
             contents.records.end() ||
         std::any_of(images.images.begin(), images.images.end(), is_found);
}

absl::StatusOr<DeviceImages> ImagesFor(BlockDevice& device, const txn::UndoContents& contents,
                                       const std::string& undo_file) {
  const absl::StatusOr<DeviceSuperblock> found = ReadSuperblock(device);
  if (!found.ok()) return found.status();
  DeviceImages result{.device = &device, .images = {}};
  for (const SuperblockImage& image : contents.images) {
    if (image.device_uuid == found->superblock.device.uuid) result.images.push_back(image);
  }
  if (result.images.empty() || result.images[0].offset != kSuperblockOffsets[0]) {
    return absl::InvalidArgumentError(
        absl::StrCat(device.name(), " is not a device that ", undo_file, " is about"));
  }
  if (!Knows(contents, result, found->superblock)) {
    return absl::FailedPreconditionError(
        absl::StrCat(device.name(), " was changed by something else than the session of ",
                     undo_file, ": what the session has kept may be overwritten (generation ",
                     found->superblock.generation, ")"));
  }
  return result;
}

}  // namespace

absl::Status UndoSession(absl::Span<const std::unique_ptr<BlockDevice>> devices,
                         const std::string& undo_file) {
  const absl::StatusOr<txn::UndoContents> contents = txn::UndoFile::Load(undo_file);
  if (!contents.ok()) return contents.status();
  std::vector<DeviceImages> images;
  size_t used = 0;
  for (const std::unique_ptr<BlockDevice>& device : devices) {
    absl::StatusOr<DeviceImages> one = ImagesFor(*device, *contents, undo_file);
    if (!one.ok()) return one.status();
    used += one->images.size();
    images.push_back(*std::move(one));
  }
  if (used != contents->images.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat(undo_file, " is about more devices than were given, or one was given twice"));
  }
  absl::Status status = txn::CheckOldStateIsThere(images);
  if (!status.ok()) return Prefixed("not undone", status);
  status = WriteSuperblockImages(images);
  if (!status.ok()) return Prefixed("not undone yet, to be done again", status);
  return txn::RemoveUndoFile(undo_file);
}

absl::Status UndoSession(const std::vector<std::string>& paths, const std::string& undo_file) {
  std::vector<std::unique_ptr<BlockDevice>> devices;
  for (const std::string& path : paths) {
    absl::StatusOr<std::unique_ptr<BlockDevice>> device = OpenFileDevice(path, {.writable = true});
    if (!device.ok()) return device.status();
    devices.push_back(*std::move(device));
  }
  return UndoSession(devices, undo_file);
}

}  // namespace ebcache
