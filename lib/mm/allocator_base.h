// AllocatorBase: what all page allocators do alike: owners, the checks of a request, the plain way
// to put a block together from order-0 pages, and the counting of failures.

#ifndef EBCACHE_LIB_MM_ALLOCATOR_BASE_H_
#define EBCACHE_LIB_MM_ALLOCATOR_BASE_H_

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <new>

#include "ebcache/fork.h"
#include "ebcache/internal/sync.h"
#include "ebcache/page_allocator.h"
#include "lib/mm/free_events.h"
#include "lib/mm/owner_table.h"

namespace ebcache {

class FrameDepot;

// ResourceExhausted, with words where there is memory for those.
absl::Status NoHeapMemory() noexcept;

// What `call` returns; ResourceExhausted where the heap has no memory for what goes with a call:
// records of an allocator's, the text of an error.
template <typename Call>
absl::Status WithoutThrowing(Call call) {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    return NoHeapMemory();
  }
}

// How a block came to have an address, or did not.
enum class BlockForm { kPageArray, kOnePage, kLucky, kLargeFolio, kMapped };

class AllocatorBase : public PageAllocator {
 public:
  size_t page_bytes() const final { return page_bytes_; }

  OwnerId RegisterOwner(FolioOwner* owner) override { return owners_.Register(owner); }
  void QuiesceOwner(OwnerId owner) override { owners_.Quiesce(owner); }
  void UnregisterOwner(OwnerId owner) final;

  // Order-0 pages; one address if there is only one page, or they are neighbours by luck, or
  // MapBlock finds one.
  absl::Status AllocateBlock(const FolioRequest& request, FolioBlock& block) override;
  void FreeBlock(FolioBlock& block) override;

  AllocatorStats stats() const final;

 protected:
  // CHECKs that `page_bytes` is one of 4096, 16384 and 65536. `no_fail_wait_ms`: how long a kNoFail
  // request waits in which no other thread frees anything.
  AllocatorBase(size_t page_bytes, bool contiguous_by_luck, uint32_t no_fail_wait_ms);

  // Whether a request may be served at all: InvalidArgument when the order is above `max_order`,
  // kNoFail is asked for above order 1, or the migrability contract is broken.
  absl::Status CheckRequest(const FolioRequest& request, int order, int max_order);

  // Counts a call that ends in `error`, and hands it on.
  absl::Status Failed(const FolioRequest& request, absl::Status error);

  // For AllocateBlock: REQUIRES a power of two of slots, all empty.
  static void CheckBlock(const FolioBlock& block);

  // The rest of an AllocateBulk whose first attempt ended in `status`. Nothing, unless that is want
  // of memory. Then owners are asked to release folios, unless the request is kNoReclaim or is not
  // `possible`: more than there will be however many are released. For kNoFail others are waited
  // for, too, and at last `attempt` is called with use_reserve. REQUIRES: no lock is held.
  using Attempt = absl::FunctionRef<absl::Status(bool use_reserve)>;
  absl::Status Insist(const FolioRequest& request, absl::Status status, bool possible,
                      Attempt attempt);

  // To be called after frees, if a thread waits for them. REQUIRES: what was freed is within reach
  // of all threads.
  bool anyone_waits() const { return free_events_.anyone_waits(); }
  void NotifyFreed() { free_events_.Notify(); }

  OwnerTable& owners() { return owners_; }
  // ReleaseSome for the folios of a depot.
  bool ReleaseSomeOf(const FrameDepot& depot, OwnerId spared);

  // Asks owners to release folios, all of them once around until some went; `spared` is not asked
  // (kNoOwner: all are). Whether any went. REQUIRES: no lock is held.
  virtual bool ReleaseSome(OwnerId spared) = 0;
  // An address for scattered pages; null where there is none to be had.
  virtual std::byte* MapBlock(absl::Span<const Folio> pages) { return (void)pages, nullptr; }
  virtual void CountBlock(BlockForm form) = 0;
  virtual bool AnyOwnedBy(OwnerId owner) = 0;
  // Adds everything but what the base counts itself.
  virtual void AddStats(AllocatorStats& stats) const = 0;

 private:
  // The locks that fork handlers hold are held over the fork: the two are halves of one function.
  void BeforeFork() EBCACHE_NO_THREAD_SAFETY_ANALYSIS;
  void AfterFork(bool in_child) EBCACHE_NO_THREAD_SAFETY_ANALYSIS;
  // For a request that may fail: asks the other owners, in turns with `attempt`.
  absl::Status AskOthers(const FolioRequest& request, absl::Status status, Attempt attempt);
  absl::Status InsistNoFail(const FolioRequest& request, bool may_reclaim, Attempt attempt);

  const size_t page_bytes_;
  const bool contiguous_by_luck_;
  const std::chrono::milliseconds no_fail_wait_;
  OwnerTable owners_;
  FreeEvents free_events_;
  sync::Atomic<uint32_t> release_next_{0};  // the frame to ask about next; relaxed: a hint
  // Relaxed: statistics.
  sync::Atomic<uint64_t> failed_allocations_{0};
  sync::Atomic<uint64_t> reclaims_from_others_{0};
  sync::Atomic<uint64_t> no_fail_refused_{0};
  sync::Atomic<uint64_t> no_fail_reclaims_{0};
  sync::Atomic<uint64_t> no_fail_waits_{0};
  sync::Atomic<uint64_t> no_fail_reserves_{0};
  sync::Atomic<uint64_t> no_fail_failures_{0};
  ForkHandler at_fork_;  // last: it uses the others
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_MM_ALLOCATOR_BASE_H_
