// StateWord: steps of buffer_state.h applied to the 64-bit atomic word of a descriptor.
//
// Memory orders, for all of them:
//   - loads, and compare-and-swaps that fail, are acquire: a step that is refused tells something
//   as
//     well. BeginRead refused because of UPTODATE means that the bytes may be looked at;
//   - a step that succeeds is acq_rel. Acquire, because whoever takes a reference, wins a read or
//     kills a buffer must see what earlier holders wrote to it. Release, because whoever gives up a
//     reference, ends a read or thaws a buffer publishes what it wrote. Weaker orders would buy
//     nothing on x86, where a locked instruction is a full barrier, and cost a proof elsewhere;
//   - birth is a release store: it publishes the whole descriptor.

#ifndef EBCACHE_LIB_CACHE_STATE_WORD_H_
#define EBCACHE_LIB_CACHE_STATE_WORD_H_

#include <atomic>
#include <cstdint>

#include "ebcache/sync.h"
#include "lib/cache/buffer_state.h"

namespace ebcache::state {

// References in the low half, so that a step which only counts them is an addition.
constexpr uint64_t Pack(BufferState s) { return uint64_t{s.flags} << 32 | s.refs; }
constexpr BufferState Unpack(uint64_t word) {
  return {static_cast<uint32_t>(word), static_cast<uint32_t>(word >> 32)};
}

// Whether a planted bug makes this step as code does that looks first and then acts: by a store,
// whatever the word has become since. Never outside of the model build.
constexpr bool PlantedInTwoSteps(BufferState before, BufferState after) {
  const auto sets = [&](BufferFlag flag) { return !before.has(flag) && after.has(flag); };
  const bool kills = after.refs == 0;
  return (kills && before.refs == 1 && sync::Planted("release-in-two-steps")) ||
         (kills && before.refs == 2 && sync::Planted("stale-put-in-two-steps")) ||
         (after.refs == before.refs + 1 && sync::Planted("get-in-two-steps")) ||
         (sets(BufferFlag::kMigrating) && sync::Planted("freeze-in-two-steps")) ||
         (sets(BufferFlag::kDirty) && sync::Planted("dirty-in-two-steps")) ||
         (sets(BufferFlag::kWriteback) && sync::Planted("writeback-in-two-steps")) ||
         (sets(BufferFlag::kParked) && sync::Planted("park-in-two-steps"));
}

// Makes `step` on the word, or reports that the state it met does not allow it.
template <typename Step>
inline Outcome Apply(sync::Atomic<uint64_t>& word, Step step) {
  uint64_t seen = word.load(std::memory_order_acquire);
  for (;;) {
    const Outcome outcome = step(Unpack(seen));
    if (outcome.result == Result::kRefused || outcome.result == Result::kKept) return outcome;
    if (PlantedInTwoSteps(Unpack(seen), outcome.after)) {
      word.store(Pack(outcome.after));
      return outcome;
    }
    if (word.compare_exchange_weak(seen, Pack(outcome.after), std::memory_order_acq_rel,
                                   std::memory_order_acquire)) [[likely]] {
      return outcome;
    }
  }
}

// Waits while `flag` is set. The acquire makes visible what was written by whoever cleared it.
inline void WaitWhile(const sync::Atomic<uint64_t>& word, BufferFlag flag) {
  for (;;) {
    const uint64_t seen = word.load(std::memory_order_acquire);
    if (!Unpack(seen).has(flag)) return;
    word.wait(seen, std::memory_order_acquire);
  }
}

}  // namespace ebcache::state

#endif  // EBCACHE_LIB_CACHE_STATE_WORD_H_
