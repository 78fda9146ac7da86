#include "lib/capi/callbacks.h"

#include <absl/strings/str_cat.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lib/base/status_number.h"
#include "lib/capi/errors.h"
#include "lib/capi/handles.h"

namespace ebcache::capi {
namespace {

// What a call of the callback `what` gave, with the block it is about.
template <typename Callback>
absl::Status Call(const ExtentBuffer& buffer, std::string_view what, Callback callback) {
  const CallbackWords words;
  const absl::Status status = words.StatusOf(callback(), what);
  if (status.ok()) return status;
  return Reworded(status, absl::StrCat("block ", buffer.start(), ": ", status.message()));
}

}  // namespace

absl::Status CallbackSource::Validate(const ExtentBuffer& buffer, const ParentCheck* check) {
  if (functions_.validate == nullptr) return absl::OkStatus();
  ebcache_check outside;
  if (check != nullptr) outside = Outside(*check);
  return Call(buffer, "validate", [&] {
    return functions_.validate(context_, Outside(&buffer), check != nullptr ? &outside : nullptr);
  });
}

void CallbackSource::Read(absl::Span<BlockRead> reads) {
  for (BlockRead& read : reads) {
    if (functions_.read == nullptr) {
      read.status = absl::FailedPreconditionError(
          absl::StrCat("block ", read.buffer->start(), ": the cache's source cannot read"));
      continue;
    }
    read.status =
        Call(*read.buffer, "read", [&] { return functions_.read(context_, Outside(read.buffer)); });
    read.damaged = !read.status.ok();  // whatever the reader expects
    if (read.status.ok()) read.status = Validate(*read.buffer, read.check);
  }
}

absl::Status CallbackSource::CheckParent(const ExtentBuffer& buffer, const ParentCheck& check) {
  return Validate(buffer, &check);
}

void CallbackSource::Write(absl::Span<BlockWrite> writes) {
  for (BlockWrite& write : writes) {
    if (functions_.write == nullptr) {
      write.status = absl::FailedPreconditionError(
          absl::StrCat("block ", write.buffer->start(), ": the cache's source cannot write"));
      continue;
    }
    write.status = Call(*write.buffer, "write",
                        [&] { return functions_.write(context_, Outside(write.buffer)); });
  }
}

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
