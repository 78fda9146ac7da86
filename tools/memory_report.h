// What memory a cache, its allocator and the process have.

#ifndef EBCACHE_TOOLS_MEMORY_REPORT_H_
#define EBCACHE_TOOLS_MEMORY_REPORT_H_

#include <cstdint>

#include "ebcache/buffer_cache.h"

namespace ebcache::tools {

// Prints the statistics of a cache and its allocator to stdout, a few lines for people to read.
void PrintCacheStats(const BufferCache& cache);

// Peak resident set in bytes; 0 where the kernel does not tell. Read from /proc/self/status:
// getrusage would count the process that started this one, too.
uint64_t PeakRssBytes();

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_MEMORY_REPORT_H_
