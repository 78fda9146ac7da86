// Preview: changes of a filesystem that go to a copy beside its devices, to be looked at, and then
// applied or thrown away.
//
//   auto preview = ebcache::Preview::Open({"disk.img"});
//   {
//     auto fs = (*preview)->OpenFilesystem({.writable = true});
//     ...  // sessions and transactions, walks, what there is
//   }
//   absl::Status status = (*preview)->Apply();  // or not
//
// What is written is kept in memory or in a file, in blocks of 4096 bytes; all else is read from the
// devices. They are only read until Apply, and what they have must not change meanwhile: readers would
// find bytes of two states.
//
// Thread safety: belongs to one thread at a time; the filesystems are as others are.

#ifndef EBCACHE_PREVIEW_H_
#define EBCACHE_PREVIEW_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ebcache/block_device.h"
#include "ebcache/filesystem.h"

namespace ebcache {

// Where a preview keeps what is written, and what for.
struct PreviewOptions {
  // A new file for what is written, which has no name any more by the time that Open returns; that of
  // a second device has ".2" behind its name, and so on. Empty: it is kept in memory.
  std::string file{};
  // Sessions overwrite nothing that the state on the devices reaches, over as many commits as there
  // are, so that they need room for all that they change. False: they use space as they would on the
  // devices themselves, and Apply is refused.
  bool applicable = true;
};

// The devices of a filesystem, and what is written over them.
class Preview {
 public:
  // Opens the devices for reading. Errors: FailedPrecondition, a device is in use; AlreadyExists, a
  // file is there; those of OpenFileDevice, and of superblocks that cannot be read.
  static absl::StatusOr<std::unique_ptr<Preview>> Open(const std::vector<std::string>& paths,
                                                       PreviewOptions options = {});
  // The same with devices of the caller's, to which Apply writes.
  static absl::StatusOr<std::unique_ptr<Preview>> OpenDevices(
      std::vector<std::unique_ptr<BlockDevice>> devices, PreviewOptions options = {});
  // Throws away what was not applied. REQUIRES: its filesystems are gone.
  ~Preview();
  Preview(const Preview&) = delete;
  Preview& operator=(const Preview&) = delete;

  // A filesystem over what the preview has by now, with a cache of its own; `device` of the options is
  // not looked at. One may be open for writing at a time, and none for reading beside it unless its
  // bytes are to change under it. Errors: FailedPrecondition, one is open for writing, or the preview
  // was applied; those of Filesystem::OpenDevices.
  absl::StatusOr<std::unique_ptr<Filesystem>> OpenFilesystem(FilesystemOptions options);

  // Of all devices: what was written, in blocks of 4096, whether or not with other bytes.
  uint64_t changed_bytes() const;

  // Writes to the devices what the preview has: blocks, which are durable before the first superblock
  // is written; then the primary superblock of each device, each durable before the next; then the
  // mirrors. A crash at any moment leaves the state that there was, or the preview's. The preview is
  // over then. Errors:
  //   FailedPrecondition  nothing was written: a filesystem of it is open for writing, a device is in
  //                       use or was changed since the preview began, it is not applicable, or was
  //                       applied before
  //   InvalidArgument     nothing was written: a device has become smaller
  //   else                those of opening and of writing. Before the first superblock was written
  //                       ("not applied") the devices have the state that they had; behind that ("not
  //                       applied to all devices") each copy of it is old or new. Apply may be called
  //                       again in both cases.
  absl::Status Apply();

 private:
  struct Impl;
  explicit Preview(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ebcache

#endif  // EBCACHE_PREVIEW_H_
