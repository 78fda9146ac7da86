#include "lib/capi/callback_device.h"

#include <absl/strings/str_cat.h>

#include "lib/capi/errors.h"

namespace ebcache::capi {

CallbackDevice::CallbackDevice(const ebcache_device& device)
    : device_(device), name_(device.name != nullptr ? device.name : "device") {}

CallbackDevice::~CallbackDevice() {
  if (armed_ && device_.close != nullptr) device_.close(device_.context);
}

absl::Status CallbackDevice::ReadOne(DeviceRead& read) {
  uint64_t offset = read.offset;
  for (absl::Span<std::byte> segment : read.segments) {
    if (offset > device_.bytes || segment.size() > device_.bytes - offset) {
      return absl::OutOfRangeError(absl::StrCat("beyond the end of the device at ", offset));
    }
    const CallbackWords words;
    const int result = device_.read(device_.context, offset, segment.data(), segment.size());
    if (absl::Status status = words.StatusOf(result, "read"); !status.ok()) return status;
    offset += segment.size();
  }
  return absl::OkStatus();
}

void CallbackDevice::Read(absl::Span<DeviceRead> reads) {
  for (DeviceRead& read : reads) read.status = ReadOne(read);
}

void CallbackDevice::Write(absl::Span<DeviceWrite> writes) {
  for (DeviceWrite& write : writes) write.status = absl::PermissionDeniedError("opened read-only");
}

}  // namespace ebcache::capi
