#include "lib/txn/transaction_trees.h"

#include <absl/strings/str_cat.h>

#include <optional>
#include <utility>

#include "ebcache/item_codec.h"
#include "lib/base/messages.h"

namespace ebcache::txn {
namespace {

// Objectid of the items that name what is to be deleted.
constexpr uint64_t kOrphanObjectId = static_cast<uint64_t>(-5);

}  // namespace

TransactionTrees::TransactionTrees(BlockWriter* writer, const Superblock& superblock,
                                   bool join_neighbours)
    : writer_(*writer), join_neighbours_(join_neighbours) {
  states_[kRootTreeId] = {.id = kRootTreeId,
                          .bytenr = superblock.root,
                          .generation = superblock.generation,
                          .level = superblock.root_level};
  states_[kChunkTreeId] = {.id = kChunkTreeId,
                           .bytenr = superblock.chunk_root,
                           .generation = superblock.chunk_root_generation,
                           .level = superblock.chunk_root_level};
}

absl::StatusOr<TreeState*> TransactionTrees::Find(uint64_t id) {
  const auto known = states_.find(id);
  if (known != states_.end()) {
    if (!known->second.dropped) return &known->second;
    return absl::NotFoundError(absl::StrCat("there is no tree ", TreeName(id)));
  }
  absl::StatusOr<TreeState> state = Load(id);
  if (!state.ok()) return state.status();
  return &states_.emplace(id, *std::move(state)).first->second;
}

// The key offset is not known: 0 for most trees, a generation for snapshots.
absl::StatusOr<TreeState> TransactionTrees::Load(uint64_t id) {
  absl::StatusOr<TreeStore> roots = Store(kRootTreeId);
  if (!roots.ok()) return roots.status();
  const absl::StatusOr<std::optional<space::StoredItem>> item =
      roots->AtOrBefore({id, kRootItemType, kMaxKey.offset});
  if (!item.ok()) return item.status();
  if (!item->has_value() || (*item)->key.objectid != id || (*item)->key.type != kRootItemType) {
    return absl::NotFoundError(absl::StrCat("there is no tree ", TreeName(id)));
  }
  const absl::StatusOr<RootItem> root = ParseRootItem((*item)->data);
  if (!root.ok()) return Prefixed(absl::StrCat("root item of ", TreeName(id)), root.status());
  return TreeState{.id = id,
                   .bytenr = root->bytenr,
                   .generation = root->generation,
                   .level = root->level,
                   .root_key = (*item)->key,
                   .root_item = *root};
}

absl::StatusOr<CowTree> TransactionTrees::Open(uint64_t id) {
  const absl::StatusOr<TreeState*> state = Find(id);
  if (!state.ok()) return state.status();
  return CowTree(&writer_, *state, join_neighbours_);
}

absl::StatusOr<CowTree> TransactionTrees::OpenForCaller(uint64_t id) {
  const absl::StatusOr<TreeState*> state = Find(id);
  if (!state.ok()) return state.status();
  if ((*state)->partly_gone()) {
    return absl::InvalidArgumentError(
        absl::StrCat("tree ", TreeName(id),
                     " is a subvolume of which a part is deleted: a kernel deletes the rest"));
  }
  return CowTree(&writer_, *state, join_neighbours_);
}

absl::StatusOr<TreeStore> TransactionTrees::Store(uint64_t id) {
  const absl::StatusOr<CowTree> tree = Open(id);
  if (!tree.ok()) return tree.status();
  return TreeStore(*tree);
}

absl::StatusOr<TreeState*> TransactionTrees::Create(uint64_t id, const RootItem& root_item,
                                                    uint64_t key_offset) {
  const absl::StatusOr<TreeState*> there = Find(id);
  if (there.ok()) return absl::AlreadyExistsError(absl::StrCat("tree ", TreeName(id)));
  if (!absl::IsNotFound(there.status())) return there.status();
  TreeState& state = states_[id];
  state = {.id = id,
           .root_key = {id, kRootItemType, key_offset},
           .root_item = root_item,
           .is_new = true};
  absl::Status made = CowTree(&writer_, &state).MakeRoot();
  if (!made.ok()) return made;
  return &state;
}

absl::Status TransactionTrees::Forget(uint64_t id) {
  const auto at = states_.find(id);
  absl::StatusOr<TreeStore> roots = Store(kRootTreeId);
  if (!roots.ok()) return roots.status();
  // One that is new and gone again has never had an item.
  absl::Status status = at->second.is_new ? absl::OkStatus() : roots->Remove(at->second.root_key);
  if (!status.ok()) return Prefixed(absl::StrCat("root item of ", TreeName(id)), status);
  const Key orphan{kOrphanObjectId, kOrphanItemType, id};
  status = roots->Remove(orphan);
  if (!status.ok() && !absl::IsNotFound(status)) return Prefixed(orphan.ToString(), status);
  states_.erase(at);
  return absl::OkStatus();
}

absl::Status TransactionTrees::UpdateRootItem(TreeState& state) {
  absl::StatusOr<TreeStore> roots = Store(kRootTreeId);
  if (!roots.ok()) return roots.status();
  RootItem& item = state.root_item;
  item.bytenr = state.bytenr;
  item.level = state.level;
  item.generation = state.generation;
  if (item.extension) item.extension->generation_v2 = state.generation;
  item.bytes_used += static_cast<uint64_t>(state.bytes_changed);
  state.bytes_changed = 0;
  std::vector<std::byte> data;
  if (absl::Status status = AppendItem(item, data); !status.ok()) return status;
  absl::Status status =
      state.is_new ? roots->Insert(state.root_key, data) : roots->Replace(state.root_key, data);
  if (status.ok()) state.is_new = false;
  return status;
}

absl::StatusOr<bool> TransactionTrees::UpdateRootItems() {
  bool any = false;
  for (auto& [id, state] : states_) {
    if (!state.root_changed()) continue;
    absl::Status status = UpdateRootItem(state);
    if (!status.ok()) return Prefixed(absl::StrCat("root item of ", TreeName(state.id)), status);
    any = true;
  }
  return any;
}

}  // namespace ebcache::txn
