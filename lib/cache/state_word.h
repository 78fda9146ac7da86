// The steps of buffer_state.h, applied to the 64-bit atomic word of a descriptor.
//
// Memory orders, for all of them:
//   - loads, and compare-and-swaps that fail, are acquire: a step that is refused tells something
//     as well. BeginRead refused because of UPTODATE means that the bytes may be looked at;
//   - a step that succeeds is acq_rel. Acquire, because a thread that takes a reference, wins a
//     read or kills a buffer must see what earlier holders wrote to it. Release, because a thread
//     that gives up a reference, ends a read or thaws a buffer publishes what it wrote. Weaker
//     orders would buy nothing on x86, where a locked instruction is a full barrier, and cost a
//     proof elsewhere;
//   - of find and put, as nearly all of them are (below), each needs one half. A get acquires: what earlier
//     holders wrote. It publishes nothing. A put releases: what the holder read and wrote came before. It
//     learns nothing that it would use. Words that they only look at, and then leave to Apply, are relaxed:
//     Apply looks for itself;
//   - birth is a release store: it publishes the whole descriptor.

#ifndef EBCACHE_LIB_CACHE_STATE_WORD_H_
#define EBCACHE_LIB_CACHE_STATE_WORD_H_

#include <atomic>
#include <cstdint>

#include "ebcache/internal/sync.h"
#include "lib/cache/buffer_state.h"

namespace ebcache::state {

// References in the low half, so that a step which only counts them is an addition.
constexpr uint64_t Pack(BufferState s) { return uint64_t{s.flags} << 32 | s.refs; }
constexpr BufferState Unpack(uint64_t word) {
  return {static_cast<uint32_t>(word), static_cast<uint32_t>(word >> 32)};
}

// Makes `step` on the word, or reports that the state it met does not allow it.
//
// A step that leaves the word as it is (kKept) is made as well, by a compare-and-swap: it says something of what the
// thread did before. SetDirty of a buffer that is DIRTY already is the one that matters. The thread has written bytes,
// and then it looks; a load may be made before the bytes are there for others, on x86 too. Meanwhile another thread
// begins to write the buffer: it clears DIRTY and reads the old bytes, while this one still sees DIRTY, and the new
// bytes are never written. Of two updates of one word the later knows what came before the earlier.
template <typename Step>
inline Outcome Apply(sync::Atomic<uint64_t>& word, Step step) {
  uint64_t seen = word.load(std::memory_order_acquire);
  for (;;) {
    const Outcome outcome = step(Unpack(seen));
    if (outcome.result == Result::kRefused) return outcome;
    if (word.compare_exchange_weak(seen, Pack(outcome.after), std::memory_order_acq_rel,
                                   std::memory_order_acquire)) [[likely]] {
      return outcome;
    }
  }
}

// ---- Find and put, as nearly all of them are ----------------------------------------------------
//
// Most finds meet a mapped buffer to which nothing is happening, and most puts leave one that stays
// what it is. Then the step is an addition to the word, and one mask tells. The two functions below
// make such steps, and leave all others to Apply; tests/cache/buffer_state_test.cc holds them
// against Get and Put in every state.
//
// They exist because of what a step costs besides its locked instruction: an Outcome that goes
// through memory is written in parts and read in one, which the processor cannot forward from one
// to the other, and finds of different buffers no longer overlap (docs/performance.md).

constexpr uint64_t FlagsOnly(uint32_t flags) { return Pack({.refs = 0, .flags = flags}); }

// Whether Get is kChanged, and only adds a reference and ACCESSED.
constexpr bool GetOnlyCounts(uint64_t word) {
  constexpr uint64_t kTooMany = ~uint32_t{0} & ~(kMaxRefs - 1);
  constexpr uint64_t kMore =
      FlagsOnly(Bit(BufferFlag::kMigrating) | Bit(BufferFlag::kUnmapped)) | kTooMany;
  static_assert((kMaxRefs & (kMaxRefs - 1)) == 0);
  return (word & kMore) == 0 && static_cast<uint32_t>(word) != 0;
}
constexpr uint64_t AfterPlainGet(uint64_t word) {
  return (word + 1) | FlagsOnly(Bit(BufferFlag::kAccessed));
}

// Whether Put is kChanged, and only takes a reference away.
constexpr bool PutOnlyCounts(uint64_t word) {
  constexpr uint64_t kTreeRef = FlagsOnly(Bit(BufferFlag::kTreeRef));
  constexpr uint64_t kMore =
      FlagsOnly(Bit(BufferFlag::kStale) | Bit(BufferFlag::kParked) | Bit(BufferFlag::kMigrating));
  return (word & (kMore | kTreeRef)) == kTreeRef && static_cast<uint32_t>(word) >= 2;
}

// Takes a reference on a mapped buffer. False, and nothing has changed, when there is more to it.
inline bool GetPlainly(sync::Atomic<uint64_t>& word) {
  uint64_t seen = word.load(std::memory_order_relaxed);
  while (GetOnlyCounts(seen)) {
    if (word.compare_exchange_weak(seen, AfterPlainGet(seen), std::memory_order_acquire,
                                   std::memory_order_relaxed)) [[likely]] {
      return true;
    }
  }
  return false;
}

// Puts a reference of the caller's. False, and nothing has changed, when there is more to it.
//
// Begins with what the word most likely is, rather than with a look at it: the last user of a clean
// block. A look would have to wait for the locked instruction of the Get before, and the
// compare-and-swap for the look. Where the guess was wrong, the failed one was the look.
inline bool PutPlainly(sync::Atomic<uint64_t>& word) {
  uint64_t seen = Pack({.refs = 2,
                        .flags = Bit(BufferFlag::kUptodate) | Bit(BufferFlag::kTreeRef) |
                                 Bit(BufferFlag::kAccessed)});
  do {
    if (word.compare_exchange_weak(seen, seen - 1, std::memory_order_release,
                                   std::memory_order_relaxed)) [[likely]] {
      return true;
    }
  } while (PutOnlyCounts(seen));
  return false;
}

// Waits while `flag` is set. Relaxed: what comes of it the caller is to see for itself. REQUIRES: it looks at the word
// again, by acquire, before it relies on what the thread that cleared the flag wrote.
inline void WaitWhile(const sync::Atomic<uint64_t>& word, BufferFlag flag) {
  for (;;) {
    const uint64_t seen = word.load(std::memory_order_relaxed);
    if (!Unpack(seen).has(flag)) return;
    word.wait(seen, std::memory_order_relaxed);
  }
}

}  // namespace ebcache::state

#endif  // EBCACHE_LIB_CACHE_STATE_WORD_H_
