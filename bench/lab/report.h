// What the lab found, as a table, as JSON, and as a page to look at.

#ifndef EBCACHE_BENCH_LAB_REPORT_H_
#define EBCACHE_BENCH_LAB_REPORT_H_

#include <absl/status/status.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "bench/lab/machine.h"

namespace ebcache::lab {

// One machine's life.
struct Run {
  bool hint = false;
  std::string policy;
  uint32_t superpageblocks = 0;
  Machine::Census census;  // when 1 GiB pages begin to be asked for
  Machine::Luck luck;      // at the same time
  FreeMemoryReport free;   // at the same time
  uint32_t huge_1g_obtained = 0;
  uint64_t pages_migrated = 0;  // while they were asked for
  uint64_t buffers_released = 0;
  std::vector<std::pair<std::string, uint64_t>> skipped;  // buffers that stayed, by verdict
  double seconds = 0;
  std::vector<Content> before;
  std::vector<Content> after;
  std::vector<Sample> samples;
};

// What part of its 16 KiB extent buffers, made of order-0 pages, Linux 6.6 had in one piece: as
// measured in 2023, under a metadata load and under a data load.
inline constexpr double kKernelLuckMetadata = 0.663;
inline constexpr double kKernelLuckData = 0.575;

struct Lab {
  uint64_t memory_gib = 0;
  uint64_t btree_gib = 0;
  uint64_t seed = 0;
  std::vector<Run> runs;
  uint64_t peak_rss_bytes = 0;
};

void PrintTable(const Lab& lab);
std::string ToJson(const Lab& lab);
std::string ToHtml(const Lab& lab);
// What is free in each machine, in the shape of /proc/buddyinfo and /proc/pagetypeinfo: proc_text.cc.
std::string ToProcText(const Lab& lab);

}  // namespace ebcache::lab

#endif  // EBCACHE_BENCH_LAB_REPORT_H_
