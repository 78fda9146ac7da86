// What the concurrent parts of the library are made of: atomics, mutexes, condition variables,
// threads.
//
// They are the standard library's, under other names: aliases, so that nothing is added to what
// the compiler makes of them. A build with EBCACHE_MODEL puts types in their place that hand every
// operation to a scheduler, which tries out the orders in which threads can make them
// (docs/races.md). That build is for the tests in tests/model/ only.

#ifndef EBCACHE_INTERNAL_SYNC_H_
#define EBCACHE_INTERNAL_SYNC_H_

#include "ebcache/internal/thread_annotations.h"

#if defined(EBCACHE_MODEL)

#include "tests/model/model_sync.h"

#else

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <type_traits>

namespace ebcache::sync {

template <typename T>
using Atomic = std::atomic<T>;
#if defined(__clang__)
// The same, with what the thread-safety analysis asks of a lock.
class EBCACHE_CAPABILITY("mutex") Mutex : public std::mutex {
 public:
  void lock() EBCACHE_ACQUIRE() { std::mutex::lock(); }
  void unlock() EBCACHE_RELEASE() { std::mutex::unlock(); }
  bool try_lock() EBCACHE_TRY_ACQUIRE(true) { return std::mutex::try_lock(); }
};
#else
using Mutex = std::mutex;
#endif
using ConditionVariable = std::condition_variable;
using Thread = std::thread;

// Adds to a counter whose value the adder does not want to know. Relaxed: nothing is ordered by it.
template <typename T>
inline void Add(std::atomic<T>& counter, std::type_identity_t<T> n) {
  counter.fetch_add(n, std::memory_order_relaxed);
}

// A variable of each thread's own, which begins as T(). `Tag` tells one from another.
template <typename Tag, typename T>
inline T& OfThisThread() {
  static thread_local T value{};
  return value;
}

// A number for each thread, from 0: in the order in which they ask for the first time.
inline uint32_t ThreadNumber() {
  // Relaxed: only has to give each thread another number.
  static std::atomic<uint32_t> next{0};
  constinit static thread_local uint32_t number = ~uint32_t{0};
  if (number == ~uint32_t{0}) number = next.fetch_add(1, std::memory_order_relaxed);
  return number;
}

// What is smaller in the model build, where a cache is made anew for each order that is tried.
template <typename T>
constexpr T ModelOr(T /*in_the_model*/, T otherwise) {
  return otherwise;
}

}  // namespace ebcache::sync

#endif  // EBCACHE_MODEL

namespace ebcache::sync {

#if defined(__clang__)

// Has a lock from its construction to its end. M: Mutex, BriefMutex.
template <typename M>
class EBCACHE_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(M& mutex) EBCACHE_ACQUIRE(mutex) : lock_(mutex) {}
  ~MutexLock() EBCACHE_RELEASE() {}
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  std::lock_guard<M> lock_;
};

// The same, of what can be given back before, taken again, and waited with: a ConditionVariable
// takes it for the standard's.
template <typename M>
class EBCACHE_SCOPED_CAPABILITY UniqueLock
    : public std::unique_lock<std::conditional_t<std::is_base_of_v<std::mutex, M>, std::mutex, M>> {
  using Base =
      std::unique_lock<std::conditional_t<std::is_base_of_v<std::mutex, M>, std::mutex, M>>;

 public:
  explicit UniqueLock(M& mutex) EBCACHE_ACQUIRE(mutex) : Base(mutex) {}
  ~UniqueLock() EBCACHE_RELEASE() {}
  void lock() EBCACHE_ACQUIRE() { Base::lock(); }
  void unlock() EBCACHE_RELEASE() { Base::unlock(); }
};

#else

template <typename M>
using MutexLock = std::lock_guard<M>;
template <typename M>
using UniqueLock = std::unique_lock<M>;

#endif

}  // namespace ebcache::sync

#endif  // EBCACHE_INTERNAL_SYNC_H_
