// ReclaimList: the order in which idle buffers go, and the search for those that can.
//
// A CLOCK over a linked list: new buffers enter at the young end; the search looks at the old end.
// A buffer found since it was last looked at gets another round, one that cannot go is passed over
// and counted by why, an idle one dies in the compare-and-swap that finds it idle. Lookups never
// touch the list: they leave ACCESSED in the state word, which they write anyway.
//
// New buffers enter without ACCESSED. So the leaves of a whole-tree walk, each met once, go before
// the inner nodes it comes back to.
//
// Links are descriptor numbers, in the descriptors. Invariant: a mapped buffer is on the list from
// before its maker's first reference ends until it is buried, so whoever kills one finds it here.
//
// Thread safety: all methods, from any thread.

#ifndef EBCACHE_LIB_CACHE_RECLAIM_LIST_H_
#define EBCACHE_LIB_CACHE_RECLAIM_LIST_H_

#include <absl/types/span.h>

#include <array>
#include <cstdint>
#include <mutex>

#include "ebcache/extent_buffer.h"
#include "lib/cache/descriptor_slab.h"

namespace ebcache {

class ReclaimList {
 public:
  explicit ReclaimList(DescriptorSlab* slab) : slab_(slab) {}

  void Add(ExtentBuffer* buffer);
  void Remove(ExtentBuffer* buffer);

  // What one call of Collect did.
  struct Collected {
    uint32_t victims = 0;
    uint32_t scanned = 0;
    std::array<uint32_t, kReleaseVerdicts> skipped{};
  };

  // Looks at up to `max_scan` buffers from the old end, and kills those that can go until `victims`
  // is full. The dead ones are off the list; the caller buries them. `spare_accessed`: whether
  // those found since get another round.
  Collected Collect(absl::Span<ExtentBuffer*> victims, uint32_t max_scan, bool spare_accessed);

  uint32_t size() const;

 private:
  void Link(ExtentBuffer* buffer);    // at the young end; REQUIRES: mutex_ held
  void Unlink(ExtentBuffer* buffer);  // REQUIRES: mutex_ held

  DescriptorSlab* const slab_;
  mutable std::mutex mutex_;
  // Guarded by mutex_, as are older_ and newer_ of the buffers on the list.
  uint32_t oldest_ = DescriptorSlab::kNone;
  uint32_t newest_ = DescriptorSlab::kNone;
  uint32_t size_ = 0;
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_CACHE_RECLAIM_LIST_H_
