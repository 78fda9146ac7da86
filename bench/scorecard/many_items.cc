// Items in random order, in and out again, against the bare writes of it.

#include <absl/strings/str_cat.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

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
constexpr uint64_t kImageBytes = uint64_t{8} << 30;

struct Changes {
  double items = 0;  // each inserted and removed
  double seconds = 0;
  uint64_t commits = 0;
  uint64_t changed = 0;  // blocks that were copied or made
  uint64_t written = 0;
  uint32_t node_bytes = 0;
  uint64_t peak_rss_bytes = 0;
};

absl::StatusOr<Changes> ChangeItems(const std::string& image, bool quick) {
  const auto finished =
      RunWell({BuiltProgram("bench/transactions/many_items"), quick ? "20000" : "1000000",
               quick ? "2000" : "10000", absl::StrCat(kCacheMib), image});
  if (!finished.ok()) return finished.status();
  const auto report =
      report::ParseReport(finished->output, "many_items", {"/items", "/written_blocks"});
  if (!report.ok()) return report.status();
  return Changes{.items = report->value("items", 0.0),
                 .seconds = report->value("insert_s", 0.0) + report->value("remove_s", 0.0),
                 .commits = report->value("commits", uint64_t{0}),
                 .changed = report->value("copied_blocks", uint64_t{0}) +
                            report->value("new_blocks", uint64_t{0}),
                 .written = report->value("written_blocks", uint64_t{0}),
                 .node_bytes = report->value("node_bytes", uint32_t{0}),
                 .peak_rss_bytes = report->value("peak_rss_bytes", uint64_t{0})};
}

Comparison Speed() {
  return {
      .row = "items in random order, in and out",
      .theirs = "crc32c + pwrite",
      .unit = "items/s",
      .work =
          "ours: 1,000,000 items (with --quick 20,000) inserted and removed, in commits of 10,000 "
          "(2,000), 64 MiB of cache; "
          "each is two changes; theirs: as many blocks written, with as many flushes",
      .goal = Goal{Goal::Of::kRatio, Goal::Bound::kAtLeast, 0.25},
      .ratio = Comparison::Ratio::kOursToTheirs,
      .counted = true};
}
Comparison Bytes() {
  return {.row = "items in random order, bytes written for a changed block",
          .theirs = "the block",
          .unit = "bytes",
          .work = "what is written before a commit and changed again is written twice",
          .goal = RatioAtMost(1.5),
          .ratio = Comparison::Ratio::kOursToTheirs,
          .counted = true};
}
Comparison Memory() {
  return {.row = "items in random order, peak memory",
          .theirs = "the cache's budget",
          .unit = "MiB",
          .work = "of the whole process; 4 MB of it are the random order",
          .goal = RatioAtMost(2),
          .ratio = Comparison::Ratio::kOursToTheirs,
          .counted = true};
}

}  // namespace

void MeasureManyItems(Card& card) {
  if (!card.Wants(Speed().row) && !card.Wants(Bytes().row) && !card.Wants(Memory().row)) return;
  card.Tell(Speed().row);
  ScratchImage image(card.settings().image + ".items");
  const std::string no_image = WhyNoImage(card.settings().image);
  const absl::Status made =
      no_image.empty() ? image.Empty(kImageBytes) : absl::NotFoundError(no_image);
  const absl::StatusOr<Changes> changes =
      made.ok() ? ChangeItems(image.path(), card.settings().quick) : made;
  const auto figure = [&](auto part) -> absl::StatusOr<double> {
    if (!changes.ok()) return changes.status();
    return part(*changes);
  };
  card.Measure(
      Speed(), [&] { return figure([](const Changes& all) { return all.items / all.seconds; }); },
      [&]() -> absl::StatusOr<double> {
        if (!changes.ok()) return changes.status();
        if (absl::Status again = image.Empty(kImageBytes); !again.ok()) return again;
        const auto seconds = bench::SecondsOf(image.path(), {.block_bytes = changes->node_bytes,
                                                             .blocks = changes->written,
                                                             .commits = changes->commits});
        if (!seconds.ok()) return seconds.status();
        return changes->items / seconds->wall;
      });
  card.Measure(
      Bytes(),
      [&] {
        return figure([](const Changes& all) {
          return static_cast<double>(all.written) * all.node_bytes /
                 static_cast<double>(all.changed);
        });
      },
      [&] { return figure([](const Changes& all) { return double{1} * all.node_bytes; }); });
  card.Measure(
      Memory(),
      [&] {
        return figure(
            [](const Changes& all) { return static_cast<double>(all.peak_rss_bytes) / kMebibyte; });
      },
      [&] { return figure([](const Changes&) { return double{kCacheMib}; }); });
}

}  // namespace ebcache::scorecard
