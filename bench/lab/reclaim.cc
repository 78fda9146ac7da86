#include "bench/lab/reclaim.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace ebcache::lab {
namespace {

// How many times larger than the inactive list the active one may be: the square root of ten times
// the GiB on both, as the comment of the kernel's table has it (3 at 1 GiB, 10 at 10 GiB).
uint64_t ActiveRatio(uint64_t frames) {
  const double gib = std::floor(static_cast<double>(frames) / (1 << 18));
  return std::max<uint64_t>(1, static_cast<uint64_t>(std::sqrt(10 * gib)));
}

}  // namespace

Watermarks WatermarksOf(uint64_t frames, uint32_t pageblock_frames, double boost,
                        double min_free_blocks) {
  Watermarks marks;
  // Of small memory no more than a twentieth.
  marks.min = std::min(static_cast<uint64_t>(min_free_blocks * pageblock_frames), frames / 20);
  const uint64_t step = std::max(marks.min / 4, frames / 1000);
  marks.low = marks.min + step;
  marks.high = marks.min + 2 * step;
  marks.most_boost = static_cast<uint64_t>(boost * static_cast<double>(marks.high));
  return marks;
}

void PageReclaim::FileRead(uint32_t folios, uint64_t frames) {
  inactive_frames_ += frames;
  if (!inactive_.empty() && inactive_.back().what == kFile) {
    inactive_.back().n += folios;
  } else {
    inactive_.push_back({kFile, folios});
  }
}

void PageReclaim::Enlist(uint32_t block, bool active) {
  Block& state = blocks_[block];
  state.active = active;
  (active ? active_ : inactive_).push_back({block, ++state.stamp});
  (active ? active_frames_ : inactive_frames_) += frames_each_;
}

void PageReclaim::BlockRead(uint32_t block, bool was_cached) {
  Block& state = blocks_[block];
  if (!was_cached) {
    const bool soon = state.gone_at != 0 && clock_ - state.gone_at <= active_frames_;
    state.cached = true;
    state.referenced = false;
    if (soon) {
      ++counts_.refaults;
      refaulted_ = true;
      clock_ += frames_each_;
    }
    Enlist(block, soon);
    return;
  }
  if (!state.cached || state.active) return;
  if (!std::exchange(state.referenced, true)) return;
  state.referenced = false;
  inactive_frames_ -= frames_each_;
  clock_ += frames_each_;
  counts_.activated += frames_each_;
  Enlist(block, /*active=*/true);
}

void PageReclaim::BlockGone(uint32_t block) {
  Block& state = blocks_[block];
  if (!std::exchange(state.cached, false)) return;
  (state.active ? active_frames_ : inactive_frames_) -= frames_each_;
  ++state.stamp;
}

void PageReclaim::FilesGone(uint64_t folios, uint64_t frames) {
  inactive_frames_ -= frames;
  for (Entry& entry : inactive_) {
    if (entry.what != kFile) continue;
    const auto gone = static_cast<uint32_t>(std::min<uint64_t>(entry.n, folios));
    entry.n -= gone;
    folios -= gone;
    if (folios == 0) return;
  }
}

// The oldest active block. False: there is none.
bool PageReclaim::Deactivate() {
  while (!active_.empty()) {
    const Entry entry = active_.front();
    active_.pop_front();
    const Block& state = blocks_[entry.what];
    if (!state.cached || !state.active || state.stamp != entry.n) continue;
    active_frames_ -= frames_each_;
    counts_.deactivated += frames_each_;
    Enlist(entry.what, /*active=*/false);
    return true;
  }
  return false;
}

// Both lists are scanned by the same part of their length.
void PageReclaim::DeactivateFor(uint64_t frames) {
  const bool low = inactive_frames_ * ActiveRatio(inactive_frames_ + active_frames_) < active_frames_;
  if (!deactivating_ && !low) return;
  to_deactivate_ += frames * active_frames_;
  const uint64_t unit = std::max<uint64_t>(1, inactive_frames_) * frames_each_;
  while (to_deactivate_ >= unit && Deactivate()) to_deactivate_ -= unit;
}

// Takes the oldest of the inactive list, if it is to be had. Returns the frames.
uint64_t PageReclaim::TakeFirst() {
  Entry& entry = inactive_.front();
  if (entry.what == kFile) {
    if (entry.n == 0) {
      inactive_.pop_front();
      return 0;
    }
    --entry.n;
    const uint64_t frames = takers_.oldest_file();
    inactive_frames_ -= std::min(inactive_frames_, frames);
    counts_.file_frames += frames;
    return frames;
  }
  const Entry taken = entry;
  inactive_.pop_front();
  Block& state = blocks_[taken.what];
  if (!state.cached || state.active || state.stamp != taken.n) return 0;
  const uint64_t frames = takers_.block(taken.what);
  inactive_frames_ -= frames_each_;
  if (frames == 0) {  // in use: to the other end
    Enlist(taken.what, /*active=*/false);
    return 0;
  }
  state.cached = false;
  state.gone_at = clock_;
  counts_.block_frames += frames;
  return frames;
}

uint64_t PageReclaim::Shrink(uint64_t frames) {
  deactivating_ = std::exchange(refaulted_, false);
  uint64_t freed = 0;
  // Entries that are passed without gain end it: what is left is in use.
  for (uint64_t fruitless = 0; freed < frames && fruitless <= inactive_.size() + 1;) {
    if (inactive_.empty() && !Deactivate()) break;
    const uint64_t got = TakeFirst();
    fruitless = got == 0 ? fruitless + 1 : 0;
    freed += got;
    clock_ += got;
    if (got != 0) DeactivateFor(got);
  }
  return freed;
}

}  // namespace ebcache::lab
