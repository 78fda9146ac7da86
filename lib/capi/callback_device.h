// CallbackDevice: a BlockDevice made of the caller's C functions.

#ifndef EBCACHE_LIB_CAPI_CALLBACK_DEVICE_H_
#define EBCACHE_LIB_CAPI_CALLBACK_DEVICE_H_

#include <string>

#include "ebcache/block_device.h"
#include "ebcache/ebcache.h"

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
  void Write(absl::Span<DeviceWrite> writes) override;

 private:
  absl::Status ReadOne(DeviceRead& read);

  const ebcache_device device_;
  const std::string name_;
  bool armed_ = false;
};

}  // namespace ebcache::capi

#endif  // EBCACHE_LIB_CAPI_CALLBACK_DEVICE_H_
