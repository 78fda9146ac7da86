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

// A device that stands before another one passes on Write, WriteCached and Flush, each as what it
// is: without WriteCached each cached write of the other device waits for itself, and without Flush
// nothing of them becomes durable.
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

  // Writes likewise; no two of `writes` may overlap. PermissionDenied when opened read-only. OK says
  // that the bytes are on the device: a cache drops its own after that. It does not say it of what
  // a cache of the OS has and may yet fail to write.
  virtual void Write(absl::Span<DeviceWrite> writes) = 0;

  // As Write, but an OK only says that the device has taken the bytes: reads find them from then
  // on, and a crash may leave any part of them, in any order, until a Flush that began afterwards
  // is OK. By default what is written is durable at once.
  virtual void WriteCached(absl::Span<DeviceWrite> writes) { Write(writes); }

  // OK: all bytes that WriteCached had taken before this call began are durable. On an error all
  // that it has taken since the last OK Flush is to be taken as not written, also by later flushes,
  // and is to be written again: Unavailable, with the device's name and the OS's reason. Each
  // failure is told once, to the flushes that are under way when it happens or, where none is, to
  // the next one: threads that share a device share what its flushes say. What Write does is no
  // business of a flush. By default OK, which is right where Write is all that there is.
  virtual absl::Status Flush() { return absl::OkStatus(); }
};

// How a file is opened.
struct FileDeviceOptions {
  // For writing, by one writer at a time: see OpenFileDevice.
  bool writable = false;
  // Reads go past the page cache (O_DIRECT) where memory and offsets are multiples of 4096, as
  // those of extent buffers are. Writes never do: they go through it, to the device. What the page
  // cache has of a block device is dropped first where it is clean: the kernel that has one mounted
  // does not write through it, so that what it has may be old.
  bool direct = false;
  // Transfers that a batch may have under way at once, through io_uring; cached writes, and reads
  // that the page cache can answer, are not counted, and are made one after the other. 1: all are,
  // by preadv and pwritev, which is also what happens where the kernel or a sandbox has no io_uring.
  uint32_t queue_depth = 64;
};

// An image file or a block device. Reads of a batch that are neighbours on the device are one
// transfer, and so are writes. Each batch of Write ends with one fdatasync, and Flush is one; where
// that fails, all writes that it is about have failed (Unavailable), and so have those that other
// threads had under way, cached ones among them, because the kernel says it once and not of which.
// Files that know no fdatasync cannot be written by this.
//
// Opened for writing, it is one writer's: a block device is opened with O_EXCL, and an image file
// is locked (flock, exclusive), until the device is destroyed, in a child of a fork as well. Readers
// are not kept out. FailedPrecondition, with what it is, when another writer has it ("is open for
// writing by another program", which this one may be, too) or when FindDeviceUse would say that it
// is in use: mounted, perhaps by way of a loop device, a partition or device mapper. The look comes
// behind the lock. What it cannot see is what comes later: while a block device is open here nothing
// mounts it, but a loop device that reads an image file knows no lock, and may be made, and mounted,
// after the look. Nor do programs that write without a lock of that kind.
// Errors: NotFound, PermissionDenied, InvalidArgument (a directory, a pipe, no direct reads there),
// ResourceExhausted (memory is out), Unavailable, each with the path.
absl::StatusOr<std::unique_ptr<BlockDevice>> OpenFileDevice(const std::string& path,
                                                            FileDeviceOptions options = {});

}  // namespace ebcache

#endif  // EBCACHE_BLOCK_DEVICE_H_
