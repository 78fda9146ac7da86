// What a kNoFail request may count on in a movable region: owners who release, and a reserve.

#include <algorithm>

#include "lib/mm/movable_region_impl.h"

namespace ebcache {
namespace {

constexpr int kPairOrder = 1;  // the largest that kNoFail may ask for

}  // namespace

// Asks the owners of some movable folios, in the order of page blocks, until some went. A batch and
// no more, because all of them are lost to their owners.
bool MovableRegion::Impl::ReleaseSome() {
  Evacuation evacuation;
  Batch batch;
  std::unique_lock lock(mutex_);
  for (uint32_t tries = 0; tries <= geometry_.pageblocks() && evacuation.gone == 0; ++tries) {
    const uint32_t block = geometry_.PageblockOf(release_next_);
    const uint32_t end = geometry_.FirstFrame(block) + geometry_.pageblock_frames();
    while (release_next_ < end && evacuation.gone == 0 && state_.MovableFrames(block) != 0) {
      release_next_ = CollectLocked(release_next_, end, Effort::kNowhere, true, batch);
      lock.unlock();
      AskOwners(absl::MakeSpan(batch));
      lock.lock();
      for (const Move& move : batch) FinishLocked(move, evacuation);
      batch.clear();
      calls_ended_.notify_all();
    }
    if (evacuation.gone == 0) release_next_ = end % geometry_.frames;
  }
  if (release_next_ >= geometry_.frames) release_next_ = 0;
  return evacuation.gone != 0;
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
