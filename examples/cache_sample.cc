#include "examples/cache_sample.h"

#include <string_view>

#include "examples/region_map.h"

namespace ebcache::examples {

CacheSampler::CacheSampler(const BufferCache& cache, const MovableRegion* region,
                           uint64_t budget_bytes)
    : cache_(cache),
      region_(region),
      budget_bytes_(budget_bytes),
      first_reads_(cache.stats().reads) {}

CacheSample CacheSampler::Take(const WalkCounts& walk, double elapsed_s, size_t map_blocks) {
  CacheSample sample{.walk = walk,
                     .node_bytes = cache_.node_bytes(),
                     .budget_bytes = budget_bytes_,
                     .cache = cache_.stats(),
                     .pins = cache_.ExplainPins(),
                     .allocator = std::string(cache_.allocator().name()),
                     .pages = cache_.allocator().stats()};
  sample.total = {
      .seconds = elapsed_s, .blocks = walk.blocks, .reads = sample.cache.reads - first_reads_};
  sample.lately = {.seconds = elapsed_s - before_.seconds,
                   .blocks = sample.total.blocks - before_.blocks,
                   .reads = sample.total.reads - before_.reads};
  before_ = sample.total;
  if (region_ != nullptr) {
    sample.region = RegionSample{.report = region_->report(),
                                 .pageblocks = region_->pageblocks(),
                                 .free_blocks = FreeBlocksByOrder(*region_),
                                 .map = RegionMap(*region_, map_blocks)};
  }
  return sample;
}

}  // namespace ebcache::examples
