// All trees, block by block: what they refer to, whether blocks are where they should be, and the files
// of those that have some.
//
// A block that several trees share is gone through once. What it means for the files of a tree is a value
// of fixed size (FilesSummary) that is kept for the blocks that trees meet again, as long as there is room;
// where there is none, such a subtree is gone through again, for that value alone.

#ifndef EBCACHE_TOOLS_CHECK_TREE_CHECK_H_
#define EBCACHE_TOOLS_CHECK_TREE_CHECK_H_

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "ebcache/btree.h"
#include "ebcache/extent_buffer.h"
#include "tools/check/fact_sums.h"
#include "tools/check/inode_part.h"
#include "tools/check/keyed_hash.h"
#include "tools/check/space.h"
#include "tools/check/state.h"

namespace ebcache::tools {

// Sums of the facts that the files of a tree make; all are zero in a tree that is sound.
struct FileSums {
  Sum entries;
  Sum links;
  Sum kinds;
  Sum orphans;

  Sum& Of(FactType type);
  FileSums& operator+=(const FileSums& other);
};

// What a subtree means for the files of its tree.
struct FilesSummary {
  FileSums sums;
  InodeRun run;
};

// What is gone through for.
enum class TreeWork {
  kEverything,
  kFactsAlone,  // of references, as in a second round
};

class TreeCheck {
 public:
  // `memo_bytes` are for summaries of shared blocks.
  TreeCheck(CheckState& state, const SpaceTrees& space, FactSink& sink, TreeWork work,
            uint64_t memo_bytes);
  ~TreeCheck();

  // Not for trees of logs. To be called by one thread.
  void Check(const TreeRoot& root);
  uint64_t blocks() const { return visited_.size(); }

 private:
  class Worker;
  // A block to go to, as its parent has it.
  struct Child {
    uint64_t start = 0;
    ParentCheck check;
    Key end = kMaxKey;  // its keys are below this one, or it is the last of its tree
    bool last = false;
  };
  // A part of a tree that a thread does by itself.
  struct Part {
    Child child;
    std::optional<FilesSummary> summary;
  };
  struct Memo {
    ParentCheck check;
    Key last_key;
    FilesSummary summary;
  };

  std::vector<Part> Split(const TreeRoot& root, Worker& worker);
  std::optional<FilesSummary> Remembered(const Child& child);
  void Remember(const Child& child, const Key& last_key, const FilesSummary& summary);
  void CheckFiles(const TreeRoot& root, FilesSummary summary, Worker& worker);
  void NoteLost(const TreeRoot& root, const Child& child, const absl::Status& status);

  CheckState& state_;
  const SpaceTrees& space_;
  FactSink& sink_;
  const TreeWork work_;
  const size_t most_memos_;
  SharedBlockSet visited_;
  Mutex memo_mutex_;
  absl::flat_hash_map<uint64_t, std::unique_ptr<Memo>> memos_ ABSL_GUARDED_BY(memo_mutex_);
};

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_CHECK_TREE_CHECK_H_
