// The defragmenter: moves what can move out of tainted superpageblocks, so that what cannot finds
// room there and taints no others.
//
// A tainted superpageblock is short of room when at most one of its page blocks is free, or less
// than two page blocks' worth of pages; it has enough when two are free, or three worth, or nothing
// movable is left in it.

#include <chrono>
#include <optional>

#include "ebcache/internal/sync.h"
#include "lib/mm/region/movable_region_impl.h"

namespace ebcache {
namespace {

constexpr uint32_t kStartFreePageblocks = 1;
constexpr uint32_t kStartFreeWorth = 2;
constexpr uint32_t kStopFreePageblocks = 2;
constexpr uint32_t kStopFreeWorth = 3;

// Page blocks looked at for the best one to work on.
constexpr uint32_t kWindow = 64;

// Page blocks in a row that gave nothing, after which the next superpageblock is looked at.
constexpr uint32_t kMaxFruitless = 64;

// Page blocks looked through for something that can be released.
constexpr int kMaxReleaseTries = 512;

// Page blocks that one step may try in vain.
constexpr int kMaxTries = 4;

constexpr auto kIdle = std::chrono::milliseconds(20);

}  // namespace

bool MovableRegion::Impl::WantsDefragLocked(SuperpageblockNumber superpageblock) {
  Superpageblock& block = state_.superpageblocks()[superpageblock];
  const uint32_t worth = geometry_.pageblock_frames();
  const bool enough =
      block.free_pageblocks >= kStopFreePageblocks || block.free_frames >= kStopFreeWorth * worth;
  const bool is_short =
      block.free_pageblocks <= kStartFreePageblocks || block.free_frames < kStartFreeWorth * worth;
  block.defragmenting = !enough && (block.defragmenting || is_short);
  return block.defragmenting;
}

// The next tainted one with something movable in it.
SuperpageblockNumber MovableRegion::Impl::PickSuperpageblockLocked(bool short_of_room_only) {
  const uint32_t all = geometry_.superpageblocks();
  for (uint32_t i = 0; i < all; ++i) {
    const SuperpageblockNumber number((defrag_next_.value() + i) % all);
    const Superpageblock& block = state_.superpageblocks()[number];
    if (block.category != SuperpageblockCategory::kTainted || block.futile) continue;
    const uint32_t used = geometry_.superpageblock_frames() - block.free_frames;
    if (used == block.nonmovable_frames) continue;
    if (short_of_room_only && !WantsDefragLocked(number)) continue;
    defrag_next_ = number;
    return number;
  }
  return kNoSuperpageblock;
}

// Of the next page blocks, the one that is emptied with least work; else one that is mixed.
PageblockNumber MovableRegion::Impl::PickPageblockLocked(SuperpageblockNumber superpageblock) {
  Superpageblock& super = state_.superpageblocks()[superpageblock];
  const uint32_t all = geometry_.pageblocks_each();
  const PageblockNumber first = geometry_.FirstPageblock(superpageblock);
  PageblockNumber best = kNoPageblock;
  uint32_t least = ~uint32_t{0};
  for (uint32_t i = 0; i < all; ++i) {
    if (i % kWindow == 0 && best != kNoPageblock) break;
    const PageblockNumber block = first + (super.defrag_next + i) % all;
    const uint32_t movable = state_.MovableFrames(block);
    if (movable == 0 || state_.mobility(block) == Mobility::kIsolated) continue;
    const bool mixed = state_.counts(block).nonmovable_frames != 0;
    const uint32_t cost = movable + (mixed ? geometry_.pageblock_frames() : 0);
    if (cost >= least) continue;
    best = block;
    least = cost;
  }
  if (best != kNoPageblock) super.defrag_next = (best - first + 1) % all;
  return best;
}

std::optional<uint32_t> MovableRegion::Impl::DefragOne(bool short_of_room_only, Effort effort,
                                                       bool may_release) {
  SuperpageblockNumber super = kNoSuperpageblock;
  PageblockNumber pageblock = kNoPageblock;
  bool mixed = false;
  {
    sync::MutexLock lock(mutex_);
    super = PickSuperpageblockLocked(short_of_room_only);
    if (super == kNoSuperpageblock) return std::nullopt;
    pageblock = PickPageblockLocked(super);
    if (pageblock == kNoPageblock) {
      state_.superpageblocks()[super].futile = true;
      return 0;
    }
    mixed = state_.counts(pageblock).nonmovable_frames != 0;
  }
  const Evacuation evacuation =
      mixed ? Evacuate(pageblock, effort, may_release) : Empty(pageblock, effort, may_release);
  sync::MutexLock lock(mutex_);
  Superpageblock& block = state_.superpageblocks()[super];
  // The next attempt is made elsewhere if this one was in vain.
  if (evacuation.gone == 0) {
    defrag_next_ = SuperpageblockNumber((super.value() + 1) % geometry_.superpageblocks());
  }
  block.fruitless = evacuation.gone != 0 ? 0 : block.fruitless + 1;
  if (block.fruitless >= kMaxFruitless) {
    block.fruitless = 0;
    block.futile = true;
  }
  if (state_.UsedFrames(pageblock) == 0) ++counters_.defrag_pageblocks;
  return evacuation.gone;
}

// For an allocation that would taint another superpageblock. Whether it may find room now.
bool MovableRegion::Impl::MakeRoomInTainted() {
  if (options_.policy != MovableRegionOptions::Policy::kSuperpageblock) return false;
  {
    sync::MutexLock lock(mutex_);
    if (room_in_tainted_.Skip()) return false;
  }
  const bool gone = DefragUntilGone(kMaxTries, Effort::kCleanOnly);
  sync::MutexLock lock(mutex_);
  room_in_tainted_.Note(gone);
  return gone;
}

bool MovableRegion::Impl::ReleaseFromTainted() {
  return DefragUntilGone(kMaxReleaseTries, Effort::kNowhere);
}

// Tries so often, as long as there is something to try and no folio is gone. Whether one is.
bool MovableRegion::Impl::DefragUntilGone(int tries, Effort effort) {
  std::optional<uint32_t> gone = 0;
  while (gone == 0u && tries-- > 0) {
    gone = DefragOne(/*short_of_room_only=*/false, effort, /*may_release=*/true);
  }
  return gone.value_or(0) != 0;
}

// Purges the next superpageblock that is free and has memory.
bool MovableRegion::Impl::ReturnSuperpageblock() {
  const uint32_t all = geometry_.superpageblocks();
  SuperpageblockNumber first;
  {
    sync::MutexLock lock(mutex_);
    first = return_next_;
  }
  for (uint32_t i = 0; i < all; ++i) {
    const SuperpageblockNumber number((first.value() + i) % all);
    uint64_t returned = 0;
    for (uint32_t n = 0; n < geometry_.pageblocks_each(); ++n) {
      // A lock for each page block; if another thread takes memory from it meanwhile, the rest
      // stays.
      sync::MutexLock lock(mutex_);
      if (state_.superpageblocks()[number].category != SuperpageblockCategory::kEmpty) break;
      if (!state_.Purge(geometry_.FirstPageblock(number) + n)) continue;
      returned += uint64_t{geometry_.pageblock_frames()} * geometry_.page_bytes;
    }
    if (returned == 0) continue;
    sync::MutexLock lock(mutex_);
    counters_.returned_bytes += returned;
    return_next_ = number;
    return true;
  }
  return false;
}

MovableRegion::DefragProgress MovableRegion::Impl::DefragStep() {
  if (options_.policy == MovableRegionOptions::Policy::kSuperpageblock) {
    std::optional<uint32_t> gone = 0;
    for (int tries = 0; tries < kMaxTries && gone == 0u; ++tries) {
      gone = DefragOne(/*short_of_room_only=*/true, Effort::kCleanOnly, /*may_release=*/false);
    }
    if (gone.value_or(0) != 0) {
      sync::MutexLock lock(mutex_);
      ++counters_.defrag_steps;
      return DefragProgress::kEmptied;
    }
  }
  if (ReturnSuperpageblock()) return DefragProgress::kEmptied;
  // What was in use now may be idle by the next time.
  sync::MutexLock lock(mutex_);
  for (SuperpageblockNumber i; i < geometry_.EndSuperpageblock(); ++i) {
    state_.superpageblocks()[i].futile = false;
  }
  return DefragProgress::kDone;
}

// ---- The background thread ----------------------------------------------------------------------

void MovableRegion::Impl::RunDefragmenter() {
  sync::UniqueLock lock(thread_mutex_);
  while (!stop_thread_) {
    lock.unlock();
    DefragProgress progress = DefragProgress::kDone;
    threads_.Work([&] { progress = DefragStep(); });
    lock.lock();
    if (progress == DefragProgress::kDone) {
      thread_wakes_.wait_for(lock, kIdle,
                             [this]() EBCACHE_REQUIRES(thread_mutex_) { return stop_thread_; });
    }
  }
}

bool MovableRegion::Impl::StartDefragmenter() {
  const auto forget_stop = [this] {
    sync::MutexLock lock(thread_mutex_);
    stop_thread_ = false;
  };
  return threads_.Begin(1, forget_stop, [this] { RunDefragmenter(); }) != 0;
}

void MovableRegion::Impl::StopDefragmenter() {
  threads_.End([this] {
    {
      sync::MutexLock lock(thread_mutex_);
      stop_thread_ = true;
    }
    thread_wakes_.notify_all();
  });
}

}  // namespace ebcache
