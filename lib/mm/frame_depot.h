// FrameDepot: the free frames of an allocator that are in no thread's list.
//
// Frames that were used before are a stack, linked through the frame table itself, so freeing can
// never fail for lack of memory. The others are given out in order of number, from the front: what
// is in use stays together, and memory beyond it stays untouched.
//
// Neighbours: a thread list and the stack keep the order in which frames were freed, and blocks are
// freed back to front. So a block that was in one piece is likely to be so again.
//
// Thread safety: everything may be called from any thread; a ThreadList only by its own.

#ifndef EBCACHE_LIB_MM_FRAME_DEPOT_H_
#define EBCACHE_LIB_MM_FRAME_DEPOT_H_

#include <absl/container/inlined_vector.h>
#include <absl/status/status.h>
#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "ebcache/fork.h"
#include "ebcache/internal/sync.h"
#include "ebcache/page_allocator.h"
#include "lib/base/brief_mutex.h"
#include "lib/mm/page_frame.h"
#include "lib/mm/thread_list.h"

namespace ebcache {

// What the numbers of a depot stand for: a table of frames, and the memory behind them. Called with
// the depot's lock held, `frame` apart.
class FrameSource {
 public:
  virtual ~FrameSource() = default;

  // REQUIRES: `pfn` was below the end of a Prepare that succeeded, Retreat or not.
  virtual PageFrame& frame(FrameNumber pfn) = 0;

  // Makes the frames below `end` usable. On error none is, that was not.
  virtual absl::Status Prepare(FrameNumber end) = 0;

  // The most that can be prepared. The first Prepare may find that it is less.
  virtual uint32_t most_frames() const = 0;

  // Gives back the memory of frames that stay usable. REQUIRES: both multiples of frames_per_purge().
  // False: could not.
  virtual bool Purge(FrameNumber first, uint32_t count) = 0;
  // What is given back goes in groups of so many, from 0: the frames in a page of the OS. A power of two.
  virtual uint32_t frames_per_purge() const { return 1; }

  // The reverse of Prepare, for frames at and above a multiple of frames_per_step(), none of which
  // is in use. False: could not, and nothing has changed.
  virtual bool Retreat(FrameNumber end) = 0;
  virtual uint32_t frames_per_step() const = 0;

  // Bytes behind the frames that are prepared, purged ones included.
  virtual uint64_t prepared_bytes() const = 0;
};

class FrameDepot {
 public:
  // `list_capacity`: how many frames a thread may keep at hand; cut down where that would be a
  // large part of all there are. `reserve_frames`: how many of all frames are kept for the requests
  // that may use the reserve.
  FrameDepot(std::unique_ptr<FrameSource> source, uint32_t list_capacity,
             uint32_t reserve_frames = 0);

  // Tells depots apart for ever.
  uint64_t serial() const { return serial_; }
  uint32_t list_capacity() const { return list_capacity_; }
  // All that can be in use at a time, with the reserve or without.
  uint64_t MostFrames(bool use_reserve) const {
    sync::MutexLock lock(mutex_);
    return max_frames_ - (use_reserve ? 0 : reserve_frames_);
  }

  // Puts frames into `list` until it has `wanted` at least, and more if there are.
  // REQUIRES: wanted <= list.capacity()
  absl::Status Refill(ThreadList& list, uint32_t wanted, bool use_reserve = false);

  // Fills the empty slots, `wanted` of them, with frames in `state`, past `list`, but with the
  // frames of `list` too if it takes them. For requests larger than a list. All or nothing.
  absl::Status Fill(ThreadList& list, uint64_t wanted, const FrameState& state,
                    absl::Span<Folio> slots, bool use_reserve = false);

  // Takes the older half of a full list.
  void Drain(ThreadList& list);
  // Takes all of a list, because others need it.
  void DrainAll(ThreadList& list);
  // Whether some of the reserve is out. What is freed then belongs here, not into lists. Relaxed: a
  // hint.
  bool reserve_in_use() const { return reserve_in_use_.load(std::memory_order_relaxed); }

  // Folios in use whose owners could be asked to release them, as they were a moment ago: fills
  // `found` from frame `from` on, and returns the frame to go on from, or 0 at the end of all.
  // Looks at a bounded number of frames.
  struct InUse {
    FrameNumber pfn;
    FrameState state;
  };
  static constexpr size_t kMostFound = 32;
  using Releasable = absl::InlinedVector<InUse, kMostFound>;  // never more: it does not allocate
  FrameNumber FindReleasable(FrameNumber from, Releasable& found) const;

  // A list joins, and leaves for ever with its frames and counts taken over.
  void Enlist(ThreadList& list);
  void Retire(ThreadList& list);

  // Gives the memory of free frames back to the OS, those in `list` included, but not those in the
  // lists of other threads. Returns the bytes given back.
  size_t Trim(ThreadList& list, size_t frame_bytes);

  // Whether any folio in use belongs to `owner`.
  bool AnyOwnedBy(OwnerId owner);

  // Adds what the depot knows to `stats`.
  void AddStats(AllocatorStats& stats, size_t frame_bytes) const;

 private:
  static constexpr FrameNumber kEnd{~uint32_t{0}};  // of the free stack

  // Frames that are free, in the stack or never used.
  uint64_t LeftLocked() const EBCACHE_REQUIRES(mutex_) {
    return uint64_t{free_frames_} + (max_frames_ - fresh_.value());
  }
  absl::Status MakeAvailableLocked(uint64_t count, bool use_reserve) EBCACHE_REQUIRES(mutex_);
  FrameNumber PopLocked() EBCACHE_REQUIRES(mutex_);
  void PushLocked(FrameNumber pfn) EBCACHE_REQUIRES(mutex_);
  void DrainLocked(ThreadList& list, uint32_t count) EBCACHE_REQUIRES(mutex_);
  void RetreatLocked() EBCACHE_REQUIRES(mutex_);
  void PurgeRunsLocked() EBCACHE_REQUIRES(mutex_);
  void RelinkLocked() EBCACHE_REQUIRES(mutex_);
  uint64_t ResidentBytesLocked(size_t frame_bytes) const EBCACHE_REQUIRES(mutex_);

  const uint64_t serial_;
  mutable BriefMutex mutex_;  // of the frames that are kFree, too
  const std::unique_ptr<FrameSource> source_ EBCACHE_PT_GUARDED_BY(mutex_);
  const uint32_t list_capacity_;
  const uint32_t reserve_frames_;

  sync::Atomic<bool> reserve_in_use_{false};
  uint32_t max_frames_ EBCACHE_GUARDED_BY(mutex_);  // the most that the source can prepare
  FrameNumber free_top_ EBCACHE_GUARDED_BY(mutex_) = kEnd;
  uint32_t free_frames_ EBCACHE_GUARDED_BY(mutex_) = 0;    // in the stack
  uint32_t purged_frames_ EBCACHE_GUARDED_BY(mutex_) = 0;  // of these, without memory
  FrameNumber fresh_ EBCACHE_GUARDED_BY(mutex_);  // the first frame that was never given out
  std::vector<ThreadList*> lists_ EBCACHE_GUARDED_BY(mutex_);
  FolioCounters retired_ EBCACHE_GUARDED_BY(mutex_);  // counts of the threads that ended
  ForkHandler at_fork_;                               // last: it uses the others
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_MM_FRAME_DEPOT_H_
