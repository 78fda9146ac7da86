#include "tests/model/model_sync.h"

#include <type_traits>

#include "tests/model/scheduler.h"
#include "tests/model/weak_memory.h"

namespace ebcache::model {

namespace {

// Calls `with` the word as what it is. Not by memcpy, which is told of (tsan_calls.cc).
template <typename With>
auto As(AtomicWord word, With with) {
  switch (word.bytes) {
    case 1:
      return with(static_cast<uint8_t*>(word.at));
    case 2:
      return with(static_cast<uint16_t*>(word.at));
    case 4:
      return with(static_cast<uint32_t*>(word.at));
    default:
      return with(static_cast<uint64_t*>(word.at));
  }
}

uint64_t Newest(AtomicWord word) {
  return As(word, [](auto* at) -> uint64_t { return __atomic_load_n(at, __ATOMIC_RELAXED); });
}

void Set(AtomicWord word, uint64_t before, uint64_t after) {
  As(word, [after](auto* at) {
    __atomic_store_n(at, static_cast<std::remove_pointer_t<decltype(at)>>(after), __ATOMIC_RELAXED);
  });
  if (word.is_checked) NoteWrite(word.at, before, after);
}

// Of `bits`, those that such an object has.
uint64_t Within(AtomicWord word, uint64_t bits) {
  return word.bytes == sizeof bits ? bits : bits & ((uint64_t{1} << (8 * word.bytes)) - 1);
}

Site SiteOf(OrderOf what, const Place& where) {
  return {.file = where.file_name(), .line = where.line(), .column = where.column(), .what = what};
}

}  // namespace

void AtomicMade(AtomicWord word) { WeakMemory::Get().Made(word.at, Newest(word)); }

uint64_t AtomicLoad(AtomicWord word, std::memory_order order, const Place& where) {
  Reach(word.at, Access::kLoad, order);
  return WeakMemory::Get().Load(word.at, word.bytes, Newest(word), order, SiteOf(OrderOf::kLoad, where));
}

void AtomicStore(AtomicWord word, uint64_t value, std::memory_order order, const Place& where) {
  Reach(word.at, Access::kStore, order);
  const uint64_t before = Newest(word);
  WeakMemory::Get().Store(word.at, word.bytes, before, value, order, SiteOf(OrderOf::kStore, where));
  Set(word, before, value);
}

uint64_t AtomicExchange(AtomicWord word, uint64_t value, std::memory_order order,
                        const Place& where) {
  Reach(word.at, Access::kUpdate, order);
  const uint64_t before = Newest(word);
  WeakMemory::Get().Update(word.at, word.bytes, before, value, order, SiteOf(OrderOf::kUpdate, where));
  Set(word, before, value);
  return before;
}

bool AtomicSwap(AtomicWord word, uint64_t& expected, uint64_t desired, std::memory_order success,
                std::memory_order failure, const Place& where) {
  Reach(word.at, Access::kUpdate, success);
  WeakMemory& memory = WeakMemory::Get();
  const uint64_t before = Newest(word);
  const WeakMemory::Read read = memory.ReadToSwap(word.at, word.bytes, before, expected, failure);
  if (read.bits != expected || FailsForNoReason()) {
    memory.FailedToSwap(read, failure, SiteOf(OrderOf::kFailure, where));
    expected = read.bits;
    return false;
  }
  memory.Update(word.at, word.bytes, before, desired, success, SiteOf(OrderOf::kUpdate, where));
  Set(word, before, desired);
  return true;
}

uint64_t AtomicAdd(AtomicWord word, uint64_t n, Access access, std::memory_order order,
                   const Place& where) {
  Reach(word.at, access, order);
  const uint64_t before = Newest(word);
  const uint64_t after = Within(word, before + n);
  WeakMemory::Get().Update(word.at, word.bytes, before, after, order, SiteOf(OrderOf::kUpdate, where));
  Set(word, before, after);
  return before;
}

// As a wait on a futex: asleep while the newest value is the old one, whatever loads may still read; and it
// tells nothing more than that there was another.
void AtomicWait(AtomicWord word, uint64_t old, std::memory_order order, const Place& where) {
  Reach(word.at, Access::kWait, order);
  while (Newest(word) == old) Sleep(word.at, Access::kWait);
  WeakMemory::Get().Waited(word.at, word.bytes, Newest(word), order, SiteOf(OrderOf::kWait, where));
}

void AtomicNotify(AtomicWord word) {
  Reach(word.at, Access::kNotify);
  Wake(word.at);
}

void Fence(std::memory_order order, const Place& where) {
  Reach(nullptr, Access::kFence, order);
  WeakMemory::Get().Fence(order, SiteOf(OrderOf::kFence, where));
}

void InOrder(const void* object) {
  WeakMemory::Get().Acquire(object);
  WeakMemory::Get().Release(object);
}

void InOrderUntilTheNextStep(const void* object) {
  WeakMemory::Get().Acquire(object);
  WeakMemory::Get().ReleaseBehindStep(object);
}

}  // namespace ebcache::model

namespace ebcache::sync {

void Mutex::lock() {
  if (model::Muted()) return;
  model::Reach(this, model::Access::kLock);
  if (held_) model::FailRun("a mutex was locked twice");
  held_ = true;
  model::WeakMemory::Get().Acquire(this);
}

void Mutex::unlock() {
  if (model::Muted()) return;
  if (!held_) model::FailRun("a mutex was unlocked that nobody has");
  held_ = false;
  model::WeakMemory::Get().Release(this);
  model::NoteUnlock(this);
}

}  // namespace ebcache::sync
