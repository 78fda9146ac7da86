// A sample of a cache, in the forms in which top tells it.

#ifndef EBCACHE_TOOLS_TOP_CACHE_FRAME_H_
#define EBCACHE_TOOLS_TOP_CACHE_FRAME_H_

#include <cstddef>
#include <string>
#include <vector>

#include "tools/top/cache_sample.h"

namespace ebcache::tools {

// Everything, for people: lines of at most `columns`, colours apart; the map last.
std::vector<std::string> CacheFrame(const CacheSample& sample, size_t columns, bool colours);

// The most important in one line, for logs.
std::string CacheLine(const CacheSample& sample);

// Everything, as one JSON object in one line.
std::string CacheJsonLine(const CacheSample& sample);

// How many lines of CacheFrame are not the map.
inline constexpr size_t kFrameLinesAboveMap = 15;

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_TOP_CACHE_FRAME_H_
