// HeldBuffers: references that a thread keeps from one visit to the next.
//
//   ebcache::HeldBuffers held(&cache);
//   ExtentBuffer* root = held.Find(root_bytenr);   // the second time: no atomic operation
//
// A reference is two atomic operations, and two threads that visit one buffer in turn (the root of
// a tree) pass its cache line to and fro for each of them: together they get less done than one
// alone. A thread that keeps the reference only reads that line, which any number of threads can do
// at once.
//
// What is held is in use: it cannot be reclaimed, moved or released until its turn is over. So
// there are few of them, and the one not visited for longest goes when another is wanted. One that
// has become STALE keeps its turn, because its visitor may still be looking at it; it goes as soon
// as the turn is over, whether or not its place is wanted.
//
// Thread safety: one object belongs to one thread at a time.

#ifndef EBCACHE_HELD_BUFFERS_H_
#define EBCACHE_HELD_BUFFERS_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "ebcache/buffer_cache.h"
#include "ebcache/extent_buffer.h"

namespace ebcache {

class HeldBuffers {
 public:
  static constexpr size_t kMost = 8;

  // `cache` must outlive this object.
  explicit HeldBuffers(BufferCache* cache) : cache_(cache) {}

  // The buffer of the block at `start`; null when it is not cached. As with BufferCache::Find, it
  // may be STALE. It stays what it is at least until seven other blocks were asked for, LetGo was
  // called, or this object goes.
  ExtentBuffer* Find(uint64_t start) {
    // The last one first: visits come in bursts.
    const ExtentBufferRef& last = held_[newest_];
    if (last && last->start() == start) [[likely]] {
      return last.get();
    }
    return FindAmongOthers(start);
  }

  // Puts all references.
  void LetGo();

 private:
  ExtentBuffer* FindAmongOthers(uint64_t start);
  ExtentBuffer* Keep(size_t place, ExtentBufferRef ref);  // the newest from here on

  BufferCache* const cache_;
  std::array<ExtentBufferRef, kMost> held_;
  std::array<uint64_t, kMost> visited_{};  // when, in visits that changed the order; 0: never
  uint64_t visits_ = 0;
  size_t newest_ = 0;
};

}  // namespace ebcache

#endif  // EBCACHE_HELD_BUFFERS_H_
