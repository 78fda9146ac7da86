// What the checks have to see of a cache's inside.

#ifndef EBCACHE_TESTS_MODEL_CACHE_PEER_H_
#define EBCACHE_TESTS_MODEL_CACHE_PEER_H_

#include "ebcache/buffer_cache.h"
#include "lib/cache/buffer_cache_impl.h"

namespace ebcache {

class BufferCachePeer {
 public:
  static const BufferCacheImpl& impl(const BufferCache& cache) { return *cache.impl_; }
  static const DescriptorSlab& slab(const BufferCache& cache) { return cache.impl_->pool_.slab_; }
  static const BufferIndex& index(const BufferCache& cache) { return cache.impl_->pool_.index_; }
  static const ReclaimList& reclaim(const BufferCache& cache) {
    return cache.impl_->pool_.reclaim_list_;
  }
  static size_t failures(const BufferCache& cache) {
    return cache.impl_->pool_.read_errors_.size();
  }
  static size_t write_errors(const BufferCache& cache) {
    return cache.impl_->io_.write_errors_.size();
  }

  // The descriptors on the free list: the first, and how many.
  static uint32_t FirstFree(const BufferCache& cache) { return cache.impl_->pool_.slab_.free_; }
  static uint32_t FreeDescriptors(const BufferCache& cache);
};

class DescriptorPeer {
 public:
  static const void* word(const ExtentBuffer& buffer) { return &Inside(&buffer).state_; }
  static uint32_t older(const ExtentBuffer& buffer) { return Inside(&buffer).older_; }
};

inline uint32_t BufferCachePeer::FreeDescriptors(const BufferCache& cache) {
  const DescriptorSlab& slab = cache.impl_->pool_.slab_;
  uint32_t count = 0;
  for (uint32_t at = slab.free_; at != DescriptorSlab::kNone && count <= slab.size();
       at = DescriptorPeer::older(*slab.At(at))) {
    ++count;
  }
  return count;
}

}  // namespace ebcache

#endif  // EBCACHE_TESTS_MODEL_CACHE_PEER_H_
