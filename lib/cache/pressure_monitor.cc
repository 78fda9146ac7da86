#include "ebcache/pressure_monitor.h"

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <utility>

#include "ebcache/background_threads.h"
#include "ebcache/buffer_cache.h"
#include "lib/base/check.h"

namespace ebcache {

namespace {

// A file descriptor that is closed when it goes.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { Reset(-1); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }
  void Reset(int fd) {
    if (ok()) close(fd_);
    fd_ = fd;
  }

 private:
  int fd_;
};

// Read anew from the front each time: that is how the kernel's files want it.
std::optional<uint64_t> ReadStallTime(int fd) {
  char text[512];
  const ssize_t bytes = pread(fd, text, sizeof text, 0);
  if (bytes <= 0) return std::nullopt;
  return ParseStallTime({text, static_cast<size_t>(bytes)});
}

absl::Status Check(const PressureMonitorOptions& options) {
  const auto percent = [](uint32_t value) { return value >= 1 && value <= 100; };
  if (!percent(options.stall_percent) || !percent(options.shrink_percent)) {
    return absl::InvalidArgumentError("PressureMonitorOptions: percentages go from 1 to 100");
  }
  if (options.window.count() < 1 || options.window > std::chrono::hours(1)) {
    return absl::InvalidArgumentError("PressureMonitorOptions: a window is 1 ms to an hour");
  }
  return absl::OkStatus();
}

}  // namespace

std::optional<uint64_t> ParseStallTime(std::string_view text) {
  // "some avg10=0.00 avg60=0.00 avg300=0.00 total=1234", and a line "full" of the same kind.
  const std::string_view line = text.substr(0, text.find('\n'));
  constexpr std::string_view kTotal = " total=";
  const size_t at = line.find(kTotal);
  if (!line.starts_with("some ") || at == std::string_view::npos) return std::nullopt;
  uint64_t total = 0;
  const char* end = line.data() + line.size();
  const auto parsed = std::from_chars(line.data() + at + kTotal.size(), end, total);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return total;
}

class PressureMonitor::Impl {
 public:
  Impl(BufferCache* cache, PressureMonitorOptions options)
      : cache_(cache),
        options_(std::move(options)),
        reading_(open(options_.path.c_str(), O_RDONLY | O_CLOEXEC)),
        trigger_(-1),
        stop_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        threads_(&mutex_, &unused_) {}

  // In a child of a fork there is no thread to stop, and the eventfd is the parent's.
  ~Impl() {
    threads_.End([this] {
      const uint64_t one = 1;
      EBCACHE_CHECK(write(stop_.get(), &one, sizeof one) == sizeof one, "an eventfd is full");
    });
  }

  absl::Status Start() {
    if (!reading_.ok()) {
      return absl::NotFoundError(absl::StrCat(options_.path, ": ", std::strerror(errno)));
    }
    if (!stop_.ok()) return absl::ResourceExhaustedError("no eventfd to be had");
    const auto stalled = ReadStallTime(reading_.get());
    if (!stalled.has_value()) {
      return absl::InvalidArgumentError(absl::StrCat(options_.path, ": not in the format of PSI"));
    }
    stalled_us_ = *stalled;
    ArmTrigger();
    const size_t begun = threads_.Begin(
        1, [] {}, [this] { Run(); });
    if (begun == 0) return absl::ResourceExhaustedError("the OS refuses a thread");
    return absl::OkStatus();
  }

  bool woken_by_kernel() const { return woken_by_kernel_.load(std::memory_order_relaxed); }
  uint64_t pressures() const { return pressures_.load(std::memory_order_relaxed); }
  uint64_t bytes_freed() const { return bytes_freed_.load(std::memory_order_relaxed); }
  uint64_t failures() const { return threads_.failures(); }

 private:
  uint64_t window_us() const {
    return static_cast<uint64_t>(std::chrono::microseconds(options_.window).count());
  }
  uint64_t limit_us() const { return window_us() * options_.stall_percent / 100; }

  // Asks the kernel to wake us. It may refuse (a kernel without triggers, no privileges, a window
  // it does not like); a file that is no kernel's is not written to.
  void ArmTrigger() {
    if (!options_.path.starts_with("/proc/") && !options_.path.starts_with("/sys/fs/cgroup/")) {
      return;
    }
    trigger_.Reset(open(options_.path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
    const std::string request = absl::StrCat("some ", limit_us(), " ", window_us());
    // With its terminating zero: the kernel overwrites the last byte.
    const auto bytes = static_cast<ssize_t>(request.size() + 1);
    const bool armed =
        trigger_.ok() && write(trigger_.get(), request.c_str(), request.size() + 1) == bytes;
    woken_by_kernel_.store(armed, std::memory_order_relaxed);
  }

  void Run() {
    pollfd wanted[2] = {{.fd = stop_.get(), .events = POLLIN, .revents = 0},
                        {.fd = trigger_.get(), .events = POLLPRI, .revents = 0}};
    for (bool armed = woken_by_kernel();;) {
      const int timeout = armed ? -1 : static_cast<int>(options_.window.count());
      const int ready = poll(wanted, armed ? 2 : 1, timeout);
      if (ready < 0) continue;  // interrupted
      if ((wanted[0].revents & POLLIN) != 0) return;
      if (!armed) {
        if (ready == 0) threads_.Work([this] { Look(); });
      } else if ((wanted[1].revents & POLLERR) != 0) {
        armed = false;  // the control group is gone
        woken_by_kernel_.store(false, std::memory_order_relaxed);
      } else if ((wanted[1].revents & POLLPRI) != 0) {
        threads_.Work([this] { Relieve(); });
      }
    }
  }

  // A window is over: was there pressure in it?
  void Look() {
    const auto stalled = ReadStallTime(reading_.get());
    if (!stalled.has_value()) return;  // once more in the next window
    const bool pressed = *stalled > stalled_us_ && *stalled - stalled_us_ >= limit_us();
    stalled_us_ = *stalled;
    if (pressed) Relieve();
  }

  void Relieve() {
    const uint64_t cached = cache_->stats().cached_bytes;
    // In this order, so that a large cache does not overflow.
    const uint64_t freed = cache_->Shrink(cached / 100 * options_.shrink_percent + 1);
    bytes_freed_.fetch_add(freed, std::memory_order_relaxed);
    pressures_.fetch_add(1, std::memory_order_relaxed);
  }

  BufferCache* const cache_;
  const PressureMonitorOptions options_;
  Descriptor reading_;
  Descriptor trigger_;  // none: the file is read once a window
  Descriptor stop_;
  uint64_t stalled_us_ = 0;  // as of the last look; the thread's own once it runs
  // Statistics: relaxed.
  std::atomic<uint64_t> pressures_{0};
  std::atomic<uint64_t> bytes_freed_{0};
  std::atomic<bool> woken_by_kernel_{false};
  sync::Mutex mutex_;  // the thread sleeps in poll, and needs neither
  sync::ConditionVariable unused_;
  BackgroundThreads threads_;  // last: one, which uses the others
};

PressureMonitor::PressureMonitor(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PressureMonitor::~PressureMonitor() = default;

absl::StatusOr<std::unique_ptr<PressureMonitor>> PressureMonitor::Start(
    BufferCache* cache, PressureMonitorOptions options) {
  if (auto status = Check(options); !status.ok()) return status;
  auto impl = std::make_unique<Impl>(cache, std::move(options));
  if (auto status = impl->Start(); !status.ok()) return status;
  return std::unique_ptr<PressureMonitor>(new PressureMonitor(std::move(impl)));
}

bool PressureMonitor::woken_by_kernel() const { return impl_->woken_by_kernel(); }
uint64_t PressureMonitor::pressures() const { return impl_->pressures(); }
uint64_t PressureMonitor::bytes_freed() const { return impl_->bytes_freed(); }
uint64_t PressureMonitor::failures() const { return impl_->failures(); }

}  // namespace ebcache
