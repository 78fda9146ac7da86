// Trees that go, and other forms of keeping space: a free space tree or none, block groups in the
// extent tree or in one of their own.
//
// The form that the transaction goes by changes at the one moment at which the trees of both forms
// say the same. What changes the trees behind it, the blocks of the conversion among them, is told
// in the new form.

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "ebcache/item_codec.h"
#include "ebcache/items_space.h"
#include "lib/base/messages.h"
#include "lib/space/free_space_items.h"
#include "lib/txn/no_exceptions.h"
#include "lib/txn/refusal.h"
#include "lib/txn/transaction_state.h"
#include "lib/txn/tree_drop.h"

namespace ebcache {
namespace {

// Blocks of a tree that goes between two looks at what waits in memory. As many changes of extents
// wait as these refer to.
constexpr uint64_t kDroppedAtOnce = 64;

Key GroupKey(const txn::BlockGroup& group) {
  return {group.range.start, kBlockGroupItemType, group.range.length};
}

// What the free space tree has of a group where the extent tree is as it is.
absl::StatusOr<std::vector<space::StoredItem>> FreeSpaceOf(const txn::BlockGroup& group,
                                                           const BTree& extents,
                                                           const txn::SpaceForm& form) {
  space::FreeSpaceItems free(group.range, form.sector_bytes);
  uint64_t at = group.range.start;
  uint64_t used = 0;
  const auto free_up_to = [&](uint64_t end) {
    return at < end ? free.AddRun({at, end - at}) : absl::OkStatus();
  };
  ItemRange items = extents.Items(
      {.from = {group.range.start, 0, 0}, .to = {group.range.end() - 1, 0xff, kMaxKey.offset}});
  for (const Item& item : items) {
    const Key& key = item.key();
    if (key.type != kExtentItemType && key.type != kMetadataItemType) continue;
    const uint64_t bytes = key.type == kExtentItemType ? key.offset : form.rules.node_bytes;
    if (key.objectid < at || bytes == 0 || bytes > group.range.end() - key.objectid) {
      return absl::DataLossError(
          absl::StrCat("extent ", key.ToString(), " overlaps what is there"));
    }
    if (absl::Status status = free_up_to(key.objectid); !status.ok()) return status;
    at = key.objectid + bytes;
    used += bytes;
  }
  if (!items.status().ok()) return items.status();
  if (absl::Status status = free_up_to(group.range.end()); !status.ok()) return status;
  if (used == group.used) return free.Items();
  return absl::DataLossError(
      absl::StrCat(group.used, " bytes are used, the extent tree has ", used));
}

}  // namespace

// ---- Trees ----------------------------------------------------------------------------------------

absl::StatusOr<bool> Transaction::Impl::HasTree(uint64_t tree) {
  const absl::Status found = trees.Find(tree).status();
  if (absl::IsNotFound(found)) return false;
  if (!found.ok()) return found;
  return true;
}

absl::Status Transaction::Impl::DropTree(uint64_t tree) {
  const absl::StatusOr<txn::TreeState*> state = trees.Find(tree);
  if (!state.ok()) return state.status();
  (*state)->dropped = true;
  absl::Status status = DropBlocks(**state);
  if (status.ok()) status = trees.Forget(tree);
  return txn::NoRefusal(std::move(status));
}

absl::Status Transaction::Impl::DropBlocks(txn::TreeState& tree) {
  txn::TreeDrop drop(&writer, &tree);
  while (true) {
    const absl::StatusOr<bool> more = drop.DropSome(kDroppedAtOnce);
    if (!more.ok() || !*more) return more.status();
    if (absl::Status status = MakeRoom(); !status.ok()) return status;
  }
}

// As a kernel makes trees of its own.
absl::Status Transaction::Impl::MakeSpaceTree(uint64_t tree) {
  return trees.Create(tree, {.refs = 1, .extension = RootItemExtension()}, 0).status();
}

void Transaction::Impl::SetFeature(CompatRoFlag feature, bool on) {
  const auto bit = static_cast<uint64_t>(feature);
  changed.compat_ro_flags = on ? changed.compat_ro_flags | bit : changed.compat_ro_flags & ~bit;
}

// ---- The free space tree --------------------------------------------------------------------------

// What is made of a group holds as long as the extent tree stays as it is: it is told of nothing, from
// the first group until behind the last. What waits before that or by then, the tree's own blocks
// among it, goes to both.
absl::Status Transaction::Impl::MakeFreeSpaceTree() {
  const absl::StatusOr<bool> is_there = HasTree(kFreeSpaceTreeId);
  if (!is_there.ok()) return is_there.status();
  absl::Status status = *is_there ? DropTree(kFreeSpaceTreeId) : absl::OkStatus();
  if (status.ok()) status = MakeSpaceTree(kFreeSpaceTreeId);
  // Chunks that are made meanwhile come behind all others.
  std::optional<uint64_t> last;
  while (status.ok()) {
    const auto& groups = session.space->groups();
    const auto next = last ? groups.upper_bound(*last) : groups.begin();
    if (next == groups.end()) break;
    last = next->first;
    status = AddFreeSpace(next->second);
  }
  if (!status.ok()) return status;
  form.free_space_tree = true;
  SetFeature(CompatRoFlag::kFreeSpaceTree, true);
  SetFeature(CompatRoFlag::kFreeSpaceTreeValid, true);
  return absl::OkStatus();
}

absl::Status Transaction::Impl::AddFreeSpace(const txn::BlockGroup& group) {
  absl::StatusOr<txn::CowTree> extents = trees.Open(kExtentTreeId);
  if (!extents.ok()) return extents.status();
  const absl::StatusOr<std::vector<space::StoredItem>> items =
      FreeSpaceOf(group, extents->Reader(), form);
  if (!items.ok()) {
    return Prefixed(absl::StrCat("block group ", group.range.ToString()), items.status());
  }
  absl::StatusOr<txn::CowTree> tree = trees.Open(kFreeSpaceTreeId);
  if (!tree.ok()) return tree.status();
  for (const space::StoredItem& item : *items) {
    absl::Status status = tree->Insert(item.key, item.data);
    if (status.ok()) status = KeepReserve();
    if (status.ok()) status = WriteSome();
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Transaction::Impl::RemoveFreeSpaceTree() {
  form.free_space_tree = false;
  updates.ForgetFreeSpace();
  SetFeature(CompatRoFlag::kFreeSpaceTree, false);
  SetFeature(CompatRoFlag::kFreeSpaceTreeValid, false);
  const absl::Status dropped = DropTree(kFreeSpaceTreeId);
  return absl::IsNotFound(dropped) ? absl::OkStatus() : dropped;
}

// ---- The block group tree -------------------------------------------------------------------------

// Chunks that are made on the way go where the form says already. What the items say of used bytes is
// brought up to date by the commit, wherever they are.
absl::Status Transaction::Impl::MakeBlockGroupTree() {
  std::vector<Key> keys;
  for (const auto& [start, group] : session.space->groups()) keys.push_back(GroupKey(group));
  absl::Status status = absl::OkStatus();
  const absl::StatusOr<bool> is_there = HasTree(kBlockGroupTreeId);
  if (!is_there.ok()) return is_there.status();
  if (*is_there) status = DropTree(kBlockGroupTreeId);  // without the feature it is nothing's
  if (status.ok()) status = MakeSpaceTree(kBlockGroupTreeId);
  if (!status.ok()) return status;
  form.block_group_tree = true;
  SetFeature(CompatRoFlag::kBlockGroupTree, true);
  for (const Key& key : keys) {
    status = CopyGroupItem(key, kExtentTreeId, kBlockGroupTreeId);
    if (!status.ok()) return status;
    absl::StatusOr<txn::CowTree> extents = trees.Open(kExtentTreeId);
    status = extents.ok() ? extents->Remove(key) : extents.status();
    if (status.ok()) status = MakeRoom();
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Transaction::Impl::RemoveBlockGroupTree() {
  std::vector<Key> keys;
  {
    absl::StatusOr<txn::CowTree> tree = trees.Open(kBlockGroupTreeId);
    if (!tree.ok()) return tree.status();
    const BTree reader = tree->Reader();
    ItemRange items = reader.Items();
    for (const Item& item : items) {
      const auto group = session.space->groups().find(item.key().objectid);
      if (group == session.space->groups().end() || GroupKey(group->second) != item.key()) {
        return absl::DataLossError(absl::StrCat("item ", item.key().ToString(), " of tree ",
                                                TreeName(kBlockGroupTreeId),
                                                " is of no block group"));
      }
      keys.push_back(item.key());
    }
    if (!items.status().ok()) return items.status();
  }
  form.block_group_tree = false;
  SetFeature(CompatRoFlag::kBlockGroupTree, false);
  for (const Key& key : keys) {
    absl::Status status = CopyGroupItem(key, kBlockGroupTreeId, kExtentTreeId);
    if (status.ok()) status = MakeRoom();
    if (!status.ok()) return status;
  }
  return DropTree(kBlockGroupTreeId);
}

absl::Status Transaction::Impl::CopyGroupItem(const Key& key, uint64_t from, uint64_t to) {
  absl::StatusOr<txn::TreeStore> source = trees.Store(from);
  if (!source.ok()) return source.status();
  const absl::StatusOr<std::optional<space::StoredItem>> item = source->Find(key);
  if (!item.ok()) return item.status();
  if (!item->has_value()) {
    return absl::DataLossError(absl::StrCat("there is no item ", key.ToString()));
  }
  absl::StatusOr<txn::TreeStore> target = trees.Store(to);
  return target.ok() ? target->Insert(key, (*item)->data) : target.status();
}

// ---- What callers ask for -------------------------------------------------------------------------

absl::Status Transaction::DropTree(uint64_t tree) {
  if (absl::Status status = impl_->CheckOpen(); !status.ok()) return status;
  const bool in_superblock = tree == kRootTreeId || tree == kChunkTreeId;
  const bool allowed = !txn::KeepsSpace(tree) ||
                       (impl_->session.options.change_space_trees && tree != kExtentTreeId);
  if (in_superblock || !allowed) {
    return absl::InvalidArgumentError(
        absl::StrCat("tree ", TreeName(tree), " is one that a transaction cannot do without"));
  }
  return impl_->Finish(txn::WithoutExceptions([&] { return impl_->DropTree(tree); }));
}

absl::StatusOr<bool> Transaction::MakeFreeSpaceTree() {
  if (absl::Status status = impl_->CheckOpen(); !status.ok()) return status;
  if (impl_->form.free_space_tree) return false;
  absl::Status status = impl_->Finish(
      txn::WithoutExceptions([&] { return txn::NoRefusal(impl_->MakeFreeSpaceTree()); }));
  if (!status.ok()) return Prefixed("making the free space tree", status);
  return true;
}

absl::StatusOr<bool> Transaction::RemoveFreeSpaceTree() {
  if (absl::Status status = impl_->CheckOpen(); !status.ok()) return status;
  if (impl_->form.block_group_tree) {
    return absl::InvalidArgumentError("kernels want the free space tree for the block group tree");
  }
  bool is_there = impl_->changed.has(CompatRoFlag::kFreeSpaceTree) ||
                  impl_->changed.has(CompatRoFlag::kFreeSpaceTreeValid);
  absl::Status status = impl_->Finish(txn::WithoutExceptions([&]() -> absl::Status {
    const absl::StatusOr<bool> has_tree = impl_->HasTree(kFreeSpaceTreeId);
    if (!has_tree.ok()) return txn::NoRefusal(has_tree.status());
    is_there |= *has_tree;
    return is_there ? txn::NoRefusal(impl_->RemoveFreeSpaceTree()) : absl::OkStatus();
  }));
  if (!status.ok()) return Prefixed("removing the free space tree", status);
  return is_there;
}

absl::StatusOr<bool> Transaction::MakeBlockGroupTree() {
  if (absl::Status status = impl_->CheckOpen(); !status.ok()) return status;
  if (impl_->form.block_group_tree) return false;
  if (!impl_->form.free_space_tree) {
    return absl::InvalidArgumentError("a block group tree needs a free space tree, which is valid");
  }
  if (!impl_->changed.has(IncompatFlag::kNoHoles)) {
    return absl::InvalidArgumentError("a block group tree needs the feature no-holes");
  }
  absl::Status status = impl_->Finish(
      txn::WithoutExceptions([&] { return txn::NoRefusal(impl_->MakeBlockGroupTree()); }));
  if (!status.ok()) return Prefixed("making the block group tree", status);
  return true;
}

absl::StatusOr<bool> Transaction::RemoveBlockGroupTree() {
  if (absl::Status status = impl_->CheckOpen(); !status.ok()) return status;
  if (!impl_->form.block_group_tree) return false;
  absl::Status status = impl_->Finish(
      txn::WithoutExceptions([&] { return txn::NoRefusal(impl_->RemoveBlockGroupTree()); }));
  if (!status.ok()) return Prefixed("removing the block group tree", status);
  return true;
}

}  // namespace ebcache
