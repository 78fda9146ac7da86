#include "lib/capi/device_flushes.h"

#include <algorithm>
#include <utility>

namespace ebcache::capi {

uint64_t DeviceFlushes::failed() const {
  sync::MutexLock lock(mutex_);
  return failed_;
}

absl::Status DeviceFlushes::Sync(uint64_t failed_before, Callback flush) {
  const uint32_t self = sync::ThreadNumber();
  bool nested;
  {
    sync::UniqueLock<sync::Mutex> lock(mutex_);
    nested = taken_ && taken_by_ == self;
    while (taken_ && !nested) turn_ends_.wait(lock);
    taken_ = true;
    taken_by_ = self;
  }
  absl::Status status = flush();
  sync::MutexLock lock(mutex_);
  if (!status.ok()) {
    ++failed_;
    last_error_ = status;
  } else if (failed_ != failed_before) {
    status = last_error_;
  }
  if (!nested) {
    taken_ = false;
    turn_ends_.notify_one();
  }
  return status;
}

void DeviceFlushes::NoteCached(uint64_t failed_before) {
  sync::MutexLock lock(mutex_);
  noted_ = std::min(noted_, failed_before);
}

absl::Status DeviceFlushes::Flush(Callback flush) {
  uint64_t failed_before;
  {
    sync::MutexLock lock(mutex_);
    // What is noted from here on is another Flush's: whether this one still reaches it is not known.
    const uint64_t noted = std::exchange(noted_, kNothingNoted);
    failed_before = noted == kNothingNoted ? failed_ : noted;
  }
  return Sync(failed_before, flush);
}

}  // namespace ebcache::capi
