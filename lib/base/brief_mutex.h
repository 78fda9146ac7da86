// BriefMutex: a mutex for sections of some hundred instructions.
//
// A thread that finds it locked looks again for a while, about as long as going to sleep and being
// woken would take, and only then sleeps. Two threads that fill a cache meet at its locks thousands
// of times a second, each time for less than a microsecond.
//
// Meets the standard's requirements of a mutex. In the model build it is the model's own, where
// looking again would only be more steps of the same kind.

#ifndef EBCACHE_LIB_BASE_BRIEF_MUTEX_H_
#define EBCACHE_LIB_BASE_BRIEF_MUTEX_H_

#include "ebcache/internal/sync.h"

namespace ebcache {

// Tells the processor that this thread only waits: another one on the same core may go on meanwhile.
inline void RelaxCpu() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

#if defined(EBCACHE_MODEL)

using BriefMutex = sync::Mutex;

#else

class EBCACHE_CAPABILITY("mutex") BriefMutex {
 public:
  BriefMutex() = default;
  BriefMutex(const BriefMutex&) = delete;
  BriefMutex& operator=(const BriefMutex&) = delete;

  void lock() EBCACHE_ACQUIRE() EBCACHE_NO_THREAD_SAFETY_ANALYSIS {
    // With the pause between them some 3 us, where a sleeper is back after 5 to 50.
    constexpr int kLooks = 64;
    for (int i = 0; i < kLooks; ++i) {
      if (mutex_.try_lock()) [[likely]]
        return;
      RelaxCpu();
    }
    mutex_.lock();
  }
  bool try_lock() EBCACHE_TRY_ACQUIRE(true) { return mutex_.try_lock(); }
  void unlock() EBCACHE_RELEASE() { mutex_.unlock(); }

 private:
  sync::Mutex mutex_;
};

#endif  // EBCACHE_MODEL

}  // namespace ebcache

#endif  // EBCACHE_LIB_BASE_BRIEF_MUTEX_H_
