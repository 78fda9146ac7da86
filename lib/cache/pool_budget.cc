// Giving memory back: by budget, on request, and the counts that tell why it cannot be given.

#include <algorithm>
#include <array>

#include "lib/cache/buffer_pool.h"

namespace ebcache {

namespace {

// Buffers killed under one hold of the reclaim lock, and buried after it.
constexpr uint32_t kBatch = 32;

// Buffers looked at under one hold of it.
constexpr uint32_t kLooks = 64;

// What a Create over budget looks at first: enough to step over some that are pinned or were found
// since, little enough that a Create stays a Create.
constexpr uint64_t kScanPerCreate = 128;

// A batch gets no more of the budget at once than one part of so many, and a block.
constexpr uint64_t kBatchesInBudget = 16;

}  // namespace

BufferPool::Freed BufferPool::Reclaim(uint64_t wanted_buffers, uint64_t max_scan,
                                      bool spare_accessed) {
  Freed freed;
  std::array<ExtentBuffer*, kBatch> victims;
  while (freed.buffers < wanted_buffers && freed.scanned < max_scan) {
    const auto want = std::min<uint64_t>(wanted_buffers - freed.buffers, kBatch);
    // The lock is dropped every so often also where there is little to find.
    const auto scan = static_cast<uint32_t>(std::min<uint64_t>(max_scan - freed.scanned, kLooks));
    const auto done =
        reclaim_list_.Collect(absl::MakeSpan(victims.data(), want), scan, spare_accessed);
    // Counted before they are gone: a thread that sees that a buffer is not cached any more sees
    // why.
    Count(counters_.reclaimed, done.victims);
    if (done.victims != 0) Bury({victims.data(), done.victims}, /*listed=*/false);
    for (int i = 0; i < kReleaseVerdicts; ++i) {
      if (done.skipped[i] != 0) Count(counters_.skipped[i], done.skipped[i]);
    }
    freed.buffers += done.victims;
    freed.scanned += done.scanned;
    if (done.scanned == 0) break;  // nothing there, or all of it parked
  }
  return freed;
}

BufferPool::Room BufferPool::RoomNow() const {
  const uint64_t budget = budget_bytes_.load(std::memory_order_relaxed);
  if (budget == 0) return {};
  Room room;
  room.cached = counters_.cached.load(std::memory_order_relaxed);
  // A budget of less than a block allows one: none would mean no limit.
  room.allowed = std::max<uint64_t>(budget / options_.node_bytes, 1);
  room.low = room.allowed * options_.low_room_percent / 100 + 1;
  room.high = room.allowed * options_.high_room_percent / 100 + 1;
  room.free = room.allowed > room.cached ? room.allowed - room.cached : 0;
  return room;
}

uint64_t BufferPool::MostRoomAtOnce() const {
  const Room room = RoomNow();
  return room.allowed == 0 ? ~uint64_t{0} : room.allowed / kBatchesInBudget + 1;
}

// How many blocks the cache will be over its budget with so many more.
uint64_t BufferPool::ExcessWith(uint64_t newcomers) const {
  const Room room = RoomNow();
  if (room.allowed == 0 || room.cached + newcomers <= room.allowed) return 0;
  return room.cached + newcomers - room.allowed;
}

// What is left of that. First with bounded work, and sparing what was found since. Where that is
// not enough, each that can go, goes; and all others are parked, each for its time in use, so that
// this costs no more than what made them busy did. From then on the put that makes one of them idle
// comes back here.
uint64_t BufferPool::ReclaimExcessWith(uint64_t newcomers) {
  if (const uint64_t excess = ExcessWith(newcomers); excess != 0) {
    Reclaim(excess, kScanPerCreate + 2 * std::min<uint64_t>(excess, 1024),
            /*spare_accessed=*/true);
  }
  if (const uint64_t excess = ExcessWith(newcomers); excess != 0) {
    Reclaim(excess, reclaim_list_.size(), /*spare_accessed=*/false);
  }
  return ExcessWith(newcomers);
}

// Called before so many buffers are made.
void BufferPool::MakeRoom(uint64_t blocks) {
  if (ExcessWith(blocks) == 0) return;
  const uint64_t excess = ReclaimExcessWith(blocks);
  if (excess != 0) Count(counters_.over_budget_creates, std::min(blocks, excess));
}

// One thread makes a buffer idle, and looks whether the cache is over its budget; another takes the cache over it,
// and looks for what is idle. So that not each misses what the other did, the look is an update of the count, by
// acquire and release, that changes nothing: of two updates of one object the later knows what came before the
// earlier. A load, as a processor may do it, could be made before what the thread has stored; on x86 it is not,
// because that was by a locked instruction.
void BufferPool::RestoreBudget() {
  if (budget_bytes_.load(std::memory_order_relaxed) == 0) return;
  counters_.cached.fetch_add(0, std::memory_order_acq_rel);
  if (ExcessWith(0) != 0) ReclaimExcessWith(0);
}

void BufferPool::WakeReclaim() {
  if (background_ == nullptr) return;
  const Room room = RoomNow();
  if (room.free < room.low && !reclaim_list_.all_parked()) background_->Wake();
}

// One step of the thread in the background. True when there is more to do: a step that frees
// nothing has parked what is in use and spared what was found since, and those behind may be idle.
// After two looks at each there is nothing that the thread could free: a newcomer wakes it again.
bool BufferPool::ReclaimInBackground() {
  const Room room = RoomNow();
  bool go_on = false;
  if (room.free < room.high) {
    const uint64_t wanted = std::min<uint64_t>(room.high - room.free, kBatch);
    const Freed freed = Reclaim(wanted, kScanPerCreate, /*spare_accessed=*/true);
    Count(counters_.reclaimed_in_background, freed.buffers);
    looked_in_vain_ = freed.buffers != 0 ? 0 : looked_in_vain_ + freed.scanned;
    go_on = freed.scanned != 0 && looked_in_vain_ < uint64_t{2} * reclaim_list_.size();
  }
  if (!go_on) looked_in_vain_ = 0;
  return go_on;
}

uint64_t BufferPool::DropCaches() {
  return Reclaim(~uint64_t{0}, reclaim_list_.size(), /*spare_accessed=*/false).buffers;
}

uint64_t BufferPool::Shrink(uint64_t bytes) {
  const uint64_t wanted = bytes / options_.node_bytes + (bytes % options_.node_bytes != 0);
  // Each may be looked at three times: found since, found since in its new burst, and when it goes.
  const Freed freed = Reclaim(wanted, uint64_t{3} * reclaim_list_.size(), /*spare_accessed=*/true);
  return freed.buffers * options_.node_bytes;
}

void BufferPool::UseBudget(uint64_t budget_bytes) {
  budget_bytes_.store(budget_bytes, std::memory_order_relaxed);
  const Room room = RoomNow();
  // What is there most of the time: with a thread that keeps room, not quite the budget.
  const uint64_t kept_free = options_.background_reclaim ? room.high : 0;
  reclaim_list_.SetCapacity(room.allowed > kept_free ? room.allowed - kept_free : room.allowed);
}

void BufferPool::SetBudget(uint64_t budget_bytes) {
  UseBudget(budget_bytes);
  const uint64_t cached_bytes =
      counters_.cached.load(std::memory_order_relaxed) * options_.node_bytes;
  if (budget_bytes != 0 && cached_bytes > budget_bytes) Shrink(cached_bytes - budget_bytes);
  RestoreBudget();
}

}  // namespace ebcache
