// DescriptorSlab: the type-stable home of extent buffer descriptors, their page array rows, and what
// the users of a cache keep with each buffer.
//
// Memory that was a descriptor stays one until the cache goes. That is what makes lock-free lookups
// work without RCU: a pointer that was good once can always be looked through, and the state word
// behind it tells whether it is a live buffer's.
//
// Invariants:
//   1. A descriptor is handed out with refs == 0 and stays dead until its new owner publishes it.
//   2. cache_, folios_ and index_ are set when a descriptor is first made, and never change.
//   3. older_ links the free list while a descriptor is here, and belongs to reclaim otherwise.
//
// Thread safety: all methods, from any thread. At and size take no lock.

#ifndef EBCACHE_LIB_CACHE_DESCRIPTOR_SLAB_H_
#define EBCACHE_LIB_CACHE_DESCRIPTOR_SLAB_H_

#include <absl/types/span.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "ebcache/allocators.h"
#include "ebcache/extent_buffer.h"
#include "ebcache/internal/sync.h"
#include "lib/base/brief_mutex.h"

namespace ebcache {

class DescriptorSlab {
 public:
  // Names no descriptor.
  static constexpr uint32_t kNone = ~uint32_t{0};

  // Each descriptor gets a row of `row_slots` folio slots, and `user_bytes`, rounded up so that each
  // begins as malloc's memory does. `os` must outlive the slab.
  DescriptorSlab(BufferCacheImpl* cache, uint32_t row_slots, uint32_t user_bytes, OsCalls* os);
  ~DescriptorSlab();
  DescriptorSlab(const DescriptorSlab&) = delete;
  DescriptorSlab& operator=(const DescriptorSlab&) = delete;

  // Dead descriptors, those freed last if there are such. Returns how many of `buffers` it filled:
  // all, or fewer when memory is out.
  size_t Allocate(absl::Span<ExtentBuffer*> buffers);
  // REQUIRES: dead, and only late lookups will touch them any more.
  void Free(absl::Span<ExtentBuffer* const> buffers);

  // REQUIRES: index is that of a descriptor that was handed out once, and what brought it here brought what was done
  // before that: a mutex, or a look at size(). The number in a frame's private bits comes by neither.
  ExtentBuffer* At(uint32_t index) const {
    Chunk* chunk = chunks_[index >> kChunkBits].load(std::memory_order_relaxed);
    return &chunk->descriptors[index & (kPerChunk - 1)];
  }

  // What users keep with it: user_bytes() of memory that is the descriptor's as long as the slab is
  // there. REQUIRES: user_bytes() is not 0.
  std::byte* UserBytesOf(const ExtentBuffer* buffer) const;
  // Of each descriptor, as rounded; 0 where nothing was asked for.
  uint32_t user_bytes() const { return user_bytes_; }

  // Number of descriptors ever made: the indices below are valid.
  uint32_t size() const { return made_.load(std::memory_order_acquire); }

  // Memory taken into use for descriptors and rows, in bytes: whole steps.
  uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  friend class BufferCachePeer;  // tests that look inside

  // One chunk of descriptors is one huge page. The first few chunks are taken into use in steps, so
  // that a small cache does not pay for a large one: on small pages, until the last step puts the
  // chunk on its huge page. Later chunks are a small part of what is there.
  static constexpr int kChunkBits = 15;
  static constexpr uint32_t kPerChunk = uint32_t{1} << kChunkBits;
  static constexpr size_t kDescriptorBytes = kPerChunk * sizeof(ExtentBuffer);
  static constexpr uint32_t kPerStep = kPerChunk / 32;
  static constexpr size_t kChunksInSteps = 4;
  static constexpr size_t kMaxChunks = sync::ModelOr<size_t>(1, 4096);  // 2 TiB of 16 KiB blocks
  static_assert(kDescriptorBytes == size_t{2} << 20);

  struct Chunk {
    ExtentBuffer descriptors[kPerChunk];
    // Followed by kPerChunk rows of Folio[row_slots_], and kPerChunk times user_bytes_.
  };

  ExtentBuffer* MakeLocked() EBCACHE_REQUIRES(mutex_);  // null when memory is out
  bool AddChunk(size_t number) EBCACHE_REQUIRES(mutex_);
  void TakeStep(size_t number, uint32_t place) EBCACHE_REQUIRES(mutex_);
  size_t bytes_for(uint32_t descriptors) const;
  size_t chunk_bytes() const { return bytes_for(kPerChunk); }

  BufferCacheImpl* const cache_;
  const uint32_t row_slots_;
  const uint32_t user_bytes_;
  OsCalls* const os_;

  // Set once each, under mutex_. Relaxed: made_ publishes them.
  std::array<sync::Atomic<Chunk*>, kMaxChunks> chunks_{};
  // Counts descriptors whose fields are set; the release store publishes them to size().
  sync::Atomic<uint32_t> made_{0};
  sync::Atomic<uint64_t> bytes_{0};  // a statistic: relaxed

  BriefMutex mutex_;
  uint32_t free_ EBCACHE_GUARDED_BY(mutex_) = kNone;  // head of the free list
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_CACHE_DESCRIPTOR_SLAB_H_
