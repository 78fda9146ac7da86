#include "tests/device/device_log.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "lib/base/check.h"

namespace ebcache::testing {

size_t DeviceLog::AddDevice(const CowImage& begin) {
  std::lock_guard lock(mutex_);
  begin_.push_back(begin);
  return begin_.size() - 1;
}

absl::Status DeviceLog::Judge(DeviceEvent::Kind kind, size_t device, uint64_t offset) {
  std::lock_guard lock(mutex_);
  const uint64_t number = ++counts_[static_cast<size_t>(kind)];
  if (!judge_) return absl::OkStatus();
  return judge_({.kind = kind, .device = device, .number = number, .offset = offset});
}

uint64_t DeviceLog::NextBatch() {
  std::lock_guard lock(mutex_);
  return ++batches_;
}

void DeviceLog::Append(LogEntry entry) {
  std::lock_guard lock(mutex_);
  entries_.push_back(std::move(entry));
}

size_t DeviceLog::size() const {
  std::lock_guard lock(mutex_);
  return entries_.size();
}

LogEntry DeviceLog::entry(size_t i) const {
  std::lock_guard lock(mutex_);
  return entries_[i];
}

uint64_t DeviceLog::count(DeviceEvent::Kind kind) const {
  std::lock_guard lock(mutex_);
  return counts_[static_cast<size_t>(kind)];
}

void DeviceLog::FailNth(DeviceEvent::Kind kind, uint64_t n) {
  if (n == 0) return FailBy(nullptr);
  FailBy([kind, number = count(kind) + n](const DeviceEvent& event) {
    if (event.kind != kind || event.number != number) return absl::OkStatus();
    return absl::UnavailableError(absl::StrCat("injected failure of event ", number));
  });
}

void DeviceLog::FailBy(std::function<absl::Status(const DeviceEvent&)> judge) {
  std::lock_guard lock(mutex_);
  judge_ = std::move(judge);
}

std::vector<size_t> DeviceLog::MayBeLost(size_t entries) const {
  std::lock_guard lock(mutex_);
  return MayBeLostLocked(entries);
}

std::vector<size_t> DeviceLog::MayBeLostLocked(size_t entries) const {
  EBCACHE_CHECK(entries <= entries_.size(), "a crash is beyond the end of the log");
  // Backwards: of each device, what the next flush behind an entry said.
  enum class Next : uint8_t { kNone, kFlushed, kFailed };
  std::vector<Next> next(begin_.size(), Next::kNone);
  std::vector<size_t> lost;
  for (size_t i = entries; i-- > 0;) {
    const LogEntry& entry = entries_[i];
    switch (entry.kind) {
      case LogEntry::Kind::kFlush:
        next[entry.device] = Next::kFlushed;
        break;
      case LogEntry::Kind::kFailedFlush:
        next[entry.device] = Next::kFailed;
        break;
      case LogEntry::Kind::kCached:
        if (next[entry.device] != Next::kFlushed) lost.push_back(i);
        break;
      case LogEntry::Kind::kDurable:
        if (entry.batch == entries_[entries - 1].batch) lost.push_back(i);
        break;
    }
  }
  std::reverse(lost.begin(), lost.end());
  return lost;
}

std::vector<CowImage> DeviceLog::After(const Crash& crash) const {
  std::lock_guard lock(mutex_);
  const std::vector<size_t> may_be_lost = MayBeLostLocked(crash.entries);
  const auto check = [&](size_t entry) {
    EBCACHE_CHECK(std::binary_search(may_be_lost.begin(), may_be_lost.end(), entry),
                  "a crash loses what was durable");
  };
  std::vector<bool> lost(crash.entries);
  for (const size_t entry : crash.lost) {
    check(entry);
    lost[entry] = true;
  }
  if (crash.torn) check(crash.torn->entry);
  std::vector<CowImage> images = begin_;
  for (size_t i = 0; i < crash.entries; ++i) {
    const LogEntry& entry = entries_[i];
    if (!entry.IsWrite() || lost[i]) continue;
    CowImage& image = images[entry.device];
    if (!crash.torn || crash.torn->entry != i) {
      image.WriteShared(entry.offset, entry.bytes);
      continue;
    }
    const absl::Span<const std::byte> bytes = *entry.bytes;
    for (size_t sector = 0; sector < crash.torn->arrived.size(); ++sector) {
      const uint64_t from = sector * kSectorBytes;
      if (!crash.torn->arrived[sector] || from >= bytes.size()) continue;
      image.Write(entry.offset + from, bytes.subspan(from, kSectorBytes));
    }
  }
  return images;
}

}  // namespace ebcache::testing
