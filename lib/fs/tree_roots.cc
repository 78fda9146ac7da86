#include "lib/fs/tree_roots.h"

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>
#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "ebcache/btree.h"
#include "ebcache/filesystem.h"
#include "ebcache/on_disk.h"

namespace ebcache {
namespace {

// Collects the trees that the root items of a tree tell of.
class RootItemCollector : public TreeVisitor {
 public:
  RootItemCollector(std::vector<TreeRoot>& trees, std::vector<WalkDamage>* damage)
      : trees_(trees), damage_(damage) {}

  bool VisitBlock(const TreeRoot& tree, const ExtentBuffer& block) override {
    if (Header(block).level() > 0) return true;
    ForEachItemOfType(block, kRootItemType, [&](const Key& key, absl::Span<const std::byte> data) {
      absl::StatusOr<TreeRoot> root = ParseTreeRoot(key, data);
      if (root.ok()) {
        trees_.push_back(*std::move(root));
      } else {
        VisitDamage(ItemDamage(tree, block, key, root.status()));
      }
    });
    return true;
  }

  void VisitDamage(const WalkDamage& damage) override {
    if (damage_ != nullptr) damage_->push_back(damage);
  }

 private:
  std::vector<TreeRoot>& trees_;
  std::vector<WalkDamage>* const damage_;
};

TreeRoot SuperblockRoot(uint64_t id, uint64_t bytenr, uint64_t generation, uint8_t level) {
  return {.id = id,
          .bytenr = bytenr,
          .generation = generation,
          .level = level,
          .name = TreeRootName(id, 0),
          .drop_progress = kMinKey};
}

}  // namespace

void ForEachItemOfType(
    const ExtentBuffer& leaf, uint8_t type,
    absl::FunctionRef<void(const Key& key, absl::Span<const std::byte> data)> visit) {
  std::vector<std::byte> data;
  const uint32_t items = Header(leaf).item_count();
  for (uint32_t slot = 0; slot < items; ++slot) {
    const ItemHead head = LoadItemHead(leaf, slot);
    if (head.key.type != type || head.size > leaf.length()) continue;
    data.resize(head.size);
    if (leaf.Read(head.offset, absl::MakeSpan(data)).ok()) visit(head.key, data);
  }
}

TreeRoot RootTreeRoot(const Superblock& superblock) {
  return SuperblockRoot(kRootTreeId, superblock.root, superblock.generation, superblock.root_level);
}

TreeRoot ChunkTreeRoot(const Superblock& superblock) {
  return SuperblockRoot(kChunkTreeId, superblock.chunk_root, superblock.chunk_root_generation,
                        superblock.chunk_root_level);
}

TreeRoot LogTreeRoot(const Superblock& superblock) {
  // A log is written between two commits: its blocks belong to the transaction that is still open.
  return SuperblockRoot(kTreeLogId, superblock.log_root, superblock.generation + 1,
                        superblock.log_root_level);
}

absl::StatusOr<TreeRoot> ParseTreeRoot(const Key& key, absl::Span<const std::byte> item) {
  absl::StatusOr<RootItem> root = ParseRootItem(item);
  if (!root.ok()) return root.status();
  if (root->bytenr == 0) return absl::DataLossError("the root is at address 0");
  return TreeRoot{.id = key.objectid,
                  .key_offset = key.offset,
                  .bytenr = root->bytenr,
                  .generation = root->generation,
                  .level = root->level,
                  .name = TreeRootName(key.objectid, key.offset),
                  .drop_progress = root->drop_progress,
                  .drop_level = root->drop_level,
                  .refs = root->refs};
}

WalkDamage ItemDamage(const TreeRoot& tree, const ExtentBuffer& leaf, const Key& key,
                      const absl::Status& status) {
  return {.tree = tree.id,
          .key_offset = tree.key_offset,
          .level = 0,
          .logical = leaf.start(),
          .status = absl::Status(status.code(),
                                 absl::StrCat("item ", key.ToString(), ": ", status.message())),
          .item = key};
}

std::vector<TreeRoot> Filesystem::Trees(std::vector<WalkDamage>* damage) {
  const TreeRoot root_tree = RootTreeRoot(superblock());
  std::vector<TreeRoot> trees = {root_tree, ChunkTreeRoot(superblock())};
  RootItemCollector collector(trees, damage);
  WalkTree(*cache_, root_tree, collector);
  if (superblock().log_root != 0) {
    const TreeRoot log_tree = LogTreeRoot(superblock());
    trees.push_back(log_tree);
    WalkTree(*cache_, log_tree, collector);
  }
  return trees;
}

absl::StatusOr<BTree> Filesystem::Tree(uint64_t id) {
  const BTree root_tree(cache_.get(), RootTreeRoot(superblock()));
  if (id == kRootTreeId) return root_tree;
  if (id == kChunkTreeId) return BTree(cache_.get(), ChunkTreeRoot(superblock()));
  if (id == kTreeLogId && superblock().log_root != 0) {
    return BTree(cache_.get(), LogTreeRoot(superblock()));
  }
  // The key offset is not known: 0 for most trees, a generation for snapshots.
  absl::StatusOr<Path> path = root_tree.SearchBackward({id, kRootItemType, kMaxKey.offset});
  const bool missing = path.ok() ? path->key().objectid != id || path->key().type != kRootItemType
                                 : absl::IsNotFound(path.status());
  if (missing) return absl::NotFoundError(absl::StrCat("there is no tree ", TreeName(id)));
  if (!path.ok()) return path.status();

  Item item;
  absl::Status loaded = path->Load(item);
  if (!loaded.ok()) return loaded;
  absl::StatusOr<TreeRoot> root = ParseTreeRoot(item.key(), item.data());
  if (!root.ok()) {
    return absl::Status(
        root.status().code(),
        ItemDamage(root_tree.root(), *path->leaf(), item.key(), root.status()).ToString());
  }
  return BTree(cache_.get(), *std::move(root));
}

}  // namespace ebcache
