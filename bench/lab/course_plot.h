// The course of a machine's life as a picture: GiB over rounds, with axes and marks for the stages.

#ifndef EBCACHE_BENCH_LAB_COURSE_PLOT_H_
#define EBCACHE_BENCH_LAB_COURSE_PLOT_H_

#include "bench/lab/life.h"
#include "bench/report/html.h"

namespace ebcache::lab {

report::Html CoursePlot(double memory_gib, const Run& run);
// Which part of the ranges of each size is clean at the job's end, for all runs.
report::Html RangePlot(const std::vector<Run>& runs, const std::vector<std::string>& names);

}  // namespace ebcache::lab

#endif  // EBCACHE_BENCH_LAB_COURSE_PLOT_H_
