// The scorecard: what this cache is measured by, each row beside somebody else's figure on the same
// work, both sides in one run. docs/performance.md has the latest one.

#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "bench/scorecard/card.h"
#include "tools/command.h"

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

bool WriteFile(const std::string& path, const std::string& text) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  if (file == nullptr) return false;
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  return std::fclose(file) == 0 && written;
}

int Main(int argc, char** argv) {
  Settings settings;
  uint64_t repetitions = 5;
  bool json = false;
  std::string html;
  std::string rows;
  tools::Command line("scorecard", "[FLAG]...", kAbout);
  line.AddFlag("json", "print JSON", &json);
  line.AddText("html", "write a page with plots to FILE", &html);
  line.AddText("rows", "only rows with one of these in their name, separated by ;", &rows);
  line.AddNumber("repetitions", "turns of each side (default 5)", 1000, &repetitions);
  line.AddFlag("quick", "short turns, no rows with a million blocks", &settings.quick);
  line.AddText("image", "a btrfs image to walk", &settings.image);
  line.AddText("trace", "a recording to replay ($EBCACHE_SHARED/traces/metadata-access.gz)",
               &settings.trace);
  line.AddFlag("lab", "run the fragmentation lab as well, a minute or two", &settings.lab);
  if (auto exit_code = line.Parse(argc, argv)) return *exit_code;
  if (!line.operands().empty()) return line.UsageError("there are no operands");
  if (repetitions == 0) return line.UsageError("--repetitions=0 measures nothing");
  settings.repetitions = static_cast<int>(repetitions);
  settings.rows = absl::StrSplit(rows, ';', absl::SkipEmpty());
  tools::EnterDirectoryOfCaller();

  Card card(std::move(settings));
  // Memory first: it wants a process with one thread, and little in it.
  MeasureBuffers(card);
  MeasureLookups(card);
  MeasurePages(card);
  MeasureChecksums(card);
  MeasureHitRatios(card);
  MeasureWalks(card);
  MeasureLab(card);
  if (!html.empty()) {
    PlotLookups(card);
    PlotWalks(card);
  }
  card.Finish();

  for (const Row& row : card.rows()) {
    if (!row.not_measured.empty()) {
      line.Complain(absl::StrCat("NOT MEASURED: ", row.comparison.row, ": ", row.not_measured));
    }
  }
  if (!card.not_quiet().empty()) line.Complain(card.not_quiet());
  const std::string text = json ? ToJson(card) : ToText(card);
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (std::fflush(stdout) != 0 || (!html.empty() && !WriteFile(html, ToHtml(card)))) {
    line.Complain("cannot write the result");
    return 2;
  }
  const bool any = std::any_of(card.rows().begin(), card.rows().end(),
                               [](const Row& row) { return row.ours.has_value(); });
  return any ? 0 : 1;
}

}  // namespace
}  // namespace ebcache::scorecard

int main(int argc, char** argv) { return ebcache::scorecard::Main(argc, argv); }
