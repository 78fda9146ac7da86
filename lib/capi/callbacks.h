// The caller's C functions, as what the library takes: a BlockSource and a BlockDevice.

#ifndef EBCACHE_LIB_CAPI_CALLBACKS_H_
#define EBCACHE_LIB_CAPI_CALLBACKS_H_

#include <absl/status/status.h>
#include <absl/types/span.h>

#include <string>

#include "ebcache/block_device.h"
#include "ebcache/buffer_cache.h"
#include "ebcache/ebcache.h"

namespace ebcache::capi {

class CallbackSource final : public BlockSource {
 public:
  CallbackSource(const ebcache_source& functions, void* context)
      : functions_(functions), context_(context) {}

  void Read(absl::Span<BlockRead> reads) override;
  absl::Status CheckParent(const ExtentBuffer& buffer, const ParentCheck& check) override;
  void Write(absl::Span<BlockWrite> writes) override;

 private:
  absl::Status Validate(const ExtentBuffer& buffer, const ParentCheck* check);

  const ebcache_source functions_;
  void* const context_;
};

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

#endif  // EBCACHE_LIB_CAPI_CALLBACKS_H_
