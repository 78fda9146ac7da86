#include "lib/cache/reclaim_list.h"

#include <algorithm>
#include <utility>

#include "lib/cache/extent_buffer_access.h"
#include "lib/cache/state_word.h"

namespace ebcache {

namespace {

constexpr uint32_t kGhostsPerBuffer = 3;

// What a buffer in its burst is worth: more than any other.
constexpr float kInBurst = 1e6;

// Units of time in a capacity, at the most: a few capacities must not wrap.
constexpr uint32_t kUnitsInCapacity = ReclaimTime::kMask / 16;

}  // namespace

// ---- Queues -------------------------------------------------------------------------------------

float ReclaimList::WorthOf(uint32_t queue) const {
  if (BinOf(queue) == 0) return kInBurst + static_cast<float>(KindOf(queue));
  return reuse_.Worth(KindOf(queue), std::min(BinOf(queue), reuse_.last_bin()));
}

// When the oldest of the queue leaves its bin, which it does not leave too early: its stamp may be up to
// a unit older than the truth.
uint64_t ReclaimList::DueOf(uint32_t queue) const {
  if (BinOf(queue) >= reuse_.last_bin()) return due_.kNone - 1;
  const uint32_t age = AgeOf({Inside(queues_[queue].oldest()).reclaim_time_});
  const uint32_t end = reuse_.end_of(BinOf(queue));
  return newcomers_ + (age < end ? end - age : 0);
}

void ReclaimList::SetKeys(uint32_t queue) {
  const bool empty = queues_[queue].empty();
  worth_.Set(queue, empty ? worth_.kNone : WorthOf(queue));
  due_.Set(queue, empty ? due_.kNone : DueOf(queue));
}

void ReclaimList::Enter(uint32_t queue, ExtentBuffer* buffer) {
  Inside(buffer).reclaim_queue_ = queue % kPlaces;
  Inside(buffer).parked_ = 0;
  queues_[queue].PushNewest(buffer);
  if (queues_[queue].size() == 1) SetKeys(queue);
  unparked_.fetch_add(1, std::memory_order_relaxed);
}

void ReclaimList::Leave(ExtentBuffer* buffer) {
  if (Inside(buffer).parked_ != 0) {
    parked_.Remove(buffer);
    Inside(buffer).parked_ = 0;
    return;
  }
  const uint32_t queue = Inside(buffer).reclaim_queue_;
  const bool was_oldest = queues_[queue].oldest() == buffer;
  queues_[queue].Remove(buffer);
  if (was_oldest) SetKeys(queue);
  unparked_.fetch_sub(1, std::memory_order_relaxed);
}

void ReclaimList::Move(ExtentBuffer* buffer, uint32_t queue) {
  Leave(buffer);
  Enter(queue, buffer);
}

// ---- Time and touches ---------------------------------------------------------------------------

// Whether the buffer was found since this was last asked. Most were not: no write for them.
bool ReclaimList::TakeAccess(ExtentBuffer* buffer) {
  if (!buffer->state().has(BufferFlag::kAccessed)) return false;
  const auto outcome = state::Apply(Inside(buffer).state_, state::ForgetAccess);
  return outcome.result == state::Result::kChanged;
}

ReclaimTime ReclaimList::Now() const {
  return {static_cast<uint32_t>(newcomers_ / unit_) & ReclaimTime::kMask};
}

// In newcomers. What looks as if it were to come was stamped when the unit was another: it is old.
uint32_t ReclaimList::AgeOf(ReclaimTime time) const {
  const uint64_t age = uint64_t{Now().Since(time)} * unit_;
  return static_cast<uint32_t>(std::min<uint64_t>(age, ~uint32_t{0}));
}

void ReclaimList::Stamp(ExtentBuffer* buffer) {
  Inside(buffer).reclaim_time_ = Now().value & ReclaimTime::kMask;
}

// ---- Growing older ------------------------------------------------------------------------------

// A buffer that is on no queue begins as one of this kind.
void ReclaimList::Begin(ExtentBuffer* buffer, uint32_t kind) {
  reuse_.CountEntry(kind);
  Stamp(buffer);
  Enter(QueueOf(kind, 0), buffer);
}

// A buffer was found in its bin, past its burst.
void ReclaimList::NoteUse(ExtentBuffer* buffer) {
  const uint32_t queue = Inside(buffer).reclaim_queue_;
  const uint32_t bin = std::min(BinOf(queue), reuse_.last_bin());
  reuse_.CountReuse(KindOf(queue), bin);
  Leave(buffer);
  Begin(buffer, reuse_.KindAfter(KindOf(queue), bin));
}

// The time of a buffer in its bin is over.
void ReclaimList::LeaveBin(ExtentBuffer* buffer) {
  const uint32_t queue = Inside(buffer).reclaim_queue_;
  const uint32_t kind = KindOf(queue);
  const bool found = TakeAccess(buffer);
  if (BinOf(queue) != 0) {
    if (found) {
      NoteUse(buffer);
    } else {
      Move(buffer, queue + 1);
    }
  } else if (kind >= ReuseStatistics::kUsedAgain) {
    Move(buffer, QueueOf(kind, reuse_.first_bin_of_known()));
  } else {
    if (found) reuse_.CountUseInBurst();
    Move(buffer, QueueOf(found ? ReuseStatistics::kNewAndUsed : ReuseStatistics::kNew, 1));
  }
}

// The last bin has no end. Its buffers are looked at in turns, one of one kind for each newcomer.
void ReclaimList::LookAtTheOld() {
  const auto kind = static_cast<uint32_t>(newcomers_ % ReuseStatistics::kKinds);
  const uint32_t queue = QueueOf(kind, reuse_.last_bin());
  if (queues_[queue].empty()) return;
  ++looks_;
  ExtentBuffer* buffer = queues_[queue].oldest();
  if (TakeAccess(buffer)) {
    NoteUse(buffer);
  } else {
    queues_[queue].Turn();
  }
}

// A newcomer has come: the others are older.
void ReclaimList::Age() {
  for (uint32_t i = 0; i < kMostLooks && due_.least() <= newcomers_; ++i) {
    ++looks_;
    LeaveBin(queues_[due_.place()].oldest());
  }
  LookAtTheOld();
  const uint32_t kind = reuse_.Tick();
  if (kind == ReuseStatistics::kKinds) return;
  for (uint32_t bin = 1; bin < ReuseStatistics::kMostBins; ++bin) {
    const uint32_t queue = QueueOf(kind, bin);
    if (!queues_[queue].empty()) worth_.Set(queue, WorthOf(queue));
  }
}

void ReclaimList::Add(absl::Span<ExtentBuffer* const> newcomers) {
  sync::MutexLock lock(mutex_);
  for (ExtentBuffer* buffer : newcomers) AddLocked(buffer);
}

void ReclaimList::AddLocked(ExtentBuffer* buffer) {
  ++newcomers_;
  ++total_;
  uint32_t kind = ReuseStatistics::kNew;
  if (const auto ghost = ghosts_.Take(buffer->start())) {
    const uint32_t bin = reuse_.BinOf(AgeOf(ghost->time));
    reuse_.CountReuse(ghost->kind, bin);
    kind = reuse_.KindAfter(ghost->kind, bin);
  }
  Begin(buffer, kind);
  // Nothing is to go where there is no budget, so nothing need be known.
  if (capacity_ != 0) Age();
}

// ---- The search ---------------------------------------------------------------------------------

void ReclaimList::BecomeGhost(const ExtentBuffer* buffer, Waiting& waiting) {
  const Ghost ghost{.time = {Inside(buffer).reclaim_time_},
                    .kind = KindOf(Inside(buffer).reclaim_queue_)};
  if (GhostsWanted() == 0) {
    ghosts_.Remember(buffer->start(), ghost, Now());
  } else if (waiting.count < waiting.ghosts.size()) {
    waiting.ghosts[waiting.count++] = {buffer->start(), ghost};
  }
}

// How many ghosts there is to be room for; 0 while there is enough. Sized by what is there rather
// than by a budget that may be far more. What is remembered is lost when the table grows, which it
// therefore does by doubling.
uint64_t ReclaimList::GhostsWanted() const {
  const uint64_t wanted = uint64_t{kGhostsPerBuffer} * total_;
  return 2 * ghosts_.capacity() <= wanted ? wanted : 0;
}

// Makes room for more ghosts, and remembers those that waited for it. A table for a large cache is
// 44 MiB of zeroes, which are written without the lock. Where there is no memory for it, they are
// forgotten: reclaim is what gives memory back, and does without.
void ReclaimList::GrowGhosts(const Waiting& waiting) {
  uint64_t wanted = 0;
  {
    sync::MutexLock lock(mutex_);
    wanted = GhostsWanted();
  }
  GhostTable bigger;
  if (wanted != 0) bigger.Reset(wanted);
  sync::MutexLock lock(mutex_);
  // Another thread may have done the same meanwhile.
  if (bigger.capacity() > ghosts_.capacity()) std::swap(ghosts_, bigger);
  for (const auto& [start, ghost] : absl::MakeConstSpan(waiting.ghosts).first(waiting.count)) {
    ghosts_.Remember(start, ghost, Now());
  }
  // What was there before is freed behind the lock.
}

// Kills the buffer or, where that cannot be, parks it until it is idle.
bool ReclaimList::Kill(ExtentBuffer* buffer, Collected& done, Waiting& waiting) {
  const auto outcome = state::Apply(Inside(buffer).state_, [](BufferState s) {
    return state::VerdictOf(s) == ReleaseVerdict::kEligible ? state::TryRelease(s) : state::Park(s);
  });
  if (outcome.result == state::Result::kDied) {
    Leave(buffer);
    if (!outcome.after.has(BufferFlag::kStale)) BecomeGhost(buffer, waiting);
    --total_;
    return true;
  }
  ++done.skipped[static_cast<size_t>(state::VerdictOf(outcome.after))];
  if (outcome.result == state::Result::kRefused) {
    // Its pages are moving, which is over soon; or it is dead, and the thread that killed it is on
    // the way.
    Move(buffer, Inside(buffer).reclaim_queue_);
    return false;
  }
  Leave(buffer);
  Inside(buffer).parked_ = 1;
  parked_.PushNewest(buffer);
  return false;
}

ReclaimList::Collected ReclaimList::Collect(absl::Span<ExtentBuffer*> victims, uint32_t max_scan,
                                            bool spare_accessed) {
  Collected done;
  Waiting waiting;
  {
    sync::MutexLock lock(mutex_);
    while (done.victims < victims.size() && done.scanned < max_scan && !all_parked()) {
      ++done.scanned;
      ++looks_;
      const auto queue = static_cast<uint32_t>(worth_.place());
      ExtentBuffer* buffer = queues_[queue].oldest();
      if (spare_accessed && TakeAccess(buffer)) {
        if (BinOf(queue) != 0) {
          NoteUse(buffer);
        } else {
          Move(buffer, queue);
        }
      } else if (Kill(buffer, done, waiting)) {
        victims[done.victims++] = buffer;
      }
    }
  }
  if (waiting.count != 0) GrowGhosts(waiting);
  return done;
}

// ---- Coming and going ---------------------------------------------------------------------------

void ReclaimList::Remove(ExtentBuffer* buffer) {
  sync::MutexLock lock(mutex_);
  Leave(buffer);
  --total_;
}

void ReclaimList::Unpark(ExtentBuffer* buffer) {
  sync::MutexLock lock(mutex_);
  if (Inside(buffer).parked_ == 0) return;  // it died meanwhile
  Leave(buffer);
  // It was in use until now. Its burst is over: it may have to go at once.
  Stamp(buffer);
  Enter(QueueOf(KindOf(Inside(buffer).reclaim_queue_), 1), buffer);
}

void ReclaimList::SetCapacity(uint64_t buffers) {
  sync::MutexLock lock(mutex_);
  // No buffer has a number above this, and ages of a few capacities fit.
  capacity_ = static_cast<uint32_t>(std::min<uint64_t>(buffers, uint32_t{1} << 29));
  if (capacity_ == 0) return;
  reuse_.SetCapacity(capacity_);
  unit_ = capacity_ / kUnitsInCapacity + 1;
  for (uint32_t queue = 0; queue < kQueues; ++queue) SetKeys(queue);
}

uint32_t ReclaimList::size() const {
  sync::MutexLock lock(mutex_);
  return total_;
}

uint64_t ReclaimList::looks() const {
  sync::MutexLock lock(mutex_);
  return looks_;
}

uint64_t ReclaimList::bytes() const {
  sync::MutexLock lock(mutex_);
  return ghosts_.bytes();
}

}  // namespace ebcache
