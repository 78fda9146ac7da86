// ReclaimList: the order in which idle buffers go, and the search for those that can.
//
// Metadata is touched in bursts: a leaf is found a hundred times while its items are used, and then
// not again until the whole tree has been walked once more. So a second touch says nothing, and how
// long ago the last one was says little: under walks that are larger than the cache, LRU evicts
// each block just before it is wanted. What tells is after how long blocks like this one came back, if
// they did. ReuseStatistics learns that, and what a buffer is worth by it; here is how it comes to know,
// without work in lookups, which leave ACCESSED in the state word and nothing else.
//
// Where a buffer is:
//
//   queues     one for each kind of block and each bin of age (reuse_statistics.h), in order of age
//   parked     in use, dirty or being read when its turn came: on no queue until it is idle again
//   ghost      gone, but remembered, with its kind and the time at which it was last known to be in use
//
// A buffer begins in bin 0 of its kind, for as long as a burst lasts. As it grows older it goes through
// the bins. Each time it leaves one, reclaim looks whether it was found since: if so that was a
// use, at the age that the bin is for; the buffer has another kind now, and begins again. A ghost that
// comes back was used again just as well. The buffer that goes is the oldest on the queue of least
// worth, if it was not found since. In its burst a buffer goes only when there is nothing else.
//
// Benefits: one principle in place of rules and of their thresholds, which loads that they were not
// chosen on find wrong; nothing to be done by lookups; all loads are learnt in about one capacity.
// Costs: 60 KiB for each cache; for each newcomer about fifteen looks at buffers that leave their bins,
// and one pass over the counts of a kind for every couple of newcomers at the most. What a use told
// in the time between two looks is lost, so that a block is known to be used each 16th of a capacity
// at the best.
//
// docs/reclaim.md has the comparison with other orders.
//
// Invariants:
//   1. A mapped buffer is on exactly one queue from Add, which is before its maker's first reference
//      ends, until Remove or its death in Collect; so a thread that kills one finds it here.
//   2. A buffer on parked_ has PARKED in its state, or the thread that took PARKED away is on the
//      way to Unpark it. PARKED is set under the lock, only where the buffer is not idle, and goes
//      in the put that makes it idle: no idle buffer is forgotten.
//   3. Work is bounded: Add looks at no more than kMostLooks buffers for each newcomer, Collect at
//      max_scan. A buffer that cannot go is looked at once for each time it was in use.
//   4. due_ and worth_ have a key for a queue exactly if it is not empty: when its oldest leaves its
//      bin, and what that is worth.
//
// Thread safety: all methods, from any thread.

#ifndef EBCACHE_LIB_CACHE_RECLAIM_LIST_H_
#define EBCACHE_LIB_CACHE_RECLAIM_LIST_H_

#include <absl/types/span.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "ebcache/extent_buffer.h"
#include "ebcache/internal/sync.h"
#include "lib/base/brief_mutex.h"
#include "lib/cache/buffer_queue.h"
#include "lib/cache/descriptor_slab.h"
#include "lib/cache/ghost_table.h"
#include "lib/cache/least_of.h"
#include "lib/cache/reuse_statistics.h"

namespace ebcache {

class ReclaimList {
 public:
  // Buffers that leave their bins, looked at for one newcomer.
  static constexpr uint32_t kMostLooks = 64;

  // The constants are the cache's own, but for comparisons.
  explicit ReclaimList(DescriptorSlab* slab, const ReuseConstants& constants = {})
      : queues_(kQueues, BufferQueue(slab)), parked_(slab), reuse_(constants) {}

  // How many buffers the cache is to hold; 0: as many as there are.
  void SetCapacity(uint64_t buffers);

  // Newcomers. REQUIRES: the caller has a reference on each.
  void Add(absl::Span<ExtentBuffer* const> newcomers);
  // REQUIRES: dead, and not by Collect.
  void Remove(ExtentBuffer* buffer);
  // By the thread that took PARKED away. The buffer may have died since, or be another block's.
  void Unpark(ExtentBuffer* buffer);

  // What one call of Collect did.
  struct Collected {
    uint32_t victims = 0;
    uint32_t scanned = 0;
    std::array<uint32_t, kReleaseVerdicts> skipped{};
  };

  // Looks at up to `max_scan` buffers, and kills those that can go until `victims` is full. The
  // dead ones are off the list; the caller buries them. `spare_accessed`: whether buffers found
  // since they were last looked at get another round.
  Collected Collect(absl::Span<ExtentBuffer*> victims, uint32_t max_scan, bool spare_accessed);

  // Buffers on the list, parked or not.
  uint32_t size() const;
  // Whether there is nothing that Collect could look at. May be out of date when it returns.
  bool all_parked() const { return unparked_.load(std::memory_order_relaxed) == 0; }
  // Buffers looked at, ever.
  uint64_t looks() const;
  // Memory for ghosts.
  uint64_t bytes() const;

 private:
  static constexpr size_t kPlaces = 1024;  // for queues, in the tournaments
  static constexpr uint32_t kQueues = ReuseStatistics::kKinds * ReuseStatistics::kMostBins;
  static_assert(kQueues <= kPlaces && ReuseStatistics::kKinds - 1 <= Ghost::kMostKind);

  // Ghosts for which there was no room: as many as a batch of victims.
  struct Waiting {
    std::array<std::pair<uint64_t, Ghost>, 32> ghosts;
    size_t count = 0;
  };

  static uint32_t QueueOf(uint32_t kind, uint32_t bin) {
    return kind * ReuseStatistics::kMostBins + bin;
  }
  static uint32_t KindOf(uint32_t queue) { return queue / ReuseStatistics::kMostBins; }
  static uint32_t BinOf(uint32_t queue) { return queue % ReuseStatistics::kMostBins; }

  void AddLocked(ExtentBuffer* buffer) EBCACHE_REQUIRES(mutex_);
  void Enter(uint32_t queue, ExtentBuffer* buffer) EBCACHE_REQUIRES(mutex_);
  void Leave(ExtentBuffer* buffer) EBCACHE_REQUIRES(mutex_);
  void Move(ExtentBuffer* buffer, uint32_t queue) EBCACHE_REQUIRES(mutex_);
  void SetKeys(uint32_t queue) EBCACHE_REQUIRES(mutex_);
  float WorthOf(uint32_t queue) const EBCACHE_REQUIRES(mutex_);
  uint64_t DueOf(uint32_t queue) const EBCACHE_REQUIRES(mutex_);
  bool TakeAccess(ExtentBuffer* buffer) EBCACHE_REQUIRES(mutex_);
  ReclaimTime Now() const EBCACHE_REQUIRES(mutex_);
  uint32_t AgeOf(ReclaimTime time) const EBCACHE_REQUIRES(mutex_);
  void Stamp(ExtentBuffer* buffer) EBCACHE_REQUIRES(mutex_);
  void Begin(ExtentBuffer* buffer, uint32_t kind) EBCACHE_REQUIRES(mutex_);
  void NoteUse(ExtentBuffer* buffer) EBCACHE_REQUIRES(mutex_);
  void Age() EBCACHE_REQUIRES(mutex_);
  void LeaveBin(ExtentBuffer* buffer) EBCACHE_REQUIRES(mutex_);
  void LookAtTheOld() EBCACHE_REQUIRES(mutex_);
  bool Kill(ExtentBuffer* buffer, Collected& done, Waiting& waiting) EBCACHE_REQUIRES(mutex_);
  void BecomeGhost(const ExtentBuffer* buffer, Waiting& waiting) EBCACHE_REQUIRES(mutex_);
  uint64_t GhostsWanted() const EBCACHE_REQUIRES(mutex_);

  // Takes mutex_ itself, after the long part.
  void GrowGhosts(const Waiting& waiting);

  mutable BriefMutex mutex_;
  // Guarded by it as well: older_, newer_ and the reclaim fields of the buffers on the queues.
  std::vector<BufferQueue> queues_ EBCACHE_GUARDED_BY(mutex_);  // by QueueOf
  BufferQueue parked_ EBCACHE_GUARDED_BY(mutex_);
  LeastOf<uint64_t, kPlaces> due_ EBCACHE_GUARDED_BY(mutex_);
  LeastOf<float, kPlaces> worth_ EBCACHE_GUARDED_BY(mutex_);
  ReuseStatistics reuse_ EBCACHE_GUARDED_BY(mutex_);
  GhostTable ghosts_ EBCACHE_GUARDED_BY(mutex_);
  uint64_t newcomers_ EBCACHE_GUARDED_BY(mutex_) = 0;  // ever
  uint32_t total_ EBCACHE_GUARDED_BY(mutex_) = 0;      // buffers, parked or not
  uint32_t capacity_ EBCACHE_GUARDED_BY(mutex_) = 0;   // 0: as many as there are
  // How many newcomers a unit of ReclaimTime is, so that it does not wrap at ages that matter.
  uint32_t unit_ EBCACHE_GUARDED_BY(mutex_) = 1;
  uint64_t looks_ EBCACHE_GUARDED_BY(mutex_) = 0;

  // Size of the queues but parked_, written under mutex_. Relaxed: a reader without the lock decides
  // only whether to try.
  sync::Atomic<uint32_t> unparked_{0};
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_CACHE_RECLAIM_LIST_H_
