#include <optional>
#include <string>
#include <string_view>

#include "ebcache/extent_buffer.h"
#include "tools/json_output.h"
#include "tools/top/cache_frame.h"

namespace ebcache::tools {
namespace {

Json RateJson(const std::optional<double>& rate) { return rate ? Json(*rate) : Json(nullptr); }

Json RatesJson(const WalkRates& rates, uint32_t node_bytes) {
  return {{"seconds", rates.seconds},
          {"blocks", rates.blocks},
          {"reads", rates.reads},
          {"hit_percent", rates.hit_percent()},
          {"blocks_per_s", RateJson(rates.PerSecond(rates.blocks))},
          {"read_bytes_per_s", RateJson(rates.PerSecond(rates.reads * node_bytes))}};
}

Json CacheJson(const CacheSample& sample) {
  const CacheStats& stats = sample.cache;
  return {{"budget_bytes", sample.budget_bytes},
          {"cached_bytes", stats.cached_bytes},
          {"cached_buffers", stats.cached_buffers},
          {"descriptor_bytes", stats.descriptor_bytes},
          {"index_bytes", stats.index_bytes},
          {"reads", stats.reads},
          {"read_failures", stats.read_failures},
          {"read_waits", stats.read_waits},
          {"reclaimed", stats.reclaimed},
          {"reclaim_scanned", stats.reclaim_scanned},
          {"over_budget_creates", stats.over_budget_creates},
          {"migrations", stats.migrations}};
}

Json PinsJson(const CacheSample& sample) {
  Json pins = Json::object();
  for (const auto& [verdict, buffers] : sample.pins) {
    pins[std::string(ReleaseVerdictName(verdict))] = buffers;
  }
  return pins;
}

Json PagesJson(const CacheSample& sample) {
  const AllocatorStats& pages = sample.pages;
  return {{"name", sample.allocator},
          {"page_bytes", pages.page_bytes},
          {"in_use_bytes", pages.in_use_bytes},
          {"from_os_bytes", pages.from_os_bytes},
          {"failed_allocations", pages.failed_allocations},
          {"allocated_blocks", pages.allocated_blocks},
          {"contiguous_blocks", pages.contiguous_blocks},
          {"large_blocks", pages.large_blocks},
          {"lucky_blocks", pages.lucky_blocks},
          {"mapped_blocks", pages.mapped_blocks}};
}

Json RegionJson(const RegionSample& region) {
  Json categories = Json::object();
  for (int i = 0; i < kSuperpageblockCategories; ++i) {
    const auto category = static_cast<SuperpageblockCategory>(i);
    categories[std::string(SuperpageblockCategoryName(category))] =
        region.report.by_category[static_cast<size_t>(i)];
  }
  return {{"superpageblocks", std::move(categories)},
          {"pageblocks", region.pageblocks},
          {"free_pageblocks", region.report.free_pageblocks},
          {"free_frames", region.report.free_frames},
          {"free_blocks", region.free_blocks},
          {"migrated_folios", region.report.migrated_folios},
          {"released_folios", region.report.released_folios},
          {"refused_folios", region.report.refused_folios},
          {"map", region.map}};
}

}  // namespace

std::string CacheJsonLine(const CacheSample& sample) {
  const Json json = {{"ended", sample.ended},
                     {"node_bytes", sample.node_bytes},
                     {"passes", sample.walk.passes},
                     {"lost_blocks", sample.walk.lost_blocks},
                     {"unread_blocks", sample.walk.unread_blocks},
                     {"total", RatesJson(sample.total, sample.node_bytes)},
                     {"lately", RatesJson(sample.lately, sample.node_bytes)},
                     {"cache", CacheJson(sample)},
                     {"pins", PinsJson(sample)},
                     {"allocator", PagesJson(sample)},
                     {"region", sample.region ? RegionJson(*sample.region) : Json(nullptr)}};
  return JsonText(json, -1);
}

}  // namespace ebcache::tools
