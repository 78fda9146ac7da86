// The statistics of a cache and its allocator, for people to read.

#ifndef EBCACHE_EXAMPLES_CACHE_REPORT_H_
#define EBCACHE_EXAMPLES_CACHE_REPORT_H_

#include "ebcache/buffer_cache.h"

namespace ebcache::examples {

// Prints a few lines to stdout.
void PrintCacheStats(const BufferCache& cache);

}  // namespace ebcache::examples

#endif  // EBCACHE_EXAMPLES_CACHE_REPORT_H_
