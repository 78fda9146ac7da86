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
      oldest_ = buffer->older_ = buffer->newer_ = buffer->index_;
    } else {
      ExtentBuffer* oldest = slab_->At(oldest_);
      ExtentBuffer* newest = slab_->At(oldest->older_);
      buffer->older_ = newest->index_;
      buffer->newer_ = oldest_;
      newest->newer_ = oldest->older_ = buffer->index_;
    }
    ++size_;
  }
  void PushOldest(ExtentBuffer* buffer) {
    PushNewest(buffer);
    oldest_ = buffer->index_;
  }

  // REQUIRES: the buffer is on this queue.
  void Remove(ExtentBuffer* buffer) {
    slab_->At(buffer->older_)->newer_ = buffer->newer_;
    slab_->At(buffer->newer_)->older_ = buffer->older_;
    if (oldest_ == buffer->index_) oldest_ = buffer->newer_;
    --size_;
  }

  // The oldest becomes the newest. REQUIRES: not empty.
  void Turn() { oldest_ = oldest()->newer_; }

 private:
  DescriptorSlab* const slab_;
  uint32_t oldest_ = DescriptorSlab::kNone;
  uint32_t size_ = 0;
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_CACHE_BUFFER_QUEUE_H_
