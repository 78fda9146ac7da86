// Steps that holders of references make, and what a refused one means.

#include "ebcache/extent_buffer.h"
#include "lib/cache/buffer_cache_impl.h"
#include "lib/cache/state_word.h"

namespace ebcache {

BufferState ExtentBuffer::state() const {
  // Acquire: a caller that sees UPTODATE may look at the bytes.
  return state::Unpack(state_.load(std::memory_order_acquire));
}

void BufferCacheImpl::Put(ExtentBuffer* buffer) {
  bool was_parked = false;
  const auto outcome = state::Apply(buffer->state_, [&](BufferState s) {
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
void BufferCacheImpl::Unpark(ExtentBuffer* buffer) {
  reclaim_list_.Unpark(buffer);
  RestoreBudget();
  WakeReclaim();
}

void BufferCacheImpl::PutStale(ExtentBuffer* buffer) {
  const auto outcome = state::Apply(buffer->state_, state::PutStale);
  EBCACHE_CHECK(outcome.result != state::Result::kRefused,
                "a reference was put twice, or never taken");
  if (outcome.result != state::Result::kDied) return;
  Count(counters_.stale_frees);
  Bury({&buffer, 1}, /*listed=*/true);
}

// Makes a step that may begin or end that the buffer has bytes to be written, and has the index know
// of it before another thread can act on it.
state::Outcome BufferCacheImpl::ApplyIndexed(
    ExtentBuffer* buffer, absl::FunctionRef<state::Outcome(BufferState before)> step) {
  state::Outcome outcome;
  index_.ChangeUnwritten(buffer, [&]() -> std::optional<bool> {
    bool was_unwritten = false;
    outcome = state::Apply(buffer->state_, [&](BufferState s) {
      was_unwritten = s.under_io();
      return step(s);
    });
    if (was_unwritten == outcome.after.under_io()) return std::nullopt;
    return outcome.after.under_io();
  });
  return outcome;
}

bool BufferCacheImpl::TrySetDirty(ExtentBuffer* buffer) {
  // Most have been dirtied before, which the index knows already.
  const auto again = state::Apply(buffer->state_, [](BufferState s) {
    return s.under_io() ? state::SetDirty(s) : state::Refused(s);
  });
  if (again.result != state::Result::kRefused) return true;
  // Counted before it is, and uncounted after: where the count is 0, nothing is dirty. The other
  // way round a writer that is quick would uncount what has not been counted, and hide another.
  Count(counters_.unwritten);
  bool was_unwritten = false;
  const auto outcome = ApplyIndexed(buffer, [&](BufferState s) {
    was_unwritten = s.under_io();
    return state::SetDirty(s);
  });
  const bool refused = outcome.result == state::Result::kRefused;
  if (was_unwritten || refused) Uncount(counters_.unwritten);
  return !refused;
}

void BufferCacheImpl::ClearDirty(ExtentBuffer* buffer) {
  const auto outcome = Clean(buffer, state::ClearDirty);
  EBCACHE_CHECK(outcome.result != state::Result::kRefused, "ClearDirty without a reference");
}

ExtentBufferRef ExtentBufferRef::Share() const {
  if (buffer_ == nullptr) return {};
  const auto outcome = state::Apply(buffer_->state_, state::Share);
  EBCACHE_CHECK(outcome.result == state::Result::kChanged, "Share without a reference");
  return ExtentBufferRef(buffer_);
}

void ExtentBufferRef::PutBuffer(ExtentBuffer* buffer) {
  if (state::PutPlainly(buffer->state_)) [[likely]]
    return;
  buffer->cache_->Put(buffer);
}

void ExtentBufferRef::PutStale() {
  EBCACHE_CHECK(buffer_ != nullptr, "PutStale of an empty reference");
  ExtentBuffer* buffer = std::exchange(buffer_, nullptr);
  buffer->cache_->PutStale(buffer);
}

void ExtentBufferRef::ForgetAccess() const {
  EBCACHE_CHECK(buffer_ != nullptr, "ForgetAccess of an empty reference");
  state::Apply(buffer_->state_, state::ForgetAccess);
}

void ExtentBufferRef::SetDirty() const {
  EBCACHE_CHECK(buffer_ != nullptr, "SetDirty of an empty reference");
  EBCACHE_CHECK(buffer_->cache_->TrySetDirty(buffer_),
                "SetDirty needs a reference to a buffer that is uptodate and no dummy or clone");
}

bool ExtentBufferRef::TrySetDirty() const {
  EBCACHE_CHECK(buffer_ != nullptr, "TrySetDirty of an empty reference");
  return buffer_->cache_->TrySetDirty(buffer_);
}

void ExtentBufferRef::ClearDirty() const {
  EBCACHE_CHECK(buffer_ != nullptr, "ClearDirty of an empty reference");
  buffer_->cache_->ClearDirty(buffer_);
}

void ExtentBufferRef::SetUptodate() const {
  EBCACHE_CHECK(TrySetUptodate(), "SetUptodate without a reference, or during a read");
}

bool ExtentBufferRef::TrySetUptodate() const {
  EBCACHE_CHECK(buffer_ != nullptr, "SetUptodate of an empty reference");
  return state::Apply(buffer_->state_, state::SetUptodate).result != state::Result::kRefused;
}

}  // namespace ebcache
