// DepotReleaser: asks the owners of the folios of a depot to release some, in the order of frames,
// from where the last request stopped.
//
// Thread safety: everything may be called from any thread.

#ifndef EBCACHE_LIB_MM_DEPOT_RELEASER_H_
#define EBCACHE_LIB_MM_DEPOT_RELEASER_H_

#include <cstdint>

#include "ebcache/internal/sync.h"
#include "ebcache/page_allocator.h"
#include "lib/mm/frame_depot.h"
#include "lib/mm/owner_table.h"

namespace ebcache {

class DepotReleaser {
 public:
  // Both must outlive it.
  DepotReleaser(const FrameDepot* depot, OwnerTable* owners) : depot_(*depot), owners_(*owners) {}

  // Once around until some went; `spared` is not asked (kNoOwner: all are). Whether any went.
  // REQUIRES: no lock is held.
  bool ReleaseSome(OwnerId spared) {
    bool released = false;
    FrameDepot::Releasable found;
    const FrameNumber start = next_.load(std::memory_order_relaxed);
    FrameNumber pfn = start;
    // From where the last one stopped to the end, and from the start to there.
    for (bool around = false; !released && !(around && pfn >= start);) {
      found.clear();
      pfn = depot_.FindReleasable(pfn, found);
      for (const FrameDepot::InUse& folio : found) {
        if (folio.state.owner == spared) continue;
        const OwnerTable::Call call(&owners_, folio.state.owner);
        if (call.owner() == nullptr) continue;
        released |= AskToRelease(*call.owner(), FolioAt(folio.pfn), folio.state.private_bits);
      }
      if (pfn == kFirst && around) break;
      around |= pfn == kFirst;
    }
    next_.store(pfn, std::memory_order_relaxed);
    return released;
  }

 private:
  const FrameDepot& depot_;
  OwnerTable& owners_;
  static constexpr FrameNumber kFirst{0};
  sync::Atomic<FrameNumber> next_{kFirst};  // the frame to ask about next; relaxed: a hint
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_MM_DEPOT_RELEASER_H_
