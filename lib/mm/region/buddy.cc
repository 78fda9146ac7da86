#include "lib/mm/region/buddy.h"

#include <algorithm>
#include <bit>
#include <new>

#include "ebcache/internal/sync.h"
#include "lib/base/check.h"

namespace ebcache {

Buddy::Areas Buddy::CreateAreas(size_t count) {
  void* const areas = std::calloc(count, sizeof(FreeArea));
  if (areas == nullptr) throw std::bad_alloc();
  return Areas(static_cast<FreeArea*>(areas));
}

Buddy::Buddy(RegionFrames* frames, const RegionGeometry& geometry, const Options& options)
    : frames_(frames),
      geometry_(geometry),
      options_(options),
      zones_(options.zone_per_superpageblock ? geometry.superpageblocks() : 1),
      areas_(CreateAreas(size_t{zones_} * kMobilities)),
      mobilities_(std::make_unique<sync::Atomic<Mobility>[]>(geometry.pageblocks())) {
  EBCACHE_CHECK(options.max_order >= geometry.pageblock_order &&
                    options.max_order <= geometry.superpageblock_order &&
                    options.max_order < FreeArea::kOrders,
                "largest order of a buddy allocator out of range");
  for (uint32_t block = 0; block < geometry.pageblocks(); ++block) {
    mobilities_[block].store(Mobility::kMovable, std::memory_order_relaxed);
  }
}

bool Buddy::IsFreeBlock(FrameNumber pfn, int order) const {
  const FrameState state = (*frames_)[pfn].Load();
  return state.use == FrameUse::kFree && state.order == order;
}

void Buddy::Link(FrameNumber pfn, int order) {
  FreeArea& area = AreaOf(pfn);
  const FrameNumber next = area.First(order);
  (*frames_)[pfn].StoreFreeBlock(FreeBlock{.order = order, .next = next});
  if (next != kNoFrame) {
    FreeBlock after = (*frames_)[next].LoadFreeBlock();
    after.previous = pfn;
    (*frames_)[next].StoreFreeBlock(after);
  }
  area.SetFirst(order, pfn);
  ++area.blocks[order];
  area.nonempty |= uint32_t{1} << order;
}

void Buddy::Unlink(FrameNumber pfn) {
  const FreeBlock block = (*frames_)[pfn].LoadFreeBlock();
  FreeArea& area = AreaOf(pfn);
  if (block.previous == kNoFrame) {
    area.SetFirst(block.order, block.next);
  } else {
    FreeBlock before = (*frames_)[block.previous].LoadFreeBlock();
    before.next = block.next;
    (*frames_)[block.previous].StoreFreeBlock(before);
  }
  if (block.next != kNoFrame) {
    FreeBlock after = (*frames_)[block.next].LoadFreeBlock();
    after.previous = block.previous;
    (*frames_)[block.next].StoreFreeBlock(after);
  }
  if (--area.blocks[block.order] == 0) area.nonempty &= ~(uint32_t{1} << block.order);
  (*frames_)[pfn].Store(FrameState{});
}

// Keeps the front of a block that is in no list, and links what is behind it.
void Buddy::Expand(FrameNumber pfn, int from, int to) {
  while (from > to) {
    --from;
    Link(pfn + (uint32_t{1} << from), from);
  }
}

FrameNumber Buddy::Take(ZoneNumber zone, Mobility list, int order) {
  const FreeArea& from = area(zone, list);
  const uint32_t fitting = from.nonempty >> order;
  if (fitting == 0) return kNoFrame;
  return TakeOutOf(zone, list, order + std::countr_zero(fitting), order);
}

FrameNumber Buddy::TakeOutOf(ZoneNumber zone, Mobility list, int found, int order) {
  const FrameNumber pfn = area(zone, list).First(found);
  Unlink(pfn);
  Expand(pfn, found, order);
  return pfn;
}

void Buddy::SetKinds(FrameNumber pfn, int order, Mobility mobility) {
  const PageblockNumber end = geometry_.PageblockOf(pfn + (uint32_t{1} << order) - 1);
  for (PageblockNumber block = geometry_.PageblockOf(pfn); block <= end; ++block) {
    mobilities_[block.value()].store(mobility, std::memory_order_relaxed);
  }
}

FrameNumber Buddy::Claim(ZoneNumber zone, Mobility from, Mobility to, int order, int claimed) {
  claimed = std::max({claimed, order, geometry_.pageblock_order});
  const FrameNumber pfn = Take(zone, from, claimed);
  if (pfn == kNoFrame) return kNoFrame;
  SetKinds(pfn, claimed, to);
  Expand(pfn, claimed, order);
  return pfn;
}

void Buddy::Put(FrameNumber pfn, int order) {
  // What TakeRange gave may be larger than any block.
  int block = std::min(order, options_.max_order);
  const FrameNumber end = pfn + (uint32_t{1} << order);
  // Of several page blocks, some may have been isolated while they were in use.
  for (FrameNumber at = pfn; at < end; at += geometry_.pageblock_frames()) {
    if (Isolated(at)) block = std::min(block, geometry_.pageblock_order);
  }
  for (; pfn < end; pfn += uint32_t{1} << block) PutBlock(pfn, block);
}

void Buddy::PutBlock(FrameNumber pfn, int order) {
  (*frames_)[pfn].Store(FrameState{});
  // Buddies of whole page blocks have been through this already.
  const int whole = std::max(order, geometry_.pageblock_order);
  for (;; ++order) {
    if (order == whole && options_.free_pageblocks_are_movable && !Isolated(pfn)) {
      SetKinds(pfn, order, Mobility::kMovable);
    }
    if (order == options_.max_order) break;
    const FrameNumber buddy = BuddyOf(pfn, order);
    if (!IsFreeBlock(buddy, order)) break;
    if (order >= geometry_.pageblock_order && !MayMerge(pfn, buddy)) break;
    Unlink(buddy);
    pfn = std::min(pfn, buddy);
  }
  Link(pfn, order);
}

// Splits the free block around a page block, if it is larger, until the page block is one.
void Buddy::SplitAround(PageblockNumber pageblock) {
  const FrameNumber target = geometry_.FirstFrame(pageblock);
  int order = options_.max_order;
  FrameNumber pfn;
  for (;; --order) {
    if (order <= geometry_.pageblock_order) return;
    pfn = AlignedDown(target, order);
    if (IsFreeBlock(pfn, order)) break;
  }
  Unlink(pfn);
  while (order > geometry_.pageblock_order) {
    --order;
    const FrameNumber upper = pfn + (uint32_t{1} << order);
    const bool in_upper = target >= upper;
    Link(in_upper ? pfn : upper, order);
    if (in_upper) pfn = upper;
  }
  Link(pfn, order);
}

void Buddy::SetMobility(PageblockNumber pageblock, Mobility mobility) {
  if (this->mobility(pageblock) == mobility) return;
  SplitAround(pageblock);
  const FrameNumber first = geometry_.FirstFrame(pageblock);
  // Out of the lists of the old kind, chained by a list of our own: there may be many.
  FrameNumber chain = kNoFrame;
  for (FrameNumber pfn = first; pfn < first + geometry_.pageblock_frames();) {
    const FrameState state = (*frames_)[pfn].Load();
    const bool is_free = state.use == FrameUse::kFree;
    if (is_free) {
      Unlink(pfn);
      (*frames_)[pfn].StoreFreeBlock(FreeBlock{.order = state.order, .next = chain});
      chain = pfn;
    }
    const bool is_head = is_free || state.use == FrameUse::kAllocated;
    pfn += is_head ? uint32_t{1} << state.order : 1;
  }
  mobilities_[pageblock.value()].store(mobility, std::memory_order_relaxed);
  while (chain != kNoFrame) {
    const FreeBlock block = (*frames_)[chain].LoadFreeBlock();
    Link(chain, block.order);
    chain = block.next;
  }
}

void Buddy::Remerge(PageblockNumber pageblock) {
  const FrameNumber first = geometry_.FirstFrame(pageblock);
  if (!IsFreeBlock(first, geometry_.pageblock_order)) return;
  Unlink(first);
  Put(first, geometry_.pageblock_order);
}

void Buddy::TakeRange(FrameNumber pfn, uint32_t frames) {
  for (const FrameNumber end = pfn + frames; pfn < end;) {
    EBCACHE_CHECK((*frames_)[pfn].Load().use == FrameUse::kFree, "a range taken that is not free");
    const int order = (*frames_)[pfn].LoadFreeBlock().order;
    Unlink(pfn);
    pfn += uint32_t{1} << order;
  }
}

}  // namespace ebcache
