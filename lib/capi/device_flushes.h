// DeviceFlushes: whose failure a failed flush of a caller's device is.
//
// What the device has taken since its last good flush is lost with one that fails, whichever thread
// wrote it and whichever asked. So a failure is that of all threads that had written by then and had
// not been told yet that all is well, as with files (lib/device/file_syncer.h).
//
// Thread safety: all methods, from any thread.

#ifndef EBCACHE_LIB_CAPI_DEVICE_FLUSHES_H_
#define EBCACHE_LIB_CAPI_DEVICE_FLUSHES_H_

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>

#include <cstdint>
#include <limits>

#include "ebcache/internal/sync.h"

namespace ebcache::capi {

class DeviceFlushes {
 public:
  using Callback = absl::FunctionRef<absl::Status()>;

  // How often one has failed. To be asked before the first byte is written that Sync or NoteCached is
  // to be about.
  uint64_t failed() const;

  // Has the device flush. OK: what the caller has written since `failed_before` is durable.
  absl::Status Sync(uint64_t failed_before, Callback flush);

  // Bytes have been written since `failed_before` that a Flush is to be about.
  void NoteCached(uint64_t failed_before);
  // As Sync, for all that was noted before this call and that no Flush has been about yet.
  absl::Status Flush(Callback flush);

 private:
  static constexpr uint64_t kNothingNoted = std::numeric_limits<uint64_t>::max();

  mutable sync::Mutex mutex_;  // never held while the device is asked
  sync::ConditionVariable turn_ends_;
  // The thread whose turn it is to ask: one at a time, so that a failure is counted before the next
  // is told that all is well. Its own callback may have the library flush again.
  bool taken_ EBCACHE_GUARDED_BY(mutex_) = false;
  uint32_t taken_by_ EBCACHE_GUARDED_BY(mutex_) = 0;
  uint64_t failed_ EBCACHE_GUARDED_BY(mutex_) = 0;
  absl::Status last_error_ EBCACHE_GUARDED_BY(mutex_);
  // The least `failed_before` that was noted since the last Flush began.
  uint64_t noted_ EBCACHE_GUARDED_BY(mutex_) = kNothingNoted;
};

}  // namespace ebcache::capi

#endif  // EBCACHE_LIB_CAPI_DEVICE_FLUSHES_H_
