// Comparison: all orders on one load, at every size; and what they come to over all loads.

#ifndef EBCACHE_BENCH_EVICTION_COMPARISON_H_
#define EBCACHE_BENCH_EVICTION_COMPARISON_H_

#include <absl/functional/function_ref.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/eviction/access_trace.h"
#include "bench/eviction/eviction_policy.h"

namespace ebcache::eviction {

// One order on one load, at every size.
struct Row {
  std::string name;
  std::vector<Replay> replays;
};

// All orders on one load. LRU is the first row, the optimum the last.
struct Comparison {
  std::string load;
  bool recorded = false;  // rather than made up
  uint64_t touches = 0;
  uint32_t blocks = 0;
  uint64_t frees = 0;
  Frees frees_are = Frees::kHonoured;
  std::vector<uint32_t> sizes;
  std::vector<Row> rows;
};

// `tell` is told of each order before it is replayed.
Comparison Compare(const AccessTrace& trace, bool recorded, Frees frees,
                   const std::vector<uint32_t>& sizes,
                   absl::FunctionRef<void(const std::string& order)> tell);

double HitPercent(const Replay& replay);
// Hits more than LRU, in percent of the touches ("points").
double PointsOverLru(const Comparison& comparison, const Row& row, size_t size);
// How much of what LRU leaves to the optimum is taken, in percent. Without a gap there is nothing to take: 0.
double GapClosedPercent(const Comparison& comparison, const Row& row, size_t size);

// Gaps below this, in points, say nothing: their shares are left out of means.
inline constexpr double kLeastGapPoints = 0.05;

// What one order comes to over loads and sizes.
struct Summary {
  std::string order;
  double worst_points = 0;  // over LRU, where it is worst: below 0, or 0
  std::string worst_load;   // empty where it is nowhere below LRU
  uint32_t worst_blocks = 0;
  double mean_points = 0;
  // Of shares of gaps from kLeastGapPoints on; one of less than -100 % counts as that, so that no single
  // one decides.
  double mean_gap_closed_percent = 0;
  uint64_t gaps = 0;  // how many that were
};
Summary Summarize(const std::vector<Comparison>& comparisons, size_t row);
// For each order, the worst first.
std::vector<Summary> Summaries(const std::vector<Comparison>& comparisons);

// One load at one size.
struct Cell {
  const Comparison* comparison = nullptr;
  size_t size = 0;
};
// All of them, where the cache is worst against LRU first.
std::vector<Cell> CellsWorstFirst(const std::vector<Comparison>& comparisons);

}  // namespace ebcache::eviction

#endif  // EBCACHE_BENCH_EVICTION_COMPARISON_H_
