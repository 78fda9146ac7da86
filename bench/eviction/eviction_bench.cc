// Which order should blocks leave a cache in? Replays recorded and made-up accesses through
// textbook orders, through the BufferCache itself, and through Belady's optimum, which knows the
// future.
//
//   ./bazelw run //bench:eviction_bench -- [--sizes=256,1024,...] [--trace=FILE.gz] [--seed=N]
//                                          [--json]
//
// Counts hits, not time: the same figures on every machine. Exit code 0; 2 when the recording was
// named and cannot be read, or a flag makes no sense. A recording that was not named and is not
// there is left out, and said so.

#include <absl/flags/flag.h>
#include <absl/flags/parse.h>
#include <absl/flags/usage.h>
#include <absl/status/status.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_format.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/eviction/access_trace.h"
#include "bench/eviction/eviction_policy.h"

ABSL_FLAG(std::vector<std::string>, sizes,
          (std::vector<std::string>{"64", "256", "1024", "2048", "4096"}),
          "cache sizes, in blocks");
ABSL_FLAG(std::string, trace, "",
          "a recording to replay; else $EBCACHE_SHARED/traces/metadata-access.gz");
ABSL_FLAG(uint64_t, seed, 1, "of the walk with look-ups");
ABSL_FLAG(bool, json, false, "JSON instead of text");

namespace ebcache::eviction {
namespace {

using Json = nlohmann::ordered_json;

struct NamedPolicy {
  const char* name;
  MakePolicy make;
};
constexpr NamedPolicy kPolicies[] = {
    {"LRU", MakeLru},     {"CLOCK", MakeClock},         {"SIEVE", MakeSieve},
    {"2Q", MakeTwoQueue}, {"S3-FIFO", MakeS3Fifo},      {"ARC", MakeArc},
    {"LIRS", MakeLirs},   {"ebcache", MakeBufferCache},
};

// One order on one trace, at every size.
struct Row {
  std::string name;
  std::vector<Replay> replays;
};

// All orders on one trace.
struct Comparison {
  const AccessTrace* trace;
  Frees frees;
  std::vector<uint32_t> sizes;
  std::vector<Row> rows;  // LRU first, the optimum last
};

double HitPercent(const Replay& replay) {
  return 100.0 * static_cast<double>(replay.hits) / static_cast<double>(replay.touches);
}

// How much of what LRU leaves to the optimum is taken. Without a gap there is nothing to take.
double GapClosedPercent(const Comparison& comparison, const Row& row, size_t size) {
  const auto lru = static_cast<double>(comparison.rows.front().replays[size].hits);
  const auto optimum = static_cast<double>(comparison.rows.back().replays[size].hits);
  if (optimum == lru) return 0;
  return 100.0 * (static_cast<double>(row.replays[size].hits) - lru) / (optimum - lru);
}

void ShowProgress(const char* what) {
  if (isatty(STDERR_FILENO) == 0) return;
  absl::FPrintF(stderr, "\r%-40s\r", what);
}

Comparison Compare(const AccessTrace& trace, Frees frees, const std::vector<uint32_t>& sizes) {
  Comparison comparison{.trace = &trace, .frees = frees, .sizes = sizes};
  for (const NamedPolicy& policy : kPolicies) {
    ShowProgress(policy.name);
    Row row{.name = policy.name};
    for (const uint32_t size : sizes) {
      row.replays.push_back(ReplayTrace(trace, frees, *policy.make(size, trace.blocks)));
    }
    comparison.rows.push_back(std::move(row));
  }
  ShowProgress("optimum");
  Row optimum{.name = "optimum"};
  for (const uint32_t size : sizes) {
    optimum.replays.push_back(ReplayOptimum(trace, frees, size));
  }
  comparison.rows.push_back(std::move(optimum));
  ShowProgress("");
  return comparison;
}

const char* FreesName(Frees frees) { return frees == Frees::kHonoured ? "honoured" : "ignored"; }

void PrintText(const Comparison& comparison) {
  const AccessTrace& trace = *comparison.trace;
  absl::PrintF("%s: %d touches of %d blocks", trace.name, trace.touches, trace.blocks);
  const uint64_t frees = trace.accesses.size() - trace.touches;
  if (frees != 0) absl::PrintF(", %d frees %s", frees, FreesName(comparison.frees));
  absl::PrintF("\nhits in %%, and how much of the gap between LRU and the optimum is closed\n%-9s",
               "blocks");
  for (const uint32_t size : comparison.sizes) absl::PrintF(" %16d", size);
  absl::PrintF("\n");
  for (const Row& row : comparison.rows) {
    absl::PrintF("%-9s", row.name);
    for (size_t i = 0; i < row.replays.size(); ++i) {
      absl::PrintF(" %8.3f %6.1f%%", HitPercent(row.replays[i]),
                   GapClosedPercent(comparison, row, i));
    }
    absl::PrintF("\n");
  }
  absl::PrintF("\n");
}

Json ToJson(const Comparison& comparison) {
  const AccessTrace& trace = *comparison.trace;
  Json json = {{"trace", trace.name},
               {"touches", trace.touches},
               {"blocks", trace.blocks},
               {"frees", trace.accesses.size() - trace.touches},
               {"frees_are", FreesName(comparison.frees)},
               {"orders", Json::array()}};
  for (const Row& row : comparison.rows) {
    Json sizes = Json::array();
    for (size_t i = 0; i < row.replays.size(); ++i) {
      sizes.push_back({{"cache_blocks", comparison.sizes[i]},
                       {"hits", row.replays[i].hits},
                       {"hit_percent", HitPercent(row.replays[i])},
                       {"gap_closed_percent", GapClosedPercent(comparison, row, i)}});
    }
    json["orders"].push_back({{"name", row.name}, {"sizes", std::move(sizes)}});
  }
  return json;
}

// False when a size is no number, or too small for orders that split the cache.
bool ParseSizes(std::vector<uint32_t>* sizes) {
  constexpr uint32_t kFewestBlocks = 16;
  for (const std::string& text : absl::GetFlag(FLAGS_sizes)) {
    uint32_t size = 0;
    if (!absl::SimpleAtoi(text, &size) || size < kFewestBlocks) {
      absl::FPrintF(stderr, "--sizes: %s is not a number of blocks from %d\n", text, kFewestBlocks);
      return false;
    }
    sizes->push_back(size);
  }
  return true;
}

int Main() {
  std::vector<uint32_t> sizes;
  if (!ParseSizes(&sizes)) return 2;
  std::vector<Comparison> comparisons;

  const std::string path = absl::GetFlag(FLAGS_trace);
  const auto recording = path.empty() ? ReadKernelRecording() : ReadRecording(path);
  if (recording.ok()) {
    comparisons.push_back(Compare(*recording, Frees::kHonoured, sizes));
    comparisons.push_back(Compare(*recording, Frees::kIgnored, sizes));
  } else {
    const bool left_out = path.empty() && absl::IsNotFound(recording.status());
    absl::FPrintF(stderr, "%s%s\n", left_out ? "no kernel recording: " : "",
                  absl::string_view(recording.status().message()));
    if (!left_out) return 2;
  }
  const AccessTrace walk = WalkWithLookups(absl::GetFlag(FLAGS_seed));
  comparisons.push_back(Compare(walk, Frees::kHonoured, sizes));

  if (absl::GetFlag(FLAGS_json)) {
    Json json = Json::array();
    for (const Comparison& comparison : comparisons) json.push_back(ToJson(comparison));
    std::cout << Json{{"seed", absl::GetFlag(FLAGS_seed)}, {"comparisons", json}}.dump(2) << '\n';
  } else {
    for (const Comparison& comparison : comparisons) PrintText(comparison);
  }
  return 0;
}

}  // namespace
}  // namespace ebcache::eviction

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "Compares eviction orders by hits on recorded and made-up accesses.");
  absl::ParseCommandLine(argc, argv);
  return ebcache::eviction::Main();
}
