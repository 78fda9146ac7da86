#include "lib/mm/region/region_frames.h"

#include "lib/base/check.h"

namespace ebcache {

RegionFrames::RegionFrames(OsCalls* os, const RegionGeometry& geometry, bool phantom)
    : geometry_(geometry),
      arena_(os, {.bytes = geometry.frames * geometry.page_bytes,
                  .page_bytes = geometry.page_bytes,
                  .unit_bytes = geometry.superpageblock_frames() * geometry.page_bytes,
                  .memory = phantom ? Arena::Memory::kNone : Arena::Memory::kPrivate,
                  .whole_table = true,
                  .name = "a movable region"}),
      backed_(geometry.pageblocks(), false) {}

void RegionFrames::Back(FrameNumber pfn, uint32_t frames) {
  const PageblockNumber end = geometry_.PageblockOf(pfn + frames - 1);
  for (PageblockNumber block = geometry_.PageblockOf(pfn); block <= end; ++block) {
    if (backed_[block.value()]) continue;
    backed_[block.value()] = true;
    ++backed_pageblocks_;
    arena_.AdviseHugePages(block.value() * pageblock_bytes(), pageblock_bytes());
  }
}

bool RegionFrames::Purge(PageblockNumber pageblock) {
  EBCACHE_CHECK(backed_[pageblock.value()], "a page block without memory has none to give back");
  if (!arena_.Purge(pageblock.value() * pageblock_bytes(), pageblock_bytes())) return false;
  backed_[pageblock.value()] = false;
  --backed_pageblocks_;
  return true;
}

}  // namespace ebcache
