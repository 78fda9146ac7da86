// Files of one tree, as far as they are looked at apart from the walk.

#ifndef EBCACHE_TOOLS_CHECK_FILE_CHECK_H_
#define EBCACHE_TOOLS_CHECK_FILE_CHECK_H_

#include "ebcache/btree.h"
#include "ebcache/items_file.h"
#include "tools/check/inode_part.h"
#include "tools/check/space.h"
#include "tools/check/state.h"

namespace ebcache::tools {

FileRules RulesFor(const CheckState& state, const TreeRoot& root);

// Whether an extent of a file whose inode wants them has data checksums. `run` ends with what is known of
// the inode so far. Thread-safe.
void CheckChecksums(CheckState& state, const SpaceTrees& space, const TreeRoot& root,
                    const Key& key, const FileExtentItem& extent, const InodeRun& run);

// That there is one, and that it is a directory.
void CheckTopDirectory(CheckState& state, const TreeRoot& root);

// Which of a tree's sums are not zero.
struct FileDifferences {
  bool entries = false;
  bool links = false;
  bool kinds = false;
  bool orphans = false;
  bool any() const { return entries || links || kinds || orphans; }
};
// Goes through the tree again, twice, and tells which facts are behind it.
void ExplainFiles(CheckState& state, const TreeRoot& root, const FileDifferences& differences);

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_CHECK_FILE_CHECK_H_
