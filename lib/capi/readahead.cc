// Readahead for callers in C: over any cache, with the caller's own source or a filesystem's.

#include "ebcache/readahead.h"

#include <absl/types/span.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <vector>

#include "lib/capi/cache_handles.h"
#include "lib/capi/errors.h"
#include "lib/capi/structs.h"

namespace ebcache::capi {
namespace {

static_assert(EBCACHE_NO_THREADS == ReadaheadOptions::kNoThreads);

int OptionsOf(const ebcache_readahead_options* given, ReadaheadOptions& options) {
  ebcache_readahead_options full;
  if (const int error = CopyIn(given, full, "options"); error != 0) return error;
  if (full.threads > ReadaheadOptions::kMostThreads && full.threads != EBCACHE_NO_THREADS) {
    return Fail(EINVAL, "threads must be 1024 at the most, or EBCACHE_NO_THREADS");
  }
  if (full.batch > ReadaheadOptions::kMostInBatch) {
    return Fail(EINVAL, "batch must be 65536 at the most");
  }
  options.threads = full.threads;
  if (full.batch != 0) options.batch = full.batch;
  if (full.most_waiting != 0) options.most_waiting = full.most_waiting;
  return 0;
}

}  // namespace
}  // namespace ebcache::capi

using namespace ebcache;        // NOLINT: the functions below are outside of every namespace
using namespace ebcache::capi;  // NOLINT

int ebcache_may_be_cached(const ebcache_cache* cache, uint64_t start) {
  return cache != nullptr && cache->cache->MayBeCached(start) ? 1 : 0;
}

int ebcache_readahead_create(ebcache_cache* cache, const ebcache_readahead_options* options,
                             ebcache_readahead** readahead) {
  if (readahead == nullptr) return NullArgument("readahead");
  *readahead = nullptr;
  if (cache == nullptr) return NullArgument("cache");
  return Guard([&] {
    ReadaheadOptions inside;
    if (const int error = OptionsOf(options, inside); error != 0) return error;
    *readahead = new ebcache_readahead(cache, inside);
    return 0;
  });
}

void ebcache_readahead_destroy(ebcache_readahead* readahead) { delete readahead; }

int ebcache_readahead_ask(ebcache_readahead* readahead, uint64_t start,
                          const ebcache_check* check) {
  if (readahead == nullptr) return NullArgument("readahead");
  return Guard([&] {
    // Before the check is looked at: most that is asked for is there, or finds no room.
    if (readahead->of->cache->MayBeCached(start)) return 1;
    ParentCheck inside;
    const ParentCheck* use;
    if (const int error = capi::Inside(check, inside, &use); error != 0) return error;
    return readahead->readahead.Ask(start, inside) ? 1 : 0;
  });
}

int ebcache_readahead_ask_many(ebcache_readahead* readahead, const uint64_t* starts,
                               const ebcache_check* const* checks, size_t count, size_t* asked) {
  if (asked != nullptr) *asked = 0;
  if (readahead == nullptr) return NullArgument("readahead");
  if (count == 0) return 0;
  if (starts == nullptr) return NullArgument("starts");
  return Guard([&] {
    std::vector<ParentCheck> expected(checks != nullptr ? count : 0);
    std::vector<const ParentCheck*> use(expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      if (const int error = capi::Inside(checks[i], expected[i], &use[i]); error != 0) return error;
    }
    const size_t taken = readahead->readahead.AskMany({starts, count}, use);
    if (asked != nullptr) *asked = taken;
    return 0;
  });
}

int ebcache_readahead_flush(ebcache_readahead* readahead) {
  if (readahead == nullptr) return NullArgument("readahead");
  readahead->readahead.Flush();
  return 0;
}

int ebcache_readahead_forget(ebcache_readahead* readahead) {
  if (readahead == nullptr) return NullArgument("readahead");
  return Guard([&] {
    readahead->readahead.Forget(nullptr);
    return 0;
  });
}

int ebcache_readahead_read_some(ebcache_readahead* readahead) {
  if (readahead == nullptr) return NullArgument("readahead");
  return readahead->readahead.ReadSome() ? 1 : 0;
}

int ebcache_readahead_stats(const ebcache_readahead* readahead,
                            struct ebcache_readahead_stats* stats) {
  if (readahead == nullptr) return NullArgument("readahead");
  const Readahead& inside = readahead->readahead;
  return CopyOut({.size = sizeof(*stats),
                  .blocks_read = inside.blocks_read(),
                  .waiting = inside.waiting(),
                  .failures = inside.failures()},
                 stats, "stats");
}
