// Memory in one piece: free, or made so by moving everything out of a range.

#include <absl/strings/str_cat.h>

#include <algorithm>

#include "lib/mm/region/movable_region_impl.h"

namespace ebcache {
namespace {

constexpr uint64_t kImpossible = ~uint64_t{0};
// More than anything in a range can cost. Ranges in which a folio refused to go are tried after all
// others like them, ranges in tainted superpageblocks last.
constexpr uint64_t kRefusedCost = uint64_t{1} << 40;
constexpr uint64_t kTaintedCost = uint64_t{1} << 41;

// Ranges that one allocation tries to empty, and as many more as there are superpageblocks: a
// request for a whole one gets it if there is one to be had.
constexpr size_t kMaxRanges = 8;

// Attempts at one page block. What is refused is in use, and mostly not for long.
constexpr int kMaxPasses = 3;

// How often others are asked to release pages for those of one page block that can only move.
constexpr int kMaxRoomMade = 64;

}  // namespace

// The first page block of a range that did not empty when it was last tried, or the range's end.
PageblockNumber MovableRegion::Impl::FirstRefusedLocked(PageblockNumber first,
                                                        uint32_t count) const {
  const auto begin = refused_.begin() + first.value();
  return first + static_cast<uint32_t>(std::find(begin, begin + count, true) - begin);
}

// Frames that would have to move, or kImpossible.
uint64_t MovableRegion::Impl::CostOfRangeLocked(PageblockNumber first, uint32_t count) const {
  const SuperpageblockNumber number = geometry_.SuperpageblockOf(first);
  const Superpageblock& super = state_.superpageblocks()[number];
  if (super.isolated || super.whole) return kImpossible;
  uint64_t cost = super.nonmovable_frames != 0 ? kTaintedCost : 0;
  if (FirstRefusedLocked(first, count) != first + count) cost += kRefusedCost;
  if (count == geometry_.pageblocks_each()) {
    if (super.nonmovable_frames != 0) return kImpossible;
    cost += geometry_.superpageblock_frames() - super.free_frames;
    return cost;
  }
  for (PageblockNumber block = first; block < first + count; ++block) {
    if (state_.counts(block).nonmovable_frames != 0) return kImpossible;
    if (state_.mobility(block) == Mobility::kIsolated) return kImpossible;
    cost += state_.UsedFrames(block);
  }
  return cost;
}

// First page block of the range that is cheapest to empty, or kNoFrame.
PageblockNumber MovableRegion::Impl::PickRangeLocked(uint32_t count, const Tried& tried) const {
  PageblockNumber best = kNoPageblock;
  uint64_t least = kImpossible;
  for (PageblockNumber first; first < geometry_.EndPageblock(); first += count) {
    const uint64_t cost = CostOfRangeLocked(first, count);
    if (cost >= least || std::find(tried.begin(), tried.end(), first) != tried.end()) continue;
    best = first;
    least = cost;
  }
  return best;
}

bool MovableRegion::Impl::AllFreeLocked(PageblockNumber first, uint32_t count) const {
  for (PageblockNumber block = first; block < first + count; ++block) {
    if (state_.UsedFrames(block) != 0) return false;
  }
  return true;
}

// One page block of an isolated range. Whether it is free now; remembers if it is not.
bool MovableRegion::Impl::EmptyBlock(PageblockNumber block, bool may_release) {
  const auto is_free = [this, block] {
    sync::MutexLock lock(mutex_);
    const bool free = AllFreeLocked(block, 1);
    refused_[block.value()] = !free;
    return free;
  };
  bool emptied = is_free();
  int room_made = 0;
  for (int pass = 0; pass < kMaxPasses && !emptied;) {
    const Evacuation done = Evacuate(block, Effort::kAnything, may_release);
    emptied = is_free();
    // Where room was made elsewhere, another attempt is not the same again.
    const bool room = !emptied && may_release && done.homeless != 0 && room_made < kMaxRoomMade &&
                      ReleaseFromTainted();
    room ? ++room_made : ++pass;
  }
  return emptied;
}

bool MovableRegion::Impl::EmptyRange(PageblockNumber first, uint32_t count, bool may_release) {
  const PageblockNumber end = first + count;
  PageblockNumber doubtful = end;
  {
    sync::MutexLock lock(mutex_);
    if (CostOfRangeLocked(first, count) == kImpossible || !state_.Isolate(first, count)) {
      return false;
    }
    doubtful = FirstRefusedLocked(first, count);
  }
  DrainLists(/*isolated_only=*/true);
  // One page block that does not empty dooms the range: nothing more is moved for it. So the one
  // that refused when it was last asked is asked before anything is moved.
  bool emptied = doubtful == end || EmptyBlock(doubtful, may_release);
  for (PageblockNumber block = first; block < end && emptied; ++block)
    emptied = EmptyBlock(block, may_release);
  sync::MutexLock lock(mutex_);
  if (emptied) return true;
  state_.Restore(first, count);
  return false;
}

// REQUIRES: the range is free and isolated.
FrameNumber MovableRegion::Impl::TakeEmptiedLocked(PageblockNumber first, uint32_t count,
                                                   Mobility user, int order) {
  if (order < geometry_.pageblock_order) {
    state_.Restore(first, count);
    return steering_.Take(user, order, Effort::kAnything);
  }
  const FrameNumber pfn = geometry_.FirstFrame(first);
  state_.TakeRange(pfn, order, user);
  state_.Restore(first, count);
  return pfn;
}

Folio MovableRegion::Impl::SettleContiguousLocked(FrameNumber pfn, const FolioRequest& request,
                                                  int order) {
  frames_[pfn].Store(FrameState::Allocated(request, order));
  ++counters_.contiguous_allocated;
  return FolioAt(pfn);
}

absl::StatusOr<Folio> MovableRegion::Impl::AllocateContiguous(const FolioRequest& request,
                                                              int order) {
  Folio folio;
  absl::Status status = WithoutThrowing([&] {
    absl::StatusOr<Folio> got = ContiguousOrThrow(request, order);
    if (got.ok()) folio = *got;
    return got.status();
  });
  if (!status.ok()) return status;
  return folio;
}

absl::Status MovableRegion::Impl::CheckContiguous(const FolioRequest& request, int order) {
  if (order < 0 || order > geometry_.superpageblock_order) {
    return Failed(request, absl::InvalidArgumentError(
                               absl::StrCat("contiguous order ", order, " is not within 0 to ",
                                            geometry_.superpageblock_order)));
  }
  const int checked_order = std::min(order, max_folio_order_);
  return CheckRequest(request, checked_order, max_folio_order_);
}

absl::StatusOr<Folio> MovableRegion::Impl::ContiguousOrThrow(const FolioRequest& request,
                                                             int order) {
  if (auto status = CheckContiguous(request, order); !status.ok()) return status;
  if (auto opened = Open(); !opened.ok()) return Failed(request, std::move(opened));
  const Mobility user = UserOf(request, order);
  const uint32_t count =
      uint32_t{1} << (std::max(order, geometry_.pageblock_order) - geometry_.pageblock_order);
  const bool may_release = !Has(request.flags, AllocFlags::kNoReclaim);
  Folio folio;
  Tried tried;
  while (folio.empty()) {
    PageblockNumber range = kNoPageblock;
    {
      sync::MutexLock lock(mutex_);
      const FrameNumber pfn = steering_.Take(user, order, Effort::kAnything);
      if (pfn != kNoFrame) {
        folio = SettleContiguousLocked(pfn, request, order);
        break;
      }
      range = tried.size() < kMaxRanges + geometry_.superpageblocks()
                  ? PickRangeLocked(count, tried)
                  : kNoPageblock;
      if (range == kNoPageblock) {
        ++counters_.contiguous_failed;
        return Failed(request, NoMemoryLocked(order));
      }
    }
    tried.push_back(range);
    if (!EmptyRange(range, count, may_release)) continue;
    sync::MutexLock lock(mutex_);
    const FrameNumber pfn = TakeEmptiedLocked(range, count, user, order);
    if (pfn != kNoFrame) folio = SettleContiguousLocked(pfn, request, order);
  }
  PageListSet& set = lists_.Mine();
  sync::MutexLock lock(set.mutex);
  ++set.counts.allocated_folios;
  set.counts.allocated_frames += uint64_t{1} << order;
  return folio;
}

bool MovableRegion::Impl::MakeRoomFor(int order) {
  const uint32_t count =
      uint32_t{1} << (std::max(order, geometry_.pageblock_order) - geometry_.pageblock_order);
  PageblockNumber range = kNoPageblock;
  {
    sync::MutexLock lock(mutex_);
    if (room_for_order_.Skip()) return false;
    range = PickRangeLocked(count, {});
  }
  const bool emptied = range != kNoPageblock && EmptyRange(range, count, /*may_release=*/true);
  sync::MutexLock lock(mutex_);
  if (emptied) state_.Restore(range, count);
  room_for_order_.Note(emptied);
  return emptied;
}

}  // namespace ebcache
