// Policy kSuperpageblock: by superpageblock first, by list in it second.

#include "lib/mm/region/steering.h"

namespace ebcache {
namespace {

// Superpageblocks that a search looks at before the next best thing is tried.
constexpr int kScanLimit = 8;

}  // namespace

template <typename TakeFrom>
FrameNumber Steering::FirstOf(const Search& search, TakeFrom take) {
  int seen = 0;
  for (int i = 0; i < SuperpageblockTable::kFull; ++i) {
    const int fullness = search.fullest_first ? SuperpageblockTable::kFull - 1 - i : i;
    SuperpageblockNumber number = state_.superpageblocks().First(search.category, fullness);
    while (number != SuperpageblockTable::kNone) {
      if (search.limit != 0 && seen++ == search.limit) return kNoFrame;
      // Read before `take` moves it to another list.
      const SuperpageblockNumber next = state_.superpageblocks().Next(number);
      if (const FrameNumber pfn = take(ZoneNumber(number.value())); pfn != kNoFrame) return pfn;
      number = next;
    }
  }
  return kNoFrame;
}

FrameNumber Steering::Take(Mobility user, int order, Effort effort) {
  if (effort == Effort::kNowhere) return kNoFrame;
  if (policy_ == MovableRegionOptions::Policy::kPageblock) return TakeByPageblock(user, order);
  return IsMovable(user) ? TakeMovable(order, effort) : TakeNonmovable(user, order, effort);
}

// Own list, then those of the other kinds, whatever that mixes.
FrameNumber Steering::TakeFromAnyList(ZoneNumber zone, Mobility user, int order) {
  FrameNumber pfn = state_.Take(zone, user, order, user);
  for (const Mobility other : FallbacksOf(user)) {
    if (pfn != kNoFrame) return pfn;
    pfn = state_.Take(zone, other, order, user);
    if (pfn != kNoFrame) ++counters_.mixed_allocations;
  }
  return pfn;
}

FrameNumber Steering::TakeMovable(int order, Effort effort) {
  const auto from_own = [&](ZoneNumber zone) {
    return state_.Take(zone, Mobility::kMovable, order, Mobility::kMovable);
  };
  FrameNumber pfn = FirstOf({SuperpageblockCategory::kClean, true, kScanLimit}, from_own);
  if (pfn != kNoFrame) return pfn;
  pfn = FirstOf({SuperpageblockCategory::kEmpty}, from_own);
  if (pfn != kNoFrame) return pfn;
  pfn = FirstOf({SuperpageblockCategory::kClean}, from_own);
  if (pfn != kNoFrame || effort == Effort::kCleanOnly) return pfn;
  // Into tainted ones only when all else is full, and then where it is least in the way.
  pfn = FirstOf({SuperpageblockCategory::kTainted, false}, from_own);
  if (pfn != kNoFrame) return pfn;
  return FirstOf({SuperpageblockCategory::kTainted, false},
                 [&](ZoneNumber zone) { return TakeFromAnyList(zone, Mobility::kMovable, order); });
}

// Tainted ones, the fullest first: what is free in page blocks of the same kind, then whole free
// page blocks.
FrameNumber Steering::TakeFromTainted(Mobility user, int order, int limit) {
  const Search tainted = {SuperpageblockCategory::kTainted, true, limit};
  FrameNumber pfn =
      FirstOf(tainted, [&](ZoneNumber zone) { return state_.Take(zone, user, order, user); });
  if (pfn != kNoFrame) return pfn;
  pfn = FirstOf(tainted, [&](ZoneNumber zone) {
    return state_.Claim(zone, Mobility::kMovable, order, user);
  });
  if (pfn != kNoFrame) ++counters_.stolen_pageblocks;
  return pfn;
}

// An empty one, where nothing has to be moved; else the emptiest clean one.
FrameNumber Steering::Taint(Mobility user, int order) {
  const auto claim = [&](ZoneNumber zone) {
    return state_.Claim(zone, Mobility::kMovable, order, user);
  };
  FrameNumber pfn = FirstOf({SuperpageblockCategory::kEmpty}, claim);
  if (pfn == kNoFrame) pfn = FirstOf({SuperpageblockCategory::kClean, false}, claim);
  if (pfn != kNoFrame) {
    ++counters_.stolen_pageblocks;
    return pfn;
  }
  return FirstOf({SuperpageblockCategory::kClean, false},
                 [&](ZoneNumber zone) { return TakeFromAnyList(zone, user, order); });
}

FrameNumber Steering::TakeNonmovable(Mobility user, int order, Effort effort) {
  FrameNumber pfn = TakeFromTainted(user, order, kScanLimit);
  if (pfn != kNoFrame) return pfn;
  const uint32_t tainted = state_.superpageblocks().CountOf(SuperpageblockCategory::kTainted);
  if (tainted < tainted_reserve_) {
    pfn = Taint(user, order);
    if (pfn != kNoFrame) return pfn;
  }
  // Mixing inside what is tainted anyway costs no superpageblock.
  const auto mixed = [&](ZoneNumber zone) { return TakeFromAnyList(zone, user, order); };
  pfn = FirstOf({SuperpageblockCategory::kTainted, true, kScanLimit}, mixed);
  if (pfn != kNoFrame || effort != Effort::kAnything) return pfn;
  pfn = TakeFromTainted(user, order, /*limit=*/0);
  if (pfn != kNoFrame) return pfn;
  pfn = FirstOf({SuperpageblockCategory::kTainted}, mixed);
  if (pfn != kNoFrame) return pfn;
  return Taint(user, order);
}

}  // namespace ebcache
