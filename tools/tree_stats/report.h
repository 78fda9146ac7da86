// What tree-stats found, and the two forms in which it tells it.

#ifndef EBCACHE_TOOLS_TREE_STATS_REPORT_H_
#define EBCACHE_TOOLS_TREE_STATS_REPORT_H_

#include <cstdint>
#include <string>

#include "ebcache/filesystem.h"
#include "tools/damage.h"
#include "tools/tree_counts.h"

namespace ebcache::tools {

struct TreeStatsReport {
  Filesystem& filesystem;
  const DamageLog& damage;
  FilesystemCounts counts;
  uint64_t cache_budget_bytes = 0;
  double elapsed_s = 0;
  uint64_t peak_rss_bytes = 0;
};

// Prints tables to stdout.
void PrintStatsText(const TreeStatsReport& report);

// Prints one JSON object to stdout.
void PrintStatsJson(const TreeStatsReport& report);

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_TREE_STATS_REPORT_H_
