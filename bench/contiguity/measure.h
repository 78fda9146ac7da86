// What is measured on trees: the same work over every allocator, and reads where memory is short.
// (What blocks and windows cost to make is in making.h.)

#ifndef EBCACHE_BENCH_CONTIGUITY_MEASURE_H_
#define EBCACHE_BENCH_CONTIGUITY_MEASURE_H_

#include <absl/status/status.h>

#include <cstdint>
#include <string>

#include "bench/contiguity/figures.h"
#include "tools/progress.h"

namespace ebcache::contiguity {

// Walks all trees of the filesystem in `image`, searches keys and decodes items, `rounds` times in
// turn for each allocator, and takes the best of each, so that what disturbs the machine disturbs
// them alike. Of searches, five times as many rounds, and the medians.
absl::Status MeasureWork(const std::string& image, int rounds, tools::Progress& progress,
                         Report& report);

// Reads through a cache whose allocator has little memory, in pieces. Each allocator has
// `memory_mib`, of which a neighbour holds three to five eighths in turn, in single pages that
// cannot move and that change all the time. The cache wants to keep four times what is left, and
// blocks are read at random, by one thread, from a source that costs nothing.
void MeasurePressure(uint64_t memory_mib, uint64_t reads, tools::Progress& progress,
                     Report& report);

}  // namespace ebcache::contiguity

#endif  // EBCACHE_BENCH_CONTIGUITY_MEASURE_H_
