// This build beside another one of this project: whether a change has made something slower.
//
// Both builds' own programs are run, in turns: cache_bench for what the cache does with blocks,
// tree-stats for walks. So the other build may be as old as these programs; a row that it has no
// work for is not measured. The last rows measure no code of this project at all: how far their
// ratio is from 1 is what the machine alone makes of one.

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "bench/report/output.h"
#include "bench/scorecard/card.h"
#include "bench/scorecard/process.h"
#include "bench/scorecard/tree_stats.h"

namespace ebcache::scorecard {
namespace {

using Json = nlohmann::json;

// What is taken of a benchmark: time of the processor where its thread never waits, else of the
// clock on the wall, or a counter of its own.
constexpr char kProcessor[] = "cpu_time";
constexpr char kWall[] = "real_time";
constexpr char kBytes[] = "bytes_per_block";

struct CacheRow {
  const char* row;
  const char* benchmark;  // as cache_bench names it
  const char* figure;
  bool million = false;
};
constexpr CacheRow kCacheRows[] = {
    {"find + put, uniform, 65,536 blocks, 1 thread",
     "find_put_uniform/ebcache/65536/real_time/threads:1", kProcessor},
    {"find + put, uniform, 65,536 blocks, 2 threads, per call of both",
     "find_put_uniform/ebcache/65536/real_time/threads:2", kWall},
    {"find + put, Zipf, 65,536 blocks, 1 thread", "find_put_zipf/ebcache/65536/real_time/threads:1",
     kProcessor},
    {"find + put, one block, 2 threads, per call of both",
     "find_put_hot_root/ebcache/65536/real_time/threads:2", kWall},
    {"find + put by 64, 65,536 blocks, 1 thread", "find_put_together/ebcache/65536/real_time",
     kProcessor},
    {"find + put, uniform, 1,048,576 blocks, 1 thread",
     "find_put_uniform/ebcache/1048576/real_time/threads:1", kProcessor, true},
    {"find + put, Zipf, 1,048,576 blocks, 1 thread",
     "find_put_zipf/ebcache/1048576/real_time/threads:1", kProcessor, true},
    {"find + put by 64, 1,048,576 blocks, 1 thread", "find_put_together/ebcache/1048576/real_time",
     kProcessor, true},
    {"a miss", "miss/ebcache/65536/real_time", kProcessor},
    {"a visit of what is cached, a block", "visit/ebcache/65536/real_time", kProcessor},
    {"allocate + free a 16 KiB buffer", "allocate_free/ebcache/real_time", kProcessor},
    {"put stale, a block", "put_stale/ebcache/65536/real_time", kProcessor},
    {"release, a block", "release/ebcache/65536/real_time", kProcessor},
    {"drop caches, a block", "drop_caches/ebcache/65536/real_time", kProcessor},
    {"move a 16 KiB node", "migrate/ebcache/iterations:20/manual_time", kWall},
    {"memory per cached 16 KiB block beyond its payload",
     "memory/ebcache/65536/iterations:1/real_time", kBytes},
};
constexpr CacheRow kFloorRows[] = {
    {"no cache: count a line up and down, 65,536 lines, 1 thread",
     "floor_find_put/machine/65536/real_time/threads:1", kProcessor},
    {"no cache: count a line up and down, 65,536 lines, 2 threads",
     "floor_find_put/machine/65536/real_time/threads:2", kWall},
    {"no cache: copy a 16 KiB node", "floor_copy/machine/real_time", kProcessor},
};

// Where the programs of the other build are: in the place itself, or where Bazel puts those of a
// checkout.
std::string OtherBuild(const std::string& place) {
  std::error_code error;
  const std::filesystem::path built = std::filesystem::path(place) / "bazel-bin";
  return std::filesystem::is_directory(built, error) ? built.string() : place;
}

absl::StatusOr<double> Figure(const std::string& build, const CacheRow& row, double seconds) {
  const auto finished = RunWell(
      {build + "/bench/cache/cache_bench", absl::StrCat("--benchmark_filter=^", row.benchmark, "$"),
       absl::StrFormat("--benchmark_min_time=%g", seconds), "--benchmark_format=json"});
  if (!finished.ok()) return finished.status();
  // With no benchmark of that name, it prints nothing.
  if (finished->output.empty()) {
    return absl::UnavailableError(absl::StrCat(build, ": no benchmark ", row.benchmark));
  }
  const auto report = report::ParseReport(finished->output, "cache_bench", {"/benchmarks/0/name"});
  if (!report.ok()) return report.status();
  const Json& only = report->at("benchmarks").at(0);
  if (only.value("error_occurred", false)) {
    return absl::UnavailableError(
        absl::StrCat(row.benchmark, ": ", only.value("error_message", "failed")));
  }
  if (only.contains(row.figure)) return only.at(row.figure).get<double>();
  return absl::UnavailableError(absl::StrCat(row.benchmark, " has no ", row.figure));
}

Comparison Against(const std::string& row, const std::string& unit, const std::string& work) {
  return {.row = row,
          .theirs = "that build",
          .unit = unit,
          .work = work,
          .goal = std::nullopt,
          .ratio = Comparison::Ratio::kOursToTheirs,
          .either_first = true};
}

void MeasureCacheRow(Card& card, const std::string& other, const CacheRow& row) {
  const double seconds = card.settings().turn_seconds();
  const bool bytes = row.figure == std::string_view(kBytes);
  const Comparison comparison =
      Against(row.row, bytes ? "bytes" : "ns", absl::StrCat("cache_bench: ", row.benchmark));
  if (row.million && card.settings().quick) {
    return card.NotMeasured(comparison, "--quick leaves a million blocks out");
  }
  card.Measure(
      comparison, [&] { return Figure(OwnBuild(), row, seconds); },
      [&] { return Figure(other, row, seconds); });
}

void MeasureWalk(Card& card, const std::string& other, const Comparison& comparison,
                 const std::vector<std::string>& flags, double Walk::*seconds) {
  const std::string& image = card.settings().image;
  if (const std::string why = WhyNoImage(image); !why.empty()) {
    return card.NotMeasured(comparison, why);
  }
  card.Measure(
      comparison, [&] { return MicrosecondsEach(WalkTrees(OwnBuild(), image, flags), seconds); },
      [&] { return MicrosecondsEach(WalkTrees(other, image, flags), seconds); });
}

}  // namespace

void MeasureAgainst(Card& card) {
  const std::string other = OtherBuild(card.settings().against);
  for (const CacheRow& row : kCacheRows) MeasureCacheRow(card, other, row);
  MeasureWalk(card, other,
              Against("walk and verify, page cache hot, 1 thread", "us a block",
                      "whole processes, their time of the processor"),
              {"--threads=1"}, &Walk::processor_seconds);
  MeasureWalk(card, other,
              Against("walk and verify, page cache hot", "us a block",
                      "whole processes, a thread for each processor, by the clock on the wall"),
              {}, &Walk::seconds);
  MeasureWalk(card, other,
              Against("walk and verify, O_DIRECT, queue depth 64", "us a block",
                      "the same past the page cache"),
              DirectFlags(64), &Walk::seconds);
  for (const CacheRow& row : kFloorRows) MeasureCacheRow(card, other, row);
}

}  // namespace ebcache::scorecard
