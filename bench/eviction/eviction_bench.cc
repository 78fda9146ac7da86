// Which order should blocks leave a cache in? Replays recorded and made-up accesses through
// textbook orders, through the BufferCache itself, and through Belady's optimum, which knows the
// future.
//
//   ./bazelw run //bench:eviction_bench -- [--trace=FILE.gz]... [--seed=N] [--generated]
//       [--cross-validate] [--json] [BLOCKS...]
//
// Counts hits, not time: the same figures on every machine.

#include <absl/status/status.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bench/eviction/access_trace.h"
#include "bench/eviction/comparison.h"
#include "bench/eviction/cross_validation.h"
#include "bench/eviction/eviction_schema.h"
#include "bench/eviction/generated_loads.h"
#include "tools/command.h"
#include "tools/json_output.h"
#include "tools/program.h"
#include "tools/progress.h"
#include "tools/table.h"

namespace ebcache::eviction {
namespace {

using tools::Json;

constexpr char kAbout[] =
    "Replays recordings of what a kernel and tools touched, a walk with lookups, and made-up loads\n"
    "through textbook eviction orders, the cache itself, and Belady's optimum; for caches of so many\n"
    "BLOCKS (64, 256, 1024, 2048 and 4096). Recordings that were not named and are not there are left\n"
    "out.\n"
    "\n"
    "Exit code: 0 done; 2 the command line is wrong, or a recording cannot be read.";

struct Options {
  std::vector<std::string> paths;
  uint64_t seed = 1;
  bool generated = false;
  bool cross_validate = false;
  bool json = false;
};

// A load and how it is replayed.
struct Load {
  const AccessTrace* trace;
  bool recorded;
  Frees frees;
};

const char* FreesName(Frees frees) { return frees == Frees::kHonoured ? "honoured" : "ignored"; }

std::string LoadName(const Comparison& comparison) {
  return comparison.frees_are == Frees::kIgnored
             ? absl::StrCat(comparison.load, ", frees ignored")
             : comparison.load;
}

void PrintText(const Comparison& comparison) {
  absl::PrintF("%s: %d touches of %d blocks", comparison.load, comparison.touches,
               comparison.blocks);
  if (comparison.frees != 0) {
    absl::PrintF(", %d frees %s", comparison.frees, FreesName(comparison.frees_are));
  }
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

std::string WorstText(const Summary& summary) {
  if (summary.worst_load.empty()) return "never below LRU";
  return absl::StrFormat("%.2f (%s, %d blocks)", summary.worst_points, summary.worst_load,
                         summary.worst_blocks);
}

void PrintWorstFirst(const std::vector<Comparison>& comparisons) {
  absl::PrintF("hits over LRU's, in points; where ebcache does worst first\n");
  std::vector<std::string> titles = {"load", "blocks", "LRU %"};
  for (const Row& row : comparisons.front().rows) {
    if (row.name != "LRU") titles.push_back(row.name);
  }
  tools::Table table(std::move(titles));
  for (const auto& [comparison, size] : CellsWorstFirst(comparisons)) {
    std::vector<std::string> cells = {
        LoadName(*comparison), absl::StrCat(comparison->sizes[size]),
        absl::StrFormat("%.2f", HitPercent(comparison->rows.front().replays[size]))};
    for (const Row& row : comparison->rows) {
      if (row.name == "LRU") continue;
      cells.push_back(absl::StrFormat("%+.2f", PointsOverLru(*comparison, row, size)));
    }
    table.AddRow(std::move(cells));
  }
  table.Print();
  absl::PrintF("\n");
}

void PrintSummaries(const std::vector<Comparison>& comparisons, const std::string& of) {
  absl::PrintF("%s: where each order is furthest below LRU, and the mean part of the gap closed "
               "(of gaps from %.2f points; below -100 %% counts as that)\n",
               of, kLeastGapPoints);
  tools::Table table({"order", "gap closed", "over LRU", "worst against LRU"});
  for (const Summary& summary : Summaries(comparisons)) {
    table.AddRow({summary.order, absl::StrFormat("%.1f%%", summary.mean_gap_closed_percent),
                  absl::StrFormat("%+.2f", summary.mean_points), WorstText(summary)});
  }
  table.Print();
  absl::PrintF("\n");
}

void PrintText(const Validation& validation) {
  absl::PrintF("the cache's order with other constants, on all loads\n");
  tools::Table variants({"constants", "gap closed", "worst against LRU"});
  for (const Summary& summary : validation.on_all) {
    variants.AddRow({summary.order, absl::StrFormat("%.1f%%", summary.mean_gap_closed_percent),
                     WorstText(summary)});
  }
  variants.Print();
  absl::PrintF("\nconstants chosen on some loads, judged on the others\n");
  tools::Table folds({"chosen on", "constants", "gap closed there", "on the others",
                      "worst against LRU on the others"});
  for (const Fold& fold : validation.folds) {
    folds.AddRow({fold.chosen_on, fold.variant,
                  absl::StrFormat("%.1f%%", fold.chosen.mean_gap_closed_percent),
                  absl::StrFormat("%.1f%%", fold.judged.mean_gap_closed_percent),
                  WorstText(fold.judged)});
  }
  folds.Print();
}

Json ToJson(const Comparison& comparison) {
  Json json = {{"trace", comparison.load},
               {"recorded", comparison.recorded},
               {"touches", comparison.touches},
               {"blocks", comparison.blocks},
               {"frees", comparison.frees},
               {"frees_are", FreesName(comparison.frees_are)},
               {"orders", Json::array()}};
  for (const Row& row : comparison.rows) {
    Json sizes = Json::array();
    for (size_t i = 0; i < row.replays.size(); ++i) {
      sizes.push_back({{"cache_blocks", comparison.sizes[i]},
                       {"hits", row.replays[i].hits},
                       {"hit_percent", HitPercent(row.replays[i])},
                       {"points_over_lru", PointsOverLru(comparison, row, i)},
                       {"gap_closed_percent", GapClosedPercent(comparison, row, i)}});
    }
    json["orders"].push_back({{"name", row.name}, {"sizes", std::move(sizes)}});
  }
  return json;
}

Json ToJson(const Summary& summary) {
  return {{"order", summary.order},
          {"worst_points", summary.worst_points},
          {"worst_load", summary.worst_load},
          {"worst_blocks", summary.worst_blocks},
          {"mean_points", summary.mean_points},
          {"mean_gap_closed_percent", summary.mean_gap_closed_percent},
          {"gaps", summary.gaps}};
}

Json ToJson(const Validation& validation) {
  Json json = {{"variants", Json::array()}, {"folds", Json::array()}};
  for (const Summary& summary : validation.on_all) json["variants"].push_back(ToJson(summary));
  for (const Fold& fold : validation.folds) {
    json["folds"].push_back({{"chosen_on", fold.chosen_on},
                             {"variant", fold.variant},
                             {"chosen", ToJson(fold.chosen)},
                             {"judged", ToJson(fold.judged)}});
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

// The recordings that were named; or those that are known, as far as they are there.
absl::StatusOr<std::vector<AccessTrace>> ReadRecordings(const Options& options,
                                                        const tools::Command& command_line) {
  std::vector<AccessTrace> recordings;
  for (const std::string& path : options.paths) {
    auto recording = ReadRecording(path);
    if (!recording.ok()) return recording.status();
    recordings.push_back(*std::move(recording));
  }
  if (!options.paths.empty()) return recordings;
  auto kernel = ReadKernelRecording();
  auto tools = ReadToolRecordings();
  for (const absl::Status& status : {kernel.status(), tools.status()}) {
    if (status.ok()) continue;
    if (!absl::IsNotFound(status)) return status;
    command_line.Complain(absl::StrCat("left out, no recording: ", status.message()));
  }
  if (kernel.ok()) recordings.push_back(*std::move(kernel));
  if (tools.ok()) {
    for (AccessTrace& trace : *tools) recordings.push_back(std::move(trace));
  }
  return recordings;
}

std::vector<Load> LoadsOf(const std::vector<AccessTrace>& recordings,
                          const std::vector<AccessTrace>& made_up) {
  std::vector<Load> loads;
  for (const AccessTrace& trace : recordings) {
    loads.push_back({&trace, true, Frees::kHonoured});
    if (trace.accesses.size() != trace.touches) loads.push_back({&trace, true, Frees::kIgnored});
  }
  for (const AccessTrace& trace : made_up) loads.push_back({&trace, false, Frees::kHonoured});
  return loads;
}

void PrintAll(const std::vector<Comparison>& comparisons, const Validation* validation) {
  for (const Comparison& comparison : comparisons) PrintText(comparison);
  PrintWorstFirst(comparisons);
  std::vector<Comparison> recorded;
  for (const Comparison& comparison : comparisons) {
    if (comparison.recorded) recorded.push_back(comparison);
  }
  if (!recorded.empty()) PrintSummaries(recorded, "recordings");
  PrintSummaries(comparisons, "all loads");
  if (validation != nullptr) PrintText(*validation);
}

void PrintAllAsJson(const Options& options, const std::vector<Comparison>& comparisons,
                    const Validation* validation) {
  Json json = {{"seed", options.seed},
               {"comparisons", Json::array()},
               {"worst_first", Json::array()},
               {"orders", Json::array()},
               {"cross_validation", nullptr}};
  for (const Comparison& comparison : comparisons) {
    json["comparisons"].push_back(ToJson(comparison));
  }
  for (const auto& [comparison, size] : CellsWorstFirst(comparisons)) {
    const auto& rows = comparison->rows;
    json["worst_first"].push_back(
        {{"trace", comparison->load},
         {"frees_are", FreesName(comparison->frees_are)},
         {"cache_blocks", comparison->sizes[size]},
         {"points_over_lru", PointsOverLru(*comparison, rows[rows.size() - 2], size)}});
  }
  for (const Summary& summary : Summaries(comparisons)) json["orders"].push_back(ToJson(summary));
  if (validation != nullptr) json["cross_validation"] = ToJson(*validation);
  tools::PrintJson(json);
}

int Run(const Options& options, const std::vector<uint32_t>& sizes,
        const tools::Command& command_line) {
  const auto recordings = ReadRecordings(options, command_line);
  if (!recordings.ok()) {
    command_line.Complain(std::string(recordings.status().message()));
    return 2;
  }
  std::vector<AccessTrace> made_up = {WalkWithLookups(options.seed)};
  if (options.generated || options.cross_validate) {
    for (AccessTrace& trace : GeneratedLoads(options.seed)) made_up.push_back(std::move(trace));
  }

  std::vector<Comparison> comparisons;
  std::vector<JudgedLoad> judged;
  std::optional<Validation> validation;
  {
    tools::Progress progress;
    uint64_t steps = 0;
    for (const auto& [trace, recorded, frees] : LoadsOf(*recordings, made_up)) {
      comparisons.push_back(
          Compare(*trace, recorded, frees, sizes, [&, name = trace->name](const std::string& order) {
            progress.Show(steps++, "replays", absl::StrCat(order, " on ", name));
          }));
      judged.push_back({.trace = trace, .comparison = comparisons.back()});
    }
    if (options.cross_validate) {
      validation = CrossValidate(judged, [&](const std::string& what) {
        progress.Show(steps++, "replays", what);
      });
    }
  }
  const Validation* const found = validation ? &*validation : nullptr;
  if (options.json) {
    PrintAllAsJson(options, comparisons, found);
  } else {
    PrintAll(comparisons, found);
  }
  return 0;
}

int Main(int argc, char** argv) {
  Options options;
  tools::Command command_line("eviction_bench", "[FLAG...] [BLOCKS...]", kAbout);
  command_line.AddTexts('t', "trace",
                        "replay the recording FILE; several may be given ($EBCACHE_SHARED/traces/*.gz)",
                        &options.paths, "FILE");
  command_line.AddNumber("seed", "of what is made up (1)", ~uint64_t{0}, &options.seed);
  command_line.AddFlag("generated", "replay made-up loads of many patterns too", &options.generated);
  command_line.AddFlag("cross-validate",
                       "choose constants of the cache's order on some of the loads, made-up ones too, "
                       "and judge them on the others, every way round",
                       &options.cross_validate);
  command_line.AddJson("JSON instead of text", kEvictionSchema, &options.json);
  return tools::RunProgram(command_line, [&]() -> int {
    if (auto code = command_line.Parse(argc, argv)) return *code;
    const auto sizes = ParseSizes(command_line.operands());
    if (!sizes) return command_line.UsageError("BLOCKS are numbers from 16");
    tools::EnterDirectoryOfCaller();
    return Run(options, *sizes, command_line);
  });
}

}  // namespace
}  // namespace ebcache::eviction

int main(int argc, char** argv) { return ebcache::eviction::Main(argc, argv); }
