#include "lib/tree/leaf_sequence.h"

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "ebcache/btree.h"
#include "ebcache/buffer_cache.h"
#include "ebcache/extent_buffer.h"
#include "ebcache/on_disk.h"
#include "lib/tree/slots.h"
#include "lib/tree/tree_error.h"

namespace ebcache::internal {
namespace {

// REQUIRES: above kMinKey.
Key KeyBefore(Key key) {
  if (key.offset-- != 0) return key;
  if (key.type-- != 0) return key;
  --key.objectid;
  return key;
}

// The last key that can be below the slot of the node on `level`: one less than the next pointer.
// Where pointers do not rise, which no good node has, that may be before the first.
Key LastKeyBelow(const Path& path, int level) {
  for (; level <= path.root_level(); ++level) {
    const ExtentBuffer& node = *path.node(level);
    const uint32_t next = path.slot(level) + 1;
    if (next >= Header(node).item_count()) continue;
    const Key key = LoadKeyPointer(node, next).key;
    return key == kMinKey ? key : KeyBefore(key);
  }
  return kMaxKey;
}

}  // namespace

LeafSequence::LeafSequence(BTree tree, KeyRange range, std::function<void(const ItemGap&)> tell)
    : tree_(std::move(tree)),
      range_(range),
      tell_(std::move(tell)),
      visits_(tree_.cache_->node_bytes()) {}

void LeafSequence::First(Path& path) {
  path = Path();
  const TreeRoot& root = tree_.root();
  absl::StatusOr<ExtentBufferRef> block = tree_.ReadRoot();
  if (!block.ok()) {
    Tell({}, root.level, root.bytenr, block.status());
    return;
  }
  visits_.Enter(root.bytenr);
  path.slots_[root.level] = FirstSlot(**block, root.level);
  tree_.StandOnRoot(path, *std::move(block));
  GoDown(path, root.level);
}

void LeafSequence::Next(Path& path) {
  path.slots_[0] = Header(*path.leaf()).item_count();
  GoDown(path, 0);
}

void LeafSequence::GoDown(Path& path, int level) {
  for (;;) {
    if (path.slots_[level] >= Header(*path.nodes_[level]).item_count()) {
      if (++level > path.root_level_) break;
      ++path.slots_[level];
      continue;
    }
    if (level == 0) return;
    // What lies behind the range is not looked at, and no damage of it.
    if (range_.to < LoadKeyPointer(*path.nodes_[level], path.slots_[level]).key) break;
    ExtentBufferRef child = Follow(path, level);
    if (!child) {
      ++path.slots_[level];
      continue;
    }
    --level;
    path.slots_[level] = FirstSlot(*child, level);
    path.nodes_[level] = std::move(child);
  }
  path = Path();
}

ExtentBufferRef LeafSequence::Follow(const Path& path, int level) {
  const KeyPointer pointer = LoadKeyPointer(*path.node(level), path.slot(level));
  absl::Status status = visits_.MayFollow(pointer.bytenr);
  if (status.ok()) {
    absl::StatusOr<ExtentBufferRef> child = tree_.ReadBelow(pointer, level);
    status = child.status();
    if (status.ok()) status = CheckOrder(**child, level - 1);
    if (status.ok()) {
      visits_.Enter(pointer.bytenr);
      if (level == 1) last_ = LeafKey(**child, Header(**child).item_count() - 1);
      return *std::move(child);
    }
    visits_.NoteFailure(pointer.bytenr);
  }
  Tell({pointer.key, LastKeyBelow(path, level)}, level - 1, pointer.bytenr, status);
  return {};
}

absl::Status LeafSequence::CheckOrder(const ExtentBuffer& block, int level) const {
  if (level > 0 || !last_ || *last_ < LeafKey(block, 0)) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("starts with ", LeafKey(block, 0).ToString(),
                                          ", but the leaf before it ends with ",
                                          last_->ToString()));
}

uint32_t LeafSequence::FirstSlot(const ExtentBuffer& node, int level) const {
  if (level == 0) return CountLeafKeysBelow(node, range_.from);
  return std::max(NodeSlotTowards(node, range_.from), FirstSlotLeft(tree_.root(), node, level));
}

void LeafSequence::Tell(const KeyRange& keys, int level, uint64_t logical,
                        const absl::Status& status) {
  const TreeRoot& root = tree_.root();
  const ItemGap gap{.keys = {std::max(keys.from, range_.from), std::min(keys.to, range_.to)},
                    .damage = {.tree = root.id,
                               .key_offset = root.key_offset,
                               .level = static_cast<uint8_t>(level),
                               .logical = logical,
                               .status = status,
                               .tree_deleted = root.deleted()}};
  if (first_damage_.ok()) first_damage_ = InTree(root, level, logical, status);
  tell_(gap);
}

}  // namespace ebcache::internal
