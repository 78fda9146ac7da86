// Whole-tree walks, against programs that read the same disk: btrfs-progs and fio.

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/report/output.h"
#include "bench/scorecard/bare_reads.h"
#include "bench/scorecard/card.h"
#include "bench/scorecard/process.h"
#include "bench/scorecard/tree_stats.h"

namespace ebcache::scorecard {
namespace {

using Json = nlohmann::json;

absl::StatusOr<Walk> OurWalk(const std::string& image, const std::vector<std::string>& flags) {
  return WalkTrees(OwnBuild(), image, flags);
}

// What btrfs-progs prints for each of the trees it looks at: "Total nodes: N".
absl::StatusOr<Walk> TheirWalk(const std::string& image) {
  const auto finished = RunWell({"btrfs", "inspect-internal", "tree-stats", image});
  if (!finished.ok()) return finished.status();
  Walk walk{.seconds = finished->seconds, .peak_rss_bytes = finished->peak_rss_bytes};
  for (const absl::string_view line : absl::StrSplit(finished->output, '\n')) {
    const std::vector<absl::string_view> parts = absl::StrSplit(line, "Total nodes: ");
    uint64_t nodes = 0;
    if (parts.size() == 2 && absl::SimpleAtoi(parts[1], &nodes)) walk.blocks += nodes;
  }
  if (walk.blocks == 0) return absl::UnavailableError("btrfs tree-stats counted no nodes");
  return walk;
}

absl::StatusOr<double> MebibytesEachSecond(const absl::StatusOr<Walk>& walk) {
  if (!walk.ok()) return walk.status();
  constexpr double kBlocksInMebibyte = 64;
  return static_cast<double>(walk->reads) / kBlocksInMebibyte / walk->seconds;
}

// fio's random reads of 16 KiB from a file of its own on the same disk, which it writes first. Not
// from the image: that is sparse, and holes are read from nowhere.
class Fio {
 public:
  explicit Fio(const Settings& settings)
      : file_(settings.image + ".fio"), seconds_(settings.quick ? 1 : 3) {}
  ~Fio() { unlink(file_.c_str()); }

  absl::StatusOr<double> MebibytesEachSecond(int depth) const {
    const auto finished =
        RunWell({"fio", "--name=walk", absl::StrCat("--filename=", file_), "--size=1g",
                 "--rw=randread", "--bs=16k", "--direct=1", "--ioengine=io_uring",
                 absl::StrCat("--iodepth=", depth), "--time_based",
                 absl::StrCat("--runtime=", seconds_), "--randrepeat=0", "--output-format=json"});
    if (!finished.ok()) return finished.status();
    const auto report = report::ParseReport(finished->output, "fio", {"/jobs/0/read/bw_bytes"});
    if (!report.ok()) return report.status();
    return report->at(Json::json_pointer("/jobs/0/read/bw_bytes")).get<double>() / (1 << 20);
  }

 private:
  const std::string file_;
  const int seconds_;
};

void MeasureHotWalk(Card& card) {
  const std::string& image = card.settings().image;
  Comparison comparison{.row = "walk and verify, page cache hot",
                        .theirs = "btrfs-progs tree-stats",
                        .unit = "us a block",
                        .work =
                            "whole processes; ours walks all trees and snapshots with 64 MiB of "
                            "cache, and verifies all; theirs walks four trees",
                        .goal = TimesFaster(8)};
  if (!card.Wants(comparison.row)) return;
  if (const std::string why = WhyNoImage(image); !why.empty()) {
    return card.NotMeasured(comparison, why);
  }
  const auto ours = OurWalk(image, {});
  const auto theirs = TheirWalk(image);
  if (ours.ok() && theirs.ok()) {
    absl::StrAppend(&comparison.work, "; blocks ", ours->blocks, " and ", theirs->blocks,
                    "; peak memory ", ours->peak_rss_bytes >> 20, " MiB");
    if (theirs->peak_rss_bytes != 0) {
      absl::StrAppend(&comparison.work, " and ", theirs->peak_rss_bytes >> 20, " MiB");
    }
  }
  card.Measure(
      comparison,
      [&] {
        // btrfs-progs drop what the page cache has of a device when they close it: one walk brings
        // it back, the next one counts. Theirs comes after it.
        (void)OurWalk(image, {});
        return MicrosecondsEach(OurWalk(image, {}));
      },
      [&] { return MicrosecondsEach(TheirWalk(image)); });
}

// What is left to be gained above.
void MeasureHotWalkAgainstBareReads(Card& card) {
  const std::string& image = card.settings().image;
  const Comparison comparison{.row = "walk and verify, page cache hot, against bare reads",
                              .theirs = "pread + crc32c",
                              .unit = "us a block",
                              .work =
                                  "ours: the whole process, as above; theirs: a loop over the "
                                  "image's bytes in each of as many threads, without trees, "
                                  "checks and a cache",
                              .goal = RatioAtMost(2),
                              .ratio = Comparison::Ratio::kOursToTheirs};
  if (!card.Wants(comparison.row)) return;
  if (const std::string why = WhyNoImage(image); !why.empty()) {
    return card.NotMeasured(comparison, why);
  }
  (void)BareReadUs(image);  // fills the page cache
  card.Measure(
      comparison, [&] { return MicrosecondsEach(OurWalk(image, {})); },
      [&] { return BareReadUs(image); });
}

void MeasureDirectWalk(Card& card) {
  const std::string& image = card.settings().image;
  const Comparison comparison{.row = "walk and verify, O_DIRECT, queue depth 64",
                              .theirs = "fio",
                              .unit = "MiB/s",
                              .work =
                                  "ours: all trees, as above, two threads with a queue each; "
                                  "theirs: random reads of 16 KiB from a dense file on the same "
                                  "disk, which is no faster with a depth of 128",
                              .goal = Goal{Goal::Of::kRatio, Goal::Bound::kAtLeast, 0.85},
                              .ratio = Comparison::Ratio::kOursToTheirs};
  if (!card.Wants(comparison.row)) return;
  if (const std::string why = WhyNoImage(image); !why.empty()) {
    return card.NotMeasured(comparison, why);
  }
  const Fio fio(card.settings());
  card.Measure(
      comparison, [&] { return MebibytesEachSecond(OurWalk(image, DirectFlags(64))); },
      [&] { return fio.MebibytesEachSecond(64); });
}

}  // namespace

void MeasureWalks(Card& card) {
  MeasureHotWalk(card);
  MeasureHotWalkAgainstBareReads(card);
  MeasureDirectWalk(card);
  card.NotMeasured({.row = "dump-tree of the same filesystem",
                    .theirs = "btrfs-progs dump-tree",
                    .unit = "s",
                    .work = "all of it as text, byte for byte the same",
                    .goal = TimesFaster(10)},
                   "there is no dump-tree here yet");
}

void PlotWalks(Card& card) {
  const std::string& image = card.settings().image;
  if (!WhyNoImage(image).empty()) return;
  Plot plot{.title = "Walk and verify, O_DIRECT",
            .x = "queue depth",
            .y = "MiB/s",
            .logarithmic_x = true,
            .series = {{std::string("ebcache"), {}}, {std::string("fio"), {}}}};
  const Fio fio(card.settings());
  for (const int depth : {1, 2, 4, 8, 16, 32, 64}) {
    card.Tell("plot: walk against queue depth");
    const auto ours = MebibytesEachSecond(OurWalk(image, DirectFlags(depth)));
    const auto theirs = fio.MebibytesEachSecond(depth);
    if (ours.ok()) plot.series[0].points.emplace_back(depth, *ours);
    if (theirs.ok()) plot.series[1].points.emplace_back(depth, *theirs);
  }
  card.Add(std::move(plot));
}

}  // namespace ebcache::scorecard
