#include "bench/cache/floors.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <random>

namespace ebcache::bench {

namespace {

// Neighbours in the index are none in memory, as in a cache that has lived.
std::vector<uint32_t> ShuffledBlocks(uint64_t blocks) {
  std::vector<uint32_t> order(blocks);
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), std::mt19937_64(1));
  return order;
}

}  // namespace

TwoLoads::TwoLoads(uint64_t blocks) : lines_(blocks), index_(blocks) {
  const std::vector<uint32_t> order = ShuffledBlocks(blocks);
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

CountedLines::CountedLines(uint64_t blocks) : lines_(blocks), index_(blocks) {
  const std::vector<uint32_t> order = ShuffledBlocks(blocks);
  for (uint64_t i = 0; i < blocks; ++i) {
    index_[i] = &lines_[order[i]];
    lines_[order[i]].block = i;
  }
}

uint64_t CountedLines::Run(absl::Span<const uint32_t> blocks) {
  uint64_t right = 0;
  for (const uint32_t block : blocks) {
    Line& line = *index_[block];
    // Relaxed: on this machine every order costs the same, and nothing depends on it.
    uint64_t count = line.count.load(std::memory_order_relaxed);
    while (!line.count.compare_exchange_weak(count, count + 1, std::memory_order_relaxed)) {
    }
    right += line.block == block;
    count = 2;  // as where one thread uses a block: see PutPlainly in lib/cache/state_word.h
    while (!line.count.compare_exchange_weak(count, count - 1, std::memory_order_relaxed)) {
    }
  }
  return right;
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
