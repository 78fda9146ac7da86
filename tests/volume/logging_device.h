// A device that keeps a log of what it was asked to write and when it was flushed, with others'.

#ifndef EBCACHE_TESTS_VOLUME_LOGGING_DEVICE_H_
#define EBCACHE_TESTS_VOLUME_LOGGING_DEVICE_H_

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <absl/types/span.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ebcache/block_device.h"

namespace ebcache::testing {

struct DeviceLog {
  // "disk1.img write 65536", "disk1.img cached 67108864", "disk1.img flush"
  std::vector<std::string> events;
  std::map<std::string, absl::Status> flush_errors;  // by name of the device
  // Called first in each call of these; may throw.
  std::function<void()> on_call;

  // What is in the log, which is empty afterwards.
  std::vector<std::string> Take() { return std::exchange(events, {}); }
};

// Thread safety: one thread for all devices of a log.
class LoggingDevice : public BlockDevice {
 public:
  LoggingDevice(std::unique_ptr<BlockDevice> device, DeviceLog* log)
      : device_(std::move(device)), log_(log) {}

  const std::string& name() const override { return device_->name(); }
  uint64_t size_bytes() const override { return device_->size_bytes(); }
  void Read(absl::Span<DeviceRead> reads) override { device_->Read(reads); }
  void Write(absl::Span<DeviceWrite> writes) override {
    Log("write", writes);
    device_->Write(writes);
  }
  void WriteCached(absl::Span<DeviceWrite> writes) override {
    Log("cached", writes);
    device_->WriteCached(writes);
  }
  absl::Status Flush() override {
    if (log_->on_call) log_->on_call();
    log_->events.push_back(absl::StrCat(name(), " flush"));
    const auto error = log_->flush_errors.find(name());
    return error != log_->flush_errors.end() ? error->second : device_->Flush();
  }

 private:
  void Log(const char* what, absl::Span<DeviceWrite> writes) {
    if (log_->on_call) log_->on_call();
    for (const DeviceWrite& write : writes) {
      log_->events.push_back(absl::StrCat(name(), " ", what, " ", write.offset));
    }
  }

  const std::unique_ptr<BlockDevice> device_;
  DeviceLog* const log_;
};

// For TestVolume::Shape::wrap. The log must outlive the volume.
inline std::function<std::unique_ptr<BlockDevice>(std::unique_ptr<BlockDevice>)> LogTo(
    DeviceLog* log) {
  return [log](std::unique_ptr<BlockDevice> device) {
    return std::make_unique<LoggingDevice>(std::move(device), log);
  };
}

}  // namespace ebcache::testing

#endif  // EBCACHE_TESTS_VOLUME_LOGGING_DEVICE_H_
