#include "tools/tree_counts.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include "ebcache/btree.h"
#include "ebcache/filesystem.h"
#include "ebcache/on_disk.h"
#include "tools/damage.h"
#include "tools/progress.h"

namespace ebcache::tools {
namespace {

class Counter : public TreeVisitor {
 public:
  Counter(Filesystem& filesystem, DamageLog& damage, Progress& progress)
      : volume_(filesystem.volume()),
        all_blocks_(filesystem.cache().node_bytes()),
        damage_(damage),
        progress_(progress) {}

  // The counts that blocks go to from now on.
  void Begin(TreeCounts* counts) { counts_ = counts; }

  bool VisitBlock(const TreeRoot& tree, const ExtentBuffer& block) override {
    const Header header(block);
    ++counts_->levels[header.level()];
    if (header.level() == 0) counts_->items += header.item_count();
    all_blocks_.Insert(block.start());
    damage_.NoteGoodBlock(tree, block);
    progress_.Update(++visits_, "blocks", tree.name);
    return true;
  }
  void VisitDamage(const WalkDamage& damage) override {
    damage_.NoteDamage(damage, CauseOf(damage, volume_));
  }

  uint64_t unique_blocks() const { return all_blocks_.size(); }

 private:
  const Volume& volume_;
  BlockSet all_blocks_;
  DamageLog& damage_;
  Progress& progress_;
  TreeCounts* counts_ = nullptr;
  uint64_t visits_ = 0;
};

}  // namespace

uint64_t TreeCounts::blocks() const {
  return std::accumulate(levels.begin(), levels.end(), uint64_t{0});
}

const char* TreeStateName(const TreeRoot& root) {
  if (!root.deleted()) return "live";
  return root.drop_progress == kMinKey ? "deleted" : "being deleted";
}

uint64_t FilesystemCounts::deleted_trees() const {
  return std::count_if(trees.begin(), trees.end(),
                       [](const TreeCounts& tree) { return tree.root.deleted(); });
}

TreeCounts FilesystemCounts::Sum() const {
  TreeCounts sum{.levels = {0}};
  for (const TreeCounts& tree : trees) {
    if (sum.levels.size() < tree.levels.size()) sum.levels.resize(tree.levels.size());
    for (size_t level = 0; level < tree.levels.size(); ++level) {
      sum.levels[level] += tree.levels[level];
    }
    sum.items += tree.items;
  }
  return sum;
}

FilesystemCounts CountTrees(Filesystem& filesystem, DamageLog& damage, Progress& progress,
                            Readahead* readahead) {
  std::vector<WalkDamage> early = filesystem.open_damage();
  const std::vector<TreeRoot> roots = filesystem.Trees(&early);
  FilesystemCounts counts;
  Counter counter(filesystem, damage, progress);
  for (const WalkDamage& found : early) counter.VisitDamage(found);
  for (const TreeRoot& root : roots) {
    counts.trees.push_back({.root = root, .levels = std::vector<uint64_t>(root.level + 1)});
    counter.Begin(&counts.trees.back());
    WalkTree(filesystem.cache(), root, counter, {.readahead = readahead});
  }
  counts.unique_blocks = counter.unique_blocks();
  return counts;
}

}  // namespace ebcache::tools
