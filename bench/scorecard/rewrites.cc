// A rewrite of all trees, against a program that copies as many blocks and knows of no trees.

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bench/report/output.h"
#include "bench/scorecard/card.h"
#include "bench/scorecard/process.h"
#include "bench/scorecard/scratch_image.h"
#include "bench/scorecard/tree_stats.h"
#include "bench/transactions/bare_copies.h"

namespace ebcache::scorecard {
namespace {

constexpr double kMebibyte = 1 << 20;
constexpr int kCacheMib = 64;

struct Rewriting {
  double seconds = 0;  // of the whole process
  double processor_seconds = 0;
  uint64_t commits = 0;
  uint64_t copied = 0;  // blocks
  uint64_t freed = 0;
  uint64_t written = 0;
  uint64_t stale = 0;
  uint64_t peak_rss_bytes = 0;
  uint32_t node_bytes = 0;
};

absl::StatusOr<Rewriting> RewriteAllTrees(const std::string& image) {
  const auto finished = RunWell({BuiltProgram("tools/ebcache"), "rewrite", "--yes", "--json",
                                 absl::StrCat("--cache-mib=", kCacheMib), image});
  if (!finished.ok()) return finished.status();
  const auto report =
      report::ParseReport(finished->output, "rewrite", {"/copied_blocks", "/stale_blocks"});
  if (!report.ok()) return report.status();
  const Rewriting done{.seconds = finished->seconds,
                       .processor_seconds = finished->processor_seconds,
                       .commits = report->value("commits", uint64_t{0}),
                       .copied = report->value("copied_blocks", uint64_t{0}),
                       .freed = report->value("freed_blocks", uint64_t{0}),
                       .written = report->value("written_blocks", uint64_t{0}),
                       .stale = report->value("stale_blocks", uint64_t{0}),
                       .peak_rss_bytes = report->value("peak_rss_bytes", uint64_t{0}),
                       .node_bytes = report->value("node_bytes", uint32_t{0})};
  if (done.commits == 0) return absl::UnavailableError("rewrite has committed nothing");
  return done;
}

// Nothing to complain of: 1.
absl::StatusOr<double> CheckIsClean(const std::string& image) {
  const auto finished = Run({"btrfs", "check", "--readonly", image});
  if (!finished.ok()) return finished.status();
  return finished->exit_code == 0 ? 1 : 0;
}

class Rewrites {
 public:
  explicit Rewrites(Card& card)
      : card_(card),
        image_(card.settings().image),
        ours_(absl::StrCat(image_, ".rewritten")),
        theirs_(absl::StrCat(image_, ".copied")) {}

  void MeasureAll() {
    const std::vector<Comparison> rows = {Time(),   Processor(), Stale(),  Written(),
                                          Memory(), Check(),     Reading()};
    if (std::none_of(rows.begin(), rows.end(),
                     [&](const Comparison& row) { return card_.Wants(row.row); })) {
      return;
    }
    absl::Status usable;
    if (const std::string why = WhyNoImage(image_); !why.empty()) {
      usable = absl::NotFoundError(why);
    } else {
      const auto places = bench::PlacesOfBlocks(image_);
      usable = places.status();
      if (places.ok()) places_ = *places;
    }
    if (!usable.ok()) {
      for (const Comparison& row : rows) {
        card_.NotMeasured(row, std::string(usable.message()));
      }
      return;
    }
    card_.Measure(
        Time(), [&] { return OurTime(); }, [&] { return TheirTime(); });
    MeasureProcessor();
    MeasureLast();
  }

 private:
  // Of the turns that were timed.
  void MeasureProcessor() {
    if (processor_.empty()) {
      return card_.NotMeasured(Processor(), "comes with the row before it, which is not there");
    }
    auto turn = processor_.begin();
    card_.Measure(
        Processor(), [&] { return absl::StatusOr<double>(turn->first); },
        [&] { return absl::StatusOr<double>((turn++)->second); });
  }

  // Of one rewrite, the last of those that were timed.
  void MeasureLast() {
    absl::StatusOr<double> rewritten = last_ ? absl::StatusOr<double>(0.0) : OurTime();
    const auto count = [&](double figure) -> absl::StatusOr<double> {
      return rewritten.ok() ? figure : rewritten;
    };
    const Rewriting last = last_.value_or(Rewriting());
    card_.Measure(
        Stale(), [&] { return count(static_cast<double>(last.stale)); },
        [&] { return count(static_cast<double>(last.copied + last.freed)); });
    card_.Measure(
        Written(), [&] { return count(static_cast<double>(last.written)); },
        [&] { return count(static_cast<double>(places_.size())); });
    card_.Measure(
        Memory(), [&] { return count(static_cast<double>(last.peak_rss_bytes) / kMebibyte); },
        [&] { return count(kCacheMib); });
    card_.Measure(
        Check(), [&] { return rewritten.ok() ? CheckIsClean(ours_.path()) : rewritten; },
        [&] { return count(1); });
    const auto walk = [&](const std::string& image) {
      return MicrosecondsEach(WalkTrees(OwnBuild(), image, DirectFlags(64)));
    };
    card_.Measure(
        Reading(), [&] { return rewritten.ok() ? walk(ours_.path()) : rewritten; },
        [&] { return walk(image_); });
  }

  absl::StatusOr<double> OurTime() {
    if (absl::Status copied = ours_.CopyOf(image_); !copied.ok()) return copied;
    const auto done = RewriteAllTrees(ours_.path());
    if (!done.ok()) return done.status();
    last_ = *done;
    return done->seconds * 1e6 / static_cast<double>(done->written);
  }

  absl::StatusOr<double> TheirTime() {
    if (absl::Status copied = theirs_.CopyOf(image_); !copied.ok()) return copied;
    const auto seconds = bench::SecondsOf(theirs_.path(), {.block_bytes = last_->node_bytes,
                                                           .places = places_,
                                                           .blocks = last_->written,
                                                           .commits = last_->commits});
    if (!seconds.ok()) return seconds.status();
    const double each = 1e6 / static_cast<double>(last_->written);
    processor_.emplace_back(last_->processor_seconds * each, seconds->processor * each);
    return seconds->wall * each;
  }

  static Comparison Time() {
    return {.row = "rewrite of all trees",
            .theirs = "pread + crc32c + pwrite",
            .unit = "us a block written",
            .work =
                "ours: the whole process, 64 MiB of cache, commits of 2,048 blocks; theirs: the "
                "same blocks in the same order, by the same device, as many written, with as many "
                "flushes, without trees and a cache; each on a copy of the image that the page "
                "cache has",
            .goal = RatioAtMost(1.5),
            .ratio = Comparison::Ratio::kOursToTheirs};
  }
  static Comparison Processor() {
    Comparison row = Time();
    row.row = "rewrite of all trees, time of the processor";
    row.work =
        "of the same turns, of all threads and in the kernel, but not what writes to the disk";
    return row;
  }
  static Comparison Stale() {
    return {.row = "rewrite of all trees, blocks put stale",
            .theirs = "blocks copied and freed",
            .unit = "blocks",
            .work = "what the cache gave up because nothing leads to it any more",
            .goal = Goal{Goal::Of::kRatio, Goal::Bound::kAtLeast, 1},
            .ratio = Comparison::Ratio::kOursToTheirs,
            .counted = true};
  }
  static Comparison Written() {
    return {.row = "rewrite of all trees, blocks written",
            .theirs = "blocks of all trees",
            .unit = "blocks",
            .work = "with those that tell what is free, in every commit",
            .goal = RatioAtMost(1.5),
            .ratio = Comparison::Ratio::kOursToTheirs,
            .counted = true};
  }
  static Comparison Memory() {
    return {.row = "rewrite of all trees, peak memory",
            .theirs = "the cache's budget",
            .unit = "MiB",
            .work = "of the whole process",
            .goal = RatioAtMost(2),
            .ratio = Comparison::Ratio::kOursToTheirs,
            .counted = true};
  }
  static Comparison Check() {
    return {.row = "rewrite of all trees, btrfs check finds it clean",
            .theirs = "1: yes",
            .work = "afterwards",
            .goal = OursAtLeast(1),
            .counted = true};
  }
  static Comparison Reading() {
    return {.row = "rewrite of all trees, reading them afterwards",
            .theirs = "before",
            .unit = "us a block",
            .work = "tree-stats of all trees, O_DIRECT, queue depth 64, two threads",
            .goal = TimesFaster(1)};
  }

  Card& card_;
  const std::string image_;
  ScratchImage ours_;
  ScratchImage theirs_;
  std::vector<uint64_t> places_;
  std::optional<Rewriting> last_;
  std::vector<std::pair<double, double>> processor_;  // ours and theirs, of each turn
};

}  // namespace

void MeasureRewrites(Card& card) { Rewrites(card).MeasureAll(); }

}  // namespace ebcache::scorecard
