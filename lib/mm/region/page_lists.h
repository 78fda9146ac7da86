// PageLists: free order-0 frames kept at hand, by thread and by mobility, so that most allocations
// do not meet in the region's lock.
//
// A thread has a set of lists for itself, until there are more threads than sets. A set has a lock
// all the same, which costs little where no other thread wants it: compaction must be able to take
// out the frames of a page block that it is emptying, in whichever set they are.
//
// Lock order: a set, then the region.

#ifndef EBCACHE_LIB_MM_REGION_PAGE_LISTS_H_
#define EBCACHE_LIB_MM_REGION_PAGE_LISTS_H_

#include <algorithm>
#include <array>
#include <cstdint>

#include "ebcache/internal/sync.h"
#include "lib/base/brief_mutex.h"
#include "lib/mm/frame_stack.h"
#include "lib/mm/region/region_geometry.h"

namespace ebcache {

struct alignas(64) PageListSet {
  // Counts since the start, of the threads that use this set.
  struct Counts {
    uint64_t allocated_folios = 0;
    uint64_t freed_folios = 0;
    uint64_t allocated_frames = 0;
    uint64_t freed_frames = 0;
    uint64_t allocated_blocks = 0;
    uint64_t contiguous_blocks = 0;
    uint64_t lucky_blocks = 0;
  };

  BriefMutex mutex;
  std::array<FrameStack, kRequestMobilities> lists EBCACHE_GUARDED_BY(mutex);
  Counts counts EBCACHE_GUARDED_BY(mutex);

  FrameStack& list(Mobility mobility) EBCACHE_REQUIRES(mutex) {
    return lists[static_cast<size_t>(mobility)];
  }
};

class PageLists {
 public:
  static constexpr uint32_t kSets = 16;

  // A list keeps 512 KiB at most, and little of a small region. Not too little: what lists keep is
  // taken from them where memory runs out.
  // `wanted` 0: what suits the size.
  PageLists(const RegionGeometry& geometry, uint32_t wanted)
      : capacity_(wanted != 0 ? std::min(wanted, FrameStack::kMaxCapacity) : std::clamp<uint32_t>(
            static_cast<uint32_t>(std::min<uint64_t>((size_t{512} << 10) / geometry.page_bytes,
                                                     geometry.frames / (8 * kSets))),
            16, FrameStack::kMaxCapacity)) {}

  uint32_t capacity() const { return capacity_; }
  std::array<PageListSet, kSets>& sets() { return sets_; }
  // The calling thread's.
  PageListSet& Mine() { return sets_[sync::ThreadNumber() % kSets]; }

 private:
  const uint32_t capacity_;
  std::array<PageListSet, kSets> sets_;
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_MM_REGION_PAGE_LISTS_H_
