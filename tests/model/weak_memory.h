// Weak memory: which store a load may read, and what a thread knows of the others.
//
// The release-acquire part of the memory model of C++, as views. Every atomic object has the history of its
// stores, in the order in which they were made. A thread has a view: of each object the newest store that it
// knows, and of each thread how far it knows what that one did. A load may read any store that is not older than
// its thread's view of that object. A store carries with it what its thread knew: all of it where the store is a
// release, else what the thread knew at its last release fence. A load that is an acquire takes that over; one that
// is relaxed keeps it for the next acquire fence. A read-modify-write reads the newest store, and carries on what
// that one carried (the release sequence). Sequentially consistent operations are ordered as they are made: such a
// load reads nothing older than the last such store of its object, and a fence of that kind takes over what earlier
// ones, and such stores, have left, and adds what its thread knows.
//
// That is the model of "Strong logic for weak memory" (Kaiser and others, 2017), less two things, by which what is
// explored is a part of what C++ allows:
//   - stores of one object are ordered as they are made. So the weak result of two threads that write two objects
//     in opposite orders (2+2W) does not come up;
//   - no load reads a store that is made after it (load buffering), which no compiler and no processor that we know
//     of does to what is ordered at least by acquire and release, and which C++ means to forbid for values out of
//     thin air.
// A thread may read a store again that is not the newest, but not for ever: kStaleReads.
//
// Plain memory: what is compiled with the compiler's instrumentation for the thread sanitizer reports each access
// here (tsan_calls.cc). Two accesses of which one writes, that are not both atomic, and of which neither is known
// to the thread that makes the other, are a data race, and end the run.
//
// Used by fibers in a run only, which is one thread of the machine: nothing here is for several. What programs call
// is not inline, since they are compiled with that instrumentation.

#ifndef EBCACHE_TESTS_MODEL_WEAK_MEMORY_H_
#define EBCACHE_TESTS_MODEL_WEAK_MEMORY_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/model/order_sites.h"

namespace ebcache::model {

inline constexpr uint32_t kViewedFibers = 5;

class WeakMemory {
 public:
  static WeakMemory& Get();

  // How often a fiber may read one store of an object after a newer one was made: enough for a look, and a second
  // look that is to find what the first one found.
  static constexpr uint8_t kStaleReads = 2;

  // ---- Switches; outside of runs ----
  bool on = false;  // else every load reads the newest store, and plain memory is not watched
  const Weakening* weakened = nullptr;
  SiteTable* sites = nullptr;  // told of every site, if there is one

  // ---- The scheduler ----
  void BeginRun();
  // `fiber` runs from here on, or none (-1).
  void Switch(int fiber);
  // Nothing is watched while this is so: a checker looks around.
  void SetMuted(bool muted);
  // `child` knows what the fiber that runs does; the fiber that runs knows all that `other` did.
  void Spawned(int child);
  void Joined(int other);
  void JoinAll();
  // Whether the fiber that runs knows what `fiber` had done when it was at `step`. Steps of before the run are
  // known to all.
  struct Stamp {
    uint32_t fiber = 0;
    uint32_t step = 0;
  };
  Stamp Now() const;
  bool Knows(Stamp stamp) const;

  // ---- Atomic objects: `bits` are those of the newest store ----
  // The store that a load reads.
  uint64_t Load(const void* object, size_t bytes, uint64_t bits, std::memory_order order, Site site);
  void Store(const void* object, size_t bytes, uint64_t before, uint64_t after, std::memory_order order, Site site);
  void Update(const void* object, size_t bytes, uint64_t before, uint64_t after, std::memory_order order,
              Site site);
  // What a compare-and-swap reads: the newest store, or an older one that is not what is expected, so that it
  // fails.
  struct Read {
    uint64_t bits = 0;
    uint32_t object = 0;
    uint32_t store = 0;
    bool newest = true;
  };
  Read ReadToSwap(const void* object, size_t bytes, uint64_t bits, uint64_t expected,
                  std::memory_order failure);
  // It failed: the order for failures is what counts.
  void FailedToSwap(const Read& read, std::memory_order failure, Site site);
  // The object was made: whatever was there before.
  void Made(const void* object, uint64_t bits);
  // A wait has seen that the newest value is another, which it reads.
  void Waited(const void* object, size_t bytes, uint64_t bits, std::memory_order order, Site site);
  void Fence(std::memory_order order, Site site);

  // ---- Locks, and what stands for one: who acquires knows what those did who released before ----
  void Acquire(const void* object);
  void Release(const void* object);
  // At the end of the step that is being made.
  void ReleaseBehindStep(const void* object);

  // ---- Plain memory ----
  enum class Kind : uint8_t { kPlainRead, kPlainWrite, kAtomicRead, kAtomicWrite };
  void Accessed(const void* address, size_t bytes, Kind kind, const void* by);
  // The memory is given out, or back: nothing that was done to it counts any more.
  void Forget(const void* address, size_t bytes);
  bool watching() const { return on && fiber_ >= 0 && !muted_ && !busy_; }
  // What tests use between the operations themselves, ordered by the scheduler alone.
  // While this is so, what plain code does counts as atomic: for bytes that the caller has ordered by other means.
  void SetAsAtomic(bool as_atomic);
  void DoNotWatch(const void* address, size_t bytes);
  void ForgetUnwatched();

  uint64_t stale_reads() const { return stale_reads_; }  // in all runs

 private:
  class Busy;

  struct View {
    std::vector<uint32_t> newest;                   // by object
    std::array<uint32_t, kViewedFibers> steps{};    // by fiber
    void Clear();
    void Join(const View& other);
    uint32_t Newest(uint32_t object) const;
    void Saw(uint32_t object, uint32_t store);
  };
  struct StoreMade {
    uint64_t bits = 0;
    View view;
    std::array<uint8_t, kViewedFibers> stale_reads{};
  };
  struct Object {
    const void* address = nullptr;
    size_t count = 0;
    std::vector<StoreMade> stores;  // of which `count` are of this run
    StoreMade& Add();
  };
  struct Fiber {
    View now;
    View if_acquired;   // what relaxed loads read, besides
    View at_release;    // as of the last release fence
  };
  // Which byte, of eight, was accessed by which fiber at which of its steps.
  struct Cell {
    uint32_t step = 0;
    uint8_t fiber = 0;
    uint8_t bytes = 0;  // 0: empty
    Kind kind = Kind::kPlainRead;
    const void* by = nullptr;  // an address in the code
  };
  struct Granule {
    uintptr_t number = 0;
    uint32_t run = 0;
    uint8_t next = 0;  // the cell to be overwritten where all are full
    std::array<Cell, 8> cells;
  };

  // An object of this run, where `run` says so.
  struct Slot {
    const void* address = nullptr;
    uint32_t object = 0;
    uint32_t run = 0;
  };
  Slot& SlotOf(const void* object);
  Fiber& Mine() { return fibers_[static_cast<size_t>(fiber_)]; }
  std::memory_order Order(std::memory_order order, Site& site);
  uint32_t Find(const void* object, uint64_t bits);
  uint32_t Enter(const void* object, uint64_t bits);
  // The fiber has read that store.
  void HasRead(uint32_t object, uint32_t store, std::memory_order order);
  void AddStore(uint32_t object, uint64_t bits, std::memory_order order, const View* carried);
  void EndOperation();
  // Which of the stores that may be read is read, of those for which `may` is true.
  template <typename May>
  uint32_t Choose(uint32_t object, std::memory_order order, May may);
  Granule& GranuleAt(uintptr_t number);
  void LookAt(const void* address, size_t bytes, Kind kind, const void* by);
  void Look(Granule& granule, uint8_t bytes, Kind kind, const void* by);
  [[noreturn]] void Race(const Granule& granule, const Cell& earlier, Kind kind, const void* by);
  bool Unwatched(const void* address) const;

  int fiber_ = -1;
  const void* to_release_ = nullptr;
  bool muted_ = false;
  bool as_atomic_ = false;
  bool busy_ = false;  // within one of the functions above: what it does with memory is the model's own
  uint32_t run_ = 0;
  uint64_t stale_reads_ = 0;
  std::array<Fiber, kViewedFibers> fibers_;
  View sequential_;  // of sequentially consistent operations

  std::vector<Object> objects_;
  uint32_t object_count_ = 0;
  std::vector<Slot> slots_;  // from address to object: open addressing

  struct Lock {
    const void* address = nullptr;
    View view;
  };
  std::vector<Lock> locks_;
  size_t lock_count_ = 0;

  std::vector<Granule> granules_;
  uint32_t granule_count_ = 0;
  struct Range {
    const std::byte* from;
    const std::byte* to;
  };
  std::vector<Range> unwatched_;
  std::vector<uint32_t> choices_;  // kept to save allocating
};

}  // namespace ebcache::model

#endif  // EBCACHE_TESTS_MODEL_WEAK_MEMORY_H_
