#include <limits>
#include <set>
#include <utility>
#include <vector>

#include "bench/eviction/eviction_policy.h"

namespace ebcache::eviction {

Replay ReplayTrace(const AccessTrace& trace, Frees frees, EvictionPolicy& policy) {
  Replay replay;
  for (const Access& access : trace.accesses) {
    if (access.kind == Access::Kind::kFree) {
      if (frees == Frees::kHonoured) policy.Free(access.block);
      continue;
    }
    ++replay.touches;
    if (policy.Touch(access.block)) ++replay.hits;
  }
  return replay;
}

namespace {
using Position = uint64_t;
constexpr Position kNever = std::numeric_limits<Position>::max();

// For each access, where the same block is touched next.
std::vector<Position> NextTouches(const AccessTrace& trace, Frees frees) {
  std::vector<Position> next(trace.accesses.size(), kNever);
  std::vector<Position> upcoming(trace.blocks, kNever);
  for (size_t i = trace.accesses.size(); i-- > 0;) {
    const Access& access = trace.accesses[i];
    if (access.kind == Access::Kind::kFree) {
      if (frees == Frees::kHonoured) upcoming[access.block] = kNever;
      continue;
    }
    next[i] = upcoming[access.block];
    upcoming[access.block] = i;
  }
  return next;
}
}  // namespace

Replay ReplayOptimum(const AccessTrace& trace, Frees frees, uint32_t capacity) {
  const std::vector<Position> next_touches = NextTouches(trace, frees);
  std::set<std::pair<Position, uint32_t>> cached;  // by next touch
  // The next touch of a cached block; 0, which is nobody's, when it is not cached.
  std::vector<Position> next_of(trace.blocks, 0);
  Replay replay;
  for (size_t i = 0; i < trace.accesses.size(); ++i) {
    const Access& access = trace.accesses[i];
    Position& next = next_of[access.block];
    if (access.kind == Access::Kind::kFree) {
      if (frees == Frees::kHonoured && next != 0) {
        cached.erase({next, access.block});
        next = 0;
      }
      continue;
    }
    ++replay.touches;
    if (next != 0) {
      ++replay.hits;
      cached.erase({next, access.block});
    } else if (cached.size() == capacity) {
      const auto last = std::prev(cached.end());
      next_of[last->second] = 0;
      cached.erase(last);
    }
    next = next_touches[i];
    cached.insert({next, access.block});
  }
  return replay;
}

}  // namespace ebcache::eviction
