// Policy kPageblock: one set of lists for the whole region, and falling back from one kind to
// another, as Linux 6.12 does it.

#include "lib/mm/region/steering.h"

namespace ebcache {
namespace {

constexpr ZoneNumber kZone{0};

}  // namespace

// A page block is worth taking over when at least half of it is free or of the kind that asks. In
// one of movable pages all that cannot move is alike. Which of unmovable and reclaimable pages are
// in a block of the other kind, cannot be told: nothing counts as alike there.
bool Steering::FairToClaim(PageblockNumber pageblock, Mobility was, Mobility user) const {
  const PageblockCounts& counts = state_.counts(pageblock);
  uint32_t alike = 0;
  if (IsMovable(user)) {
    alike = state_.MovableFrames(pageblock);
  } else if (IsMovable(was)) {
    alike = counts.nonmovable_frames;
  }
  return 2 * (counts.free_frames + alike) >= state_.geometry().pageblock_frames();
}

// The kind to fall back to that has a free block of exactly that order.
std::optional<Mobility> Steering::FallbackWith(Mobility user, int exactly) const {
  for (const Mobility from : FallbacksOf(user)) {
    if (state_.buddy().area(kZone, from).blocks[static_cast<size_t>(exactly)] != 0) return from;
  }
  return std::nullopt;
}

// The largest free block of another kind, so that falling back is rare. Movable requests that could
// not take the page block over take the smallest instead: theirs do no lasting harm wherever they
// are, and the large block stays whole.
Steering::Fallback Steering::FindFallback(Mobility user, int order) const {
  const int worth_claiming = state_.geometry().pageblock_order / 2;
  const int largest = state_.buddy().max_order();
  int found = largest;
  while (found >= order && !FallbackWith(user, found).has_value()) --found;
  if (found < order) return {};
  const bool may_claim = found >= worth_claiming || !IsMovable(user);
  if (!may_claim) {
    found = order;
    while (!FallbackWith(user, found).has_value()) ++found;
  }
  return {.from = *FallbackWith(user, found), .found = found, .may_claim = may_claim};
}

FrameNumber Steering::TakeFallback(const Fallback& fallback, Mobility user, int order) {
  const int pageblock_order = state_.geometry().pageblock_order;
  if (fallback.found >= pageblock_order) {
    ++counters_.stolen_pageblocks;
    return state_.Claim(kZone, fallback.from, order, user,
                        rules_.claim_largest ? fallback.found : pageblock_order);
  }
  ++counters_.partial_fallbacks;
  const PageblockNumber pageblock = state_.geometry().PageblockOf(
      state_.buddy().area(kZone, fallback.from).First(fallback.found));
  if (fallback.may_claim && FairToClaim(pageblock, fallback.from, user)) {
    ++counters_.stolen_pageblocks;
    state_.SetMobility(pageblock, user);
    return state_.Take(kZone, user, order, user);
  }
  ++counters_.mixed_allocations;
  return state_.TakeOutOf(kZone, fallback.from, fallback.found, order, user);
}

FrameNumber Steering::TakeByPageblock(Mobility user, int order) {
  const FrameNumber pfn = state_.Take(kZone, user, order, user);
  if (pfn != kNoFrame) return pfn;
  const Fallback fallback = FindFallback(user, order);
  return fallback.found < 0 ? kNoFrame : TakeFallback(fallback, user, order);
}

}  // namespace ebcache
