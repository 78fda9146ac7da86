// What it costs to move a 16 KiB node: four pages of it out of a superpageblock that is being
// emptied, by asking the cache, with destinations, bookkeeping and freeing.
//
//   ./bazelw run //bench:region_bench
//
// CopyOnly is the floor: the same bytes over the same distances by memcpy, and nothing else.
//
// Reported time is for one node. Half of all superpageblocks' pages are in use, so that each
// superpageblock asked for makes others fuller.

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstring>
#include <memory>

#include "ebcache/buffer_cache.h"
#include "ebcache/movable_region.h"

namespace ebcache {
namespace {

constexpr uint64_t kNode = 16384;
constexpr size_t kSuperpageblock = size_t{32} << 20;
constexpr uint64_t kSuperpageblocks = 8;

// Bytes are there (their first touch is over), and nothing is in the way of being moved.
void MoveNodes(benchmark::State& state, MovableRegionOptions::Backing backing) {
  auto region = MovableRegion::Create({.arena_bytes = kSuperpageblocks * kSuperpageblock,
                                       .superpageblock_bytes = kSuperpageblock,
                                       .backing = backing});
  BufferCache cache({.node_bytes = kNode, .budget_bytes = 0, .allocator = region});
  const uint64_t blocks = kSuperpageblocks * kSuperpageblock / kNode;
  for (uint64_t i = 0; i < blocks; ++i) {
    ExtentBufferRef block = *cache.Create(i * kNode);
    (void)block->Zero(0, kNode);
  }
  // Every second one goes: holes everywhere.
  for (uint64_t i = 0; i < blocks; i += 2) cache.Find(i * kNode).PutStale();
  uint64_t moved = 0;
  for (auto _ : state) {
    const uint64_t before = cache.stats().migrations;
    const auto begin = std::chrono::steady_clock::now();
    auto got = region->AllocateContiguous({}, region->superpageblock_order());
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    if (!got.ok()) {
      state.SkipWithError("no superpageblock could be emptied");
      break;
    }
    const uint64_t nodes = (cache.stats().migrations - before) / 4;
    moved += nodes;
    state.SetIterationTime(took.count() / static_cast<double>(nodes == 0 ? 1 : nodes));
    state.PauseTiming();
    // Half of it is filled again from the others.
    region->FreeBulk(region->superpageblock_order(), absl::MakeSpan(&*got, 1));
    cache.DropCaches();
    for (uint64_t i = 0; i < blocks; ++i) (void)*cache.Create(i * kNode);
    for (uint64_t i = 0; i < blocks; i += 2) cache.Find(i * kNode).PutStale();
    state.ResumeTiming();
  }
  state.counters["nodes_moved"] = static_cast<double>(moved);
}
BENCHMARK_CAPTURE(MoveNodes, real, MovableRegionOptions::Backing::kReal)
    ->UseManualTime()
    ->Iterations(20);
BENCHMARK_CAPTURE(MoveNodes, phantom, MovableRegionOptions::Backing::kPhantom)
    ->UseManualTime()
    ->Iterations(20);

// Every second node of a superpageblock, page by page, into the holes of the next ones.
void CopyOnly(benchmark::State& state) {
  constexpr size_t kBytes = kSuperpageblocks * kSuperpageblock;
  constexpr size_t kPage = 4096;
  OsCalls* os = OsCalls::Real();
  auto* arena = static_cast<std::byte*>(os->Map(kBytes, size_t{2} << 20));
  if (arena == nullptr) {
    state.SkipWithError("no memory");
    return;
  }
  os->AdviseHugePages(arena, kBytes);
  std::memset(arena, 1, kBytes);
  uint64_t round = 0;
  for (auto _ : state) {
    state.PauseTiming();
    // What the other benchmark does between: everything else passes through the caches.
    std::memset(arena + kBytes / 2, static_cast<int>(round), kBytes / 2);
    const size_t from = (round++ % 2) * kSuperpageblock;
    const size_t to = 2 * kSuperpageblock;
    state.ResumeTiming();
    const auto begin = std::chrono::steady_clock::now();
    for (size_t offset = 0; offset < kSuperpageblock; offset += 2 * kNode) {
      for (size_t page = 0; page < kNode; page += kPage) {
        std::memcpy(arena + to + offset + page, arena + from + offset + page, kPage);
      }
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    benchmark::ClobberMemory();
    state.SetIterationTime(took.count() / (kSuperpageblock / (2 * kNode)));
  }
  os->Unmap(arena, kBytes);
}
BENCHMARK(CopyOnly)->UseManualTime()->Iterations(20);

}  // namespace
}  // namespace ebcache

BENCHMARK_MAIN();
