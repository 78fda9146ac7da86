#include "tests/device/recording_device.h"

#include <absl/strings/str_cat.h>

#include <memory>
#include <utility>
#include <vector>

#include "lib/device/transfer_range.h"

namespace ebcache::testing {

RecordingDevice::RecordingDevice(std::string name, CowImage image, DeviceLog* log)
    : name_(std::move(name)),
      log_(log),
      size_bytes_(image.size_bytes()),
      number_(log != nullptr ? log->AddDevice(image) : 0),
      image_(std::move(image)) {}

CowImage RecordingDevice::image() const {
  std::lock_guard lock(mutex_);
  return image_;
}

void RecordingDevice::Read(absl::Span<DeviceRead> reads) {
  std::lock_guard lock(mutex_);
  for (DeviceRead& read : reads) {
    read.status = CheckTransferRange(read.offset, read.segments, size_bytes_);
    if (read.status.ok() && log_ != nullptr) {
      read.status = log_->Judge(DeviceEvent::Kind::kRead, number_, read.offset);
    }
    if (!read.status.ok()) continue;
    uint64_t offset = read.offset;
    for (const absl::Span<std::byte> segment : read.segments) {
      image_.Read(offset, segment);
      offset += segment.size();
    }
  }
}

void RecordingDevice::Write(absl::Span<DeviceWrite> writes) {
  WriteAs(LogEntry::Kind::kDurable, writes);
}

void RecordingDevice::WriteCached(absl::Span<DeviceWrite> writes) {
  WriteAs(LogEntry::Kind::kCached, writes);
}

void RecordingDevice::WriteAs(LogEntry::Kind kind, absl::Span<DeviceWrite> writes) {
  std::lock_guard lock(mutex_);
  const uint64_t batch = log_ != nullptr ? log_->NextBatch() : 0;
  for (DeviceWrite& write : writes) {
    write.status = CheckTransferRange(write.offset, write.segments, size_bytes_);
    if (write.status.ok() && log_ != nullptr) {
      write.status = log_->Judge(DeviceEvent::Kind::kWrite, number_, write.offset);
    }
    if (!write.status.ok()) continue;
    std::vector<std::byte> bytes;
    for (const auto& segment : write.segments) {
      bytes.insert(bytes.end(), segment.begin(), segment.end());
    }
    const auto shared = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
    image_.WriteShared(write.offset, shared);
    if (log_ == nullptr) continue;
    log_->Append(
        {.kind = kind, .device = number_, .batch = batch, .offset = write.offset, .bytes = shared});
  }
}

absl::Status RecordingDevice::Flush() {
  if (log_ == nullptr) return absl::OkStatus();
  std::lock_guard lock(mutex_);
  absl::Status status = log_->Judge(DeviceEvent::Kind::kFlush, number_, 0);
  log_->Append({.kind = status.ok() ? LogEntry::Kind::kFlush : LogEntry::Kind::kFailedFlush,
                .device = number_,
                .batch = log_->NextBatch()});
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(name_, ": ", status.message()));
}

}  // namespace ebcache::testing
