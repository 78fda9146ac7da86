// The scorecard: what this cache is measured by, each row beside somebody else's figure on the same
// work, both sides in one run. docs/performance.md has the latest one.

#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "bench/report/output.h"
#include "bench/scorecard/card.h"
#include "tools/command.h"
#include "tools/program.h"

namespace ebcache::scorecard {
namespace {

constexpr char kAbout[] =
    "Measures this cache beside its peers, both sides of a row in turns and in one run, and "
    "prints\n"
    "row, ours, theirs, ratio with its spread, goal, met or not. A row that could not be measured\n"
    "says why, on stderr as well. Wants a quiet machine: about ten minutes, 6 GiB of memory.\n"
    "\n"
    "Exit code: 0 measured, whatever was met; 1 nothing was; 2 the command line is wrong, or a "
    "file\n"
    "cannot be written.";

struct Flags {
  Settings settings;
  uint64_t repetitions = 5;
  bool json = false;
  std::string html;
  std::string rows;  // separated by ;
};

void AddFlags(tools::Command& line, Flags& flags) {
  line.AddFlag("json", "print JSON", &flags.json);
  line.AddText("html", "write a page with plots to FILE", &flags.html);
  line.AddText("rows", "only rows with one of these in their name, separated by ;", &flags.rows);
  line.AddNumber("repetitions", "turns of each side (default 5)", 1000, &flags.repetitions);
  line.AddFlag("quick", "short turns, no rows with a million blocks", &flags.settings.quick);
  line.AddText("image", "a btrfs image to walk", &flags.settings.image);
  line.AddText("trace", "a recording to replay ($EBCACHE_SHARED/traces/metadata-access.gz)",
               &flags.settings.trace);
  line.AddFlag("lab", "run the fragmentation lab as well, a minute or two", &flags.settings.lab);
  line.AddText("against",
               "instead of all others, rows of this build beside another one in turns: a checkout "
               "of this project in which //bench/cache:cache_bench and //tools:ebcache are built",
               &flags.settings.against, "DIR");
}

void MeasureAll(Card& card, bool with_plots) {
  if (!card.settings().against.empty()) return MeasureAgainst(card);
  // Memory first: it wants a process with one thread, and little in it.
  MeasureBuffers(card);
  MeasureLookups(card);
  MeasurePages(card);
  MeasureChecksums(card);
  MeasureHitRatios(card);
  MeasureWalks(card);
  MeasureRewrites(card);
  MeasureManyItems(card);
  MeasureLab(card);
  if (!with_plots) return;
  PlotLookups(card);
  PlotWalks(card);
}

int Main(int argc, char** argv) {
  Flags flags;
  tools::Command line("scorecard", "[FLAG]...", kAbout);
  AddFlags(line, flags);
  return tools::RunProgram(line, [&]() -> int {
    if (auto exit_code = line.Parse(argc, argv)) return *exit_code;
    if (!line.operands().empty()) return line.UsageError("there are no operands");
    if (flags.repetitions == 0) return line.UsageError("--repetitions=0 measures nothing");
    flags.settings.repetitions = static_cast<int>(flags.repetitions);
    flags.settings.rows = absl::StrSplit(flags.rows, ';', absl::SkipEmpty());
    tools::EnterDirectoryOfCaller();

    Card card(std::move(flags.settings));
    MeasureAll(card, !flags.html.empty());
    card.Finish();
    for (const Row& row : card.rows()) {
      if (row.not_measured.empty()) continue;
      line.Complain(absl::StrCat("NOT MEASURED: ", row.comparison.row, ": ", row.not_measured));
    }
    if (!card.not_quiet().empty()) line.Complain(card.not_quiet());
    std::fputs((flags.json ? ToJson(card) : ToText(card)).c_str(), stdout);
    if (!flags.html.empty()) {
      if (const auto written = report::WriteFile(flags.html, ToHtml(card)); !written.ok()) {
        line.Complain(written.message());
        return tools::kCannotTell;
      }
    }
    const bool any = std::any_of(card.rows().begin(), card.rows().end(),
                                 [](const Row& row) { return row.ours.has_value(); });
    return any ? 0 : 1;
  });
}

}  // namespace
}  // namespace ebcache::scorecard

int main(int argc, char** argv) { return ebcache::scorecard::Main(argc, argv); }
