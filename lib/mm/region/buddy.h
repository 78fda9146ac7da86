// Buddy: free frames as blocks of 2^order, split and merged in pairs, in lists by zone, by mobility
// of the page block, and by order.
//
// The lists cost no memory: the word of a free block's first frame has its order and the links
// (FreeBlock). A zone is a superpageblock, or the whole region.
//
// Invariants:
//   1. The word of a frame is a FreeBlock if and only if a free block begins there. The other
//      frames of a block are kUntouched: a stale word must not look like a buddy.
//   2. A free block is in the lists of its first frame: of that frame's zone, and of the mobility
//      of that frame's page block.
//   3. No two free buddies of the same order, below the largest order, unless just one of them is
//      isolated.
//   4. Inside an isolated page block no free block is larger than what is isolated with it.
//
// Thread safety: under the region's lock, mobility() apart.

#ifndef EBCACHE_LIB_MM_REGION_BUDDY_H_
#define EBCACHE_LIB_MM_REGION_BUDDY_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "ebcache/internal/sync.h"
#include "lib/mm/region/region_frames.h"
#include "lib/mm/region/region_geometry.h"

namespace ebcache {

// The free blocks of one zone and mobility. All zero where there are none, so that a table of them
// in fresh memory costs nothing until it is used.
struct FreeArea {
  static constexpr int kOrders = 19;  // 0 to 18: with 4 KiB pages, up to 1 GiB

  std::array<uint32_t, kOrders> first_plus_one;
  std::array<uint32_t, kOrders> blocks;
  uint32_t nonempty;  // bit n: there are blocks of order n

  FrameNumber First(int order) const {
    const uint32_t plus_one = first_plus_one[static_cast<size_t>(order)];
    return plus_one == 0 ? kNoFrame : FrameNumber(plus_one - 1);
  }
  void SetFirst(int order, FrameNumber pfn) {
    first_plus_one[static_cast<size_t>(order)] = pfn == kNoFrame ? 0 : pfn.value() + 1;
  }
  bool HasAtLeast(int order) const { return nonempty >> order != 0; }
};

class Buddy {
 public:
  struct Options {
    bool zone_per_superpageblock = true;
    int max_order = 0;
    // Whether a page block that is entirely free becomes movable, whatever it was. Linux leaves it
    // what it was until a request takes it.
    bool free_pageblocks_are_movable = true;
  };

  // Nothing is free yet. REQUIRES: max_order between the orders of page block and superpageblock.
  Buddy(RegionFrames* frames, const RegionGeometry& geometry, const Options& options);

  int max_order() const { return options_.max_order; }
  uint32_t zones() const { return zones_; }
  ZoneNumber ZoneOf(FrameNumber pfn) const {
    return ZoneNumber(options_.zone_per_superpageblock ? geometry_.SuperpageblockOf(pfn).value()
                                                       : 0);
  }
  const FreeArea& area(ZoneNumber zone, Mobility mobility) const {
    return areas_[static_cast<size_t>(mobility) * zones_ + zone.value()];
  }

  // Relaxed: without the lock it is a guess, and a thread that isolates a page block has to allow
  // for that.
  Mobility mobility(PageblockNumber pageblock) const {
    return mobilities_[pageblock.value()].load(std::memory_order_relaxed);
  }

  // Takes a block of exactly `order`, out of the smallest that is large enough; kNoFrame when there
  // is none. Its frames are kUntouched.
  FrameNumber Take(ZoneNumber zone, Mobility list, int order);

  // As Take out of a block of exactly `found`. REQUIRES: there is one, and it is large enough.
  FrameNumber TakeOutOf(ZoneNumber zone, Mobility list, int found, int order);

  // As Take out of whole free page blocks of `from`, all of which become `to`, with what is left of
  // them. Of at least 2^claimed frames: all page blocks of the block that is found.
  FrameNumber Claim(ZoneNumber zone, Mobility from, Mobility to, int order, int claimed = 0);

  // Frees a block. REQUIRES: aligned to its order; frames that Take gave.
  void Put(FrameNumber pfn, int order);

  // Changes the kind of a page block, and moves its free blocks to the lists of that kind.
  void SetMobility(PageblockNumber pageblock, Mobility mobility);

  // Merges a page block that is entirely free with what is free around it, after its kind changed.
  void Remerge(PageblockNumber pageblock);

  // Takes all of a range, whatever blocks it is made of. REQUIRES: all of it is free, and no free
  // block reaches beyond it.
  void TakeRange(FrameNumber pfn, uint32_t frames);

 private:
  struct Free {
    void operator()(FreeArea* areas) const { std::free(areas); }
  };
  // From calloc: large tables are fresh memory.
  using Areas = std::unique_ptr<FreeArea[], Free>;
  static Areas CreateAreas(size_t count);

  FreeArea& AreaOf(FrameNumber pfn) {
    const auto kind = static_cast<size_t>(mobility(geometry_.PageblockOf(pfn)));
    return areas_[kind * zones_ + ZoneOf(pfn).value()];
  }
  bool IsFreeBlock(FrameNumber pfn, int order) const;
  bool Isolated(FrameNumber pfn) const {
    return mobility(geometry_.PageblockOf(pfn)) == Mobility::kIsolated;
  }
  // Of two free neighbours that are whole page blocks. They may have been isolated by different
  // threads, each for a range of its own.
  bool MayMerge(FrameNumber pfn, FrameNumber buddy) const {
    return !Isolated(pfn) && !Isolated(buddy);
  }
  void PutBlock(FrameNumber pfn, int order);
  void SetKinds(FrameNumber pfn, int order, Mobility mobility);
  void Link(FrameNumber pfn, int order);
  void Unlink(FrameNumber pfn);
  void SplitAround(PageblockNumber pageblock);
  void Expand(FrameNumber pfn, int from, int to);

  RegionFrames* const frames_;
  const RegionGeometry geometry_;
  const Options options_;
  const uint32_t zones_;
  const Areas areas_;                                           // by mobility and zone
  const std::unique_ptr<sync::Atomic<Mobility>[]> mobilities_;  // by page block
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_MM_REGION_BUDDY_H_
