// The table and the JSON.

#include "bench/lab/report.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <cstdio>

#include "tools/json_output.h"
#include "tools/table.h"

namespace ebcache::lab {
namespace {

using tools::Json;

std::string SkippedText(const Run& run) {
  std::string text;
  for (const auto& [verdict, count] : run.skipped) {
    if (count == 0) continue;
    absl::StrAppend(&text, text.empty() ? "" : ", ", verdict, " ", count);
  }
  return text.empty() ? "none" : text;
}

void PrintConstants(const Lab& lab) {
  std::printf("It is assumed, of the workload:\n");
  for (const bool kernel : {false, true}) {
    if (kernel) std::printf("and that a kernel does (under policy pageblock, reclaim in both):\n");
    for (const ConstantRow& row : ConstantTable()) {
      if (row.kernel != kernel) continue;
      std::printf("  %7s  %s: %s\n", absl::StrFormat("%g", lab.constants.*(row.value)).c_str(),
                  row.name, row.meaning);
      if (row.kernel) std::printf("           (%s)\n", row.source);
    }
  }
  std::printf("\n");
}

void PrintRuns(const Lab& lab) {
  tools::Table table({"policy, hint", "tainted", "with btree", "recoverable", "1 GiB obtained",
                      "pages moved", "buffers released", "seconds", "not moved"});
  for (const Run& run : lab.runs) {
    const Census& end = run.end();
    table.AddRow({RunName(lab, run), absl::StrCat(end.tainted), absl::StrCat(end.holding_btree),
                  absl::StrCat(end.recoverable),
                  run.has_gigantic ? absl::StrCat(run.huge_1g_obtained, " of ", run.superpageblocks)
                                   : "not asked",
                  absl::StrCat(run.pages_migrated), absl::StrCat(run.buffers_released),
                  absl::StrFormat("%.1f", run.seconds), SkippedText(run)});
  }
  table.Print();
}

// At the job's end.
void PrintCensus(const Lab& lab) {
  std::printf("\nPage blocks when the job has ended; then pages of 2 MiB, in three requests after a "
              "compaction, and with all caches dropped:\n\n");
  tools::Table table({"policy, hint", "blocks", "kernel pages", "btree pages", "wholly free",
                      "2 MiB obtained", "caches dropped", "read again", "from disk"});
  for (const Run& run : lab.runs) {
    const Census& end = run.end();
    table.AddRow({RunName(lab, run), absl::StrCat(end.pageblocks), absl::StrCat(end.with_kernel),
                  absl::StrCat(end.with_btree), absl::StrCat(end.wholly_free),
                  absl::StrCat(run.huge_asked()), absl::StrCat(run.huge_dropped()),
                  absl::StrCat(run.rereads.asked), absl::StrCat(run.rereads.read)});
  }
  table.Print();
  std::printf("\nRanges without kernel pages, and of those without btree pages either:\n\n");
  std::vector<std::string> titles = {"policy, hint"};
  for (const RangeCount& range : lab.runs.front().end().ranges) {
    titles.push_back(range.mib == 1024 ? "1 GiB" : absl::StrCat(range.mib, " MiB"));
  }
  tools::Table ranges(titles);
  for (const Run& run : lab.runs) {
    std::vector<std::string> row = {RunName(lab, run)};
    for (const RangeCount& range : run.end().ranges) {
      row.push_back(absl::StrCat(range.without_kernel, "/", range.without_either));
    }
    ranges.AddRow(row);
  }
  ranges.Print();
}

Json StagesJson(const std::vector<Stage>& stages) {
  Json json = Json::object();
  for (const Stage& stage : stages) json[stage.name] = ToJson(stage.census);
  return json;
}

Json RunJson(const Run& run) {
  Json skipped = Json::object();
  for (const auto& [verdict, count] : run.skipped) skipped[verdict] = count;
  Json asks = Json::array();
  for (const HugeAsk& ask : run.huge_2m) asks.push_back({{"after", ask.after}, {"got", ask.got}});
  return {{"hint", run.hint},
          {"policy", run.policy},
          {"seed", run.seed},
          {"superpageblocks", run.superpageblocks},
          {"tainted", run.end().tainted},
          {"holding_btree", run.end().holding_btree},
          {"recoverable", run.end().recoverable},
          {"huge_1g_obtained", run.has_gigantic ? Json(run.huge_1g_obtained) : Json()},
          {"huge_2m_obtained", run.huge_asked()},
          {"huge_2m_caches_dropped", run.huge_dropped()},
          {"huge_2m", asks},
          {"stages", StagesJson(run.stages)},
          {"huge_2m_stages", StagesJson(run.huge_stages)},
          {"compacted_folios", run.compacted_folios},
          {"rereads",
           {{"asked", run.rereads.asked},
            {"read", run.rereads.read},
            {"attached", run.rereads.attached}}},
          {"reclaimed_pages",
           {{"file", run.reclaimed.file_frames}, {"btree", run.reclaimed.block_frames}}},
          {"pages_migrated", run.pages_migrated},
          {"buffers_released", run.buffers_released},
          {"skipped", skipped},
          {"lucky_share_made", run.luck.made},
          {"lucky_share_cached", run.luck.cached},
          {"seconds", run.seconds}};
}

}  // namespace

std::string RunName(const Lab& lab, const Run& run) {
  std::string name = absl::StrCat(run.policy, ", hint ", run.hint ? "on" : "off");
  if (lab.seeds > 1) absl::StrAppend(&name, ", seed ", run.seed);
  return name;
}

void PrintTable(const Lab& lab) {
  std::printf("%g GiB of memory, %.3g GiB of btree pages, seed %d", lab.memory_gib,
              lab.memory_gib * lab.constants.btree, static_cast<int>(lab.seed));
  if (lab.seeds > 1) std::printf(" to %d", static_cast<int>(lab.seed + lab.seeds - 1));
  std::printf("\n\n");
  PrintConstants(lab);
  PrintRuns(lab);
  PrintCensus(lab);
  std::printf(
      "\nBtree blocks of 16 KiB in one piece by luck, of those made and of those cached at the "
      "end (a kernel counted %.1f %% under a metadata load, %.1f %% under a data load):\n",
      kKernelLuckMetadata * 100, kKernelLuckData * 100);
  for (const Run& run : lab.runs) {
    std::printf("  %s: %.1f %%, %.1f %%\n", RunName(lab, run).c_str(), run.luck.made * 100,
                run.luck.cached * 100);
  }
  if (lab.comparison.has_value()) PrintComparison(*lab.comparison);
  std::printf("\npeak memory of this program: %s\n", tools::HumanBytes(lab.peak_rss_bytes).c_str());
}

std::string ToJson(const Lab& lab) {
  Json assumptions = {{"memory_gib", lab.memory_gib},
                      {"btree_gib", lab.memory_gib * lab.constants.btree},
                      {"preset", lab.preset},
                      {"seed", lab.seed},
                      {"seeds", lab.seeds}};
  for (const ConstantRow& row : ConstantTable()) {
    assumptions[row.name] = lab.constants.*(row.value);
  }
  Json runs = Json::array();
  for (const Run& run : lab.runs) runs.push_back(RunJson(run));
  Json all = {{"assumptions", assumptions},
              {"runs", runs},
              {"kernel_lucky_share",
               {{"metadata_load", kKernelLuckMetadata}, {"data_load", kKernelLuckData}}},
              {"peak_rss_bytes", lab.peak_rss_bytes}};
  if (lab.comparison.has_value()) all["comparison"] = ToJson(*lab.comparison);
  return tools::JsonText(all) + "\n";
}

}  // namespace ebcache::lab
