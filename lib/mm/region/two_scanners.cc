// Compaction as Linux does it, under kPageblock: a scanner goes up from the lowest page block and
// moves what can move; another comes down from the highest and takes out what is free in movable
// page blocks, for the first to move it into. A pass ends where they meet; or sooner, when there is a
// free block of the order that is wanted, and the next pass may go on from there.
//
// What the free scanner has taken out counts as movable memory in use, and as kept at hand.

#include "lib/base/check.h"
#include "lib/mm/region/movable_region_impl.h"

namespace ebcache {

FrameNumber MovableRegion::Impl::TakeScannedLocked(int order) {
  for (;;) {
    for (int found = order; found <= kMaxFolioOrder; ++found) {
      std::vector<FrameNumber>& blocks = scanned_[static_cast<size_t>(found)];
      if (blocks.empty()) continue;
      const FrameNumber pfn = blocks.back();
      blocks.pop_back();
      while (found > order) {
        --found;
        const FrameNumber rest = pfn + (uint32_t{1} << found);
        frames_[rest].Store(FrameState{.use = FrameUse::kListed});
        scanned_[static_cast<size_t>(found)].push_back(rest);
      }
      return pfn;
    }
    if (!ScanForFreeLocked()) return kNoFrame;
  }
}

// Takes out what is free in the next page block that has some. False: the scanners have met.
bool MovableRegion::Impl::ScanForFreeLocked() {
  while (free_scanner_ > migrate_scanner_ + 1) {
    free_scanner_ = PageblockNumber(free_scanner_.value() - 1);
    const uint32_t free = state_.counts(free_scanner_).free_frames;
    // What is entirely free is what compaction is after.
    if (state_.mobility(free_scanner_) != Mobility::kMovable || free == 0 ||
        free == geometry_.pageblock_frames()) {
      continue;
    }
    const FrameNumber first = geometry_.FirstFrame(free_scanner_);
    for (FrameNumber pfn = first; pfn < first + geometry_.pageblock_frames();) {
      const FrameState state = frames_[pfn].Load();
      const bool is_head = state.use == FrameUse::kFree || state.use == FrameUse::kAllocated;
      const int order = is_head ? state.order : 0;
      if (state.use == FrameUse::kFree) {
        state_.TakeRange(pfn, order, Mobility::kMovable);
        frames_[pfn].Store(FrameState{.use = FrameUse::kListed});
        scanned_[static_cast<size_t>(order)].push_back(pfn);
      }
      pfn += uint32_t{1} << order;
    }
    return true;
  }
  return false;
}

// The page block that they are of is looked at again by the next pass.
void MovableRegion::Impl::PutScannedBackLocked() {
  for (int order = 0; order <= kMaxFolioOrder; ++order) {
    std::vector<FrameNumber>& blocks = scanned_[static_cast<size_t>(order)];
    for (const FrameNumber pfn : blocks) {
      free_scanner_ = std::max(free_scanner_, geometry_.PageblockOf(pfn) + 1);
      frames_[pfn].Store({});
      state_.Put(pfn, order, Mobility::kMovable);
    }
    blocks.clear();
  }
}

bool MovableRegion::Impl::HasFreeLocked(int order) const {
  for (int kind = 0; kind < kRequestMobilities; ++kind) {
    const FreeArea& area = state_.buddy().area(ZoneNumber(0), static_cast<Mobility>(kind));
    if (area.HasAtLeast(order)) return true;
  }
  return false;
}

// Returns how many folios left it.
uint32_t MovableRegion::Impl::CompactPageblock(PageblockNumber pageblock) {
  Evacuation evacuation;
  FrameNumber pfn = geometry_.FirstFrame(pageblock);
  const FrameNumber end = pfn + geometry_.pageblock_frames();
  Batch batch;
  sync::UniqueLock lock(mutex_);
  while (pfn < end) {
    pfn = CollectLocked(pfn, end, {.scanned = true}, batch);
    if (batch.empty()) continue;
    lock.unlock();
    AskOwners(absl::MakeSpan(batch));
    lock.lock();
    SettleLocked(batch, evacuation);
  }
  return evacuation.gone;
}

MovableRegion::CompactionPass MovableRegion::Impl::Compact(CompactionGoal goal) {
  EBCACHE_CHECK(options_.policy == MovableRegionOptions::Policy::kPageblock,
                "compaction by two scanners is of the policy kPageblock");
  CompactionPass pass;
  DrainLists(/*isolated_only=*/false);
  sync::UniqueLock lock(mutex_);
  if (!frames_.reserved()) return pass;
  if (!goal.from_cached || migrate_scanner_ + 1 >= free_scanner_) {
    migrate_scanner_ = PageblockNumber(0);
    free_scanner_ = geometry_.EndPageblock();
  }
  for (;;) {
    pass.reached = goal.order >= 0 && HasFreeLocked(goal.order);
    pass.met = migrate_scanner_ + 1 >= free_scanner_;
    if (pass.reached || pass.met) break;
    const PageblockNumber block = migrate_scanner_;
    if (state_.UsedFrames(block) != 0 && state_.mobility(block) != Mobility::kIsolated) {
      lock.unlock();
      pass.moved += CompactPageblock(block);
      lock.lock();
    }
    migrate_scanner_ = block + 1;
  }
  PutScannedBackLocked();
  return pass;
}

}  // namespace ebcache
