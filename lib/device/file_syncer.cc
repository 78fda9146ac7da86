#include "lib/device/file_syncer.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace ebcache {

FileSyncer::FileSyncer(int fd)
    : fd_(fd),
      // Not taken before a fork, which would then wait for the device. In a child the thread that
      // would give it back is gone.
      at_fork_(
          ForkHandler::Phase::kLocks, [] {},
          [this](bool in_child) {
            if (in_child) taken_.store(0, std::memory_order_relaxed);
          }) {}

int FileSyncer::Sync(uint32_t failed_before) {
  // One at a time: a failure must have been counted before the next thread asks the kernel, which
  // may have told the first of what was the next one's.
  while (taken_.exchange(1, std::memory_order_acquire) != 0) {
    taken_.wait(1, std::memory_order_relaxed);
  }
  int error = 0;
  do {
    error = fdatasync(fd_) == 0 ? 0 : errno;
  } while (error == EINTR);
  if (error != 0) {
    last_error_ = error;
    failed_.fetch_add(1, std::memory_order_release);
  } else if (failed_.load(std::memory_order_relaxed) != failed_before) {
    error = last_error_;
  }
  taken_.store(0, std::memory_order_release);
  taken_.notify_one();
  return error;
}

void FileSyncer::NoteCached(uint32_t failed_before) {
  uint64_t noted = noted_.load(std::memory_order_relaxed);
  while (failed_before < noted &&
         !noted_.compare_exchange_weak(noted, failed_before, std::memory_order_relaxed)) {
  }
}

int FileSyncer::Flush() {
  // What is noted from here on is another Flush's: whether this one still reaches it is not known.
  const uint64_t noted = noted_.exchange(kNothingNoted, std::memory_order_relaxed);
  return Sync(noted == kNothingNoted ? failed() : static_cast<uint32_t>(noted));
}

}  // namespace ebcache
