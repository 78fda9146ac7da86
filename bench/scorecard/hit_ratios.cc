// Hits of the cache on what a kernel touched, between LRU and the optimum. Counts, not times.

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <optional>
#include <string>

#include "bench/eviction/access_trace.h"
#include "bench/eviction/eviction_policy.h"
#include "bench/scorecard/card.h"

namespace ebcache::scorecard {
namespace {

using eviction::AccessTrace;
using eviction::Frees;
using eviction::Replay;

double HitPercent(const Replay& replay) {
  return 100 * static_cast<double>(replay.hits) / static_cast<double>(replay.touches);
}

double ClosedShare(const Replay& ours, const Replay& lru, const Replay& optimum) {
  if (optimum.hits == lru.hits) return 1;  // nothing was left to be closed
  return (static_cast<double>(ours.hits) - static_cast<double>(lru.hits)) /
         (static_cast<double>(optimum.hits) - static_cast<double>(lru.hits));
}

}  // namespace

void MeasureHitRatios(Card& card) {
  std::optional<absl::StatusOr<AccessTrace>> read;  // when the first row is wanted
  for (const uint32_t blocks : {256u, 1024u, 2048u}) {
    Comparison comparison{
        .row = absl::StrCat("hit ratio, cache of ", FigureText(blocks), " blocks"),
        .theirs = "LRU 0, optimum 1",
        .unit = "of the gap from LRU to the optimum",
        .work = "a kernel's own accesses replayed, frees honoured",
        .goal = OursAtLeast(0.5),
        .ratio = Comparison::Ratio::kOursToTheirs,
        .counted = true};
    if (!card.Wants(comparison.row)) continue;
    if (!read) {
      read = card.settings().trace.empty() ? eviction::ReadKernelRecording()
                                           : eviction::ReadRecording(card.settings().trace);
    }
    if (!read->ok()) {
      card.NotMeasured(comparison, std::string(read->status().message()));
      continue;
    }
    const AccessTrace& trace = **read;
    card.Tell(comparison.row);
    const auto lru = ReplayTrace(trace, Frees::kHonoured, *eviction::MakeLru(blocks, trace.blocks));
    const auto ours =
        ReplayTrace(trace, Frees::kHonoured, *eviction::MakeBufferCache(blocks, trace.blocks));
    const auto optimum = ReplayOptimum(trace, Frees::kHonoured, blocks);
    absl::StrAppendFormat(&comparison.work, "; hits: LRU %.2f %%, ours %.2f %%, optimum %.2f %%",
                          HitPercent(lru), HitPercent(ours), HitPercent(optimum));
    card.Measure(
        comparison, [&] { return absl::StatusOr<double>(ClosedShare(ours, lru, optimum)); },
        [&] { return absl::StatusOr<double>(1.0); });
  }
}

}  // namespace ebcache::scorecard
