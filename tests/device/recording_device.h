// RecordingDevice: a device made of memory that writes down what it is asked to write and to flush.

#ifndef EBCACHE_TESTS_DEVICE_RECORDING_DEVICE_H_
#define EBCACHE_TESTS_DEVICE_RECORDING_DEVICE_H_

#include <absl/status/status.h>
#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>

#include "ebcache/block_device.h"
#include "tests/device/cow_image.h"
#include "tests/device/device_log.h"

namespace ebcache::testing {

// Reads find what was written, cached or not, as those of a device do that goes on. A transfer that
// was made to fail has done nothing; one of a flush has lost nothing that reads would find. Without
// a log, nothing is written down and nothing fails: what a crash left, to be opened and used.
//
// Thread safety: all methods from any thread.
class RecordingDevice : public BlockDevice {
 public:
  // `log` is borrowed, and gets the device.
  RecordingDevice(std::string name, CowImage image, DeviceLog* log = nullptr);

  // What reads find.
  CowImage image() const;
  // In the log.
  size_t number() const { return number_; }

  const std::string& name() const override { return name_; }
  uint64_t size_bytes() const override { return size_bytes_; }
  void Read(absl::Span<DeviceRead> reads) override;
  void Write(absl::Span<DeviceWrite> writes) override;
  void WriteCached(absl::Span<DeviceWrite> writes) override;
  absl::Status Flush() override;

 private:
  void WriteAs(LogEntry::Kind kind, absl::Span<DeviceWrite> writes);

  const std::string name_;
  DeviceLog* const log_;
  const uint64_t size_bytes_;
  const size_t number_;
  // Over an event and its entry: the log has them in the order in which reads find them.
  mutable std::mutex mutex_;
  CowImage image_;
};

}  // namespace ebcache::testing

#endif  // EBCACHE_TESTS_DEVICE_RECORDING_DEVICE_H_
