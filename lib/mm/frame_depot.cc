#include "lib/mm/frame_depot.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "ebcache/internal/sync.h"

namespace ebcache {
namespace {

uint64_t NextSerial() {
  // Relaxed: only has to give each depot another number. 0 is no depot.
  static sync::Atomic<uint64_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

// What other threads keep at hand is out of reach when memory runs out: a 64th of it at most each.
uint32_t FittingListCapacity(uint32_t wanted, uint32_t max_frames) {
  return std::clamp<uint32_t>(std::min(wanted, max_frames / 64), 2, ThreadList::kMaxCapacity);
}

}  // namespace

FrameDepot::FrameDepot(std::unique_ptr<FrameSource> source, uint32_t list_capacity,
                       uint32_t reserve_frames)
    : serial_(NextSerial()),
      source_(std::move(source)),
      list_capacity_(FittingListCapacity(list_capacity, source_->most_frames() - reserve_frames)),
      reserve_frames_(reserve_frames),
      max_frames_(source_->most_frames()),
      at_fork_(
          ForkHandler::Phase::kLocks, [this] { mutex_.lock(); },
          [this](bool) { mutex_.unlock(); }) {}

absl::Status FrameDepot::Refill(ThreadList& list, uint32_t wanted, bool use_reserve) {
  sync::MutexLock lock(mutex_);
  const uint32_t missing = wanted - list.size_;
  if (auto status = MakeAvailableLocked(missing, use_reserve); !status.ok()) return status;

  // A batch of used frames; of fresh ones no more than needed, so that they stay untouched.
  const uint32_t half = list.capacity_ / 2;
  const uint32_t batch = half > list.size_ ? std::min(half - list.size_, free_frames_) : 0;
  const uint32_t left = free_frames_ + (max_frames_ - fresh_);
  const uint32_t beyond_reserve = left > reserve_frames_ ? left - reserve_frames_ : 0;
  const uint32_t count = std::max(missing, std::min(batch, beyond_reserve));
  // Beneath what the thread has already, the first one popped uppermost: the order is kept.
  std::copy_backward(list.frames_.begin(), list.frames_.begin() + list.size_,
                     list.frames_.begin() + list.size_ + count);
  for (uint32_t i = count; i-- > 0;) list.frames_[i] = PopLocked();
  list.size_ += count;
  return absl::OkStatus();
}

absl::Status FrameDepot::Fill(ThreadList& list, uint64_t wanted, const FrameState& state,
                              absl::Span<Folio> slots, bool use_reserve) {
  sync::MutexLock lock(mutex_);
  DrainLocked(list, list.size_);
  if (auto status = MakeAvailableLocked(wanted, use_reserve); !status.ok()) return status;
  for (Folio& slot : slots) {
    if (!slot.empty()) continue;
    const uint32_t pfn = PopLocked();
    source_->frame(pfn).Store(state);
    slot = Folio(pfn);
  }
  return absl::OkStatus();
}

void FrameDepot::Drain(ThreadList& list) {
  sync::MutexLock lock(mutex_);
  DrainLocked(list, list.capacity_ / 2);
}

void FrameDepot::DrainAll(ThreadList& list) {
  sync::MutexLock lock(mutex_);
  DrainLocked(list, list.size_);
  const uint64_t left = uint64_t{free_frames_} + (max_frames_ - fresh_);
  reserve_in_use_.store(left < reserve_frames_, std::memory_order_relaxed);
}

uint32_t FrameDepot::FindReleasable(uint32_t from, Releasable& found) const {
  constexpr uint32_t kLooks = 4096;
  sync::MutexLock lock(mutex_);
  const uint32_t end = std::min(fresh_, from + std::min(kLooks, fresh_));
  uint32_t pfn = from;
  for (; pfn < end && found.size() < kMostFound; ++pfn) {
    const FrameState state = source_->frame(pfn).Load();
    const bool releasable = state.movable || state.reclaimable;
    if (state.use == FrameUse::kAllocated && releasable) found.push_back({pfn, state});
  }
  return pfn < fresh_ ? pfn : 0;
}

void FrameDepot::Enlist(ThreadList& list) {
  sync::MutexLock lock(mutex_);
  lists_.push_back(&list);
}

void FrameDepot::Retire(ThreadList& list) {
  sync::MutexLock lock(mutex_);
  DrainLocked(list, list.size_);
  retired_.Add(list.counters);
  std::erase(lists_, &list);
}

size_t FrameDepot::Trim(ThreadList& list, size_t frame_bytes) {
  // Under the lock for all of it: a thread that came in between would find nothing, and fail.
  sync::MutexLock lock(mutex_);
  DrainLocked(list, list.size_);
  const uint64_t before = ResidentBytesLocked(frame_bytes);
  RetreatLocked();
  PurgeRunsLocked();
  RelinkLocked();
  return before - ResidentBytesLocked(frame_bytes);
}

bool FrameDepot::AnyOwnedBy(OwnerId owner) {
  sync::MutexLock lock(mutex_);
  for (uint32_t pfn = 0; pfn < fresh_; ++pfn) {
    const FrameState state = source_->frame(pfn).Load();
    if (state.use == FrameUse::kAllocated && state.owner == owner) return true;
  }
  return false;
}

void FrameDepot::AddStats(AllocatorStats& stats, size_t frame_bytes) const {
  sync::MutexLock lock(mutex_);
  FolioCounters sum;
  sum.Add(retired_);
  for (const ThreadList* list : lists_) sum.Add(list->counters);
  stats.allocated_folios += sum.allocated_folios.Load();
  stats.freed_folios += sum.freed_folios.Load();
  stats.allocated_blocks += sum.allocated_blocks.Load();
  stats.contiguous_blocks += sum.contiguous_blocks.Load();
  stats.lucky_blocks += sum.lucky_blocks.Load();
  stats.large_blocks += sum.large_blocks.Load();
  stats.mapped_blocks += sum.mapped_blocks.Load();
  stats.in_use_bytes += sum.allocated_bytes.Load() - sum.freed_bytes.Load();
  stats.from_os_bytes += ResidentBytesLocked(frame_bytes);
}

// Enough frames in the stack or prepared behind `fresh_`, or an error.
absl::Status FrameDepot::MakeAvailableLocked(uint64_t count, bool use_reserve) {
  const uint64_t left = uint64_t{free_frames_} + (max_frames_ - fresh_);
  const uint64_t kept_back = use_reserve ? 0 : std::min<uint64_t>(reserve_frames_, left);
  if (count > left - kept_back) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "no memory: ", count, " page frames wanted, ", left - kept_back, " free or never used of ",
        max_frames_ - reserve_frames_, kept_back != 0 ? "" : ", the reserve included"));
  }
  if (left - count < reserve_frames_) reserve_in_use_.store(true, std::memory_order_relaxed);
  if (count <= free_frames_) return absl::OkStatus();
  const uint64_t from_fresh = count - free_frames_;
  absl::Status status = source_->Prepare(fresh_ + static_cast<uint32_t>(from_fresh));
  max_frames_ = source_->most_frames();
  return status;
}

// REQUIRES: MakeAvailableLocked succeeded for it.
uint32_t FrameDepot::PopLocked() {
  if (free_frames_ == 0) {
    source_->frame(fresh_).Store({.use = FrameUse::kListed});
    return fresh_++;
  }
  const uint32_t pfn = free_top_;
  PageFrame& frame = source_->frame(pfn);
  const FrameState state = frame.Load();
  free_top_ = state.private_bits;
  --free_frames_;
  if (state.purged) --purged_frames_;
  frame.Store({.use = FrameUse::kListed});
  return pfn;
}

void FrameDepot::PushLocked(uint32_t pfn) {
  source_->frame(pfn).Store({.use = FrameUse::kFree, .private_bits = free_top_});
  free_top_ = pfn;
  ++free_frames_;
}

// The oldest `count` of a list, so that the newest of them is again the first to go.
void FrameDepot::DrainLocked(ThreadList& list, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) PushLocked(list.frames_[i]);
  std::copy(list.frames_.begin() + count, list.frames_.begin() + list.size_, list.frames_.begin());
  list.size_ -= count;
}

// Forgets the steps behind the last frame in use, as if they had never been touched.
void FrameDepot::RetreatLocked() {
  uint32_t end = fresh_;
  while (end > 0 && source_->frame(end - 1).Load().use == FrameUse::kFree) --end;
  const uint64_t step = source_->frames_per_step();
  const uint64_t rounded = (end + step - 1) / step * step;
  if (rounded >= fresh_ || !source_->Retreat(static_cast<uint32_t>(rounded))) return;
  for (uint32_t pfn = static_cast<uint32_t>(rounded); pfn < fresh_; ++pfn) {
    PageFrame& frame = source_->frame(pfn);
    if (frame.Load().purged) --purged_frames_;
    frame.Store({});
    --free_frames_;
  }
  fresh_ = static_cast<uint32_t>(rounded);
}

void FrameDepot::PurgeRunsLocked() {
  const auto purgeable = [this](uint32_t pfn) {
    const FrameState state = source_->frame(pfn).Load();
    return state.use == FrameUse::kFree && !state.purged;
  };
  for (uint32_t first = 0; first < fresh_; ++first) {
    if (!purgeable(first)) continue;
    uint32_t end = first + 1;
    while (end < fresh_ && purgeable(end)) ++end;
    if (source_->Purge(first, end - first)) {
      for (uint32_t pfn = first; pfn < end; ++pfn) {
        source_->frame(pfn).Store({.use = FrameUse::kFree, .purged = true});
      }
      purged_frames_ += end - first;
    }
    first = end;  // not purgeable, or past the last
  }
}

// Builds the stack anew in order of number, the lowest on top: neighbours become neighbours again.
void FrameDepot::RelinkLocked() {
  free_top_ = kEnd;
  for (uint32_t pfn = fresh_; pfn-- > 0;) {
    PageFrame& frame = source_->frame(pfn);
    FrameState state = frame.Load();
    if (state.use != FrameUse::kFree) continue;
    state.private_bits = free_top_;
    frame.Store(state);
    free_top_ = pfn;
  }
}

uint64_t FrameDepot::ResidentBytesLocked(size_t frame_bytes) const {
  return source_->prepared_bytes() - uint64_t{purged_frames_} * frame_bytes;
}

}  // namespace ebcache
