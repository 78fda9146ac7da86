// What the C face costs over the C++ one: finding a cached block and putting the reference. And what it
// costs to ask readahead for children that are not cached, as walks do over and over.
//
//   ./bazelw run //bench:capi_bench
//
// The C functions are those of the shared library, as a tool calls them: through a pointer that the
// loader fills in. The C++ ones are linked into this program. Both look up the same sequence of
// blocks in caches filled alike, by turns.

#include <benchmark/benchmark.h>
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string_view>
#include <vector>

#include "ebcache/allocators.h"
#include "ebcache/buffer_cache.h"
#include "ebcache/ebcache.h"

namespace {

constexpr uint64_t kNode = 4096;  // small: look-ups do not touch the blocks

struct SharedLibrary {
  decltype(&ebcache_allocator_create) allocator_create;
  decltype(&ebcache_allocator_release) allocator_release;
  decltype(&ebcache_cache_create) cache_create;
  decltype(&ebcache_cache_destroy) cache_destroy;
  decltype(&ebcache_get_or_create) get_or_create;
  decltype(&ebcache_find) find;
  decltype(&ebcache_put) put;
  decltype(&ebcache_may_be_cached) may_be_cached;
  decltype(&ebcache_readahead_create) readahead_create;
  decltype(&ebcache_readahead_destroy) readahead_destroy;
  decltype(&ebcache_readahead_ask) readahead_ask;
  decltype(&ebcache_readahead_ask_many) readahead_ask_many;
  decltype(&ebcache_readahead_forget) readahead_forget;
};
SharedLibrary library;

template <typename Function>
void Load(void* handle, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(handle, name));
  if (function != nullptr) return;
  std::fprintf(stderr, "capi_bench: %s\n", dlerror());
  std::exit(1);
}

void LoadLibrary(const char* path) {
  void* const handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    std::fprintf(stderr, "capi_bench: %s\n", dlerror());
    std::exit(1);
  }
  Load(handle, "ebcache_allocator_create", library.allocator_create);
  Load(handle, "ebcache_allocator_release", library.allocator_release);
  Load(handle, "ebcache_cache_create", library.cache_create);
  Load(handle, "ebcache_cache_destroy", library.cache_destroy);
  Load(handle, "ebcache_get_or_create", library.get_or_create);
  Load(handle, "ebcache_find", library.find);
  Load(handle, "ebcache_put", library.put);
  Load(handle, "ebcache_may_be_cached", library.may_be_cached);
  Load(handle, "ebcache_readahead_create", library.readahead_create);
  Load(handle, "ebcache_readahead_destroy", library.readahead_destroy);
  Load(handle, "ebcache_readahead_ask", library.readahead_ask);
  Load(handle, "ebcache_readahead_ask_many", library.readahead_ask_many);
  Load(handle, "ebcache_readahead_forget", library.readahead_forget);
}

std::vector<uint64_t> RandomStarts(uint64_t blocks) {
  std::mt19937_64 random(1);
  std::vector<uint64_t> starts(1 << 16);
  for (uint64_t& start : starts) start = random() % blocks * kNode;
  return starts;
}

void FindAndPutCpp(benchmark::State& state) {
  const auto blocks = static_cast<uint64_t>(state.range(0));
  ebcache::BufferCache cache(
      {.node_bytes = kNode, .budget_bytes = 0, .allocator = ebcache::Order0Allocator()});
  for (uint64_t i = 0; i < blocks; ++i) (void)*cache.Create(i * kNode);
  const std::vector<uint64_t> starts = RandomStarts(blocks);
  size_t next = 0;
  for (auto _ : state) {
    ebcache::ExtentBufferRef block = cache.Find(starts[next++ % starts.size()]);
    benchmark::DoNotOptimize(block.get());
  }
}

void FindAndPutC(benchmark::State& state) {
  const auto blocks = static_cast<uint64_t>(state.range(0));
  const ebcache_allocator_options pages = {.size = sizeof(pages), .kind = EBCACHE_ALLOCATOR_ORDER0};
  ebcache_allocator* allocator = nullptr;
  ebcache_cache* cache = nullptr;
  ebcache_buffer* block = nullptr;
  if (library.allocator_create(&pages, &allocator) != 0) return state.SkipWithError("allocator");
  const ebcache_cache_options options = {.size = sizeof(options),
                                         .budget_bytes = EBCACHE_UNLIMITED,
                                         .allocator = allocator,
                                         .node_bytes = kNode};
  if (library.cache_create(&options, nullptr, nullptr, &cache) != 0) {
    return state.SkipWithError("cache");
  }
  library.allocator_release(allocator);
  for (uint64_t i = 0; i < blocks; ++i) {
    if (library.get_or_create(cache, i * kNode, &block) == 0) library.put(block);
  }
  const std::vector<uint64_t> starts = RandomStarts(blocks);
  size_t next = 0;
  for (auto _ : state) {
    block = library.find(cache, starts[next++ % starts.size()]);
    benchmark::DoNotOptimize(block);
    library.put(block);
  }
  if (library.cache_destroy(cache) != 0) state.SkipWithError("references are left");
}

// A cache of every second block, so that half of all children are not there, and readahead over it with
// room for so many.
class AskingStage {
 public:
  AskingStage(uint64_t blocks, uint64_t most_waiting) : starts_(RandomStarts(blocks)) {
    const ebcache_cache_options options = {
        .size = sizeof(options), .budget_bytes = EBCACHE_UNLIMITED, .node_bytes = kNode};
    if (library.cache_create(&options, nullptr, nullptr, &cache_) != 0) std::abort();
    for (uint64_t i = 0; i < blocks; ++i) {
      ebcache_buffer* block = nullptr;
      if (library.get_or_create(cache_, 2 * i * kNode, &block) == 0) library.put(block);
    }
    for (uint64_t& start : starts_) start = 2 * start + kNode;
    const ebcache_readahead_options reading = {
        .size = sizeof(reading), .threads = EBCACHE_NO_THREADS, .most_waiting = most_waiting};
    if (library.readahead_create(cache_, &reading, &readahead_) != 0) std::abort();
  }
  ~AskingStage() {
    library.readahead_destroy(readahead_);
    if (library.cache_destroy(cache_) != 0) std::abort();
  }
  AskingStage(const AskingStage&) = delete;
  AskingStage& operator=(const AskingStage&) = delete;

  ebcache_cache* cache() const { return cache_; }
  ebcache_readahead* readahead() const { return readahead_; }
  // Of a block that is not there.
  uint64_t Next() { return starts_[next_++ % starts_.size()]; }
  // So many of them.
  const uint64_t* NextOf(size_t count) {
    if (next_ + count > starts_.size()) next_ = 0;
    next_ += count;
    return &starts_[next_ - count];
  }

 private:
  std::vector<uint64_t> starts_;
  size_t next_ = 0;
  ebcache_cache* cache_ = nullptr;
  ebcache_readahead* readahead_ = nullptr;
};

void FindAbsentC(benchmark::State& state) {
  AskingStage stage(static_cast<uint64_t>(state.range(0)), 1);
  for (auto _ : state) benchmark::DoNotOptimize(library.find(stage.cache(), stage.Next()));
}

void ProbeAbsentC(benchmark::State& state) {
  AskingStage stage(static_cast<uint64_t>(state.range(0)), 1);
  for (auto _ : state) benchmark::DoNotOptimize(library.may_be_cached(stage.cache(), stage.Next()));
}

void AskWithoutRoomC(benchmark::State& state) {
  AskingStage stage(static_cast<uint64_t>(state.range(0)), 1);
  (void)library.readahead_ask(stage.readahead(), stage.Next(), nullptr);
  for (auto _ : state) {
    benchmark::DoNotOptimize(library.readahead_ask(stage.readahead(), stage.Next(), nullptr));
  }
}

// Taken, and forgotten again when there is no more room. A node's children at a time, or one by one.
void AskC(benchmark::State& state) {
  constexpr size_t kChildren = 128;
  AskingStage stage(static_cast<uint64_t>(state.range(0)), 8 * kChildren);
  const bool together = state.range(1) != 0;
  while (state.KeepRunningBatch(kChildren)) {
    size_t asked = 0;
    if (together) {
      (void)library.readahead_ask_many(stage.readahead(), stage.NextOf(kChildren), nullptr,
                                       kChildren, &asked);
    } else {
      for (size_t i = 0; i < kChildren; ++i) {
        asked += library.readahead_ask(stage.readahead(), stage.Next(), nullptr) == 1 ? 1 : 0;
      }
    }
    if (asked != kChildren) (void)library.readahead_forget(stage.readahead());
  }
}

// 512 blocks: what the code costs, with all that it looks at in the nearest caches. 65,536: what a
// tool sees.
BENCHMARK(FindAndPutCpp)->Arg(512)->Arg(65536);
BENCHMARK(FindAndPutC)->Arg(512)->Arg(65536);
BENCHMARK(FindAbsentC)->Arg(512)->Arg(65536);
BENCHMARK(ProbeAbsentC)->Arg(512)->Arg(65536);
BENCHMARK(AskWithoutRoomC)->Arg(512)->Arg(65536);
BENCHMARK(AskC)->Args({512, 0})->Args({512, 1})->Args({65536, 0})->Args({65536, 1});

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  constexpr std::string_view kFlag = "--library=";
  if (argc != 2 || std::string_view(argv[1]).substr(0, kFlag.size()) != kFlag) {
    std::fprintf(stderr, "usage: capi_bench --library=libebcache.so [BENCHMARK-FLAG]...\n");
    return 2;
  }
  LoadLibrary(argv[1] + kFlag.size());
  benchmark::RunSpecifiedBenchmarks();
}
