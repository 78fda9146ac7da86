// What it costs to make and free a block, and to have it mapped.

#ifndef EBCACHE_BENCH_CONTIGUITY_MAKING_H_
#define EBCACHE_BENCH_CONTIGUITY_MAKING_H_

#include "bench/contiguity/figures.h"

namespace ebcache::contiguity {

// What windows take in the OS, when each of them is a new one.
WindowFigures MeasureWindows();

// Fills `making` and `windows` of the report.
void MeasureMaking(Report& report);

}  // namespace ebcache::contiguity

#endif  // EBCACHE_BENCH_CONTIGUITY_MAKING_H_
