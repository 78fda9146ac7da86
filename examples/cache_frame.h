// A sample of a cache, in the forms in which cachetop tells it.

#ifndef EBCACHE_EXAMPLES_CACHE_FRAME_H_
#define EBCACHE_EXAMPLES_CACHE_FRAME_H_

#include <cstddef>
#include <string>
#include <vector>

#include "examples/cache_sample.h"

namespace ebcache::examples {

// Everything, for people: lines of at most `columns`, colours apart; the map last.
std::vector<std::string> CacheFrame(const CacheSample& sample, size_t columns, bool colours);

// The most important in one line, for logs.
std::string CacheLine(const CacheSample& sample);

// Everything, as one JSON object in one line.
std::string CacheJsonLine(const CacheSample& sample);

// How many lines of CacheFrame are not the map.
inline constexpr size_t kFrameLinesAboveMap = 15;

}  // namespace ebcache::examples

#endif  // EBCACHE_EXAMPLES_CACHE_FRAME_H_
