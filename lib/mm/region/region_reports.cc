// What a movable region says of itself.

#include <algorithm>
#include <array>
#include <vector>

#include "lib/mm/region/movable_region_impl.h"

namespace ebcache {

std::string_view SuperpageblockCategoryName(SuperpageblockCategory category) {
  constexpr std::array<std::string_view, kSuperpageblockCategories> kNames = {
      "empty", "clean", "tainted", "isolated"};
  return kNames[static_cast<size_t>(category)];
}

MovableRegionReport MovableRegion::Impl::report() const {
  sync::MutexLock lock(mutex_);
  MovableRegionReport report = counters_;
  report.superpageblocks = geometry_.superpageblocks();
  for (int i = 0; i < kSuperpageblockCategories; ++i) {
    report.by_category[static_cast<size_t>(i)] =
        state_.superpageblocks().CountOf(static_cast<SuperpageblockCategory>(i));
  }
  // What has no memory counts as clean and full there.
  const uint32_t refused =
      (geometry_.frames - frames_.usable_frames()) >> geometry_.superpageblock_order;
  report.refused_superpageblocks = refused;
  report.superpageblocks -= refused;
  report.by_category[static_cast<size_t>(SuperpageblockCategory::kClean)] -= refused;
  report.free_frames = state_.free_frames();
  for (SuperpageblockNumber i; i < geometry_.EndSuperpageblock(); ++i) {
    report.free_pageblocks += state_.superpageblocks()[i].free_pageblocks;
  }
  report.defrag_failures = threads_.failures();
  report.stolen_pageblocks = steering_.counters().stolen_pageblocks;
  report.mixed_allocations = steering_.counters().mixed_allocations;
  report.partial_fallbacks = steering_.counters().partial_fallbacks;
  for (const OwnerReport& owner : owner_reports_) {
    if (owner.migrated + owner.released + owner.refused != 0) report.owners.push_back(owner);
  }
  return report;
}

FrameCounts MovableRegion::Impl::CountFrames(FrameNumber first, uint32_t frames) const {
  FrameCounts counts;
  sync::MutexLock lock(mutex_);
  if (!frames_.reserved()) {
    counts.free = frames;
    return counts;
  }
  const FrameNumber end = first + frames;
  // The folio or free block that begins before the range and reaches into it, if there is one.
  FrameNumber pfn = first;
  for (int order = 0; order <= geometry_.superpageblock_order; ++order) {
    const FrameNumber head = AlignedDown(first, order);
    const FrameState state = frames_[head].Load();
    const bool is_head = state.use == FrameUse::kFree || state.use == FrameUse::kAllocated;
    if (is_head && head + (uint32_t{1} << state.order) > first) {
      pfn = head;
      break;
    }
  }
  while (pfn < end) {
    const FrameState state = frames_[pfn].Load();
    const bool is_head = state.use == FrameUse::kFree || state.use == FrameUse::kAllocated;
    const FrameNumber next = pfn + (is_head ? uint32_t{1} << state.order : 1);
    const uint32_t inside = std::min(next, end) - std::max(pfn, first);
    if (state.use == FrameUse::kFree) counts.free += inside;
    if (state.use == FrameUse::kListed) counts.listed += inside;
    if (state.use == FrameUse::kAllocated) {
      counts.by_owner[state.owner] += inside;
      (state.movable ? counts.movable
                     : (state.reclaimable ? counts.reclaimable : counts.unmovable)) += inside;
    }
    pfn = next;
  }
  return counts;
}

FreeMemoryReport MovableRegion::Impl::free_memory() const {
  FreeMemoryReport report;
  report.pageblock_order = geometry_.pageblock_order;
  sync::MutexLock lock(mutex_);
  const Buddy& buddy = state_.buddy();
  const auto orders = static_cast<size_t>(buddy.max_order()) + 1;
  report.by_zone.assign(buddy.zones(), BlocksByOrder(orders));
  for (size_t kind = 0; kind < report.by_mobility.size(); ++kind) {
    BlocksByOrder& of_kind = report.by_mobility[kind];
    of_kind.resize(orders);
    for (ZoneNumber zone; zone.value() < buddy.zones(); ++zone) {
      const FreeArea& area = buddy.area(zone, static_cast<Mobility>(kind));
      for (size_t order = 0; order < orders; ++order) {
        report.by_zone[zone.value()][order] += area.blocks[order];
        of_kind[order] += area.blocks[order];
      }
    }
  }
  for (PageblockNumber block; block < geometry_.EndPageblock(); ++block) {
    ++report.pageblocks[static_cast<size_t>(state_.mobility(block))];
  }
  for (SuperpageblockNumber i; i < geometry_.EndSuperpageblock(); ++i) {
    const Superpageblock& block = state_.superpageblocks()[i];
    report.superpageblocks.push_back({.category = block.category,
                                      .free_frames = block.free_frames,
                                      .nonmovable_frames = block.nonmovable_frames,
                                      .free_pageblocks = block.free_pageblocks});
  }
  return report;
}

}  // namespace ebcache
