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

void RegionFrames::Back(uint32_t pfn, uint32_t frames) {
  const uint32_t end = geometry_.PageblockOf(pfn + frames - 1);
  for (uint32_t block = geometry_.PageblockOf(pfn); block <= end; ++block) {
    if (backed_[block]) continue;
    backed_[block] = true;
    ++backed_pageblocks_;
    arena_.AdviseHugePages(block * pageblock_bytes(), pageblock_bytes());
  }
}

bool RegionFrames::Purge(uint32_t pageblock) {
  EBCACHE_CHECK(backed_[pageblock], "a page block without memory has none to give back");
  if (!arena_.Purge(pageblock * pageblock_bytes(), pageblock_bytes())) return false;
  backed_[pageblock] = false;
  --backed_pageblocks_;
  return true;
}

}  // namespace ebcache
