// BlockDevice: where bytes are read from and written to, by physical offset.
//
// Reads come in batches, straight into the memory of the buffers that want them, so that a device
// can have many under way at once.
//
// Thread safety: all methods may be called from any thread.

#ifndef EBCACHE_BLOCK_DEVICE_H_
#define EBCACHE_BLOCK_DEVICE_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "ebcache/extent_buffer.h"

namespace ebcache {

// One transfer: `offset` on the device; the pieces of memory, in order; how it went.
struct DeviceRead {
  uint64_t offset = 0;
  ExtentBuffer::MutableSegments segments;
  absl::Status status;
};
// The same for a write.
struct DeviceWrite {
  uint64_t offset = 0;
  ExtentBuffer::Segments segments;
  absl::Status status;
};

class BlockDevice {
 public:
  virtual ~BlockDevice() = default;

  // What error messages call it: the path it was opened by.
  virtual const std::string& name() const = 0;

  // Size in bytes. Constant while open.
  virtual uint64_t size_bytes() const = 0;

  // Does all of `reads`, in any order, and sets each status: OK when every byte arrived; OutOfRange
  // when the range is not on the device; else the OS's reason (Unavailable, with errno's text).
  virtual void Read(absl::Span<DeviceRead> reads) = 0;

  // Writes likewise. PermissionDenied when opened read-only.
  virtual void Write(absl::Span<DeviceWrite> writes) = 0;
};

// How a file is opened.
struct FileDeviceOptions {
  bool writable = false;
};

// An image file or a block device, by preadv and pwritev.
// Errors: NotFound, PermissionDenied, InvalidArgument (a directory, a pipe), each with the path.
absl::StatusOr<std::unique_ptr<BlockDevice>> OpenFileDevice(const std::string& path,
                                                            FileDeviceOptions options = {});

}  // namespace ebcache

#endif  // EBCACHE_BLOCK_DEVICE_H_
