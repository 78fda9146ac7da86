// PageFrame: what an allocator knows of one frame, in 8 bytes. Tables of them are indexed by frame
// number.
//
// A frame is written by the one that has it alone, which is:
//
//   kUntouched  none. Its number has not been given out yet. All bits zero, so that a table in
//               fresh memory from the OS needs no setting up.
//   kFree       the depot, under its lock. `private_bits` is the next frame of the free stack.
//   kListed     the thread in whose list it is.
//   kAllocated  the holder. `order`, `owner`, `private_bits` and mobility are those of the request.
//
// In a movable region a kFree frame is the first of a free block, and its word is a FreeBlock; the
// other frames of a block, free or not, are kUntouched.
//
// A frame passes from one to the other through the depot's lock, or through whatever the users of a
// folio pass it on with. So accesses are relaxed: the atomic is there because scans look at frames
// that they do not have, and because a double free must be seen for what it is.
//
// Compaction is the exception. It asks the owner of a folio to let it move, without a lock, and the
// holder may free the folio just then. So the mover marks the frame first (BeginMove). A thread
// that frees a marked frame leaves it to the mover, which finds that out in EndMove. Those two meet
// in the word alone: Free releases, EndMove acquires, so that the next holder comes after the last
// one.

#ifndef EBCACHE_LIB_MM_PAGE_FRAME_H_
#define EBCACHE_LIB_MM_PAGE_FRAME_H_

#include <atomic>
#include <cstdint>
#include <optional>

#include "ebcache/internal/sync.h"
#include "ebcache/page_allocator.h"
#include "lib/base/check.h"
#include "lib/mm/frame_number.h"

namespace ebcache {

enum class FrameUse : uint8_t { kUntouched, kFree, kListed, kAllocated };

// A frame's word, taken apart.
struct FrameState {
  FrameUse use = FrameUse::kUntouched;
  bool movable = false;
  bool reclaimable = false;
  bool purged = false;  // of a kFree frame: the memory behind it went back to the OS
  bool moving = false;  // of a kAllocated frame: compaction is asking its owner about it
  bool grouped_unmovable = false;  // AllocFlags::kGroupedUnmovable
  uint8_t order = 0;
  OwnerId owner = kNoOwner;
  uint32_t private_bits = 0;

  static constexpr FrameState Allocated(const FolioRequest& request, int order) {
    return {.use = FrameUse::kAllocated,
            .movable = Has(request.flags, AllocFlags::kMovable),
            .reclaimable = Has(request.flags, AllocFlags::kReclaimable),
            .grouped_unmovable = Has(request.flags, AllocFlags::kGroupedUnmovable),
            .order = static_cast<uint8_t>(order),
            .owner = request.owner,
            .private_bits = request.private_bits};
  }

  constexpr uint64_t Pack() const {
    return uint64_t{private_bits} | uint64_t{owner} << 32 | uint64_t{movable} << 40 |
           uint64_t{reclaimable} << 41 | uint64_t{purged} << 42 | uint64_t{moving} << 43 |
           uint64_t{grouped_unmovable} << 44 | uint64_t{order} << 56 | uint64_t{static_cast<uint8_t>(use)} << 61;
  }
  // REQUIRES: no FreeBlock, or nothing but `use` and `order` is looked at.
  static constexpr FrameState Unpack(uint64_t word) {
    return {.use = static_cast<FrameUse>(word >> 61),
            .movable = (word >> 40 & 1) != 0,
            .reclaimable = (word >> 41 & 1) != 0,
            .purged = (word >> 42 & 1) != 0,
            .moving = (word >> 43 & 1) != 0,
            .grouped_unmovable = (word >> 44 & 1) != 0,
            .order = static_cast<uint8_t>(word >> 56 & 0x1f),
            .owner = static_cast<OwnerId>(word >> 32 & 0xff),
            .private_bits = static_cast<uint32_t>(word)};
  }
  friend constexpr bool operator==(const FrameState&, const FrameState&) = default;
};

// The word of the first frame of a free block: its order, and its neighbours in a free list.
struct FreeBlock {
  static constexpr int kLinkBits = 28;
  static constexpr FrameNumber kNone{(uint32_t{1} << kLinkBits) - 1};

  int order = 0;
  FrameNumber previous = kNone;
  FrameNumber next = kNone;

  constexpr uint64_t Pack() const {
    return uint64_t{previous.value()} | uint64_t{next.value()} << kLinkBits |
           uint64_t{static_cast<uint8_t>(order)} << 56 |
           uint64_t{static_cast<uint8_t>(FrameUse::kFree)} << 61;
  }
  static constexpr FreeBlock Unpack(uint64_t word) {
    return {.order = static_cast<int>(word >> 56 & 0x1f),
            .previous = FrameNumber(static_cast<uint32_t>(word) & kNone.value()),
            .next = FrameNumber(static_cast<uint32_t>(word >> kLinkBits) & kNone.value())};
  }
};

class PageFrame {
 public:
  FrameState Load() const { return FrameState::Unpack(word_.load(std::memory_order_relaxed)); }
  void Store(const FrameState& state) { word_.store(state.Pack(), std::memory_order_relaxed); }

  FreeBlock LoadFreeBlock() const {
    return FreeBlock::Unpack(word_.load(std::memory_order_relaxed));
  }
  void StoreFreeBlock(const FreeBlock& block) {
    word_.store(block.Pack(), std::memory_order_relaxed);
  }

  // From kAllocated to kListed; returns what it was. An exchange, not a load and a store: of two
  // threads that free the same folio, one is caught. If it was `moving`, it is the mover's now.
  // Release, for a mover; acquire, so that a caller that passes the frame on has seen the move.
  FrameState Free(int order) {
    constexpr uint64_t kListedWord = FrameState{.use = FrameUse::kListed}.Pack();
    const FrameState was =
        FrameState::Unpack(word_.exchange(kListedWord, std::memory_order_acq_rel));
    EBCACHE_CHECK(was.use == FrameUse::kAllocated,
                  "folio freed twice, or never handed out by this allocator");
    EBCACHE_CHECK(was.order == order, "folio freed with another order than it was allocated with");
    return was;
  }

  // A compare-and-swap, because a mover may set or clear its mark meanwhile.
  void SetPrivate(uint32_t private_bits) {
    Change([private_bits](FrameState& state) {
      EBCACHE_CHECK(state.use == FrameUse::kAllocated,
                    "private bits of a folio that is not in use");
      state.private_bits = private_bits;
      return true;
    });
  }

  // Marks a movable folio in use as `moving`, and returns its state; nothing when it is not one, or
  // another thread is moving it. `or_reclaimable`: one that is only reclaimable, too: its owner is
  // about to be asked to release it.
  std::optional<FrameState> BeginMove(bool or_reclaimable = false) {
    std::optional<FrameState> begun;
    Change([&begun, or_reclaimable](FrameState& state) {
      begun.reset();
      if (state.use != FrameUse::kAllocated) return false;
      if (!state.movable && !(or_reclaimable && state.reclaimable)) return false;
      if (state.moving) return false;
      state.moving = true;
      begun = state;
      return true;
    });
    return begun;
  }

  // Takes the mark away. False: the folio was freed meanwhile, and is the caller's to give back.
  bool EndMove() {
    return Change([](FrameState& state) {
      if (state.use != FrameUse::kAllocated) return false;
      state.moving = false;
      return true;
    });
  }

 private:
  // Whether `change` agreed to what it saw at last, and its result was stored.
  template <typename ChangeState>
  bool Change(ChangeState change) {
    uint64_t seen = word_.load(std::memory_order_acquire);
    for (;;) {
      FrameState state = FrameState::Unpack(seen);
      if (!change(state)) return false;
      if (word_.compare_exchange_weak(seen, state.Pack(), std::memory_order_acq_rel,
                                      std::memory_order_acquire)) {
        return true;
      }
    }
  }

  sync::Atomic<uint64_t> word_{0};
};
static_assert(sizeof(PageFrame) == 8);

}  // namespace ebcache

#endif  // EBCACHE_LIB_MM_PAGE_FRAME_H_
