// RegionFrames: the table of page frames of a movable region, and the memory behind them, if there
// is any. A phantom region has the table only: 8 bytes a page, and no bytes in the pages.
//
// Memory is counted by page block: backed from when the first of its frames is taken, until the
// whole block is free and its memory went back to the OS.
//
// Thread safety: Contains, operator[] and base from any thread; the rest under the region's lock.

#ifndef EBCACHE_LIB_MM_REGION_REGION_FRAMES_H_
#define EBCACHE_LIB_MM_REGION_REGION_FRAMES_H_

#include <absl/status/status.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ebcache/allocators.h"
#include "lib/base/check.h"
#include "lib/mm/arena.h"
#include "lib/mm/page_frame.h"
#include "lib/mm/region/region_geometry.h"

namespace ebcache {

class RegionFrames {
 public:
  RegionFrames(OsCalls* os, const RegionGeometry& geometry, bool phantom)
      : geometry_(geometry),
        arena_(os, {.bytes = geometry.frames * geometry.page_bytes,
                    .page_bytes = geometry.page_bytes,
                    .unit_bytes = geometry.superpageblock_frames() * geometry.page_bytes,
                    .memory = phantom ? Arena::Memory::kNone : Arena::Memory::kPrivate,
                    .whole_table = true,
                    .name = "a movable region"}),
        backed_(geometry.pageblocks(), false) {}

  bool reserved() const { return arena_.reserved(); }
  // Asks the OS for address space. Where it refuses so much, it is half of it, or half of that, in
  // whole superpageblocks; frames beyond have no memory.
  absl::Status Reserve() { return arena_.Reserve(); }
  // Frames with memory; before Reserve, all.
  uint32_t usable_frames() const { return arena_.frames(); }
  size_t reserved_bytes() const { return arena_.reserved_bytes(); }

  bool Contains(FrameNumber pfn) const { return pfn < geometry_.EndFrame() && reserved(); }
  // REQUIRES: Contains(pfn)
  PageFrame& operator[](FrameNumber pfn) const { return arena_[pfn]; }

  // Address of frame 0; null in a phantom region, and before Reserve.
  std::byte* base() const { return arena_.base(); }

  // Counts the page blocks under [pfn, pfn + frames) as backed, with huge pages advised.
  void Back(FrameNumber pfn, uint32_t frames) {
    const PageblockNumber end = geometry_.PageblockOf(pfn + frames - 1);
    for (PageblockNumber block = geometry_.PageblockOf(pfn); block <= end; ++block) {
      if (backed_[block.value()]) continue;
      backed_[block.value()] = true;
      ++backed_pageblocks_;
      arena_.AdviseHugePages(block.value() * pageblock_bytes(), pageblock_bytes());
    }
  }
  bool backed(PageblockNumber pageblock) const { return backed_[pageblock.value()]; }
  // Gives the memory of a page block back. REQUIRES: all of it is free. False: the OS would not.
  bool Purge(PageblockNumber pageblock) {
    EBCACHE_CHECK(backed_[pageblock.value()], "a page block without memory has none to give back");
    if (!arena_.Purge(pageblock.value() * pageblock_bytes(), pageblock_bytes())) return false;
    backed_[pageblock.value()] = false;
    --backed_pageblocks_;
    return true;
  }

  uint64_t backed_bytes() const {
    return uint64_t{backed_pageblocks_} * geometry_.pageblock_frames() * geometry_.page_bytes;
  }

 private:
  size_t pageblock_bytes() const { return geometry_.pageblock_frames() * geometry_.page_bytes; }

  const RegionGeometry geometry_;
  Arena arena_;
  std::vector<bool> backed_;
  uint32_t backed_pageblocks_ = 0;
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_MM_REGION_REGION_FRAMES_H_
