#include "lib/capi/callback_device.h"

#include <absl/strings/str_cat.h>

#include <cstdint>
#include <new>
#include <utility>

#include "lib/capi/errors.h"
#include "lib/capi/structs.h"

namespace ebcache::capi {
namespace {

absl::Status CheckRange(uint64_t offset, uint64_t bytes, uint64_t device_bytes) {
  if (offset <= device_bytes && bytes <= device_bytes - offset) return absl::OkStatus();
  return absl::OutOfRangeError(absl::StrCat("beyond the end of the device at ", offset));
}

absl::Status NotWritable() { return absl::PermissionDeniedError("opened read-only"); }

}  // namespace

CallbackDevice::CallbackDevice(const ebcache_device& device)
    : device_(device), name_(device.name != nullptr ? device.name : "device") {}

CallbackDevice::~CallbackDevice() {
  if (armed_ && device_.close != nullptr) device_.close(device_.context);
}

absl::Status CallbackDevice::ReadOne(DeviceRead& read) {
  uint64_t offset = read.offset;
  for (absl::Span<std::byte> segment : read.segments) {
    absl::Status status = CheckRange(offset, segment.size(), device_.bytes);
    if (!status.ok()) return status;
    const CallbackWords words;
    const int result = device_.read(device_.context, offset, segment.data(), segment.size());
    status = words.StatusOf(result, "read");
    if (!status.ok()) return status;
    offset += segment.size();
  }
  return absl::OkStatus();
}

void CallbackDevice::Read(absl::Span<DeviceRead> reads) {
  for (DeviceRead& read : reads) read.status = ReadOne(read);
}

absl::Status CallbackDevice::WriteOne(const DeviceWrite& write) {
  uint64_t offset = write.offset;
  for (const absl::Span<const std::byte> segment : write.segments) {
    absl::Status status = CheckRange(offset, segment.size(), device_.bytes);
    if (!status.ok()) return status;
    const CallbackWords words;
    const int result = device_.write(device_.context, offset, segment.data(), segment.size());
    status = words.StatusOf(result, "write");
    if (!status.ok()) return status;
    offset += segment.size();
  }
  return absl::OkStatus();
}

bool CallbackDevice::Take(absl::Span<DeviceWrite> writes) {
  bool any = false;
  for (DeviceWrite& write : writes) {
    write.status = writable() ? WriteOne(write) : NotWritable();
    any |= write.status.ok();
  }
  return any;
}

void CallbackDevice::Write(absl::Span<DeviceWrite> writes) {
  const uint64_t failed_before = flushes_.failed();
  if (!Take(writes)) return;
  const absl::Status flushed = flushes_.Sync(failed_before, [this] { return CallFlush(); });
  if (flushed.ok()) return;
  for (DeviceWrite& write : writes) {
    if (write.status.ok()) write.status = flushed;
  }
}

void CallbackDevice::WriteCached(absl::Span<DeviceWrite> writes) {
  const uint64_t failed_before = flushes_.failed();
  if (Take(writes)) flushes_.NoteCached(failed_before);
}

absl::Status CallbackDevice::Flush() {
  if (!writable()) return absl::OkStatus();  // it has taken nothing
  return flushes_.Flush([this] { return CallFlush(); });
}

// Where there is no memory for the error, it is one all the same.
absl::Status CallbackDevice::CallFlush() noexcept {
  try {
    const CallbackWords words;
    return words.StatusOf(device_.flush(device_.context), "flush");
  } catch (const std::bad_alloc&) {
    return absl::Status(absl::StatusCode::kResourceExhausted, "");
  }
}

int MakeDevices(const ebcache_device* const* devices, size_t count, bool writable,
                std::vector<std::unique_ptr<CallbackDevice>>& made) {
  if (const int error = CheckList(devices, count, "devices"); error != 0) return error;
  for (size_t i = 0; i < count; ++i) {
    ebcache_device full;
    const std::string name = absl::StrCat("devices[", i, "]");
    if (const int error = CopyIn(devices[i], full, name.c_str()); error != 0) return error;
    if (full.read == nullptr) return NullArgument(name + "->read");
    if (writable && full.write == nullptr) return NullArgument(name + "->write");
    if (writable && full.flush == nullptr) return NullArgument(name + "->flush");
    made.push_back(std::make_unique<CallbackDevice>(full));
  }
  return 0;
}

}  // namespace ebcache::capi
