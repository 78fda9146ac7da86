// FreeEvents: how threads that cannot do without memory hear that another thread freed some.
//
// Nearly always no thread waits, and then a free costs one load more.

#ifndef EBCACHE_LIB_MM_FREE_EVENTS_H_
#define EBCACHE_LIB_MM_FREE_EVENTS_H_

#include <chrono>
#include <cstdint>
#include <memory>

#include "ebcache/internal/sync.h"

namespace ebcache {

class FreeEvents {
 public:
  // Whether what is freed must become visible to others at once, and Notify be called. Relaxed:
  // a thread that misses that another has just begun to wait keeps what it frees to itself once;
  // the wait is bounded, and the next free is seen.
  bool anyone_waits() const { return waiting_.load(std::memory_order_relaxed) != 0; }

  // Memory was freed.
  void Notify() {
    {
      sync::MutexLock lock(mutex_);
      ++generation_;
    }
    freed_.notify_all();
  }

  // See ForkHandler. A thread of the parent's that waits does not exist in a child.
  void BeforeFork() EBCACHE_ACQUIRE(mutex_) { mutex_.lock(); }
  void AfterFork(bool in_child) EBCACHE_RELEASE(mutex_) {
    if (in_child) {
      waiting_.store(0, std::memory_order_relaxed);
      std::construct_at(&freed_);
    }
    mutex_.unlock();
  }

  // A thread counts as waiting for as long as this lives.
  class Waiter {
   public:
    explicit Waiter(FreeEvents* events) : events_(*events) {
      events_.waiting_.fetch_add(1, std::memory_order_relaxed);
      Look();
    }
    ~Waiter() { events_.waiting_.fetch_sub(1, std::memory_order_relaxed); }
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;

    // What is freed from here on ends the next Wait. To be called before an attempt.
    void Look() {
      sync::MutexLock lock(events_.mutex_);
      seen_ = events_.generation_;
    }
    // Whether anything was freed since Look, or is within `at_most`.
    bool Wait(std::chrono::milliseconds at_most) {
      sync::UniqueLock lock(events_.mutex_);
      return events_.freed_.wait_for(lock, at_most, [this]() EBCACHE_REQUIRES(events_.mutex_) {
        return events_.generation_ != seen_;
      });
    }

   private:
    FreeEvents& events_;
    uint64_t seen_ = 0;
  };

 private:
  sync::Atomic<uint32_t> waiting_{0};
  sync::Mutex mutex_;
  sync::ConditionVariable freed_;
  uint64_t generation_ EBCACHE_GUARDED_BY(mutex_) = 0;
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_MM_FREE_EVENTS_H_
