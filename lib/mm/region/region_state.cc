#include "lib/mm/region/region_state.h"

#include <algorithm>

namespace ebcache {

RegionState::RegionState(RegionFrames* frames, const RegionGeometry& geometry,
                         const Buddy::Options& options)
    : frames_(frames),
      geometry_(geometry),
      by_superpageblock_(options.zone_per_superpageblock),
      buddy_(frames, geometry, options),
      superpageblocks_(geometry),
      counts_(geometry.pageblocks(), {.free_frames = geometry.pageblock_frames()}),
      free_frames_(geometry.frames) {}

absl::Status RegionState::Open() {
  if (frames_->reserved()) return absl::OkStatus();
  if (absl::Status status = frames_->Reserve(); !status.ok()) return status;
  WithholdFrom(FrameNumber(frames_->usable_frames()));
  const uint32_t step = uint32_t{1} << buddy_.max_order();
  // Lists are last in, first out: the lowest frames are to be the first taken.
  for (FrameNumber pfn(frames_->usable_frames()); pfn > FrameNumber(0); pfn -= step) {
    // Nothing to merge with: neighbours of the largest order stay apart.
    buddy_.Put(pfn - step, buddy_.max_order());
  }
  return absl::OkStatus();
}

// Superpageblocks without memory are full, for ever, of something that never goes.
void RegionState::WithholdFrom(FrameNumber pfn) {
  free_frames_ -= geometry_.EndFrame() - pfn;
  for (PageblockNumber block = geometry_.PageblockOf(pfn); block < geometry_.EndPageblock();
       ++block) {
    counts_[block.value()].free_frames = 0;
  }
  for (SuperpageblockNumber i = geometry_.SuperpageblockOf(pfn); i < geometry_.EndSuperpageblock();
       ++i) {
    superpageblocks_[i].free_frames = 0;
    superpageblocks_[i].free_pageblocks = 0;
    superpageblocks_[i].whole = true;
    superpageblocks_.Relist(i);
  }
}

void RegionState::AccountIn(PageblockNumber pageblock, uint32_t frames, Mobility user, bool taken) {
  PageblockCounts& block = counts_[pageblock.value()];
  Superpageblock& super = superpageblocks_[geometry_.SuperpageblockOf(pageblock)];
  const uint32_t whole = geometry_.pageblock_frames();
  const uint32_t nonmovable = IsMovable(user) ? 0 : frames;
  if (taken) {
    if (block.free_frames == whole) --super.free_pageblocks;
    block.free_frames -= frames;
    super.free_frames -= frames;
    block.nonmovable_frames += nonmovable;
    super.nonmovable_frames += nonmovable;
  } else {
    block.free_frames += frames;
    super.free_frames += frames;
    block.nonmovable_frames -= nonmovable;
    super.nonmovable_frames -= nonmovable;
    if (block.free_frames == whole) ++super.free_pageblocks;
  }
}

void RegionState::Account(FrameNumber pfn, int order, Mobility user, bool taken) {
  const uint32_t frames = uint32_t{1} << order;
  const uint32_t in_each = std::min(frames, geometry_.pageblock_frames());
  for (uint32_t done = 0; done < frames; done += in_each) {
    AccountIn(geometry_.PageblockOf(pfn + done), in_each, user, taken);
  }
  free_frames_ += taken ? -uint64_t{frames} : uint64_t{frames};
  if (taken) frames_->Back(pfn, frames);
  const SuperpageblockNumber super = geometry_.SuperpageblockOf(pfn);
  if (order == geometry_.superpageblock_order) superpageblocks_[super].whole = taken;
  superpageblocks_[super].futile = false;
  const bool was_tainted = superpageblocks_[super].category == SuperpageblockCategory::kTainted;
  superpageblocks_.Relist(super);
  if (was_tainted && by_superpageblock_ && superpageblocks_[super].nonmovable_frames == 0) {
    Cleanse(super);
  }
}

// The last unmovable page of a superpageblock is gone: its page blocks are open to every kind of
// page, as their movable pages can go elsewhere.
void RegionState::Cleanse(SuperpageblockNumber superpageblock) {
  const PageblockNumber first = geometry_.FirstPageblock(superpageblock);
  for (PageblockNumber block = first; block < first + geometry_.pageblocks_each(); ++block) {
    if (mobility(block) != Mobility::kIsolated) buddy_.SetMobility(block, Mobility::kMovable);
  }
}

FrameNumber RegionState::Take(ZoneNumber zone, Mobility list, int order, Mobility user) {
  const FrameNumber pfn = buddy_.Take(zone, list, order);
  if (pfn != kNoFrame) Account(pfn, order, user, /*taken=*/true);
  return pfn;
}

FrameNumber RegionState::TakeOutOf(ZoneNumber zone, Mobility list, int found, int order,
                                   Mobility user) {
  const FrameNumber pfn = buddy_.TakeOutOf(zone, list, found, order);
  Account(pfn, order, user, /*taken=*/true);
  return pfn;
}

FrameNumber RegionState::Claim(ZoneNumber zone, Mobility from, int order, Mobility user,
                               int claimed) {
  const FrameNumber pfn = buddy_.Claim(zone, from, user, order, claimed);
  if (pfn != kNoFrame) Account(pfn, order, user, /*taken=*/true);
  return pfn;
}

void RegionState::Put(FrameNumber pfn, int order, Mobility user) {
  buddy_.Put(pfn, order);
  Account(pfn, order, user, /*taken=*/false);
}

void RegionState::TakeRange(FrameNumber pfn, int order, Mobility user) {
  buddy_.TakeRange(pfn, uint32_t{1} << order);
  Account(pfn, order, user, /*taken=*/true);
}

bool RegionState::Isolate(PageblockNumber pageblock, uint32_t count) {
  for (PageblockNumber block = pageblock; block < pageblock + count; ++block) {
    if (mobility(block) == Mobility::kIsolated) return false;
  }
  for (PageblockNumber block = pageblock; block < pageblock + count; ++block) {
    buddy_.SetMobility(block, Mobility::kIsolated);
  }
  if (count == geometry_.pageblocks_each()) {
    const SuperpageblockNumber super = geometry_.SuperpageblockOf(pageblock);
    superpageblocks_[super].isolated = true;
    superpageblocks_.Relist(super);
  }
  return true;
}

void RegionState::Restore(PageblockNumber pageblock, uint32_t count) {
  for (PageblockNumber block = pageblock; block < pageblock + count; ++block) {
    buddy_.SetMobility(block, Mobility::kMovable);
    buddy_.Remerge(block);
  }
  if (count == geometry_.pageblocks_each()) {
    const SuperpageblockNumber super = geometry_.SuperpageblockOf(pageblock);
    superpageblocks_[super].isolated = false;
    superpageblocks_.Relist(super);
  }
}

bool RegionState::Purge(PageblockNumber pageblock) {
  if (!frames_->reserved() || !frames_->backed(pageblock)) return false;
  if (counts_[pageblock.value()].free_frames != geometry_.pageblock_frames()) return false;
  return frames_->Purge(pageblock);
}

}  // namespace ebcache
