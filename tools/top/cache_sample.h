// What a cache and its allocator look like at one moment of a long walk.

#ifndef EBCACHE_TOOLS_TOP_CACHE_SAMPLE_H_
#define EBCACHE_TOOLS_TOP_CACHE_SAMPLE_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ebcache/buffer_cache.h"
#include "ebcache/movable_region.h"
#include "ebcache/page_allocator.h"
#include "tools/top/tree_walkers.h"

namespace ebcache::tools {

// How much was done in a stretch of time.
struct WalkRates {
  // What is done in less time than this tells of the clock rather than of the work.
  static constexpr double kShortestSeconds = 0.001;

  double seconds = 0;
  uint64_t blocks = 0;  // visited
  uint64_t reads = 0;   // of blocks, from the devices

  // Nothing where the time was too short.
  std::optional<double> PerSecond(uint64_t count) const {
    if (seconds < kShortestSeconds) return std::nullopt;
    return static_cast<double>(count) / seconds;
  }
  // Of the blocks visited, how many needed no read. Walks read ahead of their visits, so this is
  // exact only when they have ended.
  double hit_percent() const {
    if (blocks == 0) return 0;
    if (reads >= blocks) return 0;
    return 100 * static_cast<double>(blocks - reads) / static_cast<double>(blocks);
  }
};

struct RegionSample {
  MovableRegionReport report;
  uint32_t pageblocks = 0;
  std::vector<uint64_t> free_blocks;  // by order
  std::string map;                    // RegionMap, of the page blocks in front
};

struct CacheSample {
  WalkCounts walk;
  WalkRates total;  // since the walks began
  // Since the sample before; since the one before that, if it was taken a moment ago.
  WalkRates lately;
  bool ended = false;  // all walks have
  uint32_t node_bytes = 0;
  uint64_t budget_bytes = 0;
  CacheStats cache;
  std::array<std::pair<ReleaseVerdict, uint64_t>, kReleaseVerdicts> pins{};
  std::string allocator;
  AllocatorStats pages;
  std::optional<RegionSample> region;  // where the allocator is one, or stands on one
};

// Takes samples, and remembers what the one before said.
class CacheSampler {
 public:
  // `region` is null where there is none. All must outlive this.
  CacheSampler(const BufferCache& cache, const MovableRegion* region, uint64_t budget_bytes);

  // `map_blocks`: how many page blocks the map is to have, at the most.
  CacheSample Take(const WalkCounts& walk, size_t map_blocks);

 private:
  const BufferCache& cache_;
  const MovableRegion* region_;
  const uint64_t budget_bytes_;
  const uint64_t first_reads_;  // before the walks began
  // The totals of the sample before, and of the one before that.
  WalkRates before_;
  WalkRates earlier_;
};

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_TOP_CACHE_SAMPLE_H_
