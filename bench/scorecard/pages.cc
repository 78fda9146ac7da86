// What is done with pages: windows over scattered ones, and moving them.

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>

#include "bench/contiguity/making.h"
#include "bench/region/node_moves.h"
#include "bench/scorecard/card.h"
#include "bench/scorecard/clock.h"

namespace ebcache::scorecard {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kPages = 4;

// The least that a window can cost: four pages of a memfd mapped side by side, every second one so
// that none are neighbours, with the pages in place and not for children of a fork, and taken away
// again one window at a time. By hand, without bookkeeping, with as many windows at a time as the
// other side has: the kernel's search among them is part of the cost.
absl::StatusOr<double> RawWindowNs(double seconds) {
  constexpr size_t kWindows = 4000;
  constexpr size_t kWindowBytes = kPages * kPage;
  const int memory = memfd_create("windows", MFD_CLOEXEC);
  if (memory < 0 || ftruncate(memory, static_cast<off_t>(2 * kWindows * kWindowBytes)) != 0) {
    return absl::UnavailableError("no memfd");
  }
  void* reserved =
      mmap(nullptr, kWindows * kWindowBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (reserved == MAP_FAILED) return absl::UnavailableError("no addresses");
  auto* base = static_cast<std::byte*>(reserved);
  bool good = true;
  const auto map_page = [&](size_t page) {
    good = good && mmap(base + page * kPage, kPage, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_FIXED | MAP_POPULATE, memory,
                        static_cast<off_t>(2 * page * kPage)) != MAP_FAILED;
  };
  const auto map_and_unmap_all = [&] {
    for (size_t window = 0; window < kWindows; ++window) {
      for (size_t i = 0; i < kPages; ++i) map_page(window * kPages + i);
      good = good && madvise(base + window * kWindowBytes, kWindowBytes, MADV_DONTFORK) == 0;
    }
    for (size_t window = 0; window < kWindows; ++window) {
      good = good && mmap(base + window * kWindowBytes, kWindowBytes, PROT_NONE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
    }
  };
  map_and_unmap_all();  // makes the memfd's pages
  // By the clock on the wall, as the other side is.
  double spent = 0;
  uint64_t windows = 0;
  for (const double begin = WallSeconds(); spent < seconds; spent = WallSeconds() - begin) {
    map_and_unmap_all();
    windows += kWindows;
  }
  munmap(reserved, kWindows * kWindowBytes);
  close(memory);
  if (!good) return absl::UnavailableError("the kernel refused a mapping");
  return spent * 1e9 / static_cast<double>(windows);
}

void MeasureWindowRows(Card& card) {
  const double seconds = card.settings().turn_seconds();
  card.Measure(
      {.row = "map a scattered 16 KiB window and take it away",
       .theirs = "mmap by hand",
       .unit = "ns",
       .work = "the kernel's part of both, for four pages of which none are neighbours, in place "
               "and not for forks; theirs unmaps one by one",
       .goal = RatioAtMost(1.1),
       .ratio = Comparison::Ratio::kOursToTheirs},
      []() -> absl::StatusOr<double> {
        const contiguity::WindowFigures figures = contiguity::MeasureWindows();
        return figures.map_ns + figures.unmap_ns;
      },
      [&] { return RawWindowNs(seconds); });
  card.Measure(
      {.row = "windows unmapped with one call",
       .theirs = "mmap by hand",
       .unit = "windows",
       .work = "windows that are all new, none found again: unmapped later, in batches",
       .goal = OursAtLeast(2),
       .ratio = Comparison::Ratio::kOursToTheirs},
      []() -> absl::StatusOr<double> { return contiguity::MeasureWindows().windows_per_unmap; },
      []() -> absl::StatusOr<double> { return 1.0; });
}

template <typename Nodes>
absl::StatusOr<double> RoundNs(Nodes& nodes, int rounds) {
  bench::MoveRound sum;
  for (int i = 0; i < rounds; ++i) {
    const auto round = nodes.Round();
    if (!round) return absl::UnavailableError("no superpageblock could be emptied, or no memory");
    sum.nodes += round->nodes;
    sum.seconds += round->seconds;
  }
  return sum.seconds * 1e9 / static_cast<double>(sum.nodes);
}

void MeasureMoves(Card& card) {
  constexpr std::string_view kRow = "move a 16 KiB node";
  if (!card.Wants(kRow)) return;
  const int rounds = card.settings().quick ? 1 : 5;
  bench::NodeMoves moves(MovableRegionOptions::Backing::kReal);
  bench::NodeCopies copies;
  card.Measure(
      {.row = std::string(kRow),
       .theirs = "memcpy",
       .unit = "ns",
       .work = "superpageblocks emptied of the nodes in them, with all bookkeeping; theirs "
               "copies as far, and nothing else; the goal is 2.5 us where theirs takes 2.1",
       .goal = RatioAtMost(2.5 / 2.1),
       .ratio = Comparison::Ratio::kOursToTheirs},
      [&] { return RoundNs(moves, rounds); }, [&] { return RoundNs(copies, rounds); });
}

}  // namespace

void MeasurePages(Card& card) {
  MeasureWindowRows(card);
  MeasureMoves(card);
}

}  // namespace ebcache::scorecard
