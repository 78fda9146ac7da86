// Copies all blocks of trees to new places, in the order of keys, in commits of bounded size.

#ifndef EBCACHE_TOOLS_REWRITE_REWRITER_H_
#define EBCACHE_TOOLS_REWRITE_REWRITER_H_

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "ebcache/filesystem.h"
#include "ebcache/transaction.h"
#include "tools/writing/write_report.h"

namespace ebcache::tools {

struct RewrittenTree {
  uint64_t id = 0;
  std::string name;
  bool done = false;  // all of it, and committed
};

// The trees that `words` name: a number, or a name in any case, with or without "_TREE". No words: all
// trees. Those that every commit changes come last, so that they are changed by no other tree after
// they were copied. Errors: NotFound, with the word; DataLoss, not all trees can be found.
// Subvolumes that are deleted are no trees to rewrite: a part of them may be gone. They are left out
// and, where a word names one, refused (FailedPrecondition).
absl::StatusOr<std::vector<RewrittenTree>> TreesToRewrite(Filesystem& filesystem,
                                                          const std::vector<std::string>& words);

struct RewriteReport {
  std::vector<RewrittenTree> trees;
  WriteReport writing;
  uint64_t stale_blocks = 0;  // that the cache gave up because nothing leads to them any more
};

// Rewrites report.trees, with a commit whenever about `blocks_per_commit` were copied. `stop` is asked
// after each few hundred blocks, with how many there are so far and the name of the tree; where it
// says so, what is copied is committed, and the run ends, as interrupted if anything is left. An
// error is in report.writing.status: the commits before it stand.
void RewriteTrees(Session& session, uint64_t blocks_per_commit,
                  absl::FunctionRef<bool(uint64_t copied, const std::string& tree)> stop,
                  RewriteReport& report);

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_REWRITE_REWRITER_H_
