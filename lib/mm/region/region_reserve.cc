// What a kNoFail request may count on in a movable region: owners that release, and a reserve.

#include <algorithm>

#include "lib/base/check.h"
#include "lib/mm/region/movable_region_impl.h"

namespace ebcache {
namespace {

constexpr int kPairOrder = 1;  // the largest that kNoFail may ask for

}  // namespace

// The cursor is moved on before the lock is dropped, and never stands at the end of the region:
// other threads go on from it meanwhile. Returns how many frames were passed.
uint32_t MovableRegion::Impl::CollectNextLocked(const Question& question, Batch& batch) {
  const FrameNumber from = release_next_;
  const PageblockNumber block = geometry_.PageblockOf(from);
  const FrameNumber end = geometry_.FirstFrame(block) + geometry_.pageblock_frames();
  FrameNumber next = end;
  if (state_.UsedFrames(block) != 0) {
    next = CollectLocked(from, end, question, batch);
  }
  EBCACHE_CHECK(from.value() < frames_.usable_frames(), "the release cursor is beyond the region");
  release_next_ = next.value() < frames_.usable_frames() ? next : FrameNumber(0);
  return next - from;
}

// Asks the owners of some folios that can be released, in the order of page blocks, until some
// went: once around, whatever other threads do to the cursor. A batch and no more, because all of
// them are lost to their owners.
bool MovableRegion::Impl::ReleaseSome(OwnerId spared) {
  const Question question{.may_release = true, .reclaimable = true, .spared = spared};
  Evacuation evacuation;
  Batch batch;
  sync::UniqueLock lock(mutex_);
  for (uint64_t passed = 0; passed <= frames_.usable_frames() && evacuation.gone == 0;) {
    passed += CollectNextLocked(question, batch);
    if (batch.empty()) continue;
    lock.unlock();
    AskOwners(absl::MakeSpan(batch));
    lock.lock();
    SettleLocked(batch, evacuation);
  }
  return evacuation.gone != 0;
}

// Takes pairs out of free memory that is easy to have, until there are as many as there should be.
void MovableRegion::Impl::FillReserve() {
  sync::MutexLock lock(mutex_);
  while (reserve_.size() < reserve_pairs_) {
    const FrameNumber pfn =
        steering_.Take(Mobility::kUnmovable, kPairOrder, Effort::kWithoutTainting);
    if (pfn == kNoFrame) return;
    frames_[pfn].Store(FrameState{.use = FrameUse::kListed, .order = kPairOrder});
    reserve_.push_back(pfn);
  }
}

// Frees as many pairs as it takes. False: there are not enough, and none was freed.
bool MovableRegion::Impl::SpendReserve(uint64_t frames) {
  sync::MutexLock lock(mutex_);
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
