// What a kNoFail request may count on in a movable region: owners who release, and a reserve.

#include <algorithm>

#include "lib/mm/movable_region_impl.h"

namespace ebcache {
namespace {

constexpr int kPairOrder = 1;  // the largest that kNoFail may ask for

}  // namespace

// Asks the owners of the movable folios of one page block, and of the next, until some went.
bool MovableRegion::Impl::ReleaseSome() {
  for (uint32_t tries = 0; tries < geometry_.pageblocks(); ++tries) {
    uint32_t block = 0;
    {
      std::lock_guard lock(mutex_);
      block = release_next_;
      release_next_ = (release_next_ + 1) % geometry_.pageblocks();
      if (state_.MovableFrames(block) == 0) continue;
    }
    if (Evacuate(block, Effort::kNowhere, /*may_release=*/true).gone != 0) return true;
  }
  return false;
}

// Takes pairs out of free memory that is easy to have, until there are as many as there should be.
void MovableRegion::Impl::FillReserve() {
  const uint64_t frames =
      std::min<uint64_t>(kNoFailReserveBytes / geometry_.page_bytes, geometry_.frames / 64);
  const size_t pairs = std::max<size_t>(frames >> kPairOrder, 1);
  std::lock_guard lock(mutex_);
  while (reserve_.size() < pairs) {
    const uint32_t pfn = steering_.Take(Mobility::kUnmovable, kPairOrder, Effort::kWithoutTainting);
    if (pfn == kNoFrame) return;
    frames_[pfn].Store(FrameState{.use = FrameUse::kListed, .order = kPairOrder});
    reserve_.push_back(pfn);
  }
}

// Frees as many pairs as it takes. False: there are not enough, and none was freed.
bool MovableRegion::Impl::SpendReserve(uint64_t frames) {
  std::lock_guard lock(mutex_);
  const uint64_t pairs = (frames + 1) >> kPairOrder;
  if (pairs > reserve_.size()) return false;
  for (uint64_t i = 0; i < pairs; ++i) {
    frames_[reserve_.back()].Store({});
    state_.Put(reserve_.back(), kPairOrder, Mobility::kUnmovable);
    reserve_.pop_back();
  }
  return true;
}

}  // namespace ebcache
