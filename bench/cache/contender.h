// Contender: a cache of metadata blocks, as the benchmarks see one.
//
// The work comes in batches, and each contender has the loop over a batch inside, around its own
// look-up and its own put: one virtual call is spread over thousands of operations. Blocks are
// numbered from 0, and each contender makes the address or the key out of the number as its users
// would.
//
// Payload is never touched by a look-up, so none of them has to be in memory: a million blocks of
// 16 KiB would be all of a machine. What touches payload by its nature (zeroed memory, a header in
// front of the payload) does so here too.

#ifndef EBCACHE_BENCH_CACHE_CONTENDER_H_
#define EBCACHE_BENCH_CACHE_CONTENDER_H_

#include <absl/types/span.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ebcache::bench {

struct ContenderOptions {
  // Size of a block's payload.
  uint32_t node_bytes = 4096;
  // How many blocks to make room for, at least one; more push out others.
  uint64_t capacity_blocks = 0;
  // Whether Release will be asked for.
  bool can_release = false;
  // Whether blocks get payload, and all of it is touched, when they are filled in: for measuring
  // memory.
  bool touch_payload = false;
};

class Contender {
 public:
  virtual ~Contender() = default;

  // Makes the blocks 0 to `blocks` - 1 cached and idle.
  virtual void Fill(uint64_t blocks) = 0;

  // Looks each block up, takes a reference and puts it. Returns how many were there.
  virtual uint64_t FindAndPut(absl::Span<const uint32_t> blocks) = 0;

  // The same, many blocks at a time where the contender can look for many.
  virtual uint64_t FindAndPutTogether(absl::Span<const uint32_t> blocks) {
    return FindAndPut(blocks);
  }

  // Makes each block, which is not cached, and lets it go for good: memory for its payload, index,
  // order of eviction, both ways.
  virtual void AllocateAndFree(absl::Span<const uint32_t> blocks) = 0;

  // Finds each block and puts the reference so that the block goes with it: what COW does with the
  // old block.
  virtual void FindAndDiscard(absl::Span<const uint32_t> blocks) = 0;

  // Lets go of each block, which is idle, without a reference to it: what memory pressure does with
  // the owner of a page.
  virtual void Release(absl::Span<const uint32_t> blocks) = 0;

  // Lets every idle block go.
  virtual void DropCaches() = 0;

  // Visits all blocks by address; how many there were. Nothing where there is no such order.
  virtual std::optional<uint64_t> VisitInOrder() { return std::nullopt; }

  // Takes a reference on every one of the blocks 0 to `blocks` - 1 and holds it; UnpinAll puts
  // them.
  virtual void PinAll(uint64_t blocks) = 0;
  virtual void UnpinAll() = 0;

  // Blocks looked at so far in search of one that can go. Nothing where a contender does not tell.
  virtual std::optional<uint64_t> eviction_steps() const { return std::nullopt; }
};

// A kind of contender.
struct ContenderKind {
  std::string_view name;
  bool threads;  // whether several threads may use one
  std::unique_ptr<Contender> (*make)(const ContenderOptions& options);
};

std::unique_ptr<Contender> MakeEbcache(const ContenderOptions& options);
// absl::flat_hash_map under a mutex, with a count of references in each block.
std::unique_ptr<Contender> MakeLockedMap(const ContenderOptions& options);
// A red-black tree and an LRU list in one thread: see tree_and_list.h.
std::unique_ptr<Contender> MakeTreeAndList(const ContenderOptions& options);
// RocksDB's caches, with its own choice of shards.
std::unique_ptr<Contender> MakeRocksLru(const ContenderOptions& options);
std::unique_ptr<Contender> MakeRocksHyperClock(const ContenderOptions& options);
// oneTBB's concurrent_hash_map, whose accessors are the references.
std::unique_ptr<Contender> MakeTbbMap(const ContenderOptions& options);

inline constexpr std::string_view kEbcache = "ebcache";
inline constexpr std::string_view kHyperClock = "rocksdb-hyper-clock";
inline constexpr std::string_view kRocksLru = "rocksdb-lru";
inline constexpr std::string_view kLockedMap = "flat_hash_map-mutex";
inline constexpr std::string_view kTbbMap = "tbb-concurrent-map";
inline constexpr std::string_view kTreeAndList = "tree-and-list";

// All that this build has, ebcache first. Those of other libraries are left out by
// --define=peers=0.
const std::vector<ContenderKind>& ContenderKinds();
// Null when this build has it not.
const ContenderKind* FindContenderKind(std::string_view name);

}  // namespace ebcache::bench

#endif  // EBCACHE_BENCH_CACHE_CONTENDER_H_
