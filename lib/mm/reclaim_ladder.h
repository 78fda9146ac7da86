// ReclaimLadder: what an allocation does that has found no memory, rung by rung: it asks the owners
// of other folios to release some; where it cannot do without (kNoFail) it waits for other threads
// to free some, too; and at last it spends the reserve.
//
// An allocator has one, and hands it what only the allocator knows: how to try again, and how to
// ask for a release. The ladder never calls back by any other way.
//
// Thread safety: everything may be called from any thread.

#ifndef EBCACHE_LIB_MM_RECLAIM_LADDER_H_
#define EBCACHE_LIB_MM_RECLAIM_LADDER_H_

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>

#include <chrono>
#include <cstdint>

#include "ebcache/internal/sync.h"
#include "ebcache/page_allocator.h"
#include "lib/mm/free_events.h"
#include "lib/mm/owner_table.h"

namespace ebcache {

class ReclaimLadder {
 public:
  // Linux warns above order 1: nothing below guarantees that such a run of pages will ever be free.
  static constexpr int kMaxNoFailOrder = 1;

  // `owners` must outlive it. `no_fail_wait_ms`: how long a kNoFail request waits in which no other
  // thread frees anything.
  ReclaimLadder(const OwnerTable* owners, uint32_t no_fail_wait_ms)
      : owners_(*owners), no_fail_wait_(no_fail_wait_ms) {}

  // InvalidArgument where kNoFail cannot be promised for such a folio.
  absl::Status CheckOrder(const FolioRequest& request, int order);

  // What an allocator hands over.
  struct Rungs {
    // False: the request is for more than there will be, however many folios are released.
    bool possible = true;
    // Asks owners to release folios, all of them once around until some went; `spared` is not asked
    // (kNoOwner: all are). Whether any went.
    absl::FunctionRef<bool(OwnerId spared)> release;
    // Another try.
    absl::FunctionRef<absl::Status(bool use_reserve)> attempt;
  };
  // The rest of an allocation whose first attempt ended in `status`: what it comes to at last.
  // Nothing is done, unless that is want of memory. Owners are not asked where the request is
  // kNoReclaim. REQUIRES: no lock is held.
  absl::Status Climb(const FolioRequest& request, absl::Status status, const Rungs& rungs);

  // To be called after frees, if a thread waits for them. REQUIRES: what was freed is within reach
  // of all threads.
  bool anyone_waits() const { return free_events_.anyone_waits(); }
  void NotifyFreed() { free_events_.Notify(); }

  void AddStats(AllocatorStats& stats) const;

  // See ForkHandler. The lock is held over the fork: the two are halves of one function.
  void BeforeFork() EBCACHE_NO_THREAD_SAFETY_ANALYSIS { free_events_.BeforeFork(); }
  void AfterFork(bool in_child) EBCACHE_NO_THREAD_SAFETY_ANALYSIS {
    free_events_.AfterFork(in_child);
  }

 private:
  // For a request that may fail: asks the other owners, in turns with attempts.
  absl::Status AskOthers(const FolioRequest& request, absl::Status status, const Rungs& rungs);
  absl::Status InsistNoFail(bool may_reclaim, const Rungs& rungs);

  const OwnerTable& owners_;
  const std::chrono::milliseconds no_fail_wait_;
  FreeEvents free_events_;
  // Relaxed: statistics.
  sync::Atomic<uint64_t> reclaims_from_others_{0};
  sync::Atomic<uint64_t> no_fail_refused_{0};
  sync::Atomic<uint64_t> no_fail_reclaims_{0};
  sync::Atomic<uint64_t> no_fail_waits_{0};
  sync::Atomic<uint64_t> no_fail_reserves_{0};
  sync::Atomic<uint64_t> no_fail_failures_{0};
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_MM_RECLAIM_LADDER_H_
