// CommittedState: what a volume says is on disk, which each commit changes beside the readers.
//
// Thread safety: all methods, from any thread.

#ifndef EBCACHE_LIB_VOLUME_COMMITTED_STATE_H_
#define EBCACHE_LIB_VOLUME_COMMITTED_STATE_H_

#include <cstddef>
#include <mutex>
#include <utility>
#include <vector>

#include "ebcache/fork.h"
#include "ebcache/internal/sync.h"
#include "ebcache/on_disk.h"

namespace ebcache {

class CommittedState {
 public:
  // `items` are those of the open devices' superblocks.
  CommittedState(Superblock superblock, std::vector<DeviceItem> items)
      : superblock_(std::move(superblock)),
        items_(std::move(items)),
        at_fork_(
            // The lock is held over the fork: the two are halves of one function.
            ForkHandler::Phase::kLocks,
            [this]() EBCACHE_NO_THREAD_SAFETY_ANALYSIS { mutex_.lock(); },
            [this](bool) EBCACHE_NO_THREAD_SAFETY_ANALYSIS { mutex_.unlock(); }) {}
  CommittedState(const CommittedState&) = delete;
  CommittedState& operator=(const CommittedState&) = delete;

  Superblock superblock() const {
    sync::MutexLock lock(mutex_);
    return superblock_;
  }
  std::vector<DeviceItem> items() const {
    sync::MutexLock lock(mutex_);
    return items_;
  }

  // Need no memory, and so cannot fail: what they say is on disk by now.
  void Publish(Superblock&& next) noexcept {
    sync::MutexLock lock(mutex_);
    superblock_ = std::move(next);
  }
  // REQUIRES: as many devices as there are items.
  void SetItem(size_t device, const DeviceItem& item) noexcept {
    sync::MutexLock lock(mutex_);
    items_[device] = item;
  }

 private:
  mutable sync::Mutex mutex_;
  Superblock superblock_ EBCACHE_GUARDED_BY(mutex_);
  std::vector<DeviceItem> items_ EBCACHE_GUARDED_BY(mutex_);
  ForkHandler at_fork_;  // last: it uses the others
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_VOLUME_COMMITTED_STATE_H_
