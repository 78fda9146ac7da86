// The types of ebcache/internal/sync.h in the model build. Each operation is a scheduling point: the fiber
// that is about to make it says so, and goes on when the scheduler (scheduler.h) chooses it.
//
// What is explored is sequential consistency: the memory orders that callers name are not looked
// at. Whether a weak compare-and-swap fails for no reason is the explorer's choice.
//
// Outside of a run (while a cache is set up or taken down), and while a checker looks around, all
// of this is plain single-threaded memory.

#ifndef EBCACHE_TESTS_MODEL_MODEL_SYNC_H_
#define EBCACHE_TESTS_MODEL_MODEL_SYNC_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <type_traits>
#include <utility>

#include "ebcache/internal/thread_annotations.h"

namespace ebcache::model {

// What an operation does to its object: what it can be swapped with is decided by this.
enum class Access : uint8_t {
  kBegin,          // the first step of a fiber: touches nothing
  kLoad,           //
  kStore,          //
  kUpdate,         // a read-modify-write, or a compare-and-swap whether or not it succeeds
  kAdd,            // an addition to something nobody waits for: swaps with another
  kWait,           // an atomic wait's look at the value
  kNotify,         // of an atomic
  kLock,           //
  kConditionWait,  // lets the mutex go and goes to sleep
  kConditionNotify,
  kJoin,
  kQuiet,  // nobody else can go on
};

// Called by a fiber before an operation; returns when it is to be made. Returns at once outside of
// a run.
void Reach(const void* object, Access access);
// The fiber sleeps until Wake(object), and then reaches the operation again.
void Sleep(const void* object, Access again);
void Wake(const void* object);
// As Sleep, but when woken the fiber reaches the locking of `mutex`.
void SleepForLock(const void* object, const void* mutex);
// Whether operations are to have no effect on locks: a checker is looking around.
bool Muted();
// A mutex was given back in the operation that is being made.
void NoteUnlock(const void* mutex);
// A word has changed, as part of the operation that is being made.
void NoteWrite(const void* object, uint64_t before, uint64_t after);
[[noreturn]] void FailRun(const char* message);
// Whether the compare-and-swap that is being made, and could succeed, is to fail all the same.
bool FailsForNoReason();
// Returns when all other fibers have ended or are asleep.
void AwaitQuiet();
// A new fiber, and the wait for its end.
uint32_t Spawn(std::function<void()> body);
void Join(uint32_t fiber);
// The number of the fiber that runs, from 0; that of the last one outside of a run.
uint32_t ThisFiber();

// Of fibers, by ThisFiber.
inline constexpr uint32_t kMostThreads = 5;

// The planted bug that is switched on, as a hash of its name; 0: none.
extern uint64_t planted_bug;
constexpr uint64_t HashOf(const char* name) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (; *name != 0; ++name) hash = (hash ^ static_cast<unsigned char>(*name)) * 0x100000001b3u;
  return hash;
}

}  // namespace ebcache::model

namespace ebcache::sync {

template <typename T>
class Atomic {
 public:
  constexpr Atomic() noexcept : value_() {}
  constexpr Atomic(T value) noexcept : value_(value) {}  // NOLINT: as std::atomic
  Atomic(const Atomic&) = delete;
  Atomic& operator=(const Atomic&) = delete;

  T load(std::memory_order = std::memory_order_seq_cst) const {
    model::Reach(this, model::Access::kLoad);
    return value_;
  }
  void store(T value, std::memory_order = std::memory_order_seq_cst) {
    model::Reach(this, model::Access::kStore);
    Set(value);
  }
  T exchange(T value, std::memory_order = std::memory_order_seq_cst) {
    model::Reach(this, model::Access::kUpdate);
    const T before = value_;
    Set(value);
    return before;
  }
  bool compare_exchange_weak(T& expected, T desired, std::memory_order = std::memory_order_seq_cst,
                             std::memory_order = std::memory_order_seq_cst) {
    model::Reach(this, model::Access::kUpdate);
    if (value_ != expected) {
      expected = value_;
      return false;
    }
    if (model::FailsForNoReason()) return false;
    Set(desired);
    return true;
  }
  T fetch_add(T n, std::memory_order = std::memory_order_seq_cst) {
    model::Reach(this, model::Access::kUpdate);
    const T before = value_;
    Set(static_cast<T>(value_ + n));
    return before;
  }
  T fetch_sub(T n, std::memory_order order = std::memory_order_seq_cst) {
    return fetch_add(static_cast<T>(T{} - n), order);
  }
  void AddQuietly(T n) {
    model::Reach(this, model::Access::kAdd);
    Set(static_cast<T>(value_ + n));
  }
  void wait(T old, std::memory_order = std::memory_order_seq_cst) const {
    model::Reach(this, model::Access::kWait);
    while (value_ == old) model::Sleep(this, model::Access::kWait);
  }
  void notify_all() {
    model::Reach(this, model::Access::kNotify);
    model::Wake(this);
  }

 private:
  void Set(T value) {
    if constexpr (std::is_same_v<T, uint64_t>) {
      const T before = std::exchange(value_, value);
      model::NoteWrite(this, before, value);
    } else {
      value_ = value;
    }
  }
  T value_;
};

// `owner` is 0 where nobody has it.
class EBCACHE_CAPABILITY("mutex") Mutex {
 public:
  constexpr Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void lock() EBCACHE_ACQUIRE() {
    if (model::Muted()) return;
    model::Reach(this, model::Access::kLock);
    if (held_) model::FailRun("a mutex was locked twice");
    held_ = true;
  }
  void unlock() EBCACHE_RELEASE() {
    if (model::Muted()) return;
    if (!held_) model::FailRun("a mutex was unlocked that nobody has");
    held_ = false;
    model::NoteUnlock(this);
  }
  bool held() const { return held_; }

 private:
  bool held_ = false;
};

class ConditionVariable {
 public:
  // `lock` is a lock of a Mutex.
  template <typename Lock>
  void wait(Lock& lock) {
    model::Reach(this, model::Access::kConditionWait);
    Mutex* const mutex = lock.mutex();
    lock.unlock();
    model::SleepForLock(this, mutex);
    lock.lock();
  }
  template <typename Lock, typename Predicate>
  void wait(Lock& lock, Predicate predicate) {
    while (!predicate()) wait(lock);
  }
  // The time is up at once.
  template <typename Lock, typename Duration, typename Predicate>
  bool wait_for(Lock& lock, Duration, Predicate predicate) {
    lock.unlock();
    lock.lock();
    return predicate();
  }
  void notify_one() { notify_all(); }  // waiters look again, as they must
  void notify_all() {
    model::Reach(this, model::Access::kConditionNotify);
    model::Wake(this);
  }

 private:
  char address_ = 0;
};

class Thread {
 public:
  Thread() = default;
  explicit Thread(std::function<void()> body) : fiber_(model::Spawn(std::move(body)) + 1) {}
  Thread(Thread&& other) noexcept : fiber_(std::exchange(other.fiber_, 0)) {}
  Thread& operator=(Thread&& other) noexcept {
    std::swap(fiber_, other.fiber_);
    return *this;
  }
  static unsigned hardware_concurrency() { return 2; }
  bool joinable() const { return fiber_ != 0; }
  void join() { model::Join(std::exchange(fiber_, 0) - 1); }

 private:
  uint32_t fiber_ = 0;  // plus one; 0: none
};

template <typename T>
void Add(Atomic<T>& counter, std::type_identity_t<T> n) {
  counter.AddQuietly(n);
}

// Threads are fibers, of which each has one in a run; between runs it is as at the beginning,
// because whoever has set it has set it back.
template <typename Tag, typename T>
T& OfThisThread() {
  static T values[model::kMostThreads]{};
  return values[model::ThisFiber()];
}

template <typename T>
constexpr T ModelOr(T in_the_model, T /*otherwise*/) {
  return in_the_model;
}

// A name known while compiling, so that asking costs a comparison.
struct BugName {
  consteval BugName(const char* name) : hash(model::HashOf(name)) {}  // NOLINT: from a literal
  uint64_t hash;
};
constexpr bool Planted(BugName bug) {
  if (std::is_constant_evaluated()) return false;
  return model::planted_bug == bug.hash;
}

inline uint32_t ThreadNumber() { return model::ThisFiber(); }

}  // namespace ebcache::sync

#endif  // EBCACHE_TESTS_MODEL_MODEL_SYNC_H_
