// Census: what a machine holds at one moment, by page block and by ranges of page blocks. The fields
// are those of a census of a running kernel, so that the two can be laid side by side.

#ifndef EBCACHE_BENCH_LAB_CENSUS_H_
#define EBCACHE_BENCH_LAB_CENSUS_H_

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "ebcache/movable_region.h"

namespace ebcache::lab {

// What a page block mostly holds; of what cannot move, if there is any.
enum class Content : uint8_t {
  kFree,
  kAnonymous,
  kFile,
  kBtree,        // that moves
  kPinnedBtree,  // that does not
  kReclaimable,
  kUnmovable,
  kCallers,
  kHuge
};
inline constexpr int kContents = 9;
const char* ContentName(Content content);

// Ranges of one size: how many there are, and of these.
struct RangeCount {
  uint32_t mib = 0;
  uint32_t ranges = 0;
  uint32_t without_kernel = 0;  // without pages of the kernel's own
  uint32_t without_either = 0;  // and without btree pages
  uint32_t with_btree = 0;
};

struct Census {
  // Pages.
  uint64_t free = 0;
  uint64_t listed = 0;  // in per-CPU lists
  uint64_t anonymous = 0;
  uint64_t file = 0;
  uint64_t btree = 0;
  uint64_t btree_in_use = 0;
  uint64_t btree_bare = 0;  // without an extent buffer
  uint64_t slab = 0;
  uint64_t table = 0;
  uint64_t huge = 0;
  uint64_t other = 0;
  // Page blocks, by Mobility and by what is in them.
  std::array<uint64_t, kMobilities> by_type{};
  uint32_t pageblocks = 0;
  uint32_t with_kernel = 0;
  uint32_t with_btree = 0;
  uint32_t wholly_free = 0;
  std::vector<RangeCount> ranges;  // of 2 MiB to 1 GiB
  std::vector<uint64_t> free_blocks;  // by order
  // Superpageblocks.
  uint32_t tainted = 0;
  uint32_t holding_btree = 0;
  uint32_t recoverable = 0;  // nothing in them but free memory, movable pages, idle buffers

  const RangeCount* Ranges(uint32_t mib) const;
};

// One page block, for the counting of ranges.
struct BlockMarks {
  bool kernel = false;
  bool btree = false;
  bool free = false;
};
std::vector<RangeCount> CountRanges(const std::vector<BlockMarks>& blocks);

nlohmann::ordered_json ToJson(const Census& census);
// The reverse, of a kernel's census as well: what is not in it is 0.
Census CensusFrom(const nlohmann::ordered_json& json);

}  // namespace ebcache::lab

#endif  // EBCACHE_BENCH_LAB_CENSUS_H_
