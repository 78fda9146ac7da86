// BlockFrames: the page frames behind a cache's buffers: what the allocator gives for a block, and
// where in it the block begins.
//
// Its own: the allocator's name for the cache, the shared folios of blocks smaller than pages, and
// the address of the arena. It has no lock of its own but that of SubpageFrames.
//
// Thread safety: any thread, each buffer by one thread at a time: by its maker or its undertaker, or
// by the mover that has frozen it.

#ifndef EBCACHE_LIB_CACHE_BLOCK_FRAMES_H_
#define EBCACHE_LIB_CACHE_BLOCK_FRAMES_H_

#include <absl/status/status.h>

#include <cstddef>
#include <cstdint>

#include "ebcache/internal/sync.h"
#include "ebcache/page_allocator.h"
#include "lib/cache/extent_buffer_access.h"
#include "lib/cache/subpage_frames.h"

namespace ebcache {

class BlockFrames {
 public:
  // `allocator` must outlive this.
  BlockFrames(PageAllocator* allocator, uint32_t node_bytes);

  // Whose the folios are: the mover's, which comes later because it works on all of the pool.
  // REQUIRES: once, before the first Allocate; kNoOwner: none is to be had, and Allocate fails.
  void SetOwner(OwnerId owner);
  // See BufferCache::status.
  absl::Status status() const;

  // Gives a dead descriptor, whose start is set, what its block lies in. Does not throw: the
  // descriptor would be lost.
  absl::Status Allocate(ExtentBuffer* buffer, AllocFlags flags) noexcept;
  // Makes a private buffer one of `bytes` bytes, which lie in what was allocated for a whole block.
  // REQUIRES: a power of two, below the node size; before any other thread can reach the buffer.
  void Shorten(ExtentBuffer* buffer, uint32_t bytes);
  void Free(ExtentBuffer* buffer);
  // Notes where the block begins: `direct` when all of it is there, null when it is a page array.
  void PlaceFront(ExtentBuffer* buffer, std::byte* direct);

  PageAllocator& allocator() const { return *allocator_; }
  uint32_t page_shift() const { return page_shift_; }
  // Pages of a block; 1 when pages are larger than blocks.
  uint32_t row_slots() const { return row_slots_; }
  // The allocator's, asked for once: every access to a page array needs it.
  const std::byte* direct_map() const {
    const std::byte* arena = arena_.load(std::memory_order_relaxed);
    if (arena == nullptr) [[unlikely]] {
      arena = allocator().direct_map();
      arena_.store(arena, std::memory_order_relaxed);
    }
    return arena;
  }

  // Whether several blocks share a page.
  bool subpage() const { return allocator().page_bytes() > node_bytes_; }
  size_t subpage_offset(const ExtentBuffer* buffer) const {
    return size_t{Inside(buffer).subpage_} * node_bytes_;
  }
  // REQUIRES: subpage().
  SubpageFrames& subpages() { return subpages_; }

 private:
  // In subpage_ of a short private buffer where pages are not larger than blocks, and nothing else is
  // kept there.
  static constexpr uint8_t kShortInOnePiece = 1;
  // The address of all that was allocated for it; null when that is a page array.
  std::byte* WholeBlock(const ExtentBuffer* buffer) const;

  PageAllocator* const allocator_;
  const uint32_t node_bytes_;
  const uint32_t page_shift_;
  const uint32_t row_slots_;
  OwnerId owner_ = kNoOwner;  // set once
  // Relaxed: constant once it is not null, and the holder of a folio has seen it made.
  mutable sync::Atomic<const std::byte*> arena_{nullptr};
  SubpageFrames subpages_;  // unused unless pages are larger than blocks
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_CACHE_BLOCK_FRAMES_H_
