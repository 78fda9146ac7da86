#include "ebcache/held_buffers.h"

#include <algorithm>
#include <utility>

namespace ebcache {

ExtentBuffer* HeldBuffers::FindAmongOthers(uint64_t start) {
  size_t oldest = 0;
  for (size_t i = 0; i < kMost; ++i) {
    ExtentBufferRef& ref = held_[i];
    // To hold on to a STALE buffer would keep the block that takes its place from being cached.
    if (ref && ref->stale()) ref.Put();
    if (!ref) visited_[i] = 0;
    if (ref && ref->start() == start) {
      visited_[i] = ++visits_;
      newest_ = i;
      return ref.get();
    }
    if (visited_[i] < visited_[oldest]) oldest = i;
  }
  ExtentBufferRef found = cache_->Find(start);
  if (!found) return nullptr;
  held_[oldest] = std::move(found);
  visited_[oldest] = ++visits_;
  newest_ = oldest;
  return held_[oldest].get();
}

void HeldBuffers::LetGo() {
  for (ExtentBufferRef& ref : held_) ref.Put();
  visited_ = {};
}

}  // namespace ebcache
