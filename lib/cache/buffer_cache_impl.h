// BufferCacheImpl: the parts of a cache put together. Each has its members and locks:
//
//   BufferPool   the buffers, from birth to burial, and their budget
//   BufferIo     reads and writes, and waiting for them
//   FolioMover   what the allocator asks of the owner of a folio
//
// What descriptors lead to, so that a reference needs no more than its buffer.
//
// Lock order: none. No lock of this room is held while another is taken, nor while the allocator or
// the source is called. The locks inside: index, reclaim list, slab, subpages, failed reads,
// failed writes, background reclaim.

#ifndef EBCACHE_LIB_CACHE_BUFFER_CACHE_IMPL_H_
#define EBCACHE_LIB_CACHE_BUFFER_CACHE_IMPL_H_

#include <absl/status/status.h>

#include <cstddef>
#include <cstdint>
#include <optional>

#include "ebcache/buffer_cache.h"
#include "lib/cache/buffer_io.h"
#include "lib/cache/buffer_pool.h"
#include "lib/cache/folio_mover.h"

namespace ebcache {

class BufferCacheImpl {
 public:
  BufferCacheImpl(BufferCacheOptions options, BlockSource* source);
  ~BufferCacheImpl();
  BufferCacheImpl(const BufferCacheImpl&) = delete;
  BufferCacheImpl& operator=(const BufferCacheImpl&) = delete;

  // The destructor tells of buffers that references are left to, and lets them go. `tell` outlives
  // this.
  void TellOfHeld(BufferPool::Tell tell) { tell_of_held_.emplace(tell); }

  BufferPool& pool() { return pool_; }
  BufferIo& io() { return io_; }
  FolioMover& mover() { return mover_; }

  // InvalidArgument for a buffer of another cache.
  absl::Status CheckOurs(const ExtentBuffer& buffer) const;
  // See BufferCache.
  absl::Status status() const { return pool_.frames().status(); }
  CacheStats stats() const;

  const BufferCacheOptions& options() const { return pool_.options(); }
  PageAllocator& allocator() const { return pool_.frames().allocator(); }
  const std::byte* direct_map() const { return pool_.frames().direct_map(); }
  uint32_t page_shift() const { return pool_.frames().page_shift(); }

 private:
  friend class BufferCachePeer;  // tests that look inside

  // First, and a member rather than a pointer: what a find and a put ask for lies where the cache
  // does.
  BufferPool pool_;
  BufferIo io_;
  FolioMover mover_;
  std::optional<BufferPool::Tell> tell_of_held_;
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_CACHE_BUFFER_CACHE_IMPL_H_
