// The same real work over every allocator: a walk of all trees, key searches, item decoding.

#ifndef EBCACHE_BENCH_CONTIGUITY_WORK_H_
#define EBCACHE_BENCH_CONTIGUITY_WORK_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "bench/contiguity/figures.h"
#include "tools/progress.h"

namespace ebcache::contiguity {

// Runs the work on the filesystem in `image`, `rounds` times in turn for each allocator, and takes
// the best of each, so that what disturbs the machine disturbs them alike. Of searches, five times
// as many rounds, and the medians.
absl::Status MeasureWork(const std::string& image, int rounds, tools::Progress& progress,
                         Report& report);

}  // namespace ebcache::contiguity

#endif  // EBCACHE_BENCH_CONTIGUITY_WORK_H_
