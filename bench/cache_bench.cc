// What the cache's basic operations cost: find and put, make and free, and memory a block.
//
//   ./bazelw run //bench:cache_bench
//
// Look-ups are over a random sequence of cached blocks that is made before the clock starts. The
// counter bytes_per_block is what the cache itself needs beyond payload: descriptors, page array
// rows and index, as allocated.

#include <benchmark/benchmark.h>

#include <memory>
#include <random>
#include <vector>

#include "ebcache/allocators.h"
#include "ebcache/buffer_cache.h"

namespace ebcache {
namespace {

constexpr uint64_t kNode = 4096;  // small, so that a million blocks fit; lookups do not touch them

std::unique_ptr<BufferCache> Filled(uint64_t blocks) {
  auto cache = std::make_unique<BufferCache>(
      BufferCacheOptions{.node_bytes = kNode, .budget_bytes = 0, .allocator = Order0Allocator()});
  for (uint64_t i = 0; i < blocks; ++i) (void)*cache->Create(i * kNode);
  return cache;
}

// Made by the first thread of a run, used by all of them.
BufferCache* shared = nullptr;

void FindAndPut(benchmark::State& state) {
  const auto blocks = static_cast<uint64_t>(state.range(0));
  std::unique_ptr<BufferCache> owned;
  if (state.thread_index() == 0) {
    owned = Filled(blocks);
    shared = owned.get();
  }
  std::mt19937_64 random(static_cast<uint64_t>(state.thread_index()) + 1);
  std::vector<uint64_t> starts(1 << 16);
  for (uint64_t& start : starts) start = random() % blocks * kNode;
  size_t next = 0;
  for (auto _ : state) {
    ExtentBufferRef block = shared->Find(starts[next++ % starts.size()]);
    benchmark::DoNotOptimize(block.get());
  }
  if (state.thread_index() == 0) {
    const CacheStats stats = shared->stats();
    state.counters["bytes_per_block"] =
        static_cast<double>(stats.descriptor_bytes + stats.index_bytes) /
        static_cast<double>(blocks);
  }
}
BENCHMARK(FindAndPut)->Arg(4096)->Arg(65536)->Arg(1 << 20)->ThreadRange(1, 2)->UseRealTime();

void FindMiss(benchmark::State& state) {
  std::unique_ptr<BufferCache> cache = Filled(65536);
  uint64_t block = 1 << 20;
  for (auto _ : state) {
    ExtentBufferRef found = cache->Find(++block * kNode);
    benchmark::DoNotOptimize(found.get());
  }
}
BENCHMARK(FindMiss);

// A 16 KiB buffer made and freed again: descriptor, folios, index and reclaim list, both ways.
void MakeAndFree(benchmark::State& state, std::shared_ptr<PageAllocator> allocator) {
  BufferCache cache({.node_bytes = 16384, .budget_bytes = 0, .allocator = std::move(allocator)});
  uint64_t block = 0;
  for (auto _ : state) {
    ExtentBufferRef made = *cache.Create(++block % 1024 * 16384);
    made.PutStale();
  }
}
BENCHMARK_CAPTURE(MakeAndFree, heap, HeapAllocator());
BENCHMARK_CAPTURE(MakeAndFree, order0, Order0Allocator());

}  // namespace
}  // namespace ebcache

BENCHMARK_MAIN();
