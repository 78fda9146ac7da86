// Finding a pool's buffers, putting references, and the steps that make one dirty or clean.

#include "lib/cache/buffer_pool.h"

#include <optional>
#include <utility>

#include "lib/base/rounding.h"

namespace ebcache {

BufferPool::BufferPool(BufferCacheImpl* cache, BufferCacheOptions options, BlockSource* source)
    : options_(std::move(options)),
      source_(source),
      frames_(options_.allocator.get(), options_.node_bytes),
      slab_(cache, frames_.row_slots(), options_.user_bytes, OsCalls::Real()),
      index_(options_.node_bytes, OsCalls::Real(), RandomMultiplier()),
      reclaim_list_(&slab_),
      budget_bytes_(0),
      dirty_limit_(UnitsFor(options_.dirty_limit_bytes, options_.node_bytes)) {
  UseBudget(options_.budget_bytes);
  if (options_.background_reclaim) {
    background_ = std::make_unique<BackgroundReclaim>([this] { return ReclaimInBackground(); });
  }
}

// ---- Finding ------------------------------------------------------------------------------------

ExtentBuffer* BufferPool::FindSlowly(uint64_t start, ExtentBuffer* wrong) {
  if (wrong != nullptr) Put(wrong);
  return index_.Find(start, [this, start](ExtentBuffer* candidate) {
    const auto got = state::Apply(Inside(candidate).state_, state::GetForLookup);
    if (got.result == state::Result::kChanged) [[likely]] {
      if (Inside(candidate).start_ == start && !got.after.has(BufferFlag::kUnmapped)) [[likely]] {
        EBCACHE_TRACE(find, candidate);
        return BufferIndex::Grab::kTaken;
      }
      const bool overlaps = index_.BlockOf(Inside(candidate).start_) == index_.BlockOf(start) &&
                            !got.after.has(BufferFlag::kUnmapped);
      Put(candidate);
      return overlaps ? BufferIndex::Grab::kDead : BufferIndex::Grab::kOther;
    }
    if (!got.after.has(BufferFlag::kMigrating)) {
      if (got.after.refs != 0) [[unlikely]]
        TooManyReferences();
      return BufferIndex::Grab::kDead;
    }
    state::WaitWhile(Inside(candidate).state_, BufferFlag::kMigrating);
    return BufferIndex::Grab::kBusy;
  });
}

// A lookup met one that is alive and is not moving, and still could not get a reference.
void BufferPool::TooManyReferences() {
  EBCACHE_CHECK(false, "a buffer has 2^31 references: its users take them and do not put them");
}

ExtentBuffer* BufferPool::NextReferenced(uint64_t start, Wanted which) {
  if (which != Wanted::kAny && counters_.unwritten.load(std::memory_order_relaxed) == 0) {
    return nullptr;
  }
  const auto is_wanted = [which](BufferState s) {
    if (which == Wanted::kAny) return true;
    return which == Wanted::kDirty ? s.has(BufferFlag::kDirty) : s.under_io();
  };
  uint64_t block = index_.BlockOf(start);
  for (;;) {
    const BufferIndex::Step step =
        which == Wanted::kAny ? index_.Next(block) : index_.NextUnwritten(block);
    if (step.at_end) return nullptr;
    block = step.block;
    if (step.candidate == nullptr) continue;  // only a place to go on from
    ExtentBuffer* const candidate = step.candidate;
    const auto got = state::Apply(Inside(candidate).state_, state::GetForLookup);
    if (got.result == state::Result::kChanged) {
      const bool right = index_.BlockOf(Inside(candidate).start_) == block &&
                         !got.after.has(BufferFlag::kUnmapped);
      if (right && Inside(candidate).start_ >= start && is_wanted(got.after)) return candidate;
      Put(candidate);
      if (right) ++block;
    } else if (got.after.has(BufferFlag::kMigrating)) {
      state::WaitWhile(Inside(candidate).state_, BufferFlag::kMigrating);
    } else {
      if (got.after.refs != 0) TooManyReferences();
      ++block;  // dead
    }
  }
}

// ---- Putting, and steps that a holder makes -----------------------------------------------------

void BufferPool::Put(ExtentBuffer* buffer) {
  bool was_parked = false;
  const auto outcome = state::Apply(Inside(buffer).state_, [&](BufferState s) {
    was_parked = s.has(BufferFlag::kParked);
    return state::Put(s);
  });
  if (outcome.result == state::Result::kChanged) [[likely]] {
    if (was_parked && !outcome.after.has(BufferFlag::kParked)) [[unlikely]] {
      Unpark(buffer);
    }
    return;
  }
  EBCACHE_CHECK(outcome.result == state::Result::kDied,
                "a reference was put twice, or never taken");
  if (outcome.after.has(BufferFlag::kStale)) Count(counters_.stale_frees);
  Bury({&buffer, 1}, /*listed=*/true);
}

// While the cache is over its budget every buffer in use is parked, so this is where it comes back
// to it: puts of buffers that are not parked need not look.
void BufferPool::Unpark(ExtentBuffer* buffer) {
  reclaim_list_.Unpark(buffer);
  RestoreBudget();
  WakeReclaim();
}

void BufferPool::PutStale(ExtentBuffer* buffer) {
  EBCACHE_TRACE(put_stale, buffer);
  NoteAccess(CacheAccess::kStale, Inside(buffer).start_);
  const auto outcome = state::Apply(Inside(buffer).state_, state::PutStale);
  EBCACHE_CHECK(outcome.result != state::Result::kRefused,
                "a reference was put twice, or never taken");
  if (outcome.result != state::Result::kDied) return;
  Count(counters_.stale_frees);
  Bury({&buffer, 1}, /*listed=*/true);
}

void BufferPool::PutNoCache(ExtentBuffer* buffer) {
  EBCACHE_TRACE(put_nocache, buffer);
  PutBy(buffer, state::PutNoCache);
}

void BufferPool::PutBehind(ExtentBuffer* buffer) {
  EBCACHE_TRACE(put_nocache, buffer);
  PutBy(buffer, state::PutBehind);
}

void BufferPool::PutBy(ExtentBuffer* buffer, state::Outcome (*step)(BufferState before)) {
  bool was_parked = false;
  const auto outcome = state::Apply(Inside(buffer).state_, [&](BufferState s) {
    was_parked = s.has(BufferFlag::kParked);
    return step(s);
  });
  EBCACHE_CHECK(outcome.result != state::Result::kRefused,
                "a reference was put twice, or never taken");
  if (outcome.result == state::Result::kDied) {
    Count(outcome.after.has(BufferFlag::kStale) ? counters_.stale_frees : counters_.nocache_frees);
    Bury({&buffer, 1}, /*listed=*/true);
  } else if (was_parked && !outcome.after.has(BufferFlag::kParked)) {
    Unpark(buffer);
  }
}

// Makes a step that may begin or end that the buffer has bytes to be written, and has the index know
// of it before another thread can act on it.
state::Outcome BufferPool::ApplyIndexed(
    ExtentBuffer* buffer, absl::FunctionRef<state::Outcome(BufferState before)> step) {
  state::Outcome outcome;
  index_.ChangeUnwritten(buffer, [&]() -> std::optional<bool> {
    bool was_unwritten = false;
    outcome = state::Apply(Inside(buffer).state_, [&](BufferState s) {
      was_unwritten = s.under_io();
      return step(s);
    });
    if (was_unwritten == outcome.after.under_io()) return std::nullopt;
    return outcome.after.under_io();
  });
  return outcome;
}

bool BufferPool::TrySetDirty(ExtentBuffer* buffer) {
  // Most have been dirtied before, which the index knows already; but the word has to be told (state::Apply).
  const auto again = state::Apply(Inside(buffer).state_, [](BufferState s) {
    return s.under_io() ? state::SetDirty(s) : state::Refused(s);
  });
  if (again.result != state::Result::kRefused) {
    EBCACHE_TRACE(set_dirty, buffer);
    return true;
  }
  // Counted before it is, and uncounted after: where the count is 0, nothing is dirty. The other
  // way round a writer that is quick would uncount what has not been counted, and hide another.
  // Relaxed: of its own additions and those before it knows by the order of one object.
  uint64_t unwritten = 0;
  if (dirty_limit_ == 0) {
    Count(counters_.unwritten);
  } else {
    unwritten = counters_.unwritten.fetch_add(1, std::memory_order_relaxed) + 1;
  }
  bool was_unwritten = false;
  const auto outcome = ApplyIndexed(buffer, [&](BufferState s) {
    was_unwritten = s.under_io();
    return state::SetDirty(s);
  });
  const bool refused = outcome.result == state::Result::kRefused;
  if (!refused) EBCACHE_TRACE(set_dirty, buffer);
  if (was_unwritten || refused) {
    NoteWritten();
  } else if (dirty_limit_ != 0 && unwritten >= dirty_limit_) {
    TellOfDirtyLimit(unwritten);
  }
  return !refused;
}

// A write that ends beside this resets the mark before it is set, or after. Before: then the acquire has taken over
// that the write has ended, and the second look finds less than the limit. In both cases the next SetDirty tells.
void BufferPool::TellOfDirtyLimit(uint64_t unwritten) {
  if (dirty_limit_told_.exchange(true, std::memory_order_acquire)) return;
  if (counters_.unwritten.load(std::memory_order_relaxed) < dirty_limit_) {
    dirty_limit_told_.store(false, std::memory_order_release);
  }
  options_.on_dirty_limit(unwritten * options_.node_bytes);
}

// Only the one that goes below the limit resets the mark: what a later look finds is others' doing as well.
void BufferPool::UncountBelowDirtyLimit() {
  if (counters_.unwritten.fetch_sub(1, std::memory_order_relaxed) == dirty_limit_) {
    dirty_limit_told_.store(false, std::memory_order_release);
  }
}

}  // namespace ebcache
