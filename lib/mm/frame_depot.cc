#include "lib/mm/frame_depot.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "ebcache/internal/sync.h"
#include "lib/base/rounding.h"

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
          ForkHandler::Phase::kLocks, [this]() EBCACHE_ACQUIRE(mutex_) { mutex_.lock(); },
          [this](bool) EBCACHE_RELEASE(mutex_) { mutex_.unlock(); }) {}

absl::Status FrameDepot::Refill(ThreadList& list, uint32_t wanted, bool use_reserve) {
  sync::MutexLock lock(mutex_);
  const uint32_t missing = wanted - list.size();
  if (auto status = MakeAvailableLocked(missing, use_reserve); !status.ok()) return status;

  // A batch of used frames; of fresh ones no more than needed, so that they stay untouched.
  const uint32_t half = list.capacity() / 2;
  const uint32_t batch = half > list.size() ? std::min(half - list.size(), free_frames_) : 0;
  const auto left = static_cast<uint32_t>(LeftLocked());
  const uint32_t beyond_reserve = left > reserve_frames_ ? left - reserve_frames_ : 0;
  const uint32_t count = std::max(missing, std::min(batch, beyond_reserve));
  // Beneath what the thread has already, the first one popped uppermost: the order is kept.
  const absl::Span<FrameNumber> more = list.AddBeneath(count);
  for (uint32_t i = count; i-- > 0;) more[i] = PopLocked();
  return absl::OkStatus();
}

absl::Status FrameDepot::Fill(ThreadList& list, uint64_t wanted, const FrameState& state,
                              absl::Span<Folio> slots, bool use_reserve) {
  sync::MutexLock lock(mutex_);
  DrainLocked(list, list.size());
  if (auto status = MakeAvailableLocked(wanted, use_reserve); !status.ok()) return status;
  for (Folio& slot : slots) {
    if (!slot.empty()) continue;
    const FrameNumber pfn = PopLocked();
    source_->frame(pfn).Store(state);
    slot = FolioAt(pfn);
  }
  return absl::OkStatus();
}

void FrameDepot::Drain(ThreadList& list) {
  sync::MutexLock lock(mutex_);
  DrainLocked(list, list.capacity() / 2);
}

void FrameDepot::DrainAll(ThreadList& list) {
  sync::MutexLock lock(mutex_);
  DrainLocked(list, list.size());
  reserve_in_use_.store(LeftLocked() < reserve_frames_, std::memory_order_relaxed);
}

FrameNumber FrameDepot::FindReleasable(FrameNumber from, Releasable& found) const {
  constexpr uint32_t kLooks = 4096;
  sync::MutexLock lock(mutex_);
  const FrameNumber end = std::min(fresh_, from + std::min(kLooks, fresh_.value()));
  FrameNumber pfn = from;
  for (; pfn < end && found.size() < kMostFound; ++pfn) {
    const FrameState state = source_->frame(pfn).Load();
    const bool releasable = state.movable || state.reclaimable;
    if (state.use == FrameUse::kAllocated && releasable) found.push_back({pfn, state});
  }
  return pfn < fresh_ ? pfn : FrameNumber(0);
}

void FrameDepot::Enlist(ThreadList& list) {
  sync::MutexLock lock(mutex_);
  lists_.push_back(&list);
}

void FrameDepot::Retire(ThreadList& list) {
  sync::MutexLock lock(mutex_);
  DrainLocked(list, list.size());
  retired_.Add(list.counters);
  std::erase(lists_, &list);
}

size_t FrameDepot::Trim(ThreadList& list, size_t frame_bytes) {
  // Under the lock for all of it: a thread that came in between would find nothing, and fail.
  sync::MutexLock lock(mutex_);
  DrainLocked(list, list.size());
  const uint64_t before = ResidentBytesLocked(frame_bytes);
  RetreatLocked();
  PurgeRunsLocked();
  RelinkLocked();
  return before - ResidentBytesLocked(frame_bytes);
}

bool FrameDepot::AnyOwnedBy(OwnerId owner) {
  sync::MutexLock lock(mutex_);
  for (FrameNumber pfn; pfn < fresh_; ++pfn) {
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
  const uint64_t left = LeftLocked();
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
FrameNumber FrameDepot::PopLocked() {
  if (free_frames_ == 0) {
    const FrameNumber pfn = fresh_;
    source_->frame(pfn).Store({.use = FrameUse::kListed});
    ++fresh_;
    return pfn;
  }
  const FrameNumber pfn = free_top_;
  PageFrame& frame = source_->frame(pfn);
  const FrameState state = frame.Load();
  free_top_ = FrameNumber(state.private_bits);
  --free_frames_;
  if (state.purged) --purged_frames_;
  frame.Store({.use = FrameUse::kListed});
  return pfn;
}

void FrameDepot::PushLocked(FrameNumber pfn) {
  source_->frame(pfn).Store({.use = FrameUse::kFree, .private_bits = free_top_.value()});
  free_top_ = pfn;
  ++free_frames_;
}

// The oldest `count` of a list, so that the newest of them is again the first to go.
void FrameDepot::DrainLocked(ThreadList& list, uint32_t count) {
  for (const FrameNumber pfn : list.Oldest(count)) PushLocked(pfn);
  list.DropOldest(count);
}

// Forgets the steps behind the last frame in use, as if they had never been touched.
void FrameDepot::RetreatLocked() {
  FrameNumber end = fresh_;
  while (end > FrameNumber(0) && source_->frame(end - 1).Load().use == FrameUse::kFree) --end;
  const uint64_t step = source_->frames_per_step();
  const uint64_t rounded = RoundUp(uint64_t{end.value()}, step);
  if (rounded >= fresh_.value()) return;
  const FrameNumber keep(static_cast<uint32_t>(rounded));
  if (!source_->Retreat(keep)) return;
  for (FrameNumber pfn = keep; pfn < fresh_; ++pfn) {
    PageFrame& frame = source_->frame(pfn);
    if (frame.Load().purged) --purged_frames_;
    frame.Store({});
    --free_frames_;
  }
  fresh_ = keep;
}

void FrameDepot::PurgeRunsLocked() {
  const auto purgeable = [this](FrameNumber pfn) EBCACHE_REQUIRES(mutex_) {
    const FrameState state = source_->frame(pfn).Load();
    return state.use == FrameUse::kFree && !state.purged;
  };
  const uint32_t group = source_->frames_per_purge();
  const auto all_purgeable = [&](FrameNumber from) EBCACHE_REQUIRES(mutex_) {
    if (from + group > fresh_) return false;  // what is not prepared is not there to be looked at
    for (FrameNumber pfn = from; pfn < from + group; ++pfn) {
      if (!purgeable(pfn)) return false;
    }
    return true;
  };
  for (FrameNumber first; first < fresh_; first = first + group) {
    if (!all_purgeable(first)) continue;
    FrameNumber end = first + group;
    while (end < fresh_ && all_purgeable(end)) end = end + group;
    if (source_->Purge(first, end - first)) {
      for (FrameNumber pfn = first; pfn < end; ++pfn) {
        source_->frame(pfn).Store({.use = FrameUse::kFree, .purged = true});
      }
      purged_frames_ += end - first;
    }
    first = end;  // that group is not purgeable, or past the last
  }
}

// Builds the stack anew in order of number, the lowest on top: neighbours become neighbours again.
void FrameDepot::RelinkLocked() {
  free_top_ = kEnd;
  for (FrameNumber pfn = fresh_; pfn > FrameNumber(0);) {
    --pfn;
    PageFrame& frame = source_->frame(pfn);
    FrameState state = frame.Load();
    if (state.use != FrameUse::kFree) continue;
    state.private_bits = free_top_.value();
    frame.Store(state);
    free_top_ = pfn;
  }
}

uint64_t FrameDepot::ResidentBytesLocked(size_t frame_bytes) const {
  return source_->prepared_bytes() - uint64_t{purged_frames_} * frame_bytes;
}

}  // namespace ebcache
