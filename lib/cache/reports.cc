// What a cache tells about itself.

#include "ebcache/buffer_cache.h"
#include "ebcache/internal/sync.h"
#include "lib/cache/buffer_cache_impl.h"
#include "lib/cache/state_word.h"

namespace ebcache {

void BufferCacheImpl::ForEachLive(
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
void BufferCacheImpl::ForEachHeld(
    absl::FunctionRef<void(uint64_t start, BufferState state)> visit) {
  const uint32_t made = slab_.size();
  for (uint32_t i = 0; i < made; ++i) {
    ExtentBuffer* buffer = slab_.At(i);
    const auto shared = state::Apply(buffer->state_, state::Share);
    if (shared.result != state::Result::kChanged) continue;
    visit(buffer->start_, {.refs = shared.after.refs - 1, .flags = shared.after.flags});
    Put(buffer);
  }
}

CacheStats BufferCacheImpl::stats() const {
  const auto value = [](const sync::Atomic<uint64_t>& counter) {
    return counter.load(std::memory_order_relaxed);
  };
  CacheStats stats;
  stats.cached_buffers = value(counters_.cached);
  stats.private_buffers = value(counters_.unmapped);
  stats.cached_bytes = stats.cached_buffers * options_.node_bytes;
  stats.dirty_buffers = value(counters_.unwritten);
  stats.peak_cached_buffers = value(counters_.peak_cached);
  stats.descriptor_bytes = slab_.bytes();
  stats.index_bytes = index_.bytes();
  stats.creates = value(counters_.creates);
  stats.create_races_lost = value(counters_.create_races_lost);
  stats.reads = value(counters_.reads);
  stats.read_failures = value(counters_.read_failures);
  stats.read_waits = value(counters_.read_waits);
  stats.writes = value(counters_.writes);
  stats.write_failures = value(counters_.write_failures);
  stats.write_err_buffers = value(counters_.write_errors);
  stats.stale_frees = value(counters_.stale_frees);
  stats.reclaimed = value(counters_.reclaimed);
  stats.reclaimed_in_background = value(counters_.reclaimed_in_background);
  stats.folio_releases = value(counters_.folio_releases);
  stats.migrations = value(counters_.migrations);
  stats.contiguity_lost = value(counters_.contiguity_lost);
  stats.contiguity_gained = value(counters_.contiguity_gained);
  stats.reclaim_scanned = reclaim_list_.looks();
  stats.reclaim_bytes = reclaim_list_.bytes();
  stats.over_budget_creates = value(counters_.over_budget_creates);
  for (int i = 0; i < kReleaseVerdicts; ++i) stats.skipped[i] = value(counters_.skipped[i]);
  return stats;
}

CacheStats BufferCache::stats() const { return impl_->stats(); }

std::array<std::pair<ReleaseVerdict, uint64_t>, kReleaseVerdicts> BufferCache::ExplainPins() const {
  std::array<std::pair<ReleaseVerdict, uint64_t>, kReleaseVerdicts> pins;
  for (int i = 0; i < kReleaseVerdicts; ++i) pins[i] = {static_cast<ReleaseVerdict>(i), 0};
  impl_->ForEachLive([&](const ExtentBuffer&, BufferState s) {
    ++pins[static_cast<size_t>(state::VerdictOf(s))].second;
  });
  return pins;
}

void BufferCache::ForEachState(absl::FunctionRef<void(BufferState state)> visit) const {
  impl_->ForEachLive([&](const ExtentBuffer&, BufferState s) { visit(s); });
}

void BufferCache::ForEachHeld(
    absl::FunctionRef<void(uint64_t start, BufferState state)> visit) const {
  impl_->ForEachHeld(visit);
}

}  // namespace ebcache
