// SubpageFrames: blocks smaller than a page (16 KiB nodes on 64 KiB pages) share folios.
//
// The kernel puts the blocks of one stretch of logical addresses into one folio. Here a folio is
// filled with whatever blocks come next, so pages fill up also where cached blocks lie far apart.
// What it means for a folio to be released is the same: every block in it must be able to go.
//
// The private bits of a shared folio are the number of its group here.
//
// Thread safety: all methods, from any thread; the allocator is never called with the lock held.

#ifndef EBCACHE_LIB_CACHE_SUBPAGE_FRAMES_H_
#define EBCACHE_LIB_CACHE_SUBPAGE_FRAMES_H_

#include <absl/container/inlined_vector.h>
#include <absl/status/statusor.h>

#include <array>
#include <cstdint>
#include <vector>

#include "ebcache/internal/sync.h"
#include "ebcache/page_allocator.h"

namespace ebcache {

class SubpageFrames {
 public:
  static constexpr int kMaxBlocks = 16;  // 4 KiB blocks on 64 KiB pages

  // Where a block is in its page.
  struct Place {
    Folio folio;
    uint16_t slot = 0;
  };

  // `blocks_per_page`: 1 to kMaxBlocks.
  SubpageFrames(PageAllocator* allocator, int blocks_per_page);

  // The owner of what it allocates. REQUIRES: before the first Allocate.
  void SetOwner(OwnerId owner) { owner_ = owner; }

  // A place for the block of descriptor number `member`. Movable blocks and others never share.
  absl::StatusOr<Place> Allocate(AllocFlags flags, uint32_t member);
  // Gives it back; the folio is freed with its last block, unless `folio_goes_elsewhere`: then the
  // caller sees to it. Returns whether it was the last.
  bool Free(Folio folio, uint16_t slot, bool folio_goes_elsewhere = false);

  // Closes a folio to new blocks, and gives the descriptor numbers of those in it. Empty, and
  // nothing closed, when the group is of another folio by now, or closed already.
  absl::InlinedVector<uint32_t, kMaxBlocks> Close(Folio folio, uint32_t group);
  // Opens it again, if it is still there.
  void Reopen(Folio folio, uint32_t group);
  // Makes sure that Moved needs no memory for this destination; false when there is none.
  bool PrepareMove(Folio destination) noexcept;
  // The contents of a closed folio are in `destination` now, which carries the same private bits.
  // REQUIRES: PrepareMove.
  void Moved(Folio destination, Folio source);

 private:
  struct Group {
    Folio folio;
    AllocFlags flags = AllocFlags::kNone;
    bool closed = false;
    uint32_t used = 0;       // bit n: slot n
    uint32_t open_at = ~0u;  // place in open_[flags]; ~0: not there
    std::array<uint32_t, kMaxBlocks> members{};
  };
  // What requests can carry: each set of flags has a list of its own.
  static constexpr size_t kFlagSets = 32;
  static_assert(static_cast<size_t>(AllocFlags::kNoReclaim) * 2 == kFlagSets);

  // Memory for one more group, wherever it will be listed: from then on nothing that happens to it
  // needs any. False when there is none.
  bool PrepareGroup(Folio folio, AllocFlags flags) noexcept EBCACHE_REQUIRES(mutex_);
  void PrepareFrame(Folio folio) EBCACHE_REQUIRES(mutex_);
  Place Take(uint32_t number, uint32_t member) EBCACHE_REQUIRES(mutex_);
  uint32_t AddGroup(Folio folio, AllocFlags flags) EBCACHE_REQUIRES(mutex_);
  uint32_t GroupOf(Folio folio) const EBCACHE_REQUIRES(mutex_);
  void SetGroupOf(Folio folio, uint32_t number) EBCACHE_REQUIRES(mutex_);
  void ListAsOpen(uint32_t number) EBCACHE_REQUIRES(mutex_);
  void UnlistAsOpen(uint32_t number) EBCACHE_REQUIRES(mutex_);
  bool HasRoom(const Group& group) const { return group.used + 1 < (uint64_t{1} << per_page_); }

  PageAllocator* const allocator_;
  OwnerId owner_ = kNoOwner;  // set once
  const int per_page_;
  mutable sync::Mutex mutex_;
  std::vector<Group> groups_ EBCACHE_GUARDED_BY(mutex_);
  std::vector<uint32_t> free_groups_ EBCACHE_GUARDED_BY(mutex_);
  // By flags, the groups that have room and are not closed.
  std::array<std::vector<uint32_t>, kFlagSets> open_ EBCACHE_GUARDED_BY(mutex_);
  std::vector<uint32_t> group_of_pfn_ EBCACHE_GUARDED_BY(mutex_);  // by frame number; ~0: none
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_CACHE_SUBPAGE_FRAMES_H_
