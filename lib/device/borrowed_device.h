// BorrowedDevice: a device that outlives the filesystem that is opened on it.

#ifndef EBCACHE_LIB_DEVICE_BORROWED_DEVICE_H_
#define EBCACHE_LIB_DEVICE_BORROWED_DEVICE_H_

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "ebcache/block_device.h"

namespace ebcache {

// Thread safety: that of the device behind it, which is borrowed.
class BorrowedDevice final : public BlockDevice {
 public:
  explicit BorrowedDevice(BlockDevice* behind) : behind_(*behind) {}

  const std::string& name() const override { return behind_.name(); }
  uint64_t size_bytes() const override { return behind_.size_bytes(); }
  void Read(absl::Span<DeviceRead> reads) override { behind_.Read(reads); }
  void ReadEach(absl::Span<DeviceRead> reads, absl::FunctionRef<void(size_t)> done) override {
    behind_.ReadEach(reads, done);
  }
  void Write(absl::Span<DeviceWrite> writes) override { behind_.Write(writes); }
  void WriteCached(absl::Span<DeviceWrite> writes) override { behind_.WriteCached(writes); }
  absl::Status Flush() override { return behind_.Flush(); }

 private:
  BlockDevice& behind_;
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_DEVICE_BORROWED_DEVICE_H_
