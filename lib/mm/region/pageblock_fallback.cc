// Policy kPageblock: one set of lists for the whole region, and stealing between kinds, as Linux
// does it.

#include <bit>

#include "lib/mm/region/steering.h"

namespace ebcache {
namespace {

constexpr ZoneNumber kZone{0};

}  // namespace

// A page block is worth taking over when at least half of it is free or of the kind that asks.
bool Steering::FairToClaim(PageblockNumber pageblock, Mobility user) const {
  const PageblockCounts& counts = state_.counts(pageblock);
  const uint32_t alike =
      IsMovable(user) ? state_.MovableFrames(pageblock) : counts.nonmovable_frames;
  return 2 * (counts.free_frames + alike) >= state_.geometry().pageblock_frames();
}

// Takes over the page block of the largest free block of `from`, and serves the request from it.
FrameNumber Steering::ClaimFrom(Mobility from, Mobility user, int order) {
  const FreeArea& area = state_.buddy().area(kZone, from);
  if (!area.HasAtLeast(order)) return kNoFrame;
  const int pageblock_order = state_.geometry().pageblock_order;
  if (area.HasAtLeast(pageblock_order)) {
    ++counters_.stolen_pageblocks;
    return state_.Claim(kZone, from, order, user);
  }
  const int largest = std::bit_width(area.nonempty) - 1;
  // Movable requests do not break up page blocks of others for a small piece: theirs can be moved
  // out again, so they mix with less harm.
  if (IsMovable(user) && largest < pageblock_order / 2) return kNoFrame;
  const PageblockNumber pageblock = state_.geometry().PageblockOf(area.First(largest));
  if (!FairToClaim(pageblock, user)) return kNoFrame;
  ++counters_.stolen_pageblocks;
  state_.SetMobility(pageblock, user);
  return state_.Take(kZone, user, order, user);
}

FrameNumber Steering::TakeByPageblock(Mobility user, int order) {
  FrameNumber pfn = state_.Take(kZone, user, order, user);
  for (const Mobility from : FallbacksOf(user)) {
    if (pfn != kNoFrame) return pfn;
    pfn = ClaimFrom(from, user, order);
  }
  for (const Mobility from : FallbacksOf(user)) {
    if (pfn != kNoFrame) return pfn;
    pfn = state_.Take(kZone, from, order, user);
    if (pfn != kNoFrame) ++counters_.mixed_allocations;
  }
  return pfn;
}

}  // namespace ebcache
