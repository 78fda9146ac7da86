// What the lab found, as a table, as JSON, and as a page to look at.

#ifndef EBCACHE_BENCH_LAB_REPORT_H_
#define EBCACHE_BENCH_LAB_REPORT_H_

#include <absl/status/status.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/lab/compare.h"
#include "bench/lab/life.h"

namespace ebcache::lab {

// What part of its 16 KiB extent buffers, made of order-0 pages, Linux 6.6 had in one piece: as
// measured in 2023, under a metadata load and under a data load.
inline constexpr double kKernelLuckMetadata = 0.663;
inline constexpr double kKernelLuckData = 0.575;

struct Lab {
  double memory_gib = 0;
  std::string preset;
  Constants constants;
  uint64_t seed = 0;   // the first
  uint64_t seeds = 1;  // how many
  std::vector<Run> runs;
  std::optional<KernelComparison> comparison;
  uint64_t peak_rss_bytes = 0;
};

void PrintTable(const Lab& lab);
std::string ToJson(const Lab& lab);
std::string ToHtml(const Lab& lab);
// What is free in each machine, in the shape of /proc/buddyinfo and /proc/pagetypeinfo: proc_text.cc.
std::string ToProcText(const Lab& lab);

// "pageblock, hint on"; with the seed where there are several.
std::string RunName(const Lab& lab, const Run& run);

}  // namespace ebcache::lab

#endif  // EBCACHE_BENCH_LAB_REPORT_H_
