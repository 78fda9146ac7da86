#include "tools/top/cache_sample.h"

#include <string_view>

#include "tools/top/region_map.h"

namespace ebcache::tools {

CacheSampler::CacheSampler(const BufferCache& cache, const MovableRegion* region,
                           uint64_t budget_bytes)
    : cache_(cache),
      region_(region),
      budget_bytes_(budget_bytes),
      first_reads_(cache.stats().reads) {}

CacheSample CacheSampler::Take(const WalkCounts& walk, size_t map_blocks) {
  CacheSample sample{.walk = walk,
                     .node_bytes = cache_.node_bytes(),
                     .budget_bytes = budget_bytes_,
                     .cache = cache_.stats(),
                     .pins = cache_.ExplainPins(),
                     .allocator = std::string(cache_.allocator().name()),
                     .pages = cache_.allocator().stats()};
  sample.total = {
      .seconds = walk.seconds, .blocks = walk.blocks, .reads = sample.cache.reads - first_reads_};
  const bool too_soon = walk.seconds - before_.seconds < WalkRates::kShortestSeconds;
  if (!too_soon) earlier_ = before_;
  sample.lately = {.seconds = sample.total.seconds - earlier_.seconds,
                   .blocks = sample.total.blocks - earlier_.blocks,
                   .reads = sample.total.reads - earlier_.reads};
  before_ = sample.total;
  if (region_ != nullptr) {
    sample.region = RegionSample{.report = region_->report(),
                                 .pageblocks = region_->pageblocks(),
                                 .free_blocks = FreeBlocksByOrder(*region_),
                                 .map = RegionMap(*region_, map_blocks)};
  }
  return sample;
}

}  // namespace ebcache::tools
