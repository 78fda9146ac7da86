// The memory of a movable region as a picture of characters, one a page block.

#ifndef EBCACHE_TOOLS_TOP_REGION_MAP_H_
#define EBCACHE_TOOLS_TOP_REGION_MAP_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "ebcache/movable_region.h"

namespace ebcache::tools {

// What a character stands for.
struct MapLegend {
  char character;
  const char* meaning;
  const char* colour;  // of the terminal: an SGR parameter
};
const std::vector<MapLegend>& RegionMapLegend();

// The character of a page block that holds this.
char RegionMapCharacter(const FrameCounts& counts);

// One for each of the first `most` page blocks.
std::string RegionMap(const MovableRegion& region, size_t most);

// Free blocks of a region by order, in all superpageblocks.
std::vector<uint64_t> FreeBlocksByOrder(const MovableRegion& region);

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_TOP_REGION_MAP_H_
