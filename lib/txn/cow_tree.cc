// Ways down, and what is inserted at their ends. Removal is in cow_tree_removal.cc.

#include "lib/txn/cow_tree.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "lib/base/messages.h"
#include "lib/tree/edit/leaf_edit.h"
#include "lib/tree/edit/leaf_pair.h"
#include "lib/tree/edit/node_edit.h"
#include "lib/txn/block_edit.h"
#include "lib/txn/refusal.h"

namespace ebcache::txn {
namespace {

// What one change may add to a node: a leaf that is split for an item in its middle makes three.
constexpr uint32_t kMostNewPointers = 2;

// Leaves that are asked for in front of the one that is copied: two batches, one of which is read
// while the other is copied.
constexpr uint32_t kLeavesAhead = 2 * ReadaheadOptions().batch;

KeyPointer PointerTo(const ExtentBuffer& block, uint64_t generation) {
  const Key first = Header(block).level() == 0 ? LeafKey(block, 0) : NodeKey(block, 0);
  return {.key = first, .bytenr = block.start(), .generation = generation};
}

bool HasRoomForSplits(const ExtentBuffer& node) {
  const uint32_t most = (node.length() - kHeaderBytes) / kKeyPointerBytes;
  return Header(node).item_count() + kMostNewPointers <= most;
}

}  // namespace

void CowTree::SetRoot(const ExtentBuffer& root) {
  state_.bytenr = root.start();
  state_.level = Header(root).level();
  state_.generation = Header(root).generation();
}

absl::Status CowTree::MakeRoot() {
  const absl::StatusOr<ExtentBufferRef> root = writer_.Make(state_, 0, kMinKey);
  if (!root.ok()) return root.status();
  SetRoot(**root);
  return absl::OkStatus();
}

absl::StatusOr<ExtentBufferRef> CowTree::OwnRoot() {
  if (ExtentBufferRef own = writer_.Own(state_.bytenr)) return own;
  const ParentCheck check{
      .level = state_.level, .generation = state_.generation, .owner = state_.id, .first_key = {}};
  absl::StatusOr<ExtentBufferRef> root = writer_.cache().ReadBlock(state_.bytenr, &check);
  if (!root.ok()) return ReadError(root.status());
  root = writer_.Copy(state_, *std::move(root), true);
  if (!root.ok()) return root;
  SetRoot(**root);
  return root;
}

absl::Status CowTree::CopyRoot() { return OwnRoot().status(); }

ParentCheck CowTree::CheckOf(const KeyPointer& pointer, int level) const {
  return {.level = static_cast<uint8_t>(level),
          .generation = pointer.generation,
          .owner = state_.id,
          .first_key = pointer.key};
}

absl::StatusOr<ExtentBufferRef> CowTree::ReadChild(const KeyPointer& pointer, int level) {
  const ParentCheck check = CheckOf(pointer, level);
  absl::StatusOr<ExtentBufferRef> child = writer_.cache().ReadBlock(pointer.bytenr, &check);
  if (!child.ok()) return ReadError(child.status());
  if (Header(**child).item_count() == 0) {
    return absl::DataLossError(
        absl::StrCat("block ", pointer.bytenr, ": no items, though it has a parent"));
  }
  return child;
}

absl::StatusOr<ExtentBufferRef> CowTree::OwnChild(Way& way, int level, uint32_t slot) {
  ExtentBuffer& parent = *way.block[level];
  const KeyPointer pointer = LoadKeyPointer(parent, slot);
  if (ExtentBufferRef own = writer_.Own(pointer.bytenr)) return own;
  absl::StatusOr<ExtentBufferRef> child = ReadChild(pointer, level - 1);
  if (child.ok()) child = writer_.Copy(state_, *std::move(child), false);
  if (!child.ok()) return child;
  const BlockEdit edit(parent, BlockEdit::Purpose::kChange);
  const edit::MutableBlock view = edit.Reopen();
  const KeyPointer to_copy{
      .key = pointer.key, .bytenr = (*child)->start(), .generation = writer_.identity().generation};
  absl::Status status =
      EditStatus(edit::ReplacePointer(view, slot, to_copy), parent.start(), "leading to a copy");
  if (!status.ok()) return status;
  return child;
}

absl::StatusOr<CowTree::Way> CowTree::GoDown(const Key& key, Room room) {
  Way way;
  absl::StatusOr<ExtentBufferRef> root = OwnRoot();
  if (!root.ok()) return root.status();
  const int root_level = state_.level;
  way.block[root_level] = *std::move(root);
  for (int level = root_level; level > 0; --level) {
    if (room == Room::kForSplits && !HasRoomForSplits(*way.block[level])) {
      absl::Status status = level == state_.level ? Grow(way) : absl::OkStatus();
      if (status.ok()) status = SplitNode(way, level, key);
      if (!status.ok()) return status;
    }
    const uint32_t slot = std::max(CountNodeKeysUpTo(*way.block[level], key), uint32_t{1}) - 1;
    way.slot[level] = slot;
    absl::StatusOr<ExtentBufferRef> child = OwnChild(way, level, slot);
    if (!child.ok()) return child.status();
    way.block[level - 1] = *std::move(child);
  }
  way.slot[0] = CountLeafKeysBelow(*way.block[0], key);
  return way;
}

absl::StatusOr<CowTree::Way> CowTree::GoTo(const Key& key, Room room) {
  absl::StatusOr<Way> way = GoDown(key, room);
  if (!way.ok()) return way;
  const ExtentBuffer& leaf = *way->block[0];
  if (way->slot[0] >= Header(leaf).item_count() || LeafKey(leaf, way->slot[0]) != key) {
    return absl::NotFoundError(
        absl::StrCat("item ", key.ToString(), " of tree ", TreeName(state_.id)));
  }
  return way;
}

std::optional<Key> CowTree::KeyBehind(const Way& way) const {
  for (int level = 1; level <= state_.level; ++level) {
    const ExtentBuffer& node = *way.block[level];
    const uint32_t next = way.slot[level] + 1;
    if (next < Header(node).item_count()) return NodeKey(node, next);
  }
  return std::nullopt;
}

// What the transaction has made is in memory, or was written by it, and is not read again here.
uint32_t CowTree::AskForLeaves(const Way& way, uint32_t next, Readahead& readahead) const {
  const ExtentBuffer& parent = *way.block[1];
  const uint32_t behind = way.slot[1] + 1;
  const uint32_t end = std::min(Header(parent).item_count(), behind + kLeavesAhead);
  for (next = std::max(next, behind); next < end; ++next) {
    const KeyPointer pointer = LoadKeyPointer(parent, next);
    if (pointer.generation == writer_.identity().generation) continue;
    readahead.Ask(pointer.bytenr, CheckOf(pointer, 0));
  }
  if (end == Header(parent).item_count()) readahead.Flush();
  return next;
}

absl::StatusOr<std::optional<Key>> CowTree::CopyLeaves(Key from, uint64_t most,
                                                       Readahead* readahead) {
  uint64_t parent = 0;  // of the leaves that were asked for
  uint32_t asked = 0;   // its first slot that was not
  for (uint64_t copied = 0; copied < most; ++copied) {
    const absl::StatusOr<Way> way = GoDown(from, Room::kAny);
    if (!way.ok()) return way.status();
    if (readahead != nullptr && state_.level > 0) {
      if (way->block[1]->start() != parent) asked = 0;
      parent = way->block[1]->start();
      asked = AskForLeaves(*way, asked, *readahead);
    }
    const std::optional<Key> behind = KeyBehind(*way);
    if (!behind) return std::optional<Key>();
    from = *behind;
  }
  return std::optional<Key>(from);
}

// ---- Room ---------------------------------------------------------------------------------------

absl::Status CowTree::Grow(Way& way) {
  const int level = state_.level;
  if (level + 1 >= kMaxLevels) {
    return WithNumber(absl::ResourceExhaustedError(absl::StrCat("tree ", TreeName(state_.id),
                                                                " cannot have more than 8 levels")),
                      ENOSPC);
  }
  const KeyPointer pointer = PointerTo(*way.block[level], writer_.identity().generation);
  absl::StatusOr<ExtentBufferRef> root =
      writer_.Make(state_, static_cast<uint8_t>(level + 1), pointer.key);
  if (!root.ok()) return root.status();
  {
    const BlockEdit edit(**root, BlockEdit::Purpose::kChange);
    const edit::MutableBlock view = edit.Reopen();
    absl::Status status =
        EditStatus(edit::InsertPointer(view, 0, pointer), (*root)->start(), "a new root");
    if (!status.ok()) return status;
  }
  SetRoot(**root);
  way.block[level + 1] = *std::move(root);
  way.slot[level + 1] = 0;
  return absl::OkStatus();
}

absl::Status CowTree::AddPointer(Way& way, int level, uint32_t slot, const ExtentBuffer& block) {
  ExtentBuffer& parent = *way.block[level + 1];
  const BlockEdit edit(parent, BlockEdit::Purpose::kChange);
  const edit::MutableBlock view = edit.Reopen();
  return EditStatus(
      edit::InsertPointer(view, slot, PointerTo(block, writer_.identity().generation)),
      parent.start(), "leading to a new block");
}

// Where the way goes behind the last pointer the left node stays as it is but for that one: what
// comes in order leaves full nodes behind.
absl::Status CowTree::SplitNode(Way& way, int level, const Key& key) {
  ExtentBuffer& left = *way.block[level];
  const uint32_t count = Header(left).item_count();
  const uint32_t at = CountNodeKeysUpTo(left, key) == count ? count - 1 : count / 2;
  absl::StatusOr<ExtentBufferRef> right =
      writer_.Make(state_, static_cast<uint8_t>(level), NodeKey(left, at));
  if (!right.ok()) return right.status();
  {
    const BlockEdit left_edit(left, BlockEdit::Purpose::kChange);
    const BlockEdit right_edit(**right, BlockEdit::Purpose::kChange);
    const edit::MutableBlock from = left_edit.Reopen();
    const edit::MutableBlock to = right_edit.Reopen();
    absl::Status status =
        EditStatus(edit::SplitNode(from, to, at), left.start(), "splitting a node");
    if (!status.ok()) return status;
  }
  uint32_t& slot = way.slot[level + 1];
  if (absl::Status status = AddPointer(way, level, slot + 1, **right); !status.ok()) return status;
  if (key >= NodeKey(**right, 0)) {
    ++slot;
    way.block[level] = *std::move(right);
  }
  return absl::OkStatus();
}

// ---- Items --------------------------------------------------------------------------------------

absl::Status CowTree::Insert(const Key& key, absl::Span<const std::byte> data) {
  if (data.size() > writer_.identity().node_bytes - kHeaderBytes - kItemBytes) {
    return absl::InvalidArgumentError(absl::StrCat("item ", key.ToString(), ": ", data.size(),
                                                   " bytes are more than a leaf has room for"));
  }
  absl::StatusOr<Way> way = GoDown(key, Room::kForSplits);
  if (!way.ok()) return way.status();
  const ExtentBuffer& leaf = *way->block[0];
  if (way->slot[0] < Header(leaf).item_count() && LeafKey(leaf, way->slot[0]) == key) {
    return absl::AlreadyExistsError(
        absl::StrCat("item ", key.ToString(), " of tree ", TreeName(state_.id)));
  }
  return InsertAt(*way, key, data);
}

absl::Status CowTree::InsertAt(Way& way, const Key& key, absl::Span<const std::byte> data) {
  ExtentBuffer& leaf = *way.block[0];
  {
    const BlockEdit edit(leaf, BlockEdit::Purpose::kChange);
    const edit::MutableBlock view = edit.Reopen();
    if (view.free_bytes() >= kItemBytes + data.size()) {
      absl::Status status = EditStatus(
          edit::InsertItem(view, way.slot[0],
                           {.key = key, .size = static_cast<uint32_t>(data.size()), .data = data}),
          leaf.start(), "inserting an item");
      if (!status.ok()) return status;
    } else {
      return SplitLeafAndInsert(way, key, data);
    }
  }
  return way.slot[0] == 0 ? FixLowKey(way, 0) : absl::OkStatus();
}

absl::Status CowTree::SplitLeafAndInsert(Way& way, const Key& key,
                                         absl::Span<const std::byte> data) {
  if (state_.level == 0) {
    if (absl::Status status = Grow(way); !status.ok()) return status;
  }
  ExtentBuffer& left = *way.block[0];
  const edit::NewItem item{.key = key, .size = static_cast<uint32_t>(data.size()), .data = data};
  absl::StatusOr<ExtentBufferRef> right = writer_.Make(state_, 0, key);
  if (!right.ok()) return right.status();
  absl::StatusOr<ExtentBufferRef> between = ExtentBufferRef();
  {
    const BlockEdit left_edit(left, BlockEdit::Purpose::kChange);
    const BlockEdit right_edit(**right, BlockEdit::Purpose::kChange);
    const edit::MutableBlock left_view = left_edit.Reopen();
    const edit::MutableBlock right_view = right_edit.Reopen();
    const edit::LeafSplit split = edit::PlanLeafSplit(left_view, way.slot[0], item.size);
    absl::Status status = EditStatus(split.result, left.start(), "splitting a leaf");
    if (status.ok()) {
      status = EditStatus(edit::SplitLeaf(left_view, right_view, split.at), left.start(),
                          "splitting a leaf");
    }
    if (!status.ok()) return status;
    if (split.home == edit::LeafSplit::Home::kBetween) {
      between = writer_.Make(state_, 0, key);
      if (!between.ok()) return between.status();
      const BlockEdit edit(**between, BlockEdit::Purpose::kChange);
      const edit::MutableBlock view = edit.Reopen();
      status = EditStatus(edit::InsertItem(view, 0, item), (*between)->start(), "one item");
    } else {
      const bool goes_left = split.home == edit::LeafSplit::Home::kLeft;
      status = EditStatus(edit::InsertItem(goes_left ? left_view : right_view, split.slot, item),
                          left.start(), "inserting where a leaf was split");
    }
    if (!status.ok()) return status;
  }
  uint32_t slot = way.slot[1];
  for (const ExtentBufferRef* block : {&*between, &*right}) {
    if (!*block) continue;
    if (absl::Status status = AddPointer(way, 0, ++slot, **block); !status.ok()) return status;
  }
  return FixLowKey(way, 0);
}

absl::Status CowTree::Replace(const Key& key, absl::Span<const std::byte> data) {
  if (data.size() > writer_.identity().node_bytes - kHeaderBytes - kItemBytes) {
    return absl::InvalidArgumentError(absl::StrCat("item ", key.ToString(), ": ", data.size(),
                                                   " bytes are more than a leaf has room for"));
  }
  const auto edit_item = [&](Way& way, auto change) -> absl::StatusOr<edit::Result> {
    const BlockEdit edit(*way.block[0], BlockEdit::Purpose::kChange);
    const edit::MutableBlock view = edit.Reopen();
    return change(view, way.slot[0]);
  };
  absl::StatusOr<Way> way = GoTo(key, Room::kAny);
  if (!way.ok()) return way.status();
  absl::StatusOr<edit::Result> result = edit_item(
      *way,
      [&](edit::MutableBlock leaf, uint32_t slot) { return edit::ReplaceData(leaf, slot, data); });
  if (!result.ok()) return result.status();
  if (*result != edit::Result::kNoRoom) {
    return EditStatus(*result, way->block[0]->start(), "replacing an item's data");
  }
  // The item goes, and comes back where there is room. Its leaf has others, or it would fit.
  way = GoTo(key, Room::kForSplits);
  if (!way.ok()) return way.status();
  result = edit_item(*way, [](edit::MutableBlock leaf, uint32_t slot) {
    return edit::RemoveItems(leaf, slot, 1);
  });
  if (!result.ok()) return result.status();
  absl::Status status =
      EditStatus(*result, way->block[0]->start(), "removing an item that is to grow");
  return status.ok() ? InsertAt(*way, key, data) : status;
}

absl::Status CowTree::FixLowKey(Way& way, int level) {
  const ExtentBuffer& block = *way.block[level];
  const Key key = level == 0 ? LeafKey(block, 0) : NodeKey(block, 0);
  for (int above = level + 1; above <= state_.level; ++above) {
    ExtentBuffer& parent = *way.block[above];
    const uint32_t slot = way.slot[above];
    if (NodeKey(parent, slot) != key) {
      const BlockEdit edit(parent, BlockEdit::Purpose::kChange);
      const edit::MutableBlock view = edit.Reopen();
      absl::Status status =
          EditStatus(edit::ChangeKey(view, slot, key), parent.start(), "changing a low key");
      if (!status.ok()) return status;
    }
    if (slot != 0) break;
  }
  return absl::OkStatus();
}

}  // namespace ebcache::txn
