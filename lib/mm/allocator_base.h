// AllocatorBase: what all page allocators do alike: owners, the checks of a request, the plain way
// to put a block together from order-0 pages, and the counting of failures. What they do when there
// is no memory is the ReclaimLadder's.

#ifndef EBCACHE_LIB_MM_ALLOCATOR_BASE_H_
#define EBCACHE_LIB_MM_ALLOCATOR_BASE_H_

#include <absl/status/status.h>

#include <cstddef>
#include <cstdint>
#include <new>

#include "ebcache/fork.h"
#include "ebcache/internal/sync.h"
#include "ebcache/page_allocator.h"
#include "lib/mm/owner_table.h"
#include "lib/mm/reclaim_ladder.h"

namespace ebcache {

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
  void QuiesceOwner(OwnerId owner) final { owners_.Quiesce(owner); }
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

  // The rest of an AllocateBulk whose first attempt ended in `status`, by the ladder. An error is
  // counted.
  absl::Status Insist(const FolioRequest& request, absl::Status status,
                      const ReclaimLadder::Rungs& rungs);

  OwnerTable& owners() { return owners_; }
  ReclaimLadder& ladder() { return ladder_; }

  // An address for scattered pages; null where there is none to be had.
  virtual std::byte* MapBlock(absl::Span<const Folio> pages) { return (void)pages, nullptr; }
  virtual void CountBlock(BlockForm form) = 0;
  // REQUIRES: no call of the owner is under way.
  virtual bool AnyOwnedBy(OwnerId owner) = 0;
  // Adds everything but what the base counts itself.
  virtual void AddStats(AllocatorStats& stats) const = 0;

 private:
  // The locks that fork handlers hold are held over the fork: the two are halves of one function.
  void BeforeFork() EBCACHE_NO_THREAD_SAFETY_ANALYSIS;
  void AfterFork(bool in_child) EBCACHE_NO_THREAD_SAFETY_ANALYSIS;

  const size_t page_bytes_;
  const bool contiguous_by_luck_;
  OwnerTable owners_;
  ReclaimLadder ladder_;
  sync::Atomic<uint64_t> failed_allocations_{0};  // relaxed: a statistic
  ForkHandler at_fork_;                           // last: it uses the others
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_MM_ALLOCATOR_BASE_H_
