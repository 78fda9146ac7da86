// The way from a tree's root down to one of its blocks.

#ifndef EBCACHE_TOOLS_FIND_BLOCK_BLOCK_PATH_H_
#define EBCACHE_TOOLS_FIND_BLOCK_BLOCK_PATH_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ebcache/filesystem.h"
#include "ebcache/on_disk.h"
#include "tools/damage.h"
#include "tools/find_block/block_copies.h"
#include "tools/progress.h"

namespace ebcache::tools {

struct BlockPath {
  enum class FoundBy { kKey, kWalk };
  struct Step {
    uint64_t logical = 0;
    uint8_t level = 0;
    uint32_t slot = 0;  // in this block, of the pointer to the next one; 0 in the last
  };

  TreeRoot tree;
  FoundBy found_by = FoundBy::kKey;
  std::vector<Step> steps;  // the root first, the block last
  ParentCheck expected;     // what its parent, or its root item, says of the block
};

struct PathSearch {
  // None: no tree leads to the block.
  std::optional<BlockPath> path;
  // Parts of trees that could not be read: what is below them is not known. Each is told once.
  LostBlocks lost;

  bool complete() const { return lost.count(Cause::kDamage) == 0 && lost.unread_count() == 0; }
};

// Looks for the block that `logical` lies in: in the tree that it says it belongs to, by its first
// key; if the key does not lead there, or nothing is known of the block, in the nodes of all trees.
// `facts` are of a copy that verifies and begins at `logical`, or null.
PathSearch FindBlockPath(Filesystem& filesystem, uint64_t logical, const BlockFacts* facts,
                         Progress& progress);

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_FIND_BLOCK_BLOCK_PATH_H_
