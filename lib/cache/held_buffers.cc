#include "ebcache/held_buffers.h"

#include <algorithm>
#include <utility>

namespace ebcache {

ExtentBuffer* HeldBuffers::FindAmongOthers(uint64_t start) {
  const auto place = std::find_if(held_.begin(), held_.end(), [start](const ExtentBufferRef& ref) {
    return ref && ref->start() == start;
  });
  const auto wanted = static_cast<size_t>(place - held_.begin());
  // Empty places come first. Where there is none, seven others were asked for since the oldest one
  // was: its turn is over.
  const auto oldest =
      static_cast<size_t>(std::min_element(visited_.begin(), visited_.end()) - visited_.begin());
  if (wanted == kMost) {
    ExtentBufferRef found = cache_->Find(start);
    if (found) return Keep(oldest, std::move(found));
  }
  // To hold on to a STALE buffer keeps the block that takes its place from being cached.
  if (oldest != wanted && held_[oldest] && held_[oldest]->stale()) {
    held_[oldest].Put();
    visited_[oldest] = 0;
  }
  return wanted == kMost ? nullptr : Keep(wanted, std::move(held_[wanted]));
}

ExtentBuffer* HeldBuffers::Keep(size_t place, ExtentBufferRef ref) {
  held_[place] = std::move(ref);
  visited_[place] = ++visits_;
  newest_ = place;
  return held_[place].get();
}

void HeldBuffers::LetGo() {
  for (ExtentBufferRef& ref : held_) ref.Put();
  visited_ = {};
}

}  // namespace ebcache
