#include "lib/txn/tree_drop.h"

#include <absl/strings/str_cat.h>

#include <optional>
#include <utility>

#include "lib/base/messages.h"
#include "lib/tree/slots.h"

namespace ebcache::txn {
namespace {

TreeRoot RootOf(const TreeState& tree) {
  TreeRoot root = tree.root();
  root.drop_progress = tree.root_item.drop_progress;
  root.drop_level = tree.root_item.drop_level;
  return root;
}

}  // namespace

TreeDrop::TreeDrop(BlockWriter* writer, TreeState* tree)
    : writer_(*writer),
      tree_(*tree),
      root_(RootOf(*tree)),
      refers_to_data_(tree->shareable() || tree->id == kDataRelocTreeId) {}

absl::StatusOr<bool> TreeDrop::DropSome(uint64_t most) {
  for (uint64_t done = 0; done < most; ++done) {
    while (!frames_.empty() && frames_.back().next == frames_.back().children.size()) {
      frames_.pop_back();
    }
    if (begun_ && frames_.empty()) return false;
    absl::Status status = begun_ ? Child() : Root();
    if (!status.ok()) return Prefixed(absl::StrCat("dropping tree ", TreeName(tree_.id)), status);
  }
  return true;
}

absl::StatusOr<ExtentBufferRef> TreeDrop::Read(uint64_t bytenr, const ParentCheck& check) {
  if (ExtentBufferRef own = writer_.Own(bytenr)) return own;
  return writer_.cache().ReadBlock(bytenr, &check);
}

// The root block is never another tree's: a snapshot has a copy of it.
absl::Status TreeDrop::Root() {
  begun_ = true;
  absl::StatusOr<ExtentBufferRef> root = Read(
      tree_.bytenr,
      {.level = tree_.level, .generation = tree_.generation, .owner = tree_.id, .first_key = {}});
  if (!root.ok()) return root.status();
  return Free(*std::move(root), false, space::ExtentRef::OfTree(tree_.id));
}

absl::Status TreeDrop::Child() {
  Frame& frame = frames_.back();
  const KeyPointer pointer = frame.children[frame.next++];
  absl::StatusOr<ExtentBufferRef> child = Read(pointer.bytenr, {.level = frame.level,
                                                                .generation = pointer.generation,
                                                                .owner = tree_.id,
                                                                .first_key = pointer.key});
  if (!child.ok()) return child.status();
  const absl::StatusOr<BlockReferences> references = writer_.ReferencesOf(tree_, **child, false);
  if (!references.ok()) return references.status();
  const bool is_freed = frame.freed;
  const space::ExtentRef by = frame.by;
  if (is_freed && references->count == 1) {
    return Free(*std::move(child), references->full_backref, by);
  }
  absl::Status status = absl::OkStatus();
  if (Header(**child).owner() == tree_.id) {
    status = ReferByAddress(**child, references->full_backref);
  }
  if (status.ok() && is_freed) writer_.DropReference(**child, by);
  return status;
}

absl::Status TreeDrop::Free(ExtentBufferRef block, bool full_backref, const space::ExtentRef& by) {
  const space::ExtentRef to_children = full_backref ? space::ExtentRef::OfParent(block->start())
                                                    : space::ExtentRef::OfTree(tree_.id);
  if (Header(*block).level() > 0) {
    Push(*block, true, to_children);
  } else if (refers_to_data_) {
    absl::Status status = writer_.ReferToChildren(*block, to_children, -1);
    if (!status.ok()) return status;
  }
  writer_.FreeLast(tree_, std::move(block), by);
  return absl::OkStatus();
}

// A kernel that has begun to delete the tree may have done so with a node, and not with all below it.
absl::Status TreeDrop::ReferByAddress(ExtentBuffer& block, bool does_already) {
  absl::Status status = does_already ? absl::OkStatus() : writer_.ReferByAddress(tree_, block);
  if (status.ok() && Header(block).level() > 0) Push(block, false, {});
  return status;
}

void TreeDrop::Push(const ExtentBuffer& node, bool freed, const space::ExtentRef& by) {
  const uint8_t level = Header(node).level();
  Frame& frame = frames_.emplace_back();
  frame.level = static_cast<uint8_t>(level - 1);
  frame.freed = freed;
  frame.by = by;
  const uint32_t count = Header(node).item_count();
  for (uint32_t slot = FirstSlotLeft(root_, node, level); slot < count; ++slot) {
    frame.children.push_back(LoadKeyPointer(node, slot));
  }
}

}  // namespace ebcache::txn
