// Orders in which blocks are asked for, made before any clock starts.

#ifndef EBCACHE_BENCH_CACHE_BLOCK_SEQUENCE_H_
#define EBCACHE_BENCH_CACHE_BLOCK_SEQUENCE_H_

#include <absl/types/span.h>

#include <cstdint>
#include <vector>

namespace ebcache::bench {

enum class Order {
  kUniform,  // any block, at random
  kZipf,     // the n-th most popular block 1/n^0.99 as often as the first; popularity is scattered
  kHotRoot,  // one block, as the root of a tree is
};

// Numbers below `blocks`; the same for the same seed.
std::vector<uint32_t> MakeSequence(Order order, uint64_t blocks, size_t length, uint64_t seed);

// A sequence in batches, round and round. Long enough that a cache of a million blocks is not
// reduced to the few that are asked for.
class BlockSequence {
 public:
  static constexpr size_t kBatch = 4096;

  BlockSequence(Order order, uint64_t blocks, uint64_t seed)
      : blocks_(MakeSequence(order, blocks, order == Order::kHotRoot ? kBatch : kLength, seed)) {}

  absl::Span<const uint32_t> NextBatch() {
    if (at_ == blocks_.size()) at_ = 0;
    at_ += kBatch;
    return absl::MakeConstSpan(blocks_).subspan(at_ - kBatch, kBatch);
  }

 private:
  static constexpr size_t kLength = size_t{1} << 21;

  const std::vector<uint32_t> blocks_;
  size_t at_ = 0;
};

}  // namespace ebcache::bench

#endif  // EBCACHE_BENCH_CACHE_BLOCK_SEQUENCE_H_
