// The table and the JSON.

#include "bench/lab/report.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <cstdio>

#include "tools/json_output.h"
#include "tools/table.h"

namespace ebcache::lab {
namespace {

std::string SkippedText(const Run& run) {
  std::string text;
  for (const auto& [verdict, count] : run.skipped) {
    if (count == 0) continue;
    absl::StrAppend(&text, text.empty() ? "" : ", ", verdict, " ", count);
  }
  return text.empty() ? "none" : text;
}

}  // namespace

void PrintTable(const Lab& lab) {
  std::printf("%d GiB of memory, %d GiB of btree pages, seed %d\n\n",
              static_cast<int>(lab.memory_gib), static_cast<int>(lab.btree_gib),
              static_cast<int>(lab.seed));
  std::printf("It is assumed:\n");
  for (const Assumption& a : Assumptions()) {
    std::printf("  %7s  %s\n", absl::StrFormat("%g", a.value).c_str(), a.meaning);
  }
  std::printf("\n");
  tools::Table table({"policy", "hint", "tainted", "with btree", "recoverable", "1 GiB obtained",
                      "pages moved", "buffers released", "seconds", "not moved"});
  for (const Run& run : lab.runs) {
    table.AddRow({run.policy, run.hint ? "on" : "off", absl::StrCat(run.census.tainted),
                  absl::StrCat(run.census.holding_btree), absl::StrCat(run.census.recoverable),
                  absl::StrCat(run.huge_1g_obtained, " of ", run.superpageblocks),
                  absl::StrCat(run.pages_migrated), absl::StrCat(run.buffers_released),
                  absl::StrFormat("%.1f", run.seconds), SkippedText(run)});
  }
  table.Print();
  std::printf(
      "\nBtree blocks of 16 KiB in one piece by luck, of those made and of those cached at the "
      "end (a kernel counted %.1f %% under a metadata load, %.1f %% under a data load):\n",
      kKernelLuckMetadata * 100, kKernelLuckData * 100);
  for (const Run& run : lab.runs) {
    std::printf("  %s, hint %s: %.1f %%, %.1f %%\n", run.policy.c_str(), run.hint ? "on" : "off",
                run.luck.made * 100, run.luck.cached * 100);
  }
  std::printf("\npeak memory of this program: %s\n", tools::HumanBytes(lab.peak_rss_bytes).c_str());
}

std::string ToJson(const Lab& lab) {
  using tools::Json;
  Json assumptions = {
      {"memory_gib", lab.memory_gib}, {"btree_gib", lab.btree_gib}, {"seed", lab.seed}};
  for (const Assumption& a : Assumptions()) assumptions[a.name] = a.value;
  Json runs = Json::array();
  for (const Run& run : lab.runs) {
    Json skipped = Json::object();
    for (const auto& [verdict, count] : run.skipped) skipped[verdict] = count;
    runs.push_back({{"hint", run.hint},
                    {"policy", run.policy},
                    {"superpageblocks", run.superpageblocks},
                    {"tainted", run.census.tainted},
                    {"holding_btree", run.census.holding_btree},
                    {"recoverable", run.census.recoverable},
                    {"huge_1g_obtained", run.huge_1g_obtained},
                    {"pages_migrated", run.pages_migrated},
                    {"buffers_released", run.buffers_released},
                    {"skipped", skipped},
                    {"lucky_share_made", run.luck.made},
                    {"lucky_share_cached", run.luck.cached},
                    {"seconds", run.seconds}});
  }
  const Json all = {{"assumptions", assumptions},
                    {"runs", runs},
                    {"kernel_lucky_share",
                     {{"metadata_load", kKernelLuckMetadata}, {"data_load", kKernelLuckData}}},
                    {"peak_rss_bytes", lab.peak_rss_bytes}};
  return tools::JsonText(all) + "\n";
}

}  // namespace ebcache::lab
