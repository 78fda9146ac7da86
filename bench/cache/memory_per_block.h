// What a cached block costs beyond its payload, as the operating system sees it: resident memory,
// with what heaps round up and caches keep at hand.

#ifndef EBCACHE_BENCH_CACHE_MEMORY_PER_BLOCK_H_
#define EBCACHE_BENCH_CACHE_MEMORY_PER_BLOCK_H_

#include <cstdint>
#include <optional>

#include "bench/cache/contender.h"

namespace ebcache::bench {

// Fills one of `kind` with so many blocks of `node_bytes`, payload and all, in a process of its
// own, and compares that one's anonymous memory before and after. Nothing when the process could
// not be made or failed. REQUIRES: one thread.
std::optional<double> ResidentBytesPerBlock(const ContenderKind& kind, uint64_t blocks,
                                            uint32_t node_bytes);

}  // namespace ebcache::bench

#endif  // EBCACHE_BENCH_CACHE_MEMORY_PER_BLOCK_H_
