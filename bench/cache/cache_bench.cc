// What the basic operations of caches cost: this one's, and beside each those of its peers, on the
// same work in the same run.
//
//   ./bazelw run //bench:cache_bench -- [--benchmark_filter=REGEX] [...]
//
// Names are WORK/CONTENDER/BLOCKS, with /threads:N behind. Times are for one block. The work:
//
//   find_put         find, take a reference, put it; `uniform`, `zipf`, and `hot_root` (one block)
//   find_put_together  the same for ebcache with FindMany, 64 blocks at a time
//   miss             look for what is not there
//   allocate_free    a 16 KiB block made, and let go for good
//   put_stale        found, and put so that it goes
//   release          an idle block let go without a reference to it
//   drop_caches      all blocks let go at once
//   visit            all blocks in the order of addresses, with a reference on each
//   migrate          pages of an idle block moved; nobody else can
//   memory           the counter bytes_per_block: resident memory beyond payload, in a process of
//                    its own
//   floor            what no cache can be faster than
//
// Payload of cached blocks is not touched, but where memory is measured (bench/cache/contender.h).

#include <absl/strings/str_cat.h>
#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "bench/cache/block_sequence.h"
#include "bench/cache/contender.h"
#include "bench/cache/floors.h"
#include "bench/cache/memory_per_block.h"
#include "bench/region/node_moves.h"

namespace ebcache::bench {
namespace {

constexpr uint64_t kSizes[] = {4096, 65536, 262144, 1 << 20};
constexpr uint64_t kHeadroom = 1024;  // blocks that may be made beside the cached ones
constexpr uint32_t kNode = 16384;

// The filled contenders of one size at a time: benchmarks are called several times, and filling a
// million blocks takes longer than measuring them.
class Filled {
 public:
  Contender& Get(const ContenderKind& kind, uint64_t blocks) {
    if (blocks_ != blocks) contenders_.clear();
    blocks_ = blocks;
    std::unique_ptr<Contender>& contender = contenders_[kind.name];
    if (contender == nullptr) {
      contender = kind.make({.capacity_blocks = blocks + kHeadroom});
      contender->Fill(blocks);
    }
    return *contender;
  }

 private:
  uint64_t blocks_ = 0;
  std::map<std::string_view, std::unique_ptr<Contender>> contenders_;
};
Filled filled;
// Set by the first thread before the benchmark lets all of them go.
Contender* shared = nullptr;

void FindPut(benchmark::State& state, const ContenderKind& kind, Order order, uint64_t blocks) {
  if (state.thread_index() == 0) shared = &filled.Get(kind, blocks);
  BlockSequence sequence(order, blocks, static_cast<uint64_t>(state.thread_index()) + 1);
  while (state.KeepRunningBatch(BlockSequence::kBatch)) {
    if (shared->FindAndPut(sequence.NextBatch()) != BlockSequence::kBatch) {
      state.SkipWithError("a block was gone");
      break;
    }
  }
}

void FindPutTogether(benchmark::State& state, const ContenderKind& kind, uint64_t blocks) {
  Contender& contender = filled.Get(kind, blocks);
  BlockSequence sequence(Order::kUniform, blocks, 1);
  while (state.KeepRunningBatch(BlockSequence::kBatch)) {
    if (contender.FindAndPutTogether(sequence.NextBatch()) != BlockSequence::kBatch) {
      state.SkipWithError("a block was gone");
      break;
    }
  }
}

void Miss(benchmark::State& state, const ContenderKind& kind, uint64_t blocks) {
  Contender& contender = filled.Get(kind, blocks);
  std::vector<uint32_t> absent = MakeSequence(Order::kUniform, blocks, 1 << 16, 1);
  for (uint32_t& block : absent) block += static_cast<uint32_t>(blocks);
  while (state.KeepRunningBatch(static_cast<int64_t>(absent.size()))) {
    benchmark::DoNotOptimize(contender.FindAndPut(absent));
  }
}

void AllocateFree(benchmark::State& state, const ContenderKind& kind) {
  const auto contender = kind.make({.node_bytes = kNode, .capacity_blocks = 1 << 16});
  std::vector<uint32_t> blocks(1024);
  std::iota(blocks.begin(), blocks.end(), 0);
  while (state.KeepRunningBatch(static_cast<int64_t>(blocks.size()))) {
    contender->AllocateAndFree(blocks);
  }
}

// Work that uses a filled cache up: filled anew, off the clock, for each round.
template <typename Work>
void UseUp(benchmark::State& state, const ContenderKind& kind, uint64_t blocks, Work work) {
  const auto contender = kind.make({.capacity_blocks = blocks + kHeadroom, .can_release = true});
  std::vector<uint32_t> order(blocks);
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), std::mt19937_64(1));
  while (state.KeepRunningBatch(static_cast<int64_t>(blocks))) {
    state.PauseTiming();
    contender->Fill(blocks);
    state.ResumeTiming();
    work(*contender, order);
  }
}

void Visit(benchmark::State& state, const ContenderKind& kind, uint64_t blocks) {
  Contender& contender = filled.Get(kind, blocks);
  while (state.KeepRunningBatch(static_cast<int64_t>(blocks))) {
    if (contender.VisitInOrder() != blocks) {
      state.SkipWithError("not all blocks were visited");
      break;
    }
  }
}

void Memory(benchmark::State& state, const ContenderKind& kind, uint64_t blocks) {
  const std::optional<double> bytes = ResidentBytesPerBlock(kind, blocks, kNode);
  if (!bytes) state.SkipWithError("no process of its own");
  for (auto _ : state) {
  }
  state.counters["bytes_per_block"] = bytes.value_or(0);
}

void Migrate(benchmark::State& state) {
  NodeMoves moves(MovableRegionOptions::Backing::kReal);
  for (auto _ : state) {
    const auto round = moves.Round();
    if (!round) {
      state.SkipWithError("no superpageblock could be emptied");
      break;
    }
    state.SetIterationTime(round->seconds / static_cast<double>(round->nodes));
  }
}

void FloorTwoLoads(benchmark::State& state, uint64_t blocks) {
  const TwoLoads loads(blocks);
  BlockSequence sequence(Order::kUniform, blocks, 1);
  while (state.KeepRunningBatch(BlockSequence::kBatch)) {
    benchmark::DoNotOptimize(loads.Run(sequence.NextBatch()));
  }
}

// Made when first wanted, one at a time, as the contenders are.
std::unique_ptr<CountedLines> counted_lines;
uint64_t counted_blocks = 0;

void FloorFindPut(benchmark::State& state, uint64_t blocks) {
  if (state.thread_index() == 0 && counted_blocks != blocks) {
    counted_lines = std::make_unique<CountedLines>(blocks);
    counted_blocks = blocks;
  }
  BlockSequence sequence(Order::kUniform, blocks, static_cast<uint64_t>(state.thread_index()) + 1);
  while (state.KeepRunningBatch(BlockSequence::kBatch)) {
    if (counted_lines->Run(sequence.NextBatch()) != BlockSequence::kBatch) {
      state.SkipWithError("a line was not where it was put");
      break;
    }
  }
}

void FloorCopy(benchmark::State& state) {
  constexpr size_t kCopies = 256;
  CopyNodes copies;
  while (state.KeepRunningBatch(kCopies)) copies.Run(kCopies);
}

void FloorAdd(benchmark::State& state) {
  constexpr size_t kTimes = 4096;
  static std::atomic<uint64_t> counter{0};
  while (state.KeepRunningBatch(kTimes)) CountUpAndDown(counter, kTimes);
}

// ---- Which of them there are --------------------------------------------------------------------

template <typename Body>
benchmark::internal::Benchmark* Add(std::string_view work, std::string_view who, uint64_t blocks,
                                    Body body) {
  std::string name = std::string(work) + "/" + std::string(who);
  if (blocks != 0) absl::StrAppend(&name, "/", blocks);
  return benchmark::RegisterBenchmark(name.c_str(), body)->UseRealTime();
}

void AddFindPut(uint64_t blocks) {
  constexpr std::pair<std::string_view, Order> kOrders[] = {
      {"find_put_uniform", Order::kUniform},
      {"find_put_zipf", Order::kZipf},
      {"find_put_hot_root", Order::kHotRoot},
  };
  for (const auto& [work, order] : kOrders) {
    for (int threads = 1; threads <= 2; ++threads) {
      for (const ContenderKind& kind : ContenderKinds()) {
        if (threads > 1 && !kind.threads) continue;
        Add(work, kind.name, blocks, [&kind, order = order, blocks](benchmark::State& state) {
          FindPut(state, kind, order, blocks);
        })->Threads(threads);
      }
    }
  }
}

void AddWorkOnFilled(uint64_t blocks) {
  Add("floor_two_loads", "machine", blocks,
      [blocks](benchmark::State& state) { FloorTwoLoads(state, blocks); });
  for (int threads = 1; threads <= 2; ++threads) {
    Add("floor_find_put", "machine", blocks, [blocks](benchmark::State& state) {
      FloorFindPut(state, blocks);
    })->Threads(threads);
  }
  AddFindPut(blocks);
  if (const ContenderKind* kind = bench::FindContenderKind(bench::kEbcache)) {
    Add("find_put_together", kind->name, blocks,
        [kind, blocks](benchmark::State& state) { FindPutTogether(state, *kind, blocks); });
  }
  for (const ContenderKind& kind : ContenderKinds()) {
    Add("miss", kind.name, blocks,
        [&kind, blocks](benchmark::State& state) { Miss(state, kind, blocks); });
  }
  for (const ContenderKind& kind : ContenderKinds()) {
    if (!kind.make({.capacity_blocks = 1})->VisitInOrder()) continue;
    Add("visit", kind.name, blocks,
        [&kind, blocks](benchmark::State& state) { Visit(state, kind, blocks); });
  }
}

void AddMemory(uint64_t blocks) {
  for (const ContenderKind& kind : ContenderKinds()) {
    Add("memory", kind.name, blocks, [&kind, blocks](benchmark::State& state) {
      Memory(state, kind, blocks);
    })->Iterations(1);
  }
}

void AddUseUp(uint64_t blocks) {
  using Blocks = const std::vector<uint32_t>&;
  const auto add = [blocks](std::string_view work, auto body) {
    for (const ContenderKind& kind : ContenderKinds()) {
      Add(work, kind.name, blocks,
          [&kind, blocks, body](benchmark::State& state) { UseUp(state, kind, blocks, body); });
    }
  };
  add("put_stale", [](Contender& contender, Blocks order) { contender.FindAndDiscard(order); });
  add("release", [](Contender& contender, Blocks order) { contender.Release(order); });
  add("drop_caches", [](Contender& contender, Blocks) { contender.DropCaches(); });
}

void AddAll() {
  // First, while this process has one thread.
  AddMemory(65536);
  Add("floor_add_up_and_down", "machine", 0, FloorAdd)->ThreadRange(1, 2);
  Add("floor_copy", "machine", 0, FloorCopy);
  benchmark::RegisterBenchmark("migrate/ebcache", Migrate)->UseManualTime()->Iterations(20);
  for (const ContenderKind& kind : ContenderKinds()) {
    Add("allocate_free", kind.name, 0,
        [&kind](benchmark::State& state) { AllocateFree(state, kind); });
  }
  AddUseUp(65536);
  for (const uint64_t blocks : kSizes) AddWorkOnFilled(blocks);
}

int Main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  AddAll();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace
}  // namespace ebcache::bench

int main(int argc, char** argv) { return ebcache::bench::Main(argc, argv); }
