// Mutex, MutexLock: the standard's, with what clang's thread-safety analysis asks of a lock. The
// library has its own (ebcache/internal/sync.h), which is none of its public headers.

#ifndef EBCACHE_TOOLS_MUTEX_H_
#define EBCACHE_TOOLS_MUTEX_H_

#include <absl/base/thread_annotations.h>

#include <mutex>

namespace ebcache::tools {

class ABSL_LOCKABLE Mutex {
 public:
  // By the standard's names: std::condition_variable_any waits with it.
  void lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { mutex_.lock(); }
  void unlock() ABSL_UNLOCK_FUNCTION() { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

// Has the lock from its construction to its end.
class ABSL_SCOPED_LOCKABLE MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : mutex_(mutex) {
    mutex_.lock();
  }
  ~MutexLock() ABSL_UNLOCK_FUNCTION() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_MUTEX_H_
