// RegionState: what is free in a movable region and what is not, by page block and superpageblock.
// The buddy allocator, with the accounting that steering and compaction go by.
//
// "User" is the mobility of the request that a frame serves. A frame counts as its user's from when
// it leaves the free lists until it returns to them, also while it is only kept at hand.
//
// Thread safety: under the region's lock, mobility() apart.

#ifndef EBCACHE_LIB_MM_REGION_REGION_STATE_H_
#define EBCACHE_LIB_MM_REGION_REGION_STATE_H_

#include <absl/status/status.h>

#include <cstdint>
#include <vector>

#include "lib/mm/region/buddy.h"
#include "lib/mm/region/region_frames.h"
#include "lib/mm/region/region_geometry.h"
#include "lib/mm/region/superpageblock.h"

namespace ebcache {

struct PageblockCounts {
  uint32_t free_frames = 0;
  uint32_t nonmovable_frames = 0;
};

class RegionState {
 public:
  RegionState(RegionFrames* frames, const RegionGeometry& geometry, const Buddy::Options& options);

  // Makes the region ready for its first allocation, once.
  absl::Status Open();

  const RegionGeometry& geometry() const { return geometry_; }
  const Buddy& buddy() const { return buddy_; }
  SuperpageblockTable& superpageblocks() { return superpageblocks_; }
  const SuperpageblockTable& superpageblocks() const { return superpageblocks_; }
  const PageblockCounts& counts(PageblockNumber pageblock) const {
    return counts_[pageblock.value()];
  }
  Mobility mobility(PageblockNumber pageblock) const { return buddy_.mobility(pageblock); }
  uint64_t free_frames() const { return free_frames_; }

  uint32_t UsedFrames(PageblockNumber pageblock) const {
    return geometry_.pageblock_frames() - counts_[pageblock.value()].free_frames;
  }
  uint32_t MovableFrames(PageblockNumber pageblock) const {
    return UsedFrames(pageblock) - counts_[pageblock.value()].nonmovable_frames;
  }

  // As those of Buddy, and counted.
  FrameNumber Take(ZoneNumber zone, Mobility list, int order, Mobility user);
  FrameNumber TakeOutOf(ZoneNumber zone, Mobility list, int found, int order, Mobility user);
  FrameNumber Claim(ZoneNumber zone, Mobility from, int order, Mobility user, int claimed = 0);
  void Put(FrameNumber pfn, int order, Mobility user);
  void TakeRange(FrameNumber pfn, int order, Mobility user);
  // Frames in use that count as those of another user from now on.
  void Reaccount(FrameNumber pfn, int order, Mobility was, Mobility user) {
    Account(pfn, order, was, /*taken=*/false);
    Account(pfn, order, user, /*taken=*/true);
  }
  void SetMobility(PageblockNumber pageblock, Mobility mobility) {
    buddy_.SetMobility(pageblock, mobility);
  }

  // Marks page blocks as being emptied: what is free in them is not given out, what becomes free
  // stays. False, and nothing changed, when one of them is isolated already.
  bool Isolate(PageblockNumber pageblock, uint32_t count);
  // The reverse. They are movable afterwards.
  void Restore(PageblockNumber pageblock, uint32_t count);

  // Gives the memory of a page block that is entirely free back to the OS. False: it is not, or has
  // no memory, or the OS refused.
  bool Purge(PageblockNumber pageblock);

 private:
  void WithholdFrom(FrameNumber pfn);
  void Account(FrameNumber pfn, int order, Mobility user, bool taken);
  void AccountIn(PageblockNumber pageblock, uint32_t frames, Mobility user, bool taken);
  void Cleanse(SuperpageblockNumber superpageblock);

  RegionFrames* const frames_;
  const RegionGeometry geometry_;
  const bool by_superpageblock_;
  Buddy buddy_;
  SuperpageblockTable superpageblocks_;
  std::vector<PageblockCounts> counts_;
  uint64_t free_frames_ = 0;
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_MM_REGION_REGION_STATE_H_
