// The types of ebcache/internal/sync.h in the model build. Each operation is a scheduling point: the fiber
// that is about to make it says so, and goes on when the scheduler (scheduler.h) chooses it.
//
// Which store a load reads is the explorer's choice where weak memory is explored (weak_memory.h): of those
// that the memory orders allow. Otherwise it is the newest: sequential consistency. Whether a weak
// compare-and-swap fails for no reason is the explorer's choice as well.
//
// No function here touches an object's memory itself but constructors: code that uses them is compiled so
// that accesses to plain memory are seen, and these are none.
//
// Outside of a run (while a cache is set up or taken down), and while a checker looks around, all
// of this is plain single-threaded memory.

#ifndef EBCACHE_TESTS_MODEL_MODEL_SYNC_H_
#define EBCACHE_TESTS_MODEL_MODEL_SYNC_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <cstring>
#include <mutex>
#include <type_traits>
#include <utility>

#include "ebcache/internal/thread_annotations.h"
#include "tests/model/place.h"

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
  kFence,
  kQuiet,  // nobody else can go on
};

// Called by a fiber before an operation; returns when it is to be made. Returns at once outside of
// a run.
// `order`: of an atomic operation.
void Reach(const void* object, Access access, std::memory_order order = std::memory_order_relaxed);
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
// Of the stores that the load that is being made may read, how many before the newest it reads; below `count`.
size_t ChooseStore(size_t count);
// A read-modify-write by acquire and release, of what is not the model's: who makes one knows what those did who
// made one before.
void InOrder(const void* object);
// The same of the whole step that is being made, as if a lock were held meanwhile: for what stands for a lock.
void InOrderUntilTheNextStep(const void* object);
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

// An atomic object: where the value is that was stored last, how many bytes it has, and whether the checker is told
// of its changes.
struct AtomicWord {
  void* at;
  size_t bytes;
  bool is_checked;
};
void AtomicMade(AtomicWord word);
uint64_t AtomicLoad(AtomicWord word, std::memory_order order, const Place& where);
void AtomicStore(AtomicWord word, uint64_t value, std::memory_order order, const Place& where);
uint64_t AtomicExchange(AtomicWord word, uint64_t value, std::memory_order order, const Place& where);
// On failure `expected` becomes what was read.
bool AtomicSwap(AtomicWord word, uint64_t& expected, uint64_t desired, std::memory_order success,
                std::memory_order failure, const Place& where);
uint64_t AtomicAdd(AtomicWord word, uint64_t n, Access access, std::memory_order order,
                   const Place& where);
void AtomicWait(AtomicWord word, uint64_t old, std::memory_order order, const Place& where);
void AtomicNotify(AtomicWord word);
void Fence(std::memory_order order, const Place& where = Place::current());

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
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(uint64_t));
  using Order = std::memory_order;
  using Where = model::Place;
  static constexpr Order kSeqCst = std::memory_order_seq_cst;

 public:
  constexpr Atomic() noexcept : Atomic(T()) {}
  constexpr Atomic(T value) noexcept : value_(value) {  // NOLINT: as std::atomic
    if (!std::is_constant_evaluated()) model::AtomicMade(Word());
  }
  Atomic(const Atomic&) = delete;
  Atomic& operator=(const Atomic&) = delete;

  T load(Order order = kSeqCst, Where where = Where::current()) const {
    return Of(model::AtomicLoad(Word(), order, where));
  }
  void store(T value, Order order = kSeqCst, Where where = Where::current()) {
    model::AtomicStore(Word(), Bits(value), order, where);
  }
  T exchange(T value, Order order = kSeqCst, Where where = Where::current()) {
    return Of(model::AtomicExchange(Word(), Bits(value), order, where));
  }
  bool compare_exchange_weak(T& expected, T desired, Order success, Order failure, Where where = Where::current()) {
    uint64_t bits = Bits(expected);
    const bool swapped = model::AtomicSwap(Word(), bits, Bits(desired), success, failure, where);
    if (!swapped) expected = Of(bits);
    return swapped;
  }
  bool compare_exchange_weak(T& expected, T desired, Order order = kSeqCst, Where where = Where::current()) {
    return compare_exchange_weak(expected, desired, order, FailureOf(order), where);
  }
  T fetch_add(T n, Order order = kSeqCst, Where where = Where::current()) {
    return Of(model::AtomicAdd(Word(), Bits(n), model::Access::kUpdate, order, where));
  }
  T fetch_sub(T n, Order order = kSeqCst, Where where = Where::current()) {
    return fetch_add(static_cast<T>(T{} - n), order, where);
  }
  void AddQuietly(T n, Where where = Where::current()) {
    model::AtomicAdd(Word(), Bits(n), model::Access::kAdd, std::memory_order_relaxed, where);
  }
  void wait(T old, Order order = kSeqCst, Where where = Where::current()) const {
    model::AtomicWait(Word(), Bits(old), order, where);
  }
  void notify_all() { model::AtomicNotify(Word()); }

 private:
  // As the standard has it: what a failed one is told nothing of, it does not release.
  static constexpr Order FailureOf(Order order) {
    if (order == std::memory_order_acq_rel) return std::memory_order_acquire;
    if (order == std::memory_order_release) return std::memory_order_relaxed;
    return order;
  }
  static uint64_t Bits(T value) {
    uint64_t bits = 0;
    std::memcpy(&bits, static_cast<const void*>(&value), sizeof value);
    return bits;
  }
  static T Of(uint64_t bits) {
    T value{};
    std::memcpy(static_cast<void*>(&value), &bits, sizeof value);
    return value;
  }
  model::AtomicWord Word() const { return {const_cast<T*>(&value_), sizeof(T), std::is_same_v<T, uint64_t>}; }

  T value_;  // of the newest store
};

// `held_`: whether anybody has it.
class EBCACHE_CAPABILITY("mutex") Mutex {
 public:
  constexpr Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void lock() EBCACHE_ACQUIRE();
  void unlock() EBCACHE_RELEASE();
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
void Add(Atomic<T>& counter, std::type_identity_t<T> n,
         model::Place where = model::Place::current()) {
  counter.AddQuietly(n, where);
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
