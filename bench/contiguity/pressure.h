// Reads through a cache whose allocator has little memory, in pieces.

#ifndef EBCACHE_BENCH_CONTIGUITY_PRESSURE_H_
#define EBCACHE_BENCH_CONTIGUITY_PRESSURE_H_

#include <cstdint>

#include "bench/contiguity/figures.h"
#include "tools/progress.h"

namespace ebcache::contiguity {

// Each allocator has `memory_mib`, of which a neighbour holds three to five eighths in turn, in
// single pages that cannot move and that change all the time. The cache wants to keep four times
// what is left, and blocks are read at random, by one thread, from a source that costs nothing.
void MeasurePressure(uint64_t memory_mib, uint64_t reads, tools::Progress& progress,
                     Report& report);

}  // namespace ebcache::contiguity

#endif  // EBCACHE_BENCH_CONTIGUITY_PRESSURE_H_
