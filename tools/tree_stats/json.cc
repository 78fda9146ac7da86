#include <string>

#include "ebcache/buffer_cache.h"
#include "ebcache/filesystem.h"
#include "ebcache/on_disk.h"
#include "ebcache/page_allocator.h"
#include "tools/json_output.h"
#include "tools/tree_stats/report.h"

namespace ebcache::tools {
namespace {

Json SuperblockJson(const SuperblockCopy& copy) {
  return {
      {"device", copy.device}, {"physical", copy.place.offset}, {"generation", copy.generation}};
}

Json FilesystemJson(Filesystem& filesystem) {
  const Superblock& superblock = filesystem.superblock();
  return {{"fsid", UuidString(superblock.fsid)},
          {"label", superblock.label},
          {"generation", superblock.generation},
          {"node_bytes", superblock.node_bytes},
          {"sector_bytes", superblock.sector_bytes},
          {"total_bytes", superblock.total_bytes},
          {"used_bytes", superblock.bytes_used},
          {"devices", superblock.num_devices},
          {"missing_devices", MissingDevicesJson(filesystem.volume())},
          {"superblock", SuperblockJson(filesystem.volume().superblock_copy())},
          {"notices", filesystem.volume().notices()},
          {"warnings", filesystem.volume().superblock_warnings()}};
}

Json TreesJson(const FilesystemCounts& counts, uint64_t node_bytes) {
  Json trees = Json::array();
  for (const TreeCounts& tree : counts.trees) {
    trees.push_back({{"id", tree.root.id},
                     {"key_offset", tree.root.key_offset},
                     {"name", tree.root.name},
                     {"state", TreeStateName(tree.root)},
                     {"levels", tree.levels},
                     {"items", tree.items},
                     {"bytes", tree.blocks() * node_bytes}});
  }
  return trees;
}

Json TotalsJson(const TreeStatsReport& report, uint64_t node_bytes) {
  const TreeCounts sum = report.counts.Sum();
  const LostBlocks& lost = report.damage.lost();
  return {{"trees", report.counts.trees.size()},
          {"deleted_trees", report.counts.deleted_trees()},
          {"blocks", sum.blocks()},
          {"nodes", sum.nodes()},
          {"leaves", sum.leaves()},
          {"items", sum.items},
          {"bytes", sum.blocks() * node_bytes},
          {"unique_blocks", report.counts.unique_blocks},
          {"unique_bytes", report.counts.unique_blocks * node_bytes},
          {"lost_blocks", report.damage.lost_count()},
          {"recovered_blocks", report.damage.recovered_count()},
          {"missing_device_blocks", lost.count(Cause::kMissingDevice)},
          {"no_memory_blocks", lost.count(Cause::kNoMemory)}};
}

Json AllocatorJson(const PageAllocator& allocator) {
  const AllocatorStats stats = allocator.stats();
  return {{"name", allocator.name()},
          {"page_bytes", stats.page_bytes},
          {"in_use_bytes", stats.in_use_bytes},
          {"from_os_bytes", stats.from_os_bytes},
          {"allocated_folios", stats.allocated_folios},
          {"freed_folios", stats.freed_folios},
          {"failed_allocations", stats.failed_allocations},
          {"allocated_blocks", stats.allocated_blocks},
          {"contiguous_blocks", stats.contiguous_blocks},
          {"lucky_blocks", stats.lucky_blocks},
          {"large_blocks", stats.large_blocks},
          {"mapped_blocks", stats.mapped_blocks},
          {"page_array_blocks", stats.allocated_blocks - stats.contiguous_blocks},
          {"windows", stats.windows.windows},
          {"windows_mapped", stats.windows.mapped},
          {"windows_found_again", stats.windows.found_again},
          {"windows_refused", stats.windows.refused},
          {"window_failures", stats.windows.failures}};
}

Json CacheJson(const BufferCache& cache, uint64_t budget_bytes) {
  const CacheStats stats = cache.stats();
  return {{"budget_bytes", budget_bytes},
          {"cached_buffers", stats.cached_buffers},
          {"cached_bytes", stats.cached_bytes},
          {"peak_cached_buffers", stats.peak_cached_buffers},
          {"descriptor_bytes", stats.descriptor_bytes},
          {"index_bytes", stats.index_bytes},
          {"creates", stats.creates},
          {"reads", stats.reads},
          {"read_failures", stats.read_failures},
          {"reclaimed", stats.reclaimed},
          {"reclaim_scanned", stats.reclaim_scanned},
          {"over_budget_creates", stats.over_budget_creates},
          {"allocator", AllocatorJson(cache.allocator())}};
}

Json MirrorJson(const MirrorDamage& mirror) {
  return {{"mirror", mirror.mirror},
          {"device_id", mirror.place.device_id},
          {"device", mirror.device},
          {"physical", mirror.place.offset},
          {"reason", mirror.reason}};
}

void AppendBlocks(const std::vector<BlockDamage>& blocks, Cause cause, Json& list) {
  for (const BlockDamage& block : blocks) {
    Json mirrors = Json::array();
    for (const MirrorDamage& mirror : block.mirrors) mirrors.push_back(MirrorJson(mirror));
    list.push_back({{"tree", block.tree},
                    {"key_offset", block.key_offset},
                    {"tree_deleted", block.tree_deleted},
                    {"level", block.level},
                    {"logical", block.logical},
                    {"cause", CauseName(cause)},
                    {"reason", block.reason},
                    {"recovered", block.recovered},
                    {"places", block.places},
                    {"mirrors", std::move(mirrors)}});
  }
}

}  // namespace

void PrintStatsJson(const TreeStatsReport& report) {
  const uint64_t node_bytes = report.filesystem.superblock().node_bytes;
  Json damage = Json::array();
  const LostBlocks& lost = report.damage.lost();
  AppendBlocks(lost.kept(Cause::kDamage), Cause::kDamage, damage);
  AppendBlocks(report.damage.recovered(), Cause::kDamage, damage);
  Json unread = Json::array();
  for (const Cause cause : {Cause::kMissingDevice, Cause::kNoMemory}) {
    AppendBlocks(lost.kept(cause), cause, unread);
  }
  const Json json = {{"filesystem", FilesystemJson(report.filesystem)},
                     {"trees", TreesJson(report.counts, node_bytes)},
                     {"totals", TotalsJson(report, node_bytes)},
                     {"cache", CacheJson(report.filesystem.cache(), report.cache_budget_bytes)},
                     {"damage", std::move(damage)},
                     {"unread", std::move(unread)},
                     {"elapsed_s", report.elapsed_s},
                     {"peak_rss_bytes", report.peak_rss_bytes}};
  PrintJson(json);
}

}  // namespace ebcache::tools
