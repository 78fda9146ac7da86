#include "tools/top/region_map.h"

#include <algorithm>

namespace ebcache::tools {

const std::vector<MapLegend>& RegionMapLegend() {
  static const auto& legend = *new std::vector<MapLegend>{
      {'.', "free", "2"},       {'m', "movable, under half", "32"}, {'M', "movable", "1;32"},
      {'u', "unmovable", "31"}, {'r', "reclaimable", "33"},         {'x', "mixed", "35"},
  };
  return legend;
}

char RegionMapCharacter(const FrameCounts& counts) {
  const uint64_t fixed = uint64_t{counts.unmovable} + counts.reclaimable;
  if (fixed != 0 && counts.movable != 0) return 'x';
  if (counts.unmovable != 0) return 'u';
  if (counts.reclaimable != 0) return 'r';
  // Pages kept at hand for the next allocation are as good as free.
  if (counts.movable == 0) return '.';
  return counts.movable < uint64_t{counts.free} + counts.listed ? 'm' : 'M';
}

std::string RegionMap(const MovableRegion& region, size_t most) {
  std::string map;
  const uint32_t blocks = static_cast<uint32_t>(std::min<size_t>(region.pageblocks(), most));
  for (uint32_t block = 0; block < blocks; ++block) {
    map += RegionMapCharacter(region.CountPageblock(block));
  }
  return map;
}

std::vector<uint64_t> FreeBlocksByOrder(const MovableRegion& region) {
  std::vector<uint64_t> sum;
  for (const BlocksByOrder& zone : region.free_memory().by_zone) {
    sum.resize(std::max(sum.size(), zone.size()));
    for (size_t order = 0; order < zone.size(); ++order) sum[order] += zone[order];
  }
  return sum;
}

}  // namespace ebcache::tools
