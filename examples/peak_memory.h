// The most memory that this process ever had.

#ifndef EBCACHE_EXAMPLES_PEAK_MEMORY_H_
#define EBCACHE_EXAMPLES_PEAK_MEMORY_H_

#include <cstdint>

namespace ebcache::examples {

// Peak resident set in bytes; 0 where the kernel does not tell. Read from /proc/self/status:
// getrusage would count the process that started this one, too.
uint64_t PeakRssBytes();

}  // namespace ebcache::examples

#endif  // EBCACHE_EXAMPLES_PEAK_MEMORY_H_
