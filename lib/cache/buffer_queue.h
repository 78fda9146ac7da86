// BufferQueue: a ring of buffers, from the oldest to the newest, through links in the descriptors.
//
// The links are descriptor numbers. The newest is linked to the oldest, so that turning the ring by
// one (the oldest becomes the newest) writes no descriptor: a clock hand.
//
// Thread safety: none; the queue's owner has a lock for it and for the links.

#ifndef EBCACHE_LIB_CACHE_BUFFER_QUEUE_H_
#define EBCACHE_LIB_CACHE_BUFFER_QUEUE_H_

#include <cstdint>

#include "ebcache/extent_buffer.h"
#include "lib/cache/descriptor_slab.h"
#include "lib/cache/extent_buffer_access.h"

namespace ebcache {

class BufferQueue {
 public:
  explicit BufferQueue(DescriptorSlab* slab) : slab_(slab) {}

  uint32_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // REQUIRES: not empty.
  ExtentBuffer* oldest() const { return slab_->At(oldest_); }

  // REQUIRES: the buffer is on no queue.
  void PushNewest(ExtentBuffer* buffer) {
    if (empty()) {
      oldest_ = Inside(buffer).older_ = Inside(buffer).newer_ = Inside(buffer).index_;
    } else {
      ExtentBuffer* oldest = slab_->At(oldest_);
      ExtentBuffer* newest = slab_->At(Inside(oldest).older_);
      Inside(buffer).older_ = Inside(newest).index_;
      Inside(buffer).newer_ = oldest_;
      Inside(newest).newer_ = Inside(oldest).older_ = Inside(buffer).index_;
    }
    ++size_;
  }
  void PushOldest(ExtentBuffer* buffer) {
    PushNewest(buffer);
    oldest_ = Inside(buffer).index_;
  }

  // REQUIRES: the buffer is on this queue.
  void Remove(ExtentBuffer* buffer) {
    Inside(slab_->At(Inside(buffer).older_)).newer_ = Inside(buffer).newer_;
    Inside(slab_->At(Inside(buffer).newer_)).older_ = Inside(buffer).older_;
    if (oldest_ == Inside(buffer).index_) oldest_ = Inside(buffer).newer_;
    --size_;
  }

  // The oldest becomes the newest. REQUIRES: not empty.
  void Turn() { oldest_ = Inside(oldest()).newer_; }

 private:
  DescriptorSlab* const slab_;
  uint32_t oldest_ = DescriptorSlab::kNone;
  uint32_t size_ = 0;
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_CACHE_BUFFER_QUEUE_H_
