// What the lab assumes, by name: the workload's amounts, and what a kernel does, each with where it
// comes from. Every one can be set (--set=NAME=VALUE).

#ifndef EBCACHE_BENCH_LAB_CONSTANTS_H_
#define EBCACHE_BENCH_LAB_CONSTANTS_H_

#include <absl/status/status.h>

#include <string>
#include <string_view>
#include <vector>

namespace ebcache::lab {

// "Of memory" is of what is not reserved at boot. The defaults are a machine of hundreds of GiB.
struct Constants {
  // ---- The workload ----
  double slabs = 0.012;
  double dentries = 0.015;
  double daemons = 0.015;
  double job = 0.32;
  double process = 0.001;
  double job_huge = 0.5;
  double free_target = 0.03;
  double btree = 0.112;
  double tree_blocks = 1.5;
  double fill_rounds = 100;
  double churn_rounds = 100;
  double process_turnover = 0.04;
  double slab_turnover = 0.05;
  double dentry_turnover = 0.05;
  double daemon_turnover = 0.02;
  double page_cache_turnover = 0.02;
  double large_folios = 1;
  double btree_reads = 0.01;
  double btree_writes = 0.005;
  double commit_rounds = 10;
  double job_files = 0.6;
  double in_use_per_gib = 0.064;
  double in_use = 0;
  double roots_unhinted = 0;
  double callers = 1;
  double boot_pages = 0;
  double reserved_pages = 0;
  double reserved_share = 0;
  double drop_gib = 4;
  double defrag_steps = 32;
  // ---- What a kernel does ----
  double claim_largest = 1;
  double lists_by_pageblock = 1;
  double page_list_pages = 126;
  double slab_objects = 16;
  double buffer_slab = 17;
  double asked_reclaimable = 0.33;
  double unhinted_moves = 1;
  double keep_buffer = 0;
  double reclaim_btree = 1;
  double reclaim_dentries = 0;
  double boost = 1.5;
  double min_free_blocks = 33;
  double kswapd_gap = 1;
  double two_scanners = 1;
  double failed_passes = 1;
};

struct ConstantRow {
  const char* name;
  double Constants::*value;
  bool kernel;  // what a kernel does; else the workload's
  const char* meaning;
  const char* source;
};
const std::vector<ConstantRow>& ConstantTable();

// The amounts of a preset by name: "large", "kernel-6.12".
std::vector<std::string> PresetNames();
Constants Preset(std::string_view name);

// Applies NAME=VALUE. InvalidArgument: there is no such name, or no such number.
absl::Status SetConstant(std::string_view text, Constants& constants);

}  // namespace ebcache::lab

#endif  // EBCACHE_BENCH_LAB_CONSTANTS_H_
