// What a cache tells about itself.

#include "ebcache/buffer_cache.h"
#include "ebcache/internal/sync.h"
#include "lib/cache/buffer_cache_impl.h"
#include "lib/cache/extent_buffer_access.h"
#include "lib/cache/state_word.h"

namespace ebcache {

void BufferPool::ForEachLive(
    absl::FunctionRef<void(const ExtentBuffer&, BufferState)> visit) const {
  const uint32_t made = slab_.size();
  for (uint32_t i = 0; i < made; ++i) {
    const ExtentBuffer* buffer = slab_.At(i);
    const BufferState s = buffer->state();
    if (s.refs != 0) visit(*buffer, s);
  }
}

// With a reference for the length of the call: it says that the buffer has holders, and keeps it
// what it is.
void BufferPool::ForEachHeld(absl::FunctionRef<void(uint64_t start, BufferState state)> visit) {
  const uint32_t made = slab_.size();
  for (uint32_t i = 0; i < made; ++i) {
    ExtentBuffer* buffer = slab_.At(i);
    const auto shared = state::Apply(Inside(buffer).state_, state::Share);
    if (shared.result != state::Result::kChanged) continue;
    visit(Inside(buffer).start_, {.refs = shared.after.refs - 1, .flags = shared.after.flags});
    Put(buffer);
  }
}

namespace {
uint64_t Value(const sync::Atomic<uint64_t>& counter) {
  return counter.load(std::memory_order_relaxed);
}
}  // namespace

void BufferPool::AddTo(CacheStats& stats) const {
  stats.cached_buffers = Value(counters_.cached);
  stats.private_buffers = Value(counters_.unmapped);
  stats.cached_bytes = stats.cached_buffers * options_.node_bytes;
  stats.dirty_buffers = Value(counters_.unwritten);
  stats.peak_cached_buffers = Value(counters_.peak_cached);
  stats.descriptor_bytes = slab_.bytes();
  stats.index_bytes = index_.bytes();
  stats.creates = Value(counters_.creates);
  stats.create_races_lost = Value(counters_.create_races_lost);
  stats.stale_frees = Value(counters_.stale_frees);
  stats.nocache_frees = Value(counters_.nocache_frees);
  stats.reclaimed = Value(counters_.reclaimed);
  stats.reclaimed_in_background = Value(counters_.reclaimed_in_background);
  stats.reclaim_scanned = reclaim_list_.looks();
  stats.reclaim_bytes = reclaim_list_.bytes();
  stats.over_budget_creates = Value(counters_.over_budget_creates);
  for (int i = 0; i < kReleaseVerdicts; ++i) stats.skipped[i] = Value(counters_.skipped[i]);
}

void BufferIo::AddTo(CacheStats& stats) const {
  stats.reads = Value(counters_.reads);
  stats.read_failures = Value(counters_.read_failures);
  stats.read_waits = Value(counters_.read_waits);
  stats.writes = Value(counters_.writes);
  stats.write_failures = Value(counters_.write_failures);
  stats.write_err_buffers = Value(counters_.write_errors);
}

void FolioMover::AddTo(CacheStats& stats) const {
  stats.folio_releases = Value(counters_.folio_releases);
  stats.migrations = Value(counters_.migrations);
  stats.contiguity_lost = Value(counters_.contiguity_lost);
  stats.contiguity_gained = Value(counters_.contiguity_gained);
}

CacheStats BufferCacheImpl::stats() const {
  CacheStats stats;
  pool_.AddTo(stats);
  io_.AddTo(stats);
  mover_.AddTo(stats);
  return stats;
}

CacheStats BufferCache::stats() const { return impl_->stats(); }

std::array<std::pair<ReleaseVerdict, uint64_t>, kReleaseVerdicts> BufferCache::ExplainPins() const {
  std::array<std::pair<ReleaseVerdict, uint64_t>, kReleaseVerdicts> pins;
  for (int i = 0; i < kReleaseVerdicts; ++i) pins[i] = {static_cast<ReleaseVerdict>(i), 0};
  impl_->pool().ForEachLive([&](const ExtentBuffer&, BufferState s) {
    ++pins[static_cast<size_t>(state::VerdictOf(s))].second;
  });
  return pins;
}

void BufferCache::ForEachState(absl::FunctionRef<void(BufferState state)> visit) const {
  impl_->pool().ForEachLive([&](const ExtentBuffer&, BufferState s) { visit(s); });
}

void BufferCache::ForEachHeld(
    absl::FunctionRef<void(uint64_t start, BufferState state)> visit) const {
  impl_->pool().ForEachHeld(visit);
}

}  // namespace ebcache
