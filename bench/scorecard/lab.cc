// The fragmentation lab: a claim of its own, checked here for what a scorecard asks.

#include <absl/strings/str_cat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "bench/report/output.h"
#include "bench/scorecard/card.h"
#include "bench/scorecard/process.h"

namespace ebcache::scorecard {
namespace {

using Json = nlohmann::json;

struct LabRun {
  double obtained = 0;
  double recoverable = 0;
  double seconds = 0;
  double peak_gib = 0;
};

// The run with superpageblocks and the hint.
absl::StatusOr<LabRun> RunLab() {
  const std::string path =
      (std::filesystem::temp_directory_path() / absl::StrCat("lab-", getpid(), ".json")).string();
  const auto finished =
      RunWell({BuiltProgram("bench/lab/fragmentation_lab"), absl::StrCat("--json=", path)});
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  unlink(path.c_str());
  if (!finished.ok()) return finished.status();
  const auto report = report::ParseReport(text.str(), "the lab", {"/runs"});
  if (!report.ok()) return report.status();
  for (const Json& run : report->at("runs")) {
    if (run.value("policy", "") != "superpageblock" || !run.value("hint", false)) continue;
    return LabRun{.obtained = run.value("huge_1g_obtained", 0.0),
                  .recoverable = run.value("recoverable", 0.0),
                  .seconds = finished->seconds,
                  .peak_gib = report->value("peak_rss_bytes", 0.0) / (1 << 30)};
  }
  return absl::UnavailableError("the lab's report lacks the run with superpageblocks and the hint");
}

}  // namespace

void MeasureLab(Card& card) {
  const Comparison pages{.row = "lab: 1 GiB pages out of 250 GiB with 28 GiB of btree pages",
                         .theirs = "regions of only movable pages",
                         .unit = "pages",
                         .work = "simulated once, with the hint and superpageblocks",
                         .goal = Goal{Goal::Of::kRatio, Goal::Bound::kAtLeast, 1},
                         .ratio = Comparison::Ratio::kOursToTheirs,
                         .counted = true};
  const Comparison cost{.row = "lab: time for four machines",
                        .theirs = "5 minutes",
                        .unit = "s",
                        .work = "all four runs of the lab",
                        .goal = OursAtMost(300),
                        .counted = true};
  const Comparison memory{.row = "lab: memory for it",
                          .theirs = "4 GiB",
                          .unit = "GiB",
                          .work = "peak resident memory of the lab",
                          .goal = OursAtMost(4),
                          .counted = true};
  if (!card.Wants(pages.row) && !card.Wants(cost.row) && !card.Wants(memory.row)) return;
  const auto run = card.settings().lab ? RunLab() : absl::UnavailableError("only with --lab");
  const auto part = [&](double LabRun::*member) -> absl::StatusOr<double> {
    if (!run.ok()) return run.status();
    return (*run).*member;
  };
  card.Measure(
      pages, [&] { return part(&LabRun::obtained); }, [&] { return part(&LabRun::recoverable); });
  card.Measure(
      cost, [&] { return part(&LabRun::seconds); }, [] { return absl::StatusOr<double>(300.0); });
  card.Measure(
      memory, [&] { return part(&LabRun::peak_gib); }, [] { return absl::StatusOr<double>(4.0); });
}

}  // namespace ebcache::scorecard
