// Roots: what the root tree says of trees, subvolumes in directories, uuids, and trees of logs.

#ifndef EBCACHE_TOOLS_CHECK_ROOTS_H_
#define EBCACHE_TOOLS_CHECK_ROOTS_H_

#include "ebcache/btree.h"
#include "tools/check/space.h"
#include "tools/check/state.h"

namespace ebcache::tools {

// Takes some hundred bytes for each subvolume.
void CheckRoots(CheckState& state);

// A tree of a log, or the tree of all logs: that its blocks can be read, and are nothing else's.
void CheckLogTree(CheckState& state, const SpaceTrees& space, const TreeRoot& root);

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_CHECK_ROOTS_H_
