// BlockDevice: where bytes are read from and written to, by physical offset.
//
// Reads come in batches, straight into the memory of the buffers that want them, so that a device
// can have many under way at once.
//
// Thread safety: all methods may be called from any thread.

#ifndef EBCACHE_BLOCK_DEVICE_H_
#define EBCACHE_BLOCK_DEVICE_H_

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "ebcache/block_bytes.h"

namespace ebcache {

// A place on one of the devices of a filesystem. What reads and writes has the BlockDevice as well:
// this one says where, also of a device that is not there.
struct DevicePlace {
  uint64_t device_id = 0;  // the filesystem's number of it, from 1
  uint64_t offset = 0;     // physical: in bytes, from where the device begins
  friend auto operator<=>(const DevicePlace&, const DevicePlace&) = default;
};

// One transfer: `offset` on the device; the pieces of memory, in order; how it went.
struct DeviceRead {
  uint64_t offset = 0;
  MutableSegments segments;
  // An error until the device has said how it went: what was not answered is no success.
  absl::Status status = absl::Status(absl::StatusCode::kUnknown, "");
};
// The same for a write.
struct DeviceWrite {
  uint64_t offset = 0;
  Segments segments;
  absl::Status status = absl::Status(absl::StatusCode::kUnknown, "");  // as in DeviceRead
};

class BlockDevice {
 public:
  virtual ~BlockDevice() = default;

  // What error messages call it: the path it was opened by.
  virtual const std::string& name() const = 0;

  // Size in bytes. Constant while open.
  virtual uint64_t size_bytes() const = 0;

  // Does all of `reads`, in any order, and sets each status: OK when every byte arrived; OutOfRange
  // when the range is not on the device; else the OS's reason, with errno's text
  // (ResourceExhausted when it had no memory: the same read may succeed later; Unavailable).
  virtual void Read(absl::Span<DeviceRead> reads) = 0;

  // The same, and calls done(i) on this thread as soon as reads[i] is over, so that what follows, a
  // checksum perhaps, is done while other reads are under way. Once for each, in any order.
  virtual void ReadEach(absl::Span<DeviceRead> reads, absl::FunctionRef<void(size_t)> done) {
    Read(reads);
    for (size_t i = 0; i < reads.size(); ++i) done(i);
  }

  // Writes likewise. PermissionDenied when opened read-only. OK says that the bytes are on the
  // device: a cache drops its own after that. It does not say it of what a cache of the OS has and
  // may yet fail to write.
  virtual void Write(absl::Span<DeviceWrite> writes) = 0;
};

// How a file is opened.
struct FileDeviceOptions {
  bool writable = false;
  // Reads go past the page cache (O_DIRECT) where memory and offsets are multiples of 4096, as
  // those of extent buffers are. Writes never do: they go through it, to the device. What the page
  // cache has of a block device is dropped first where it is clean: the kernel that has one mounted
  // does not write through it, so that what it has may be old.
  bool direct = false;
  // Reads that a batch may have under way at once, through io_uring; those that the page cache can
  // answer are not counted, and are made one after the other. 1: all are, by preadv, which is also
  // what happens where the kernel or a sandbox has no io_uring.
  uint32_t queue_depth = 64;
};

// An image file or a block device. Reads of a batch that are neighbours on the device are one
// transfer. Each batch of writes ends with one fdatasync; where that fails, all writes of the batch
// have failed (Unavailable), and so have those that other threads had under way, because the kernel
// says it once and not of which. Files that know no fdatasync cannot be written by this.
// Errors: NotFound, PermissionDenied, InvalidArgument (a directory, a pipe, no direct reads there),
// ResourceExhausted (memory is out), Unavailable, each with the path.
absl::StatusOr<std::unique_ptr<BlockDevice>> OpenFileDevice(const std::string& path,
                                                            FileDeviceOptions options = {});

}  // namespace ebcache

#endif  // EBCACHE_BLOCK_DEVICE_H_
