#include "tools/find_block/block_path.h"

#include <absl/status/statusor.h>

#include <array>
#include <cstddef>
#include <utility>

#include "ebcache/btree.h"

namespace ebcache::tools {
namespace {

ParentCheck CheckOfRoot(const TreeRoot& root) {
  return {.level = root.level, .generation = root.generation, .owner = root.id, .first_key = {}};
}

ParentCheck CheckOfChild(const TreeRoot& tree, const KeyPointer& pointer, uint8_t level) {
  return {
      .level = level, .generation = pointer.generation, .owner = tree.id, .first_key = pointer.key};
}

// Down the tree along the block's first key.
std::optional<BlockPath> PathByKey(Filesystem& filesystem, const TreeRoot& tree, uint64_t logical,
                                   const BlockFacts& facts) {
  // Of a subvolume that is being deleted, a search may meet what is gone already.
  if (tree.drop_progress != kMinKey || facts.level > tree.level) return std::nullopt;
  BlockPath found{.tree = tree, .expected = CheckOfRoot(tree)};
  if (tree.bytenr == logical) {
    found.steps.push_back({.logical = logical, .level = tree.level});
    return found;
  }
  if (!facts.first_key) return std::nullopt;  // an empty leaf that is no root
  const BTree btree(&filesystem.cache(), tree);
  const absl::StatusOr<Path> path = btree.Search(*facts.first_key);
  if (!path.ok() || !path->node(facts.level)) return std::nullopt;
  if (path->node(facts.level)->start() != logical) return std::nullopt;
  for (int level = path->root_level(); level > facts.level; --level) {
    const ExtentBuffer& node = *path->node(level);
    const uint32_t slot = path->slot(level);
    found.steps.push_back(
        {.logical = node.start(), .level = static_cast<uint8_t>(level), .slot = slot});
    if (level == facts.level + 1) {
      found.expected = CheckOfChild(tree, LoadKeyPointer(node, slot), facts.level);
    }
  }
  found.steps.push_back({.logical = logical, .level = facts.level});
  return found;
}

// An address, and how far in front of it a block may begin.
struct BlockRange {
  uint64_t logical;
  uint32_t node_bytes;

  bool InBlockAt(uint64_t start) const { return start <= logical && logical - start < node_bytes; }
};

// Looks at every pointer of a tree; leaves, which have none, are not read. What the block says of
// its level is not trusted: a write that got lost leaves an older block of another level there.
class PointerVisitor : public TreeVisitor {
 public:
  PointerVisitor(const Volume& volume, const BlockRange& wanted, Progress& progress,
                 PathSearch& search)
      : volume_(volume), wanted_(wanted), progress_(progress), search_(search) {}

  bool VisitBlock(const TreeRoot& tree, const ExtentBuffer& block) override {
    if (search_.path) return false;
    const Header header(block);
    const uint8_t level = header.level();
    progress_.Update(++nodes_, "nodes", tree.name);
    above_[level] = block.start();
    for (uint32_t slot = 0; slot < header.item_count(); ++slot) {
      const KeyPointer pointer = LoadKeyPointer(block, slot);
      if (wanted_.InBlockAt(pointer.bytenr)) return Found(tree, level, slot, pointer);
    }
    return level > 1;
  }

  void VisitDamage(const WalkDamage& damage) override {
    search_.lost.Note(damage, CauseOf(damage, volume_));
  }

 private:
  bool Found(const TreeRoot& tree, uint8_t level, uint32_t slot, const KeyPointer& pointer) {
    BlockPath path{.tree = tree,
                   .found_by = BlockPath::FoundBy::kWalk,
                   .expected = CheckOfChild(tree, pointer, level - 1)};
    for (int above = tree.level; above >= level; --above) {
      path.steps.push_back({.logical = above_[above], .level = static_cast<uint8_t>(above)});
    }
    path.steps.back().slot = slot;
    path.steps.push_back({.logical = pointer.bytenr, .level = static_cast<uint8_t>(level - 1)});
    search_.path = std::move(path);
    return false;
  }

  const Volume& volume_;
  const BlockRange wanted_;
  Progress& progress_;
  PathSearch& search_;
  std::array<uint64_t, kMaxLevels> above_{};  // the nodes from the root to the one visited
  uint64_t nodes_ = 0;
};

// A walk knows the blocks that it came by; the slots are in them.
void FillSlots(Filesystem& filesystem, BlockPath& path) {
  for (size_t i = 0; i + 2 < path.steps.size(); ++i) {
    const absl::StatusOr<ExtentBufferRef> node = filesystem.ReadTreeBlock(path.steps[i].logical);
    if (!node.ok()) return;  // it was read a moment ago
    for (uint32_t slot = 0; slot < Header(**node).item_count(); ++slot) {
      if (LoadKeyPointer(**node, slot).bytenr != path.steps[i + 1].logical) continue;
      path.steps[i].slot = slot;
      break;
    }
  }
}

void SearchTree(Filesystem& filesystem, const TreeRoot& root, const BlockRange& wanted,
                BlockSet& visited, Progress& progress, PathSearch& search) {
  if (wanted.InBlockAt(root.bytenr)) {
    search.path = BlockPath{.tree = root,
                            .found_by = BlockPath::FoundBy::kWalk,
                            .steps = {{.logical = root.bytenr, .level = root.level}},
                            .expected = CheckOfRoot(root)};
    return;
  }
  if (root.level == 0) return;
  PointerVisitor visitor(filesystem.volume(), wanted, progress, search);
  WalkTree(filesystem.cache(), root, visitor, {.visited = IsFsTree(root.id) ? &visited : nullptr});
}

}  // namespace

PathSearch FindBlockPath(Filesystem& filesystem, uint64_t logical, const BlockFacts* facts,
                         Progress& progress) {
  PathSearch search;
  std::vector<WalkDamage> early = filesystem.open_damage();
  const std::vector<TreeRoot> roots = filesystem.Trees(&early);
  for (const TreeRoot& root : roots) {
    if (facts == nullptr || root.id != facts->owner) continue;
    search.path = PathByKey(filesystem, root, logical, *facts);
    if (search.path) return search;
  }
  for (const WalkDamage& damage : early) {
    search.lost.Note(damage, CauseOf(damage, filesystem.volume()));
  }
  const BlockRange wanted{.logical = logical, .node_bytes = filesystem.superblock().node_bytes};
  BlockSet visited(wanted.node_bytes);
  for (const TreeRoot& root : roots) {
    SearchTree(filesystem, root, wanted, visited, progress, search);
    if (search.path) break;
  }
  progress.Clear();
  if (search.path) FillSlots(filesystem, *search.path);
  return search;
}

}  // namespace ebcache::tools
