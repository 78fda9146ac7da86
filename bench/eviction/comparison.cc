#include "bench/eviction/comparison.h"

#include <algorithm>
#include <utility>

namespace ebcache::eviction {

namespace {

struct NamedPolicy {
  const char* name;
  MakePolicy make;
};
constexpr NamedPolicy kPolicies[] = {
    {"LRU", MakeLru},     {"CLOCK", MakeClock},         {"SIEVE", MakeSieve},
    {"2Q", MakeTwoQueue}, {"S3-FIFO", MakeS3Fifo},      {"ARC", MakeArc},
    {"LIRS", MakeLirs},   {"ebcache", MakeBufferCache},
};

// What LRU leaves to the optimum, in points.
double GapPoints(const Comparison& comparison, size_t size) {
  return PointsOverLru(comparison, comparison.rows.back(), size);
}

}  // namespace

Comparison Compare(const AccessTrace& trace, bool recorded, Frees frees,
                   const std::vector<uint32_t>& sizes,
                   absl::FunctionRef<void(const std::string& order)> tell) {
  Comparison comparison{.load = trace.name,
                        .recorded = recorded,
                        .touches = trace.touches,
                        .blocks = trace.blocks,
                        .frees = trace.accesses.size() - trace.touches,
                        .frees_are = frees,
                        .sizes = sizes,
                        .rows = {}};
  for (const NamedPolicy& policy : kPolicies) {
    tell(policy.name);
    Row row{.name = policy.name, .replays = {}};
    for (const uint32_t size : sizes) {
      row.replays.push_back(ReplayTrace(trace, frees, *policy.make(size, trace.blocks)));
    }
    comparison.rows.push_back(std::move(row));
  }
  tell("optimum");
  Row optimum{.name = "optimum", .replays = {}};
  for (const uint32_t size : sizes) optimum.replays.push_back(ReplayOptimum(trace, frees, size));
  comparison.rows.push_back(std::move(optimum));
  return comparison;
}

double HitPercent(const Replay& replay) {
  return 100.0 * static_cast<double>(replay.hits) / static_cast<double>(replay.touches);
}

double PointsOverLru(const Comparison& comparison, const Row& row, size_t size) {
  return HitPercent(row.replays[size]) - HitPercent(comparison.rows.front().replays[size]);
}

double GapClosedPercent(const Comparison& comparison, const Row& row, size_t size) {
  const auto lru = static_cast<double>(comparison.rows.front().replays[size].hits);
  const auto optimum = static_cast<double>(comparison.rows.back().replays[size].hits);
  if (optimum == lru) return 0;
  return 100.0 * (static_cast<double>(row.replays[size].hits) - lru) / (optimum - lru);
}

Summary Summarize(const std::vector<Comparison>& comparisons, size_t which) {
  Summary summary;
  uint64_t cells = 0;
  for (const Comparison& comparison : comparisons) {
    const Row& row = comparison.rows[which];
    summary.order = row.name;
    for (size_t size = 0; size < comparison.sizes.size(); ++size) {
      const double points = PointsOverLru(comparison, row, size);
      if (points < summary.worst_points) {
        summary.worst_points = points;
        summary.worst_load = comparison.load;
        summary.worst_blocks = comparison.sizes[size];
      }
      summary.mean_points += points;
      ++cells;
      if (GapPoints(comparison, size) < kLeastGapPoints) continue;
      summary.mean_gap_closed_percent += std::max(-100.0, GapClosedPercent(comparison, row, size));
      ++summary.gaps;
    }
  }
  if (cells != 0) summary.mean_points /= static_cast<double>(cells);
  if (summary.gaps != 0) summary.mean_gap_closed_percent /= static_cast<double>(summary.gaps);
  return summary;
}

std::vector<Summary> Summaries(const std::vector<Comparison>& comparisons) {
  std::vector<Summary> summaries;
  for (size_t row = 0; row < comparisons.front().rows.size(); ++row) {
    summaries.push_back(Summarize(comparisons, row));
  }
  std::stable_sort(summaries.begin(), summaries.end(), [](const Summary& a, const Summary& b) {
    return a.worst_points < b.worst_points;
  });
  return summaries;
}

std::vector<Cell> CellsWorstFirst(const std::vector<Comparison>& comparisons) {
  std::vector<Cell> cells;
  for (const Comparison& comparison : comparisons) {
    for (size_t size = 0; size < comparison.sizes.size(); ++size) {
      cells.push_back({.comparison = &comparison, .size = size});
    }
  }
  const auto points = [](const Cell& cell) {
    const auto& rows = cell.comparison->rows;
    return PointsOverLru(*cell.comparison, rows[rows.size() - 2], cell.size);
  };
  std::stable_sort(cells.begin(), cells.end(),
                   [&](const Cell& a, const Cell& b) { return points(a) < points(b); });
  return cells;
}

}  // namespace ebcache::eviction
