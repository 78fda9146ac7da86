#include "lib/cache/background_reclaim.h"

#include <utility>

namespace ebcache {

BackgroundReclaim::BackgroundReclaim(std::function<bool()> step)
    : step_(std::move(step)), threads_(&mutex_, &changed_) {
  threads_.Begin(
      1, [] {}, [this] { Run(); });
}

BackgroundReclaim::~BackgroundReclaim() {
  threads_.End([this] {
    {
      sync::UniqueLock lock(mutex_);
      stopping_.store(true, std::memory_order_relaxed);
    }
    changed_.notify_one();
  });
}

void BackgroundReclaim::Wake() {
  // Release, and acquire in Run: where a wake is wanted already, what this thread did before is seen by the steps
  // that answer it.
  if (wanted_.exchange(true, std::memory_order_release)) return;
  {
    sync::MutexLock lock(mutex_);
    woken_ = true;
  }
  changed_.notify_one();
}

void BackgroundReclaim::Run() {
  sync::UniqueLock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this]() EBCACHE_REQUIRES(mutex_) {
      return woken_ || stopping_.load(std::memory_order_relaxed);
    });
    if (stopping_.load(std::memory_order_relaxed)) return;
    woken_ = false;
    lock.unlock();
    // Before the steps, not after them: a wake that comes while they look is answered by more.
    wanted_.exchange(false, std::memory_order_acquire);
    for (bool more = true; more && !stopping_.load(std::memory_order_relaxed);) {
      more = false;
      threads_.Work([&] { more = step_(); });
    }
    lock.lock();
  }
}

}  // namespace ebcache
