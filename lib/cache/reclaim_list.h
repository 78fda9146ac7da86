// ReclaimList: the order in which idle buffers go, and the search for those that can.
//
// Metadata is touched in bursts: a leaf is found a hundred times while its items are used, and then
// not again until the whole tree has been walked once more. So a second touch says nothing, and how
// long ago the last one was says little: under walks that are larger than the cache, LRU evicts
// each block just before it is wanted. What tells is how long a block stays away between bursts. As
// LIRS does, this order keeps the blocks that come back soonest; but it knows only what can be
// known without work in lookups, which leave ACCESSED in the state word and nothing else.
//
// Where a buffer is:
//
//   nursery    newcomers, for as long as a burst lasts. What happens here does not count.
//   probation  first in, first out: one in sixteen. A buffer found again here gets a chance.
//   hot        the others, in a ring. A hand goes round it: it takes ACCESSED away, and notes when.
//   parked     in use, dirty or being read when its turn came: on no ring until it is idle again.
//   ghost      gone, but remembered, with the time at which it was last known to be in use.
//
// Time is counted in newcomers. A newcomer goes through nursery and probation, and out, as a ghost;
// it becomes hot only by *challenge*: some hot buffer must have lain untouched for longer than the
// challenger needs. In a loop larger than the cache no hot buffer lies that long, every challenge
// fails, and so most of the loop stays. How long it must be:
//
//   - a ghost that comes back: four times as long as it stayed away;
//   - a buffer found again on probation: eight times as long as it was there, which is not long;
//   - a newcomer that was touched in the nursery, of which nothing is known: patience_. That is
//     learnt. A ghost that is let in should have been kept: patience falls. A buffer that was hot,
//     had to make way and comes back was wronged: it rises. So after a change of what is in use
//     the old hot buffers go quickly, and in a loop they do not.
//
// docs/reclaim.md has the comparison with other orders, and what each rule is worth.
//
// Invariants:
//   1. A mapped buffer is on exactly one ring from Add, which is before its maker's first reference
//      ends, until Remove or its death in Collect; so a thread that kills one finds it here.
//   2. A buffer on parked_ has PARKED in its state, or the thread that took PARKED away is on the
//      way to Unpark it. PARKED is set under the lock, only where the buffer is not idle, and goes
//      in the put that makes it idle: no idle buffer is forgotten.
//   3. Work is bounded: Add looks at no more than two challenges' worth of hot buffers and what the
//      hand passes for each newcomer, Collect at max_scan and one challenge's worth for each it
//      spares. A buffer that cannot go is looked at once for each time it was in use.
//
// Thread safety: all methods, from any thread.

#ifndef EBCACHE_LIB_CACHE_RECLAIM_LIST_H_
#define EBCACHE_LIB_CACHE_RECLAIM_LIST_H_

#include <absl/types/span.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <utility>

#include "ebcache/extent_buffer.h"
#include "ebcache/internal/sync.h"
#include "lib/base/brief_mutex.h"
#include "lib/cache/buffer_queue.h"
#include "lib/cache/descriptor_slab.h"
#include "lib/cache/ghost_table.h"

namespace ebcache {

class ReclaimList {
 public:
  explicit ReclaimList(DescriptorSlab* slab)
      : nursery_(slab), probation_(slab), hot_(slab), parked_(slab) {}

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
  enum Ring : uint32_t { kNursery, kProbation, kHot };  // what ExtentBuffer::ring_ is
  static constexpr uint32_t kRingMask = 3;              // the bits that it has

  // Ghosts for which there was no room: as many as a batch of victims.
  struct Waiting {
    std::array<std::pair<uint64_t, Ghost>, 32> ghosts;
    size_t count = 0;
  };

  void AddLocked(ExtentBuffer* buffer) EBCACHE_REQUIRES(mutex_);
  BufferQueue& RingOf(const ExtentBuffer* buffer) EBCACHE_REQUIRES(mutex_);
  void Enter(Ring ring, ExtentBuffer* buffer) EBCACHE_REQUIRES(mutex_);
  void Leave(ExtentBuffer* buffer) EBCACHE_REQUIRES(mutex_);
  uint32_t Total() const EBCACHE_REQUIRES(mutex_);
  uint32_t Capacity() const EBCACHE_REQUIRES(mutex_);
  uint32_t NurseryTarget() const EBCACHE_REQUIRES(mutex_);
  uint32_t ProbationTarget() const EBCACHE_REQUIRES(mutex_);
  uint32_t HotTarget() const EBCACHE_REQUIRES(mutex_);
  bool TakeAccess(ExtentBuffer* buffer) EBCACHE_REQUIRES(mutex_);
  uint32_t Age(const ExtentBuffer* buffer) const EBCACHE_REQUIRES(mutex_);
  void Stamp(ExtentBuffer* buffer) EBCACHE_REQUIRES(mutex_);
  bool Challenge(double age) EBCACHE_REQUIRES(mutex_);
  bool Welcome(const Ghost& ghost) EBCACHE_REQUIRES(mutex_);
  void LeaveNursery() EBCACHE_REQUIRES(mutex_);
  void TurnHand() EBCACHE_REQUIRES(mutex_);
  BufferQueue& NextRing() EBCACHE_REQUIRES(mutex_);
  void Spare(ExtentBuffer* buffer, bool* challenges) EBCACHE_REQUIRES(mutex_);
  bool Kill(ExtentBuffer* buffer, Collected& done, Waiting& waiting) EBCACHE_REQUIRES(mutex_);
  void BecomeGhost(const ExtentBuffer* buffer, Waiting& waiting) EBCACHE_REQUIRES(mutex_);
  uint64_t GhostsWanted() const EBCACHE_REQUIRES(mutex_);

  // Takes mutex_ itself, after the long part.
  void GrowGhosts(const Waiting& waiting);

  mutable BriefMutex mutex_;
  // Guarded by it as well: older_, newer_ and the reclaim fields of the buffers on the rings.
  BufferQueue nursery_ EBCACHE_GUARDED_BY(mutex_);
  BufferQueue probation_ EBCACHE_GUARDED_BY(mutex_);
  BufferQueue hot_ EBCACHE_GUARDED_BY(mutex_);  // its oldest is where the hand is
  BufferQueue parked_ EBCACHE_GUARDED_BY(mutex_);
  GhostTable ghosts_ EBCACHE_GUARDED_BY(mutex_);
  ReclaimTime now_ EBCACHE_GUARDED_BY(mutex_);
  uint32_t capacity_ EBCACHE_GUARDED_BY(mutex_) = 0;
  // In capacities; high at first, because it falls more easily.
  double patience_ EBCACHE_GUARDED_BY(mutex_) = 4;
  uint64_t looks_ EBCACHE_GUARDED_BY(mutex_) = 0;

  // Size of the rings but parked_, written under mutex_. Relaxed: a reader without the lock decides
  // only whether to try.
  sync::Atomic<uint32_t> unparked_{0};
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_CACHE_RECLAIM_LIST_H_
