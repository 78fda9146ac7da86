// DeviceLog: what several devices were asked to write and to flush, in one order, and what a crash
// anywhere in it may leave.

#ifndef EBCACHE_TESTS_DEVICE_DEVICE_LOG_H_
#define EBCACHE_TESTS_DEVICE_DEVICE_LOG_H_

#include <absl/status/status.h>
#include <absl/types/span.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "tests/device/cow_image.h"

namespace ebcache::testing {

struct LogEntry {
  enum class Kind : uint8_t {
    kCached,       // a write by WriteCached
    kDurable,      // a write by Write
    kFlush,        // a flush that was OK
    kFailedFlush,  // what was cached and not flushed before it is never known to be durable
  };
  Kind kind;
  size_t device = 0;   // its number in the log
  uint64_t batch = 0;  // that of the call: writes of one call are under way together
  uint64_t offset = 0;
  std::shared_ptr<const std::vector<std::byte>> bytes = nullptr;  // null of flushes

  bool IsWrite() const { return kind == Kind::kCached || kind == Kind::kDurable; }
};

// A write of which only some sectors of 512 bytes arrived.
struct TornWrite {
  size_t entry = 0;
  std::vector<bool> arrived = {};  // by sector of the write; those beyond its end did not
};

// What had become of the entries when the crash came.
struct Crash {
  size_t entries = 0;  // the first so many had begun
  // Of these, writes that did not reach their devices. REQUIRES: all are of MayBeLost(entries).
  std::vector<size_t> lost = {};
  // REQUIRES: likewise.
  std::optional<TornWrite> torn = {};
};

// Something that a device is asked for.
struct DeviceEvent {
  enum class Kind : uint8_t { kRead, kWrite, kFlush };
  Kind kind;
  size_t device;
  uint64_t number;  // from 1, of its kind, of all devices; each transfer of a batch has its own
  uint64_t offset;  // 0 of a flush
};

// Thread safety: all methods, from any thread.
class DeviceLog {
 public:
  static constexpr uint64_t kSectorBytes = 512;

  // A device with these bytes; its number, from 0.
  size_t AddDevice(const CowImage& begin);

  // ---- What devices tell ------------------------------------------------------------------------

  // Whether it is to fail. Asked before anything is done.
  absl::Status Judge(DeviceEvent::Kind kind, size_t device, uint64_t offset);
  uint64_t NextBatch();
  void Append(LogEntry entry);

  // ---- What tests ask and want ------------------------------------------------------------------

  size_t size() const;
  LogEntry entry(size_t i) const;
  // Events of a kind so far.
  uint64_t count(DeviceEvent::Kind kind) const;

  // Event number `n` of a kind from now on fails, counting from 1; Unavailable. Takes the place of
  // what was asked for before; 0: none.
  void FailNth(DeviceEvent::Kind kind, uint64_t n);
  // The same, as the function says: OK for those that do not fail. Called one at a time; it must
  // not use the log.
  void FailBy(std::function<absl::Status(const DeviceEvent&)> judge);

  // The writes among the first `entries` of which a crash then may leave all, nothing, or some
  // sectors: those cached ones that no flush of their device has made durable, and those of the
  // call of Write that was under way.
  std::vector<size_t> MayBeLost(size_t entries) const;

  // What each device has after the crash. Breaking a REQUIRES is a failed check.
  std::vector<CowImage> After(const Crash& crash) const;

 private:
  std::vector<size_t> MayBeLostLocked(size_t entries) const;

  mutable std::mutex mutex_;  // guards all that follows
  std::vector<CowImage> begin_;
  std::vector<LogEntry> entries_;
  uint64_t batches_ = 0;
  std::array<uint64_t, 3> counts_{};  // by kind of event
  std::function<absl::Status(const DeviceEvent&)> judge_;
};

}  // namespace ebcache::testing

#endif  // EBCACHE_TESTS_DEVICE_DEVICE_LOG_H_
