#include "bench/cache/block_sequence.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

namespace ebcache::bench {
namespace {

constexpr double kZipfExponent = 0.99;

std::vector<uint32_t> Zipf(uint64_t blocks, size_t length, std::mt19937_64& random) {
  std::vector<double> cumulated(blocks);
  double sum = 0;
  for (uint64_t rank = 0; rank < blocks; ++rank) {
    sum += std::pow(static_cast<double>(rank + 1), -kZipfExponent);
    cumulated[rank] = sum;
  }
  std::vector<uint32_t> block_of_rank(blocks);
  std::iota(block_of_rank.begin(), block_of_rank.end(), 0);
  std::shuffle(block_of_rank.begin(), block_of_rank.end(), random);
  std::uniform_real_distribution<double> point(0, sum);
  std::vector<uint32_t> sequence(length);
  for (uint32_t& block : sequence) {
    const auto it = std::lower_bound(cumulated.begin(), cumulated.end() - 1, point(random));
    block = block_of_rank[static_cast<size_t>(it - cumulated.begin())];
  }
  return sequence;
}

}  // namespace

std::vector<uint32_t> MakeSequence(Order order, uint64_t blocks, size_t length, uint64_t seed) {
  std::mt19937_64 random(seed);
  if (order == Order::kZipf) return Zipf(blocks, length, random);
  std::vector<uint32_t> sequence(length, static_cast<uint32_t>(blocks / 2));
  if (order == Order::kUniform) {
    for (uint32_t& block : sequence) block = static_cast<uint32_t>(random() % blocks);
  }
  return sequence;
}

}  // namespace ebcache::bench
