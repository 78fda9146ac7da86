// What tree_stats found, and the two forms in which it tells it.

#ifndef EBCACHE_EXAMPLES_TREE_STATS_REPORT_H_
#define EBCACHE_EXAMPLES_TREE_STATS_REPORT_H_

#include <cstdint>
#include <string>

#include "ebcache/filesystem.h"
#include "examples/damage_log.h"
#include "examples/tree_counts.h"

namespace ebcache::examples {

struct TreeStatsReport {
  Filesystem& filesystem;
  const DamageLog& damage;
  FilesystemCounts counts;
  uint64_t cache_budget_bytes = 0;
  double elapsed_s = 0;
  uint64_t peak_rss_bytes = 0;
};

// Prints tables to stdout.
void PrintText(const TreeStatsReport& report);

// Prints one JSON object to stdout.
void PrintJson(const TreeStatsReport& report);

}  // namespace ebcache::examples

#endif  // EBCACHE_EXAMPLES_TREE_STATS_REPORT_H_
