// What a cache holds, why, and less of it.

#include <cerrno>

#include "lib/capi/cache_handles.h"
#include "lib/capi/errors.h"
#include "lib/capi/structs.h"

using namespace ebcache;        // NOLINT: the functions below are outside of every namespace
using namespace ebcache::capi;  // NOLINT

static_assert(EBCACHE_VERDICTS == kReleaseVerdicts);
static_assert(EBCACHE_VERDICT_NO_TREE_REF == static_cast<int>(ReleaseVerdict::kNoTreeRef));
static_assert(EBCACHE_VERDICT_DIRTY == static_cast<int>(ReleaseVerdict::kDirty));
static_assert(EBCACHE_VERDICT_UNMAPPED == static_cast<int>(ReleaseVerdict::kUnmapped));

uint64_t ebcache_drop_caches(ebcache_cache* cache) {
  if (cache == nullptr) return 0;
  return Guard([&] { return cache->cache->DropCaches(); });
}

uint64_t ebcache_shrink(ebcache_cache* cache, uint64_t bytes) {
  if (cache == nullptr) return 0;
  return Guard([&] { return cache->cache->Shrink(bytes); });
}

int ebcache_set_budget(ebcache_cache* cache, uint64_t budget_bytes) {
  if (cache == nullptr) return NullArgument("cache");
  if (budget_bytes == 0) return Fail(EINVAL, "a budget of 0; EBCACHE_UNLIMITED is none");
  return Guard([&] {
    cache->cache->SetBudget(budget_bytes == EBCACHE_UNLIMITED ? 0 : budget_bytes);
    return 0;
  });
}

int ebcache_cache_stats(const ebcache_cache* cache, struct ebcache_cache_stats* stats) {
  if (cache == nullptr) return NullArgument("cache");
  const CacheStats now = cache->cache->stats();
  return CopyOut({.size = sizeof(*stats),
                  .cached_buffers = now.cached_buffers,
                  .private_buffers = now.private_buffers,
                  .cached_bytes = now.cached_bytes,
                  .dirty_buffers = now.dirty_buffers,
                  .peak_cached_buffers = now.peak_cached_buffers,
                  .overhead_bytes = now.descriptor_bytes + now.index_bytes + now.reclaim_bytes,
                  .creates = now.creates,
                  .reads = now.reads,
                  .read_failures = now.read_failures,
                  .read_waits = now.read_waits,
                  .writes = now.writes,
                  .write_failures = now.write_failures,
                  .stale_frees = now.stale_frees,
                  .reclaimed = now.reclaimed,
                  .migrations = now.migrations,
                  .over_budget_creates = now.over_budget_creates,
                  .write_err_buffers = now.write_err_buffers,
                  .nocache_frees = now.nocache_frees},
                 stats, "stats");
}

int ebcache_pins(const ebcache_cache* cache, struct ebcache_pins* pins) {
  if (cache == nullptr) return NullArgument("cache");
  struct ebcache_pins now {};
  for (const auto& [verdict, buffers] : cache->cache->ExplainPins()) {
    now.buffers[static_cast<size_t>(verdict)] = buffers;
  }
  return CopyOut(now, pins, "pins");
}

const char* ebcache_verdict_name(uint32_t verdict) {
  // The names are literals, and end with a zero.
  return verdict < EBCACHE_VERDICTS
             ? ReleaseVerdictName(static_cast<ReleaseVerdict>(verdict)).data()
             : "";
}
