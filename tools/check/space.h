// Space: the extent tree against chunks, block groups, the free space tree and data checksums, by address.
//
// All of these trees are in the order of addresses, so that each chunk is gone through once, in all of
// them side by side. What extents record of references goes to a sink of facts.

#ifndef EBCACHE_TOOLS_CHECK_SPACE_H_
#define EBCACHE_TOOLS_CHECK_SPACE_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "ebcache/btree.h"
#include "ebcache/on_disk.h"
#include "tools/check/fact_sums.h"
#include "tools/check/state.h"

namespace ebcache::tools {

// A range of logical addresses that is looked at by itself.
struct SpaceRange {
  uint64_t start = 0;
  uint64_t end = 0;            // behind the last byte; of the last range 2^64 - 1
  std::optional<Chunk> chunk;  // none: between chunks
};

// The trees of space. Those that a filesystem has not are none.
struct SpaceTrees {
  std::optional<BTree> extents;
  std::optional<BTree> block_groups;  // the extent tree, where they have no tree of their own
  std::optional<BTree> free_space;    // none also where it is not valid
  std::optional<BTree> checksums;
};
SpaceTrees FindSpaceTrees(CheckState& state);

// All addresses, in order.
std::vector<SpaceRange> SpaceRanges(const Volume& volume);

// Whether space itself is checked, or facts are collected alone, as in a second round.
enum class SpaceWork { kEverything, kFactsAlone };

// Goes through one range. Returns the bytes that are allocated there. Thread-safe.
uint64_t CheckSpace(CheckState& state, const SpaceTrees& trees, const SpaceRange& range,
                    SpaceWork work, FactSink& sink);

// Block group items that are of no chunk.
void CheckStrayBlockGroups(CheckState& state, const SpaceTrees& trees);

// How much of [start, start + length) is known to have no data checksums, in bytes: 0 where that part of
// their tree cannot be read. Thread-safe.
uint64_t BytesWithoutChecksums(CheckState& state, const std::optional<BTree>& checksums,
                               uint64_t start, uint64_t length);

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_CHECK_SPACE_H_
