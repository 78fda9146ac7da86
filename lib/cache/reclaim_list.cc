#include "lib/cache/reclaim_list.h"

#include <algorithm>
#include <utility>

#include "lib/cache/extent_buffer_access.h"
#include "lib/cache/state_word.h"

namespace ebcache {

namespace {

// The nursery: long enough for a burst, and not a large part of a tiny cache.
constexpr uint32_t kNurseryBuffers = 12;
constexpr uint32_t kNurseryMostOf = 16;   // at most one part of so many
constexpr uint32_t kNurseryGrowsBy = 32;  // plus one for each so many
constexpr uint32_t kProbationPart = 16;   // one part of so many
constexpr uint32_t kGhostsPerBuffer = 3;

// How long a hot buffer must have been untouched, in terms of how long the challenger was away.
constexpr double kGhostMargin = 4;
constexpr double kProbationMargin = 8;
// Hot buffers that a challenge looks at.
constexpr int kChallengeLooks = 16;
// Hot buffers that the hand passes for each newcomer. What is known of their times is no better
// than this.
constexpr int kHandLooks = 1;

// Patience, in capacities, and what a case of too much and of too little of it changes.
constexpr double kLeastPatience = 0.4;
constexpr double kMostPatience = 8;
constexpr double kPatienceLost = 0.95;
constexpr double kPatienceWon = 1.3;
// A ghost that was away for longer, in capacities, would not have been kept in any case.
constexpr double kLongestRegret = 3;

}  // namespace

// ---- Rings --------------------------------------------------------------------------------------

BufferQueue& ReclaimList::RingOf(const ExtentBuffer* buffer) {
  if (Inside(buffer).parked_ != 0) return parked_;
  switch (Inside(buffer).ring_) {
    case kNursery:
      return nursery_;
    case kProbation:
      return probation_;
    default:
      return hot_;
  }
}

void ReclaimList::Enter(Ring ring, ExtentBuffer* buffer) {
  Inside(buffer).ring_ = ring & kRingMask;
  Inside(buffer).parked_ = 0;
  RingOf(buffer).PushNewest(buffer);
  unparked_.fetch_add(1, std::memory_order_relaxed);
}

void ReclaimList::Leave(ExtentBuffer* buffer) {
  RingOf(buffer).Remove(buffer);
  if (Inside(buffer).parked_ == 0) unparked_.fetch_sub(1, std::memory_order_relaxed);
  Inside(buffer).parked_ = 0;
}

uint32_t ReclaimList::Total() const {
  return nursery_.size() + probation_.size() + hot_.size() + parked_.size();
}

uint32_t ReclaimList::Capacity() const { return capacity_ != 0 ? capacity_ : Total(); }

uint32_t ReclaimList::NurseryTarget() const {
  const uint32_t capacity = Capacity();
  return std::min(kNurseryBuffers, capacity / kNurseryMostOf) + capacity / kNurseryGrowsBy;
}

uint32_t ReclaimList::ProbationTarget() const { return std::max(1u, Capacity() / kProbationPart); }

uint32_t ReclaimList::HotTarget() const {
  const uint32_t others = NurseryTarget() + ProbationTarget();
  return Capacity() > others ? Capacity() - others : 1;
}

// ---- Time and touches ---------------------------------------------------------------------------

// Whether the buffer was found since this was last asked. Most were not: no write for them.
bool ReclaimList::TakeAccess(ExtentBuffer* buffer) {
  if (!buffer->state().has(BufferFlag::kAccessed)) return false;
  const auto outcome = state::Apply(Inside(buffer).state_, state::ForgetAccess);
  return outcome.result == state::Result::kChanged;
}

uint32_t ReclaimList::Age(const ExtentBuffer* buffer) const {
  return now_.Since({Inside(buffer).reclaim_time_});
}

void ReclaimList::Stamp(ExtentBuffer* buffer) {
  Inside(buffer).reclaim_time_ = now_.value & ReclaimTime::kMask;
}

// ---- Becoming hot -------------------------------------------------------------------------------

// Whether there is room among the hot ones, or one of those that the hand comes to has been
// untouched for `age`; then the one that has been for longest goes on probation, as the next to go.
bool ReclaimList::Challenge(double age) {
  if (hot_.size() < HotTarget()) return true;
  ExtentBuffer* oldest = nullptr;
  uint32_t oldest_age = 0;
  for (int i = 0; i < kChallengeLooks && !hot_.empty(); ++i) {
    ExtentBuffer* buffer = hot_.oldest();
    ++looks_;
    const uint32_t its_age = Age(buffer);
    if (TakeAccess(buffer)) {
      Stamp(buffer);
    } else if (its_age >= age && its_age >= oldest_age) {
      oldest = buffer;
      oldest_age = its_age;
    }
    hot_.Turn();
  }
  if (oldest == nullptr) return false;
  hot_.Remove(oldest);
  Stamp(oldest);
  Inside(oldest).ring_ = kProbation;
  Inside(oldest).demoted_ = 1;
  probation_.PushOldest(oldest);
  return true;
}

// Whether a ghost that came back becomes hot.
bool ReclaimList::Welcome(const Ghost& ghost) {
  if (ghost.demoted) patience_ = std::min(patience_ * kPatienceWon, kMostPatience);
  const double away = now_.Since(ghost.time);
  if (!Challenge(kGhostMargin * away)) return false;
  if (!ghost.demoted && away < kLongestRegret * Capacity())
    patience_ = std::max(patience_ * kPatienceLost, kLeastPatience);
  return true;
}

void ReclaimList::Add(absl::Span<ExtentBuffer* const> newcomers) {
  sync::MutexLock lock(mutex_);
  for (ExtentBuffer* buffer : newcomers) AddLocked(buffer);
}

void ReclaimList::AddLocked(ExtentBuffer* buffer) {
  // Nothing is to go where there is no budget, so nothing need be known.
  if (capacity_ != 0) TurnHand();
  now_ = now_.Next();
  Stamp(buffer);
  Inside(buffer).demoted_ = 0;
  const auto ghost = ghosts_.Take(buffer->start());
  Enter(ghost && Welcome(*ghost) ? kHot : kNursery, buffer);
  if (nursery_.size() > NurseryTarget()) LeaveNursery();
}

void ReclaimList::LeaveNursery() {
  ExtentBuffer* buffer = nursery_.oldest();
  ++looks_;
  const bool touched = TakeAccess(buffer);
  Leave(buffer);
  Stamp(buffer);
  Enter(touched && Challenge(patience_ * Capacity()) ? kHot : kProbation, buffer);
}

// ---- The search ---------------------------------------------------------------------------------

void ReclaimList::TurnHand() {
  for (int i = 0; i < kHandLooks && !hot_.empty(); ++i) {
    ExtentBuffer* buffer = hot_.oldest();
    ++looks_;
    if (TakeAccess(buffer)) Stamp(buffer);
    hot_.Turn();
  }
}

// REQUIRES: one is not empty.
BufferQueue& ReclaimList::NextRing() {
  if (hot_.size() > HotTarget() && probation_.size() <= ProbationTarget()) return hot_;
  if (!probation_.empty()) return probation_;
  return hot_.empty() ? nursery_ : hot_;
}

// A buffer whose turn it was, but which was found since.
void ReclaimList::Spare(ExtentBuffer* buffer, bool* challenges) {
  const uint32_t age = Age(buffer);
  Stamp(buffer);
  if (Inside(buffer).ring_ == kProbation) {
    if (Inside(buffer).demoted_ != 0) patience_ = std::min(patience_ * kPatienceWon, kMostPatience);
    // One that fails is enough for a search: the others would look at the same hot buffers.
    if (*challenges && Challenge(kProbationMargin * age)) {
      Inside(buffer).demoted_ = 0;
      Leave(buffer);
      Enter(kHot, buffer);
      return;
    }
    *challenges = false;
  }
  RingOf(buffer).Turn();
}

void ReclaimList::BecomeGhost(const ExtentBuffer* buffer, Waiting& waiting) {
  const bool was_hot = Inside(buffer).ring_ == kHot;
  const Ghost ghost{.time = was_hot ? now_ : ReclaimTime{Inside(buffer).reclaim_time_},
                    .demoted = was_hot || Inside(buffer).demoted_ != 0};
  if (GhostsWanted() == 0) {
    ghosts_.Remember(buffer->start(), ghost, now_);
  } else if (waiting.count < waiting.ghosts.size()) {
    waiting.ghosts[waiting.count++] = {buffer->start(), ghost};
  }
}

// How many ghosts there is to be room for; 0 while there is enough. Sized by what is there rather
// than by a budget that may be far more. What is remembered is lost when the table grows, which it
// therefore does by doubling.
uint64_t ReclaimList::GhostsWanted() const {
  const uint64_t wanted = uint64_t{kGhostsPerBuffer} * Total();
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
    ghosts_.Remember(start, ghost, now_);
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
    return true;
  }
  ++done.skipped[static_cast<size_t>(state::VerdictOf(outcome.after))];
  if (outcome.result == state::Result::kRefused) {
    // Its pages are moving, which is over soon; or it is dead, and the thread that killed it is on
    // the way.
    RingOf(buffer).Turn();
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
  bool challenges = true;
  {
    sync::MutexLock lock(mutex_);
    while (done.victims < victims.size() && done.scanned < max_scan && !all_parked()) {
      ++done.scanned;
      ++looks_;
      ExtentBuffer* buffer = NextRing().oldest();
      if (spare_accessed && TakeAccess(buffer)) {
        Spare(buffer, &challenges);
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
}

void ReclaimList::Unpark(ExtentBuffer* buffer) {
  sync::MutexLock lock(mutex_);
  if (Inside(buffer).parked_ == 0) return;  // it died meanwhile
  parked_.Remove(buffer);
  Stamp(buffer);
  Enter(Inside(buffer).ring_ == kHot ? kHot : kProbation, buffer);
}

void ReclaimList::SetCapacity(uint64_t buffers) {
  sync::MutexLock lock(mutex_);
  capacity_ = static_cast<uint32_t>(std::min<uint64_t>(buffers, ~uint32_t{0}));
}

uint32_t ReclaimList::size() const {
  sync::MutexLock lock(mutex_);
  return Total();
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
