// Freeing, and giving back what is kept at hand.

#include "lib/base/check.h"
#include "lib/mm/region/movable_region_impl.h"

namespace ebcache {

void MovableRegion::Impl::FreeSmall(absl::Span<Folio> slots) {
  PageListSet& set = lists_.Mine();
  sync::MutexLock set_lock(set.mutex);
  // Back to front: the next allocation of as many gets them in the order they had.
  for (auto slot = slots.rbegin(); slot != slots.rend(); ++slot) {
    if (slot->empty()) continue;
    const FrameNumber pfn = FirstFrameOf(*slot);
    const FrameState was = FrameOf(*slot).Free(0);
    *slot = Folio();
    ++set.counts.freed_folios;
    ++set.counts.freed_frames;
    if (was.moving) continue;
    const Mobility user = UserOf(was);
    // Frames whose page block is being emptied must not go into a list. Either this sees that it is
    // isolated, or the thread that isolated it drains this set afterwards: both hold the set's
    // lock.
    const Mobility group = GroupOf(was.grouped_unmovable, user);
    if (IsolatedNow(pfn) || !BelongsInList(pfn, group)) {
      sync::MutexLock lock(mutex_);
      state_.Put(pfn, 0, user);
      continue;
    }
    if (group != user) Reaccount(pfn, user, group);
    FrameStack& list = set.list(group);
    if (list.size() == lists_.capacity()) {
      sync::MutexLock lock(mutex_);
      const uint32_t half = (lists_.capacity() + 1) / 2;
      for (const FrameNumber old : list.Oldest(half)) state_.Put(old, 0, group);
      list.DropOldest(half);
    }
    list.Push(pfn);
  }
}

void MovableRegion::Impl::FreeLarge(int order, absl::Span<Folio> slots) {
  uint64_t freed = 0;
  {
    sync::MutexLock lock(mutex_);
    for (Folio& slot : slots) {
      if (slot.empty()) continue;
      const FrameState was = FrameOf(slot).Free(order);
      if (!was.moving) state_.Put(FirstFrameOf(slot), order, UserOf(was));
      slot = Folio();
      ++freed;
    }
  }
  PageListSet& set = lists_.Mine();
  sync::MutexLock lock(set.mutex);
  set.counts.freed_folios += freed;
  set.counts.freed_frames += freed << order;
}

void MovableRegion::Impl::FreeBulk(int order, absl::Span<Folio> slots) {
  if (order == 0) {
    FreeSmall(slots);
  } else {
    FreeLarge(order, slots);
  }
  // A thread that waits drains the lists of all threads.
  if (ladder().anyone_waits()) [[unlikely]] {
    ladder().NotifyFreed();
  }
}

void MovableRegion::Impl::DrainLists(bool isolated_only) {
  for (PageListSet& set : lists_.sets()) {
    sync::MutexLock set_lock(set.mutex);
    for (int i = 0; i < kRequestMobilities; ++i) {
      const auto user = static_cast<Mobility>(i);
      set.list(user).TakeIf([&](FrameNumber pfn) {
        if (isolated_only && !IsolatedNow(pfn)) return false;
        sync::MutexLock lock(mutex_);
        state_.Put(pfn, 0, user);
        return true;
      });
    }
  }
}

size_t MovableRegion::Impl::Trim() {
  DrainLists(/*isolated_only=*/false);
  size_t returned = 0;
  for (PageblockNumber block; block < geometry_.EndPageblock(); ++block) {
    // A lock for each, so that others get their turn while gigabytes go.
    sync::MutexLock lock(mutex_);
    if (state_.Purge(block)) returned += geometry_.pageblock_frames() * geometry_.page_bytes;
  }
  sync::MutexLock lock(mutex_);
  counters_.returned_bytes += returned;
  return returned;
}

}  // namespace ebcache
