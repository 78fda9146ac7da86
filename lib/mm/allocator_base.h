// AllocatorBase: what all page allocators do alike: owners, the checks of a request, the plain way
// to put a block together from order-0 pages, and the counting of failures.

#ifndef EBCACHE_LIB_MM_ALLOCATOR_BASE_H_
#define EBCACHE_LIB_MM_ALLOCATOR_BASE_H_

#include <absl/status/status.h>

#include <cstddef>
#include <cstdint>

#include "ebcache/page_allocator.h"
#include "ebcache/sync.h"
#include "lib/mm/owner_table.h"

namespace ebcache {

class AllocatorBase : public PageAllocator {
 public:
  size_t page_bytes() const final { return page_bytes_; }

  OwnerId RegisterOwner(FolioOwner* owner) override { return owners_.Register(owner); }
  void UnregisterOwner(OwnerId owner) final;

  // Order-0 pages; one address if there is only one page, or if they are neighbours by luck.
  absl::Status AllocateBlock(const FolioRequest& request, FolioBlock& block) override;
  void FreeBlock(FolioBlock& block) override;

  AllocatorStats stats() const final;

 protected:
  // CHECKs that `page_bytes` is one of 4096, 16384 and 65536.
  AllocatorBase(size_t page_bytes, bool contiguous_by_luck);

  // Whether a request may be served at all: InvalidArgument when the order is above `max_order`,
  // kNoFail is asked for above order 1, or the migrability contract is broken.
  absl::Status CheckRequest(const FolioRequest& request, int order, int max_order);

  // Counts a call that ends in `error`, and hands it on.
  absl::Status Failed(const FolioRequest& request, absl::Status error);

  // For AllocateBlock: REQUIRES a power of two of slots, all empty.
  static void CheckBlock(const FolioBlock& block);

  virtual void CountBlock(bool contiguous) = 0;
  virtual bool AnyOwnedBy(OwnerId owner) = 0;
  // Adds everything but what the base counts itself.
  virtual void AddStats(AllocatorStats& stats) const = 0;

 private:
  const size_t page_bytes_;
  const bool contiguous_by_luck_;
  OwnerTable owners_;
  // Relaxed: a statistic.
  sync::Atomic<uint64_t> failed_allocations_{0};
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_MM_ALLOCATOR_BASE_H_
