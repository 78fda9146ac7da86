// ReclaimTime: when something happened, counted in buffers that had entered the cache by then.
//
// 28 bits, because it shares 32 with flags in descriptors and ghosts. It wraps: what happened more
// than 268 million newcomers ago looks recent. That costs a hit, not more.

#ifndef EBCACHE_LIB_CACHE_RECLAIM_CLOCK_H_
#define EBCACHE_LIB_CACHE_RECLAIM_CLOCK_H_

#include <cstdint>

namespace ebcache {

struct ReclaimTime {
  static constexpr int kBits = 28;
  static constexpr uint32_t kMask = (uint32_t{1} << kBits) - 1;

  uint32_t value = 0;

  ReclaimTime Next() const { return {(value + 1) & kMask}; }
  // Newcomers between `earlier` and this.
  uint32_t Since(ReclaimTime earlier) const { return (value - earlier.value) & kMask; }
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_CACHE_RECLAIM_CLOCK_H_
