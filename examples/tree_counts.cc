#include "examples/tree_counts.h"

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include "ebcache/btree.h"
#include "ebcache/filesystem.h"
#include "ebcache/on_disk.h"
#include "examples/damage_log.h"
#include "examples/progress.h"

namespace ebcache::examples {
namespace {

class Counter : public TreeVisitor {
 public:
  Counter(uint32_t node_bytes, DamageLog& damage, Progress& progress)
      : all_blocks_(node_bytes), damage_(damage), progress_(progress) {}

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
  void VisitDamage(const WalkDamage& damage) override { damage_.NoteDamage(damage); }

  uint64_t unique_blocks() const { return all_blocks_.size(); }

 private:
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
  for (const WalkDamage& found : early) damage.NoteEarly(found);

  FilesystemCounts counts;
  Counter counter(filesystem.cache().node_bytes(), damage, progress);
  for (const TreeRoot& root : roots) {
    counts.trees.push_back({.root = root, .levels = std::vector<uint64_t>(root.level + 1)});
    counter.Begin(&counts.trees.back());
    WalkTree(filesystem.cache(), root, counter, {.readahead = readahead});
  }
  counts.unique_blocks = counter.unique_blocks();
  return counts;
}

}  // namespace ebcache::examples
