// fragmentation_lab: what the movable hint of btree pages is worth on a large machine.
//
//   ./bazelw run //bench:fragmentation_lab -- --html=lab.html
//
// Boots a phantom machine, fills it, churns it, ends the job that had most of it, and asks for 1
// GiB pages until there are no more; for each policy of the allocator, with and without the hint.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

#include "bench/lab/machine.h"
#include "bench/lab/report.h"
#include "bench/report/output.h"
#include "tools/command.h"
#include "tools/memory_report.h"
#include "tools/program.h"
#include "tools/progress.h"

namespace ebcache::lab {
namespace {

constexpr char kAbout[] =
    "Fills and churns a machine that has no memory, but a real page allocator and a real cache of\n"
    "extent buffers, and counts the 1 GiB pages that can be had from it afterwards.\n"
    "\n"
    "Exit code: 0 done; 1 a report could not be written; 2 the command line is wrong.";

using Policy = MovableRegionOptions::Policy;

Run LiveOnce(const MachineOptions& options, tools::Progress& progress) {
  Run run = {.hint = options.hint,
             .policy = options.policy == Policy::kPageblock ? "pageblock" : "superpageblock"};
  const std::string name = run.policy + ", hint " + (run.hint ? "on" : "off") + ", ";
  const auto begin = std::chrono::steady_clock::now();
  uint64_t ticks = 0;
  Machine machine(options,
                  [&](const char* what) { progress.Update(++ticks, "rounds", name + what); });
  machine.Fill();
  machine.Churn();
  machine.EndJob();
  run.superpageblocks = machine.region().superpageblocks();
  run.census = machine.TakeCensus();
  run.luck = machine.BlocksInOnePiece();
  run.free = machine.region().free_memory();
  run.before = machine.Map();
  const CacheStats cache_before = machine.cache().stats();
  const MovableRegionReport region_before = machine.region().report();
  run.huge_1g_obtained = machine.TakeHugePages();
  const CacheStats cache_after = machine.cache().stats();
  run.pages_migrated = machine.region().report().migrated_frames - region_before.migrated_frames;
  run.buffers_released = cache_after.folio_releases - cache_before.folio_releases;
  for (size_t i = 1; i < kReleaseVerdicts; ++i) {
    run.skipped.emplace_back(ReleaseVerdictName(static_cast<ReleaseVerdict>(i)),
                             cache_after.skipped[i] - cache_before.skipped[i]);
  }
  run.after = machine.Map();
  run.samples = machine.samples();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  run.seconds = took.count();
  return run;
}

// Nothing, unless a path was given.
bool Written(const tools::Command& command_line, const std::string& path, const std::string& text) {
  if (path.empty()) return true;
  const absl::Status status = report::WriteFile(path, text);
  if (!status.ok()) command_line.Complain(status.message());
  return status.ok();
}

int Main(int argc, char** argv) {
  Lab lab = {.memory_gib = 250, .btree_gib = 28, .seed = 1};
  std::string hint = "both", policy = "both", json_path, html_path, proc_path;
  tools::Command command_line("fragmentation_lab", "[FLAG...]", kAbout);
  command_line.AddNumber("memory-gib", "memory of the machine (250)", 1000, &lab.memory_gib);
  command_line.AddNumber("btree-gib", "of it in btree pages (28)", 1000, &lab.btree_gib);
  command_line.AddChoice("hint", "whether btree pages are movable (both)", {"on", "off", "both"},
                         &hint);
  command_line.AddChoice("policy", "how the allocator groups memory (both)",
                         {"pageblock", "superpageblock", "both"}, &policy);
  command_line.AddNumber("seed", "of the random sequence (1)", ~uint64_t{0}, &lab.seed);
  command_line.AddText("json", "write the figures to FILE", &json_path);
  command_line.AddText("html", "write a page with maps of the memory to FILE", &html_path);
  command_line.AddText("proc", "write what is free, in the shape of /proc/buddyinfo, to FILE",
                       &proc_path);
  return tools::RunProgram(command_line, [&]() -> int {
    if (auto code = command_line.Parse(argc, argv)) return *code;
    if (!command_line.operands().empty())
      return command_line.UsageError("no operands are expected");
    if (lab.memory_gib < 4 || lab.btree_gib < 1 || 2 * lab.btree_gib > lab.memory_gib) {
      return command_line.UsageError(
          "--memory-gib must be at least 4, and --btree-gib from 1 to half of it");
    }
    tools::EnterDirectoryOfCaller();

    tools::Progress progress;
    for (const Policy p : {Policy::kPageblock, Policy::kSuperpageblock}) {
      if (policy == (p == Policy::kPageblock ? "superpageblock" : "pageblock")) continue;
      for (const bool with_hint : {false, true}) {
        if (hint == (with_hint ? "off" : "on")) continue;
        lab.runs.push_back(LiveOnce({.memory_gib = lab.memory_gib,
                                     .btree_gib = lab.btree_gib,
                                     .hint = with_hint,
                                     .policy = p,
                                     .seed = lab.seed},
                                    progress));
      }
    }
    progress.Clear();
    lab.peak_rss_bytes = tools::PeakRssBytes();
    PrintTable(lab);
    const bool json_written = Written(command_line, json_path, ToJson(lab));
    const bool html_written = Written(command_line, html_path, ToHtml(lab));
    const bool proc_written = Written(command_line, proc_path, ToProcText(lab));
    return json_written && html_written && proc_written ? 0 : 1;
  });
}

}  // namespace
}  // namespace ebcache::lab

int main(int argc, char** argv) { return ebcache::lab::Main(argc, argv); }
