// EvictionPolicy: which blocks a cache of a given number of blocks keeps.
//
// The textbook ones simulate: lists of numbers, no blocks. BufferCachePolicy is the real cache.

#ifndef EBCACHE_BENCH_EVICTION_EVICTION_POLICY_H_
#define EBCACHE_BENCH_EVICTION_EVICTION_POLICY_H_

#include <cstdint>
#include <memory>
#include <string_view>

#include "bench/eviction/access_trace.h"
#include "lib/cache/reuse_statistics.h"

namespace ebcache::eviction {

class EvictionPolicy {
 public:
  virtual ~EvictionPolicy() = default;
  // Uses a block; true when it was cached. Afterwards it is.
  virtual bool Touch(uint32_t block) = 0;
  // The block is gone, and so is what was known of it.
  virtual void Free(uint32_t block) = 0;
};

// Each for `capacity` cached blocks, and block numbers below `blocks`.
using MakePolicy = std::unique_ptr<EvictionPolicy> (*)(uint32_t capacity, uint32_t blocks);

std::unique_ptr<EvictionPolicy> MakeLru(uint32_t capacity, uint32_t blocks);
// CLOCK: a FIFO in which a block that was touched goes round again.
std::unique_ptr<EvictionPolicy> MakeClock(uint32_t capacity, uint32_t blocks);
// SIEVE (NSDI '24): the hand moves, the blocks stay.
std::unique_ptr<EvictionPolicy> MakeSieve(uint32_t capacity, uint32_t blocks);
// 2Q (VLDB '94), with its authors' sizes: a quarter for newcomers, ghosts for half.
std::unique_ptr<EvictionPolicy> MakeTwoQueue(uint32_t capacity, uint32_t blocks);
// S3-FIFO (SOSP '23), with its authors' sizes: a tenth for newcomers, ghosts for nine tenths.
std::unique_ptr<EvictionPolicy> MakeS3Fifo(uint32_t capacity, uint32_t blocks);
// ARC (FAST '03).
std::unique_ptr<EvictionPolicy> MakeArc(uint32_t capacity, uint32_t blocks);
// LIRS (SIGMETRICS '02), with its authors' 1 % for blocks of long reuse distance, ghosts for two
// caches.
std::unique_ptr<EvictionPolicy> MakeLirs(uint32_t capacity, uint32_t blocks);
// The BufferCache itself, with a budget of `capacity` blocks.
std::unique_ptr<EvictionPolicy> MakeBufferCache(uint32_t capacity, uint32_t blocks);

// The cache's order by itself, with these constants: MakeBufferCache's hits, if they are the cache's own.
std::unique_ptr<EvictionPolicy> MakeReclaimList(uint32_t capacity, uint32_t blocks,
                                                const ReuseConstants& constants);

struct Replay {
  uint64_t touches = 0;
  uint64_t hits = 0;
};

// Whether a block that is freed leaves the cache, as it does in life, or the line is skipped.
enum class Frees { kHonoured, kIgnored };

Replay ReplayTrace(const AccessTrace& trace, Frees frees, EvictionPolicy& policy);

// Belady's optimum: evicts what is used again last, or not before it is freed. It needs to know
// the future, so it is no EvictionPolicy.
Replay ReplayOptimum(const AccessTrace& trace, Frees frees, uint32_t capacity);

}  // namespace ebcache::eviction

#endif  // EBCACHE_BENCH_EVICTION_EVICTION_POLICY_H_
