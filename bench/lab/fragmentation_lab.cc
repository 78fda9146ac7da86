// fragmentation_lab: what the movable hint of btree pages is worth on a large machine.
//
//   ./bazelw run //bench:fragmentation_lab -- --html=lab.html
//
// Boots a phantom machine, fills it, churns it, ends the job that had most of it, and asks for 1
// GiB pages until there are no more; for each policy of the allocator, with and without the hint.

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "bench/lab/life.h"
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
    "extent buffers, and counts what can be had from it in one piece afterwards: ranges without\n"
    "kernel pages, pages of 2 MiB and of 1 GiB. --preset=kernel-6.12 --compare=FILE lays that beside\n"
    "a kernel which was measured under the same workload.\n"
    "\n"
    "Exit code: 0 done; 1 a machine or a report failed, or there is nothing to compare with; 2 the\n"
    "command line is wrong.";

using Policy = MovableRegionOptions::Policy;

// What was asked for on the command line.
struct Request {
  Lab lab;
  std::string memory, btree_gib, hint = "both", policy, compare;
  std::vector<std::string> constants;
  std::string json, html, proc;
};

// Nothing, unless a path was given.
bool Written(const tools::Command& command_line, const std::string& path, const std::string& text) {
  if (path.empty()) return true;
  const absl::Status status = report::WriteFile(path, text);
  if (!status.ok()) command_line.Complain(status.message());
  return status.ok();
}

void AddOptions(tools::Command& command_line, Request& request) {
  Lab& lab = request.lab;
  command_line.AddChoice("preset", "the amounts: of a large machine, or of those a kernel was "
                         "measured with (large)", PresetNames(), &lab.preset);
  command_line.AddText("memory-gib", "memory of the machine, in GiB (250)", &request.memory, "N");
  command_line.AddText("btree-gib", "of it in btree pages, in GiB (28 of 250)", &request.btree_gib,
                       "N");
  command_line.AddChoice("hint", "whether btree pages are movable (both)", {"on", "off", "both"},
                         &request.hint);
  command_line.AddChoice("policy",
                         "how the allocator groups memory (both; with kernel-6.12 pageblock)",
                         {"pageblock", "superpageblock", "both"}, &request.policy);
  command_line.AddNumber("seed", "of the random sequence (1)", ~uint64_t{0} >> 1, &lab.seed);
  command_line.AddNumber("seeds", "how many, from that one on (1)", 100, &lab.seeds);
  command_line.AddTexts('s', "set", "sets one of the constants that the lab prints; again for others",
                        &request.constants, "NAME=VALUE");
  command_line.AddText("compare", "print the figures beside those of the kernel runs in FILE",
                       &request.compare);
  command_line.AddText("json", "write the figures to FILE", &request.json);
  command_line.AddText("html", "write a page with maps of the memory to FILE", &request.html);
  command_line.AddText("proc", "write what is free, in the shape of /proc/buddyinfo, to FILE",
                       &request.proc);
}

// What is wrong with the numbers, or nothing.
std::string Settle(Request& request) {
  Lab& lab = request.lab;
  lab.constants = Preset(lab.preset);
  lab.memory_gib = lab.preset == "large" ? 250 : 4.5;
  if (request.policy.empty()) request.policy = lab.preset == "large" ? "both" : "pageblock";
  const auto number = [](const std::string& text, double& value) {
    return text.empty() || absl::SimpleAtod(text, &value);
  };
  double btree_gib = 0;
  if (!number(request.memory, lab.memory_gib) || !number(request.btree_gib, btree_gib)) {
    return "--memory-gib and --btree-gib are numbers";
  }
  // The kernel's job was in regions of about 9 MiB, whatever the size.
  if (lab.preset == "kernel-6.12") lab.constants.process = 9.0 / 1024 / lab.memory_gib;
  if (!request.btree_gib.empty()) lab.constants.btree = btree_gib / lab.memory_gib;
  for (const std::string& text : request.constants) {
    const absl::Status status = SetConstant(text, lab.constants);
    if (!status.ok()) return absl::StrCat("--set: ", std::string(status.message()));
  }
  if (!(lab.memory_gib >= 1 && lab.memory_gib <= 1023)) {
    return "--memory-gib must be from 1 to 1023";
  }
  const Constants& c = lab.constants;
  if (!(c.btree > 0 && c.btree <= 0.5)) return "btree pages must be more than none, and half at most";
  if (!(c.process > 0 && c.fill_rounds >= 1 && c.churn_rounds >= 1 && c.tree_blocks >= 1)) {
    return "processes must have memory, rounds be at least 1, and tree_blocks at least 1";
  }
  if (c.slabs + c.dentries + c.daemons + c.job + c.btree > 0.9) {
    return "the workload has to leave a tenth of memory to page cache";
  }
  if (lab.seeds < 1) return "--seeds must be at least 1";
  return "";
}

absl::Status LiveAll(Request& request, tools::Progress& progress) {
  Lab& lab = request.lab;
  uint64_t ticks = 0;
  for (const Policy policy : {Policy::kPageblock, Policy::kSuperpageblock}) {
    if (request.policy == (policy == Policy::kPageblock ? "superpageblock" : "pageblock")) continue;
    for (const bool hint : {false, true}) {
      if (request.hint == (hint ? "off" : "on")) continue;
      for (uint64_t seed = lab.seed; seed < lab.seed + lab.seeds; ++seed) {
        const std::string name =
            absl::StrCat(policy == Policy::kPageblock ? "pageblock" : "superpageblock", ", hint ",
                         hint ? "on" : "off", ", seed ", seed, ", ");
        auto run = Live({.memory_gib = lab.memory_gib,
                         .constants = lab.constants,
                         .hint = hint,
                         .policy = policy,
                         .seed = seed},
                        [&](const char* what) { progress.Update(++ticks, "rounds", name + what); });
        if (!run.ok()) return run.status();
        lab.runs.push_back(*std::move(run));
      }
    }
  }
  return absl::OkStatus();
}

absl::Status ReadKernelRuns(const std::string& path, std::string& text) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream all;
  if (!file || !(all << file.rdbuf())) {
    return absl::UnavailableError(absl::StrCat("cannot read ", path));
  }
  text = all.str();
  return absl::OkStatus();
}

int Work(const tools::Command& command_line, Request& request) {
  Lab& lab = request.lab;
  std::string kernel;
  if (!request.compare.empty()) {
    if (const auto read = ReadKernelRuns(request.compare, kernel); !read.ok()) {
      command_line.Complain(read.message());
      return 1;
    }
  }
  tools::Progress progress;
  const absl::Status lived = LiveAll(request, progress);
  progress.Clear();
  if (!lived.ok()) {
    command_line.Complain(lived.message());
    return 1;
  }
  bool compared = true;
  if (!request.compare.empty()) {
    auto comparison = CompareWithKernel(kernel, lab.runs);
    compared = comparison.ok();
    if (compared) lab.comparison = *std::move(comparison);
    if (!compared) {
      command_line.Complain(
          absl::StrCat("cannot compare with ", request.compare, ": ",
                       std::string(comparison.status().message())));
    }
  }
  lab.peak_rss_bytes = tools::PeakRssBytes();
  PrintTable(lab);
  const bool json_written = Written(command_line, request.json, ToJson(lab));
  const bool html_written = Written(command_line, request.html, ToHtml(lab));
  const bool proc_written = Written(command_line, request.proc, ToProcText(lab));
  return compared && json_written && html_written && proc_written ? 0 : 1;
}

int Main(int argc, char** argv) {
  Request request;
  request.lab = {.preset = "large", .seed = 1};
  tools::Command command_line("fragmentation_lab", "[FLAG...]", kAbout);
  AddOptions(command_line, request);
  return tools::RunProgram(command_line, [&]() -> int {
    if (auto code = command_line.Parse(argc, argv)) return *code;
    if (!command_line.operands().empty())
      return command_line.UsageError("no operands are expected");
    if (const std::string wrong = Settle(request); !wrong.empty()) {
      return command_line.UsageError(wrong);
    }
    tools::EnterDirectoryOfCaller();
    return Work(command_line, request);
  });
}

}  // namespace
}  // namespace ebcache::lab

int main(int argc, char** argv) { return ebcache::lab::Main(argc, argv); }
