// MissedWrites: which copies of which blocks lack what was written last.
//
// A write of a block is OK when one copy has it. What the other copies have by then is older, and
// validates as well: it may even be of the same generation, where a block was written twice in a
// session. So they are remembered, as long as the volume is open: such a copy is not for reading,
// whatever it has, until a write or a repair of it has succeeded.
//
// Thread safety: all methods, from any thread.

#ifndef EBCACHE_LIB_VOLUME_MISSED_WRITES_H_
#define EBCACHE_LIB_VOLUME_MISSED_WRITES_H_

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "ebcache/fork.h"
#include "ebcache/internal/sync.h"
#include "ebcache/volume.h"

namespace ebcache {

class MissedWrites {
 public:
  MissedWrites();
  MissedWrites(const MissedWrites&) = delete;
  MissedWrites& operator=(const MissedWrites&) = delete;

  // Copies are numbered from 0, as in a vector of them.

  // False: there is no such copy of any block, and a reader has nothing to ask for.
  bool any() const {
    // Acquire, with the release of the writer that takes the last one out: a reader that finds none
    // finds the bytes that were written before. A write that was said to be OK before the read
    // began has been counted by then; of one that is under way meanwhile a reader may get either
    // bytes.
    return count_.load(std::memory_order_acquire) != 0;
  }
  // Calls missed(copy, why) for each copy of the block that must not be read. `why` is Unavailable,
  // "its last write failed: ...". To be asked before a copy is read. All of them at once: while a
  // write ends, copies asked for one by one could all seem to have missed one.
  void ForEachOf(uint64_t logical,
                 absl::FunctionRef<void(size_t copy, const absl::Status& why)> missed) const;

  // A write of the block has succeeded in `written` (bit N: copy N) and failed in the copies that
  // `failures` name; those on missing devices, which cannot be read either, are passed over.
  // REQUIRES: a copy has what was written last, now or since before. Throws bad_alloc where there is no memory to remember a failure:
  // then the write must not be said to be OK, and what it was to replace may still be read.
  void Note(uint64_t logical, uint32_t written, absl::Span<const MirrorDamage> failures);
  // The copy has what was written last.
  void Repaired(uint64_t logical, size_t copy) { Forget(logical, 1u << copy); }

 private:
  using Copy = std::pair<uint64_t, size_t>;  // address and number

  void Forget(uint64_t logical, uint32_t copies);
  void ForgetLocked(uint64_t logical, uint32_t copies) EBCACHE_REQUIRES(mutex_);

  mutable sync::Mutex mutex_;
  // A tree, as in KeptErrors; and why, as text.
  std::map<Copy, std::string> missed_ EBCACHE_GUARDED_BY(mutex_);
  sync::Atomic<size_t> count_{0};  // its size
  ForkHandler at_fork_;            // last: it uses the others
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_VOLUME_MISSED_WRITES_H_
