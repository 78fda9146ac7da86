// RegionGeometry: how the frames of a movable region are grouped. Page blocks are the unit of
// mobility, superpageblocks the unit that is kept clean, tainted, or given back to the OS.

#ifndef EBCACHE_LIB_MM_REGION_REGION_GEOMETRY_H_
#define EBCACHE_LIB_MM_REGION_REGION_GEOMETRY_H_

#include <cstddef>
#include <cstdint>

#include "ebcache/movable_region.h"
#include "lib/mm/frame_number.h"
#include "lib/mm/page_frame.h"

namespace ebcache {

// None of the numbers of a region.
inline constexpr FrameNumber kNoFrame = FreeBlock::kNone;
inline constexpr PageblockNumber kNoPageblock{kNoFrame.value()};
inline constexpr SuperpageblockNumber kNoSuperpageblock{kNoFrame.value()};

inline constexpr int kRequestMobilities = 3;  // all but kIsolated

constexpr bool IsMovable(Mobility mobility) { return mobility == Mobility::kMovable; }

struct RegionGeometry {
  size_t page_bytes = 0;
  uint32_t frames = 0;
  int pageblock_order = 0;
  int superpageblock_order = 0;

  constexpr uint32_t pageblock_frames() const { return uint32_t{1} << pageblock_order; }
  constexpr uint32_t superpageblock_frames() const { return uint32_t{1} << superpageblock_order; }
  constexpr uint32_t pageblocks_each() const {
    return uint32_t{1} << (superpageblock_order - pageblock_order);
  }
  constexpr uint32_t pageblocks() const { return frames >> pageblock_order; }
  constexpr uint32_t superpageblocks() const { return frames >> superpageblock_order; }
  constexpr PageblockNumber PageblockOf(FrameNumber pfn) const {
    return PageblockNumber(pfn.value() >> pageblock_order);
  }
  constexpr SuperpageblockNumber SuperpageblockOf(FrameNumber pfn) const {
    return SuperpageblockNumber(pfn.value() >> superpageblock_order);
  }
  constexpr SuperpageblockNumber SuperpageblockOf(PageblockNumber pageblock) const {
    return SuperpageblockNumber(pageblock.value() >> (superpageblock_order - pageblock_order));
  }
  constexpr FrameNumber FirstFrame(PageblockNumber pageblock) const {
    return FrameNumber(pageblock.value() << pageblock_order);
  }
  constexpr FrameNumber FirstFrame(SuperpageblockNumber superpageblock) const {
    return FrameNumber(superpageblock.value() << superpageblock_order);
  }
  constexpr PageblockNumber FirstPageblock(SuperpageblockNumber superpageblock) const {
    return PageblockNumber(superpageblock.value() << (superpageblock_order - pageblock_order));
  }
  // Behind the last ones.
  constexpr FrameNumber EndFrame() const { return FrameNumber(frames); }
  constexpr PageblockNumber EndPageblock() const { return PageblockNumber(pageblocks()); }
  constexpr SuperpageblockNumber EndSuperpageblock() const {
    return SuperpageblockNumber(superpageblocks());
  }
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_MM_REGION_REGION_GEOMETRY_H_
