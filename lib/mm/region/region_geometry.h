// RegionGeometry: how the frames of a movable region are grouped. Page blocks are the unit of
// mobility, superpageblocks the unit that is kept clean, tainted, or given back to the OS.

#ifndef EBCACHE_LIB_MM_REGION_REGION_GEOMETRY_H_
#define EBCACHE_LIB_MM_REGION_REGION_GEOMETRY_H_

#include <cstddef>
#include <cstdint>

#include "ebcache/movable_region.h"
#include "lib/mm/page_frame.h"

namespace ebcache {

inline constexpr uint32_t kNoFrame = FreeBlock::kNone;

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
  constexpr uint32_t PageblockOf(uint32_t pfn) const { return pfn >> pageblock_order; }
  constexpr uint32_t SuperpageblockOf(uint32_t pfn) const { return pfn >> superpageblock_order; }
  constexpr uint32_t FirstFrame(uint32_t pageblock) const { return pageblock << pageblock_order; }
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_MM_REGION_REGION_GEOMETRY_H_
