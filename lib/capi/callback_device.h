// A device of the caller's: C functions, as the BlockDevice that the library takes.

#ifndef EBCACHE_LIB_CAPI_CALLBACK_DEVICE_H_
#define EBCACHE_LIB_CAPI_CALLBACK_DEVICE_H_

#include <absl/status/status.h>
#include <absl/types/span.h>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "ebcache/block_device.h"
#include "ebcache/ebcache.h"
#include "lib/capi/device_flushes.h"

namespace ebcache::capi {

class CallbackDevice final : public BlockDevice {
 public:
  explicit CallbackDevice(const ebcache_device& device);
  ~CallbackDevice() override;

  // From here on the device is this object's to close.
  void Arm() { armed_ = true; }

  const std::string& name() const override { return name_; }
  uint64_t size_bytes() const override { return device_.bytes; }
  void Read(absl::Span<DeviceRead> reads) override;
  // PermissionDenied, where the device has not both functions that writing takes.
  void Write(absl::Span<DeviceWrite> writes) override;
  void WriteCached(absl::Span<DeviceWrite> writes) override;
  absl::Status Flush() override;

 private:
  bool writable() const { return device_.write != nullptr && device_.flush != nullptr; }
  absl::Status ReadOne(DeviceRead& read);
  absl::Status WriteOne(const DeviceWrite& write);
  // Has the device take them all; whether it has taken any.
  bool Take(absl::Span<DeviceWrite> writes);
  absl::Status CallFlush() noexcept;

  const ebcache_device device_;
  const std::string name_;
  DeviceFlushes flushes_;
  bool armed_ = false;
};

// The devices of a caller, for reading or for writing as well: 0, or a negative errno.
int MakeDevices(const ebcache_device* const* devices, size_t count, bool writable,
                std::vector<std::unique_ptr<CallbackDevice>>& made);

}  // namespace ebcache::capi

#endif  // EBCACHE_LIB_CAPI_CALLBACK_DEVICE_H_
