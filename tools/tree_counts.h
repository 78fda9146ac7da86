// How many blocks and items the trees of a filesystem have, found by walking all of them.

#ifndef EBCACHE_TOOLS_TREE_COUNTS_H_
#define EBCACHE_TOOLS_TREE_COUNTS_H_

#include <cstdint>
#include <vector>

#include "ebcache/btree.h"
#include "ebcache/filesystem.h"
#include "tools/damage.h"
#include "tools/progress.h"

namespace ebcache::tools {

struct TreeCounts {
  TreeRoot root;
  std::vector<uint64_t> levels;  // blocks on each level, leaves first
  uint64_t items = 0;            // in leaves

  uint64_t leaves() const { return levels[0]; }
  uint64_t nodes() const { return blocks() - leaves(); }
  uint64_t blocks() const;
};

// "live"; of subvolumes "deleted", when all of it is still there, and "being deleted" after that.
const char* TreeStateName(const TreeRoot& root);

struct FilesystemCounts {
  std::vector<TreeCounts> trees;  // a block that several trees share counts in each
  uint64_t unique_blocks = 0;     // each block once

  TreeCounts Sum() const;  // of all trees; the root is of no tree
  uint64_t deleted_trees() const;
};

// Walks every tree, which reads and verifies each of their blocks. Damage goes to `damage`, and the
// counts are of what could be read.
FilesystemCounts CountTrees(Filesystem& filesystem, DamageLog& damage, Progress& progress,
                            Readahead* readahead = nullptr);

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_TREE_COUNTS_H_
