// Which order should blocks leave a cache in? Replays recorded and made-up accesses through
// textbook orders, through the BufferCache itself, and through Belady's optimum, which knows the
// future.
//
//   ./bazelw run //bench:eviction_bench -- [--trace=FILE.gz] [--seed=N] [--json] [BLOCKS...]
//
// Counts hits, not time: the same figures on every machine.

#include <absl/status/status.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bench/eviction/access_trace.h"
#include "bench/eviction/eviction_policy.h"
#include "tools/command.h"
#include "tools/json_output.h"
#include "tools/program.h"
#include "tools/progress.h"
#include "tools/table.h"

namespace ebcache::eviction {
namespace {

using tools::Json;

constexpr char kAbout[] =
    "Replays a recording of what a kernel touched, and a walk with lookups, through textbook\n"
    "eviction orders, the cache itself, and Belady's optimum; for caches of so many BLOCKS (64, "
    "256,\n"
    "1024, 2048 and 4096). A recording that was not named and is not there is left out.\n"
    "\n"
    "Exit code: 0 done; 2 the command line is wrong, or the recording cannot be read.";

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

Comparison Compare(const AccessTrace& trace, Frees frees, const std::vector<uint32_t>& sizes) {
  tools::Progress progress;
  Comparison comparison{.trace = &trace, .frees = frees, .sizes = sizes};
  for (const NamedPolicy& policy : kPolicies) {
    progress.Show(comparison.rows.size(), "orders", policy.name);
    Row row{.name = policy.name};
    for (const uint32_t size : sizes) {
      row.replays.push_back(ReplayTrace(trace, frees, *policy.make(size, trace.blocks)));
    }
    comparison.rows.push_back(std::move(row));
  }
  progress.Show(comparison.rows.size(), "orders", "optimum");
  Row optimum{.name = "optimum"};
  for (const uint32_t size : sizes) {
    optimum.replays.push_back(ReplayOptimum(trace, frees, size));
  }
  comparison.rows.push_back(std::move(optimum));
  return comparison;
}

const char* FreesName(Frees frees) { return frees == Frees::kHonoured ? "honoured" : "ignored"; }

void PrintText(const Comparison& comparison) {
  const AccessTrace& trace = *comparison.trace;
  absl::PrintF("%s: %d touches of %d blocks", trace.name, trace.touches, trace.blocks);
  const uint64_t frees = trace.accesses.size() - trace.touches;
  if (frees != 0) absl::PrintF(", %d frees %s", frees, FreesName(comparison.frees));
  absl::PrintF("\nhits in %%, and how much of the gap between LRU and the optimum is closed\n");
  std::vector<std::string> titles = {"blocks"};
  for (const uint32_t size : comparison.sizes) titles.push_back(absl::StrCat(size));
  tools::Table table(std::move(titles));
  for (const Row& row : comparison.rows) {
    std::vector<std::string> cells = {row.name};
    for (size_t i = 0; i < row.replays.size(); ++i) {
      cells.push_back(absl::StrFormat("%.3f %6.1f%%", HitPercent(row.replays[i]),
                                      GapClosedPercent(comparison, row, i)));
    }
    table.AddRow(std::move(cells));
  }
  table.Print();
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

// Nothing when a size is no number, or too small for orders that split the cache.
std::optional<std::vector<uint32_t>> ParseSizes(const std::vector<std::string>& texts) {
  constexpr uint32_t kFewestBlocks = 16;
  if (texts.empty()) return std::vector<uint32_t>{64, 256, 1024, 2048, 4096};
  std::vector<uint32_t> sizes;
  for (const std::string& text : texts) {
    uint32_t size = 0;
    if (!absl::SimpleAtoi(text, &size) || size < kFewestBlocks) return std::nullopt;
    sizes.push_back(size);
  }
  return sizes;
}

int Main(int argc, char** argv) {
  std::string path;
  uint64_t seed = 1;
  bool json = false;
  tools::Command command_line("eviction_bench", "[FLAG...] [BLOCKS...]", kAbout);
  command_line.AddText(
      "trace", "replay the recording FILE ($EBCACHE_SHARED/traces/metadata-access.gz)", &path);
  command_line.AddNumber("seed", "of the walk with lookups (1)", ~uint64_t{0}, &seed);
  command_line.AddFlag("json", "JSON instead of text", &json);
  return tools::RunProgram(command_line, [&]() -> int {
    if (auto code = command_line.Parse(argc, argv)) return *code;
    const auto sizes = ParseSizes(command_line.operands());
    if (!sizes) return command_line.UsageError("BLOCKS are numbers from 16");
    tools::EnterDirectoryOfCaller();

    std::vector<Comparison> comparisons;
    const auto recording = path.empty() ? ReadKernelRecording() : ReadRecording(path);
    if (recording.ok()) {
      comparisons.push_back(Compare(*recording, Frees::kHonoured, *sizes));
      comparisons.push_back(Compare(*recording, Frees::kIgnored, *sizes));
    } else {
      const bool left_out = path.empty() && absl::IsNotFound(recording.status());
      command_line.Complain(absl::StrCat(left_out ? "left out, no kernel recording: " : "",
                                         recording.status().message()));
      if (!left_out) return 2;
    }
    const AccessTrace walk = WalkWithLookups(seed);
    comparisons.push_back(Compare(walk, Frees::kHonoured, *sizes));

    if (json) {
      Json all = Json::array();
      for (const Comparison& comparison : comparisons) all.push_back(ToJson(comparison));
      tools::PrintJson({{"seed", seed}, {"comparisons", all}});
    } else {
      for (const Comparison& comparison : comparisons) PrintText(comparison);
    }
    return 0;
  });
}

}  // namespace
}  // namespace ebcache::eviction

int main(int argc, char** argv) { return ebcache::eviction::Main(argc, argv); }
