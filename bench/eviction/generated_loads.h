// Loads that are made up: what an order meets that was chosen on recordings. Each is one pattern, so that
// a figure says which pattern an order is good or bad at.

#ifndef EBCACHE_BENCH_EVICTION_GENERATED_LOADS_H_
#define EBCACHE_BENCH_EVICTION_GENERATED_LOADS_H_

#include <cstdint>
#include <vector>

#include "bench/eviction/access_trace.h"

namespace ebcache::eviction {

// All of them: the same for the same seed, on every machine.
//
//   walk once, twice, 5 times   a tree of 8,000 leaves, each touched three times in a burst
//   loop, a bit too large       9 rounds over a tenth more blocks than 1,024, and than 4,096
//   Zipf; Zipf with drift       lookups from the root in 20,000 leaves; what is popular changes, or not
//   phases                      working sets of 300 to 2,400 blocks in turns, a walk between them
//   scan with lookups           a scan that never ends, and popular leaves beside it
//   uniform                     any of 6,000 blocks, at any time
//   sliding window              what was used lately is likely, and the window moves
//   once more, near; far        each block again after 700 others, or 1,500, and then never
//   shuffled passes             12 passes over 6,000 blocks, each in another order
//   loop with lookups           15 rounds over 4,000 blocks, and popular blocks between them
std::vector<AccessTrace> GeneratedLoads(uint64_t seed);

}  // namespace ebcache::eviction

#endif  // EBCACHE_BENCH_EVICTION_GENERATED_LOADS_H_
