// Allocating.

#include <absl/container/inlined_vector.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "lib/mm/region/movable_region_impl.h"

namespace ebcache {
absl::Status MovableRegion::Impl::NoMemoryLocked(int order) const {
  return absl::ResourceExhaustedError(absl::StrCat("no memory for a folio of order ", order, ": ",
                                                   state_.free_frames(), " of ", geometry_.frames,
                                                   " frames free, none of them fitting"));
}

// Of one frame that passes between a page list and a folio which counts as something else there.
void MovableRegion::Impl::Reaccount(FrameNumber pfn, Mobility was, Mobility user) {
  sync::MutexLock lock(mutex_);
  state_.Reaccount(pfn, 0, was, user);
}

// Frames for `list`, until it has `wanted`, and a batch more if that is easy.
absl::Status MovableRegion::Impl::Refill(FrameStack& list, Mobility user, uint32_t wanted,
                                         Effort effort) {
  sync::MutexLock lock(mutex_);
  const uint32_t target = std::max(wanted, lists_.capacity() / 2);
  while (list.size() < target) {
    // What is more than wanted must not be more than is easy.
    const bool needed = list.size() < wanted;
    const FrameNumber pfn =
        steering_.Take(user, 0, needed ? effort : std::min(effort, Effort::kWithoutTainting));
    if (pfn == kNoFrame) return needed ? NoMemoryLocked(0) : absl::OkStatus();
    frames_[pfn].Store(FrameState{.use = FrameUse::kListed});
    list.AddBeneath(1)[0] = pfn;
  }
  return absl::OkStatus();
}

absl::Status MovableRegion::Impl::TakeSmall(const FolioRequest& request, uint32_t wanted,
                                            absl::Span<Folio> slots, Effort effort) {
  const Mobility user = UserOf(request, 0);
  const Mobility group = GroupOf(Has(request.flags, AllocFlags::kGroupedUnmovable), user);
  const FrameState state = FrameState::Allocated(request, 0);
  PageListSet& set = lists_.Mine();
  sync::MutexLock lock(set.mutex);
  FrameStack& list = set.list(group);
  if (list.size() < wanted) {
    if (absl::Status status = Refill(list, group, wanted, effort); !status.ok()) return status;
  }
  for (Folio& slot : slots) {
    if (!slot.empty()) continue;
    const FrameNumber pfn = list.Pop();
    if (group != user) Reaccount(pfn, group, user);
    slot = FolioAt(pfn);
    frames_[pfn].Store(state);
  }
  set.counts.allocated_folios += wanted;
  set.counts.allocated_frames += wanted;
  return absl::OkStatus();
}

absl::Status MovableRegion::Impl::TakeLarge(const FolioRequest& request, int order,
                                            absl::Span<Folio> slots, Effort effort) {
  const Mobility user = UserOf(request, order);
  const Mobility group = GroupOf(Has(request.flags, AllocFlags::kGroupedUnmovable), user);
  absl::InlinedVector<FrameNumber, 16> taken;
  taken.reserve(slots.size());  // no failure halfway
  {
    sync::MutexLock lock(mutex_);
    for (const Folio slot : slots) {
      if (!slot.empty()) continue;
      const FrameNumber pfn = steering_.Take(group, order, effort);
      if (pfn == kNoFrame) {
        for (const FrameNumber back : taken) state_.Put(back, order, user);
        return NoMemoryLocked(order);
      }
      if (group != user) state_.Reaccount(pfn, order, group, user);
      // At once: the frame must not look like a tail to a thread that walks the table.
      frames_[pfn].Store(FrameState::Allocated(request, order));
      taken.push_back(pfn);
    }
  }
  size_t next = 0;
  for (Folio& slot : slots) {
    if (slot.empty()) slot = FolioAt(taken[next++]);
  }
  PageListSet& set = lists_.Mine();
  sync::MutexLock lock(set.mutex);
  set.counts.allocated_folios += taken.size();
  set.counts.allocated_frames += uint64_t{taken.size()} << order;
  return absl::OkStatus();
}

absl::Status MovableRegion::Impl::TryAllocate(const FolioRequest& request, int order,
                                              uint64_t wanted, absl::Span<Folio> slots,
                                              Effort effort) {
  if (order == 0 && wanted <= lists_.capacity()) {
    return TakeSmall(request, static_cast<uint32_t>(wanted), slots, effort);
  }
  return TakeLarge(request, order, slots, effort);
}

// What a region does by itself where memory is not easy to have, before owners of single folios are
// asked.
absl::Status MovableRegion::Impl::AllocateWithEffort(const FolioRequest& request, int order,
                                                     uint64_t wanted, absl::Span<Folio> slots,
                                                     absl::Status status) {
  // What cannot move asks others to make room for it, before it taints another superpageblock.
  const bool may_reclaim = !Has(request.flags, AllocFlags::kNoReclaim);
  if (may_reclaim && !IsMovable(UserOf(request, order)) && MakeRoomInTainted()) {
    status = TryAllocate(request, order, wanted, slots, Effort::kWithoutTainting);
  }
  if (absl::IsResourceExhausted(status)) {
    status = TryAllocate(request, order, wanted, slots, Effort::kAnything);
  }
  if (absl::IsResourceExhausted(status) && (may_reclaim || order == 0)) {
    // What a page list keeps at hand is out of reach of the threads with other lists.
    DrainLists(/*isolated_only=*/false);
    status = TryAllocate(request, order, wanted, slots, Effort::kAnything);
  }
  if (absl::IsResourceExhausted(status) && may_reclaim && order > 0 && MakeRoomFor(order)) {
    status = TryAllocate(request, order, wanted, slots, Effort::kAnything);
  }
  return status;
}

absl::Status MovableRegion::Impl::AllocateBulk(const FolioRequest& request, int order,
                                               absl::Span<Folio> slots) {
  return WithoutThrowing([&] { return AllocateOrThrow(request, order, slots); });
}

absl::Status MovableRegion::Impl::AllocateOrThrow(const FolioRequest& request, int order,
                                                  absl::Span<Folio> slots) {
  if (absl::Status status = CheckRequest(request, order, max_folio_order_); !status.ok()) {
    return status;
  }
  const auto wanted = static_cast<uint64_t>(
      std::count_if(slots.begin(), slots.end(), [](Folio slot) { return slot.empty(); }));
  if (wanted == 0) return absl::OkStatus();
  if (absl::Status opened = Open(); !opened.ok()) return Failed(request, std::move(opened));
  absl::Status status = TryAllocate(request, order, wanted, slots, Effort::kWithoutTainting);
  if (status.ok() && Has(request.flags, AllocFlags::kNoFail)) FillReserve();
  if (!absl::IsResourceExhausted(status)) return status;
  status = AllocateWithEffort(request, order, wanted, slots, std::move(status));
  if (Has(request.flags, AllocFlags::kNoFail) && status.ok()) FillReserve();
  // Single pages released here and there make no large folio: compaction has been asked already.
  const bool possible = (wanted << order) <= frames_.usable_frames() &&
                        (order == 0 || Has(request.flags, AllocFlags::kNoFail));
  const auto attempt = [&](bool use_reserve) {
    absl::Status again;
    do {
      DrainLists(/*isolated_only=*/false);
      again = TryAllocate(request, order, wanted, slots, Effort::kAnything);
      // Another thread may be quicker to take what is put back.
    } while (absl::IsResourceExhausted(again) && use_reserve && SpendReserve(wanted << order));
    return again;
  };
  return Insist(request, std::move(status),
                {.possible = possible,
                 .release = [this](OwnerId spared) { return ReleaseSome(spared); },
                 .attempt = attempt});
}

}  // namespace ebcache
