// PageFrame: what an allocator knows of one frame, in 8 bytes. Tables of them are indexed by frame
// number.
//
// A frame is written by whoever has it, and by nobody else:
//
//   kUntouched  nobody. Its number has not been given out yet. All bits zero, so that a table in
//               fresh memory from the OS needs no setting up.
//   kFree       the depot, under its lock. `private_bits` is the next frame of the free stack.
//   kListed     the thread in whose list it is.
//   kAllocated  the holder. `order`, `owner`, `private_bits` and mobility are those of the request.
//
// It passes from one to the other through the depot's lock, or through whatever the users of a
// folio pass it on with. So every access is relaxed: the atomic is there because scans look at
// frames that they do not have, and because a double free must be seen for what it is.

#ifndef EBCACHE_LIB_MM_PAGE_FRAME_H_
#define EBCACHE_LIB_MM_PAGE_FRAME_H_

#include <atomic>
#include <cstdint>

#include "ebcache/check.h"
#include "ebcache/page_allocator.h"

namespace ebcache {

enum class FrameUse : uint8_t { kUntouched, kFree, kListed, kAllocated };

// A frame's word, taken apart.
struct FrameState {
  FrameUse use = FrameUse::kUntouched;
  bool movable = false;
  bool reclaimable = false;
  bool purged = false;  // of a kFree frame: the memory behind it went back to the OS
  uint8_t order = 0;
  OwnerId owner = kNoOwner;
  uint32_t private_bits = 0;

  static constexpr FrameState Allocated(const FolioRequest& request, int order) {
    return {.use = FrameUse::kAllocated,
            .movable = Has(request.flags, AllocFlags::kMovable),
            .reclaimable = Has(request.flags, AllocFlags::kReclaimable),
            .order = static_cast<uint8_t>(order),
            .owner = request.owner,
            .private_bits = request.private_bits};
  }

  constexpr uint64_t Pack() const {
    return uint64_t{private_bits} | uint64_t{owner} << 32 | uint64_t{order} << 40 |
           uint64_t{static_cast<uint8_t>(use)} << 48 | uint64_t{movable} << 56 |
           uint64_t{reclaimable} << 57 | uint64_t{purged} << 58;
  }
  static constexpr FrameState Unpack(uint64_t word) {
    return {.use = static_cast<FrameUse>(word >> 48 & 0xff),
            .movable = (word >> 56 & 1) != 0,
            .reclaimable = (word >> 57 & 1) != 0,
            .purged = (word >> 58 & 1) != 0,
            .order = static_cast<uint8_t>(word >> 40 & 0xff),
            .owner = static_cast<OwnerId>(word >> 32 & 0xff),
            .private_bits = static_cast<uint32_t>(word)};
  }
  friend constexpr bool operator==(const FrameState&, const FrameState&) = default;
};

class PageFrame {
 public:
  FrameState Load() const { return FrameState::Unpack(word_.load(std::memory_order_relaxed)); }
  void Store(const FrameState& state) { word_.store(state.Pack(), std::memory_order_relaxed); }

  // From kAllocated to kListed; returns what it was. An exchange, not a load and a store: of two
  // threads that free the same folio, one is caught.
  FrameState Free(int order) {
    constexpr uint64_t kListedWord = FrameState{.use = FrameUse::kListed}.Pack();
    const FrameState was =
        FrameState::Unpack(word_.exchange(kListedWord, std::memory_order_relaxed));
    EBCACHE_CHECK(was.use == FrameUse::kAllocated,
                  "folio freed twice, or never handed out by this allocator");
    EBCACHE_CHECK(was.order == order, "folio freed with another order than it was allocated with");
    return was;
  }

  void SetPrivate(uint32_t private_bits) {
    FrameState state = Load();
    EBCACHE_CHECK(state.use == FrameUse::kAllocated, "private bits of a folio that is not in use");
    state.private_bits = private_bits;
    Store(state);
  }

 private:
  std::atomic<uint64_t> word_{0};
};
static_assert(sizeof(PageFrame) == 8);

}  // namespace ebcache

#endif  // EBCACHE_LIB_MM_PAGE_FRAME_H_
