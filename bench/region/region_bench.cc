// What it costs to move a 16 KiB node, and what the copy alone would cost:
// bench/region/node_moves.h.
//
//   ./bazelw run //bench:region_bench
//
// Reported time is for one node.

#include <benchmark/benchmark.h>

#include "bench/region/node_moves.h"

namespace ebcache::bench {
namespace {

template <typename Nodes>
void Report(benchmark::State& state, Nodes& nodes) {
  uint64_t moved = 0;
  for (auto _ : state) {
    const auto round = nodes.Round();
    if (!round) {
      state.SkipWithError("no superpageblock could be emptied, or no memory");
      break;
    }
    moved += round->nodes;
    state.SetIterationTime(round->seconds / static_cast<double>(round->nodes));
  }
  state.counters["nodes_moved"] = static_cast<double>(moved);
}

void MoveNodes(benchmark::State& state, MovableRegionOptions::Backing backing) {
  NodeMoves moves(backing);
  Report(state, moves);
}
BENCHMARK_CAPTURE(MoveNodes, real, MovableRegionOptions::Backing::kReal)
    ->UseManualTime()
    ->Iterations(20);
BENCHMARK_CAPTURE(MoveNodes, phantom, MovableRegionOptions::Backing::kPhantom)
    ->UseManualTime()
    ->Iterations(20);

void CopyOnly(benchmark::State& state) {
  NodeCopies copies;
  Report(state, copies);
}
BENCHMARK(CopyOnly)->UseManualTime()->Iterations(20);

}  // namespace
}  // namespace ebcache::bench

BENCHMARK_MAIN();
