#include "bench/scorecard/tree_stats.h"

#include <absl/strings/str_cat.h>
#include <unistd.h>

#include "bench/report/output.h"
#include "bench/scorecard/process.h"

namespace ebcache::scorecard {
namespace {

// The words that begin the command. Before there was one program for all, it was an example.
absl::StatusOr<std::vector<std::string>> TreeStats(const std::string& build) {
  const std::string program = build + "/tools/ebcache";
  if (access(program.c_str(), X_OK) == 0) return std::vector<std::string>{program, "tree-stats"};
  const std::string example = build + "/examples/tree_stats";
  if (access(example.c_str(), X_OK) == 0) return std::vector<std::string>{example};
  return absl::NotFoundError(
      absl::StrCat(build, " has neither tools/ebcache nor examples/tree_stats"));
}

}  // namespace

absl::StatusOr<Walk> WalkTrees(const std::string& build, const std::string& image,
                               const std::vector<std::string>& flags) {
  auto command = TreeStats(build);
  if (!command.ok()) return command.status();
  command->insert(command->end(), {"--json", "--cache-mib=64"});
  command->insert(command->end(), flags.begin(), flags.end());
  command->push_back(image);
  const auto finished = RunWell(*command);
  if (!finished.ok()) return finished.status();
  const auto report = report::ParseReport(finished->output, "tree-stats", {"/totals", "/cache"});
  if (!report.ok()) return report.status();
  const Walk walk{.blocks = report->at("totals").value("blocks", uint64_t{0}),
                  .reads = report->at("cache").value("reads", uint64_t{0}),
                  .seconds = finished->seconds,
                  .processor_seconds = finished->processor_seconds,
                  .peak_rss_bytes = report->value("peak_rss_bytes", uint64_t{0})};
  if (walk.blocks == 0) return absl::UnavailableError("tree-stats counted no blocks");
  return walk;
}

std::vector<std::string> DirectFlags(int depth) {
  return {"--direct", absl::StrCat("--queue-depth=", depth)};
}

absl::StatusOr<double> MicrosecondsEach(const absl::StatusOr<Walk>& walk, double Walk::*seconds) {
  if (!walk.ok()) return walk.status();
  return (*walk).*seconds * 1e6 / static_cast<double>(walk->blocks);
}

std::string WhyNoImage(const std::string& image) {
  if (image.empty()) {
    return "no image: make one with ./bazelw run //bench/scorecard:make_image -- PATH, and give "
           "--image=PATH";
  }
  return access(image.c_str(), R_OK) == 0 ? "" : absl::StrCat(image, " cannot be read");
}

}  // namespace ebcache::scorecard
