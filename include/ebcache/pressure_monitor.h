// PressureMonitor: gives a cache's memory back when the machine is short of it.
//
// The kernel says how long tasks were held up for lack of memory (PSI: /proc/pressure/memory).
// While they are, for more than a share of each window of time, the monitor shrinks the cache by a
// share of what it holds. Where the kernel lets it, it asks to be woken (a PSI trigger); elsewhere
// it reads the file once a window.
//
// Thread safety: all methods, from any thread.

#ifndef EBCACHE_PRESSURE_MONITOR_H_
#define EBCACHE_PRESSURE_MONITOR_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace ebcache {

class BufferCache;

// What counts as pressure, and what is done about it.
struct PressureMonitorOptions {
  // A file in the format of PSI. A control group's memory.pressure will do as well.
  std::string path = "/proc/pressure/memory";
  // The kernel takes windows from half a second to ten seconds; without privileges, two seconds and
  // multiples of it.
  std::chrono::milliseconds window{2000};
  // Tasks held up for this part of a window are pressure. 1 to 100.
  uint32_t stall_percent = 5;
  // How much of what is cached goes for each window with pressure. 1 to 100.
  uint32_t shrink_percent = 10;
};

class PressureMonitor {
 public:
  // Starts a thread that watches. The cache must outlive the monitor.
  // Errors: NotFound (no such file: the kernel has no PSI), InvalidArgument (options out of range,
  // or the file is not of that kind), ResourceExhausted (no thread to be had).
  static absl::StatusOr<std::unique_ptr<PressureMonitor>> Start(BufferCache* cache,
                                                                PressureMonitorOptions options);
  // Stops the thread. A child of a fork has no thread, watches nothing, and does not disturb that
  // of its parent.
  ~PressureMonitor();
  PressureMonitor(const PressureMonitor&) = delete;
  PressureMonitor& operator=(const PressureMonitor&) = delete;

  // Whether the kernel wakes the monitor, rather than the monitor reading the file.
  bool woken_by_kernel() const;
  // Windows with pressure so far, and bytes of payload that went because of it.
  uint64_t pressures() const;
  uint64_t bytes_freed() const;
  // Windows in which the thread was stopped short by an exception, of a memory's Free perhaps. It
  // goes on with the next.
  uint64_t failures() const;

 private:
  class Impl;
  explicit PressureMonitor(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

// The total time, in microseconds, that some task was held up, from a file in the format of PSI;
// nothing when the text is not of that kind.
std::optional<uint64_t> ParseStallTime(std::string_view text);

}  // namespace ebcache

#endif  // EBCACHE_PRESSURE_MONITOR_H_
