#include "bench/cache/floors.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <random>

namespace ebcache::bench {

TwoLoads::TwoLoads(uint64_t blocks) : lines_(blocks), index_(blocks) {
  // Neighbours in the index are none in memory, as in a cache that has lived.
  std::vector<uint32_t> order(blocks);
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), std::mt19937_64(1));
  for (uint64_t i = 0; i < blocks; ++i) {
    index_[i] = &lines_[order[i]];
    lines_[order[i]].value = i;
  }
}

uint64_t TwoLoads::Run(absl::Span<const uint32_t> blocks) const {
  uint64_t sum = 0;
  for (const uint32_t block : blocks) sum += index_[block]->value;
  benchmark::DoNotOptimize(sum);
  return sum;
}

CopyNodes::CopyNodes()
    : from_(new std::byte[kNodes * kNodeBytes]), to_(new std::byte[kNodes * kNodeBytes]) {
  std::memset(from_.get(), 1, kNodes * kNodeBytes);
  std::memset(to_.get(), 2, kNodes * kNodeBytes);
}

void CopyNodes::Run(size_t nodes) {
  for (size_t i = 0; i < nodes; ++i) {
    const size_t at = next_++ % kNodes * kNodeBytes;
    std::memcpy(to_.get() + at, from_.get() + at, kNodeBytes);
    benchmark::ClobberMemory();
  }
}

void CountUpAndDown(std::atomic<uint64_t>& counter, size_t times) {
  // Relaxed: on this machine every order costs the same, and nothing depends on it.
  for (size_t i = 0; i < times; ++i) {
    counter.fetch_add(1, std::memory_order_relaxed);
    counter.fetch_sub(1, std::memory_order_relaxed);
  }
}

}  // namespace ebcache::bench
