// Going down a tree from its root: searches, and the reads they make.

#include <absl/cleanup/cleanup.h>
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
#include "lib/base/check.h"
#include "lib/tree/slots.h"
#include "lib/tree/tree_error.h"

namespace ebcache {

absl::StatusOr<ExtentBufferRef> BTree::ReadRoot() const {
  if (root_.level >= kMaxLevels) return absl::DataLossError("a tree has at most 8 levels");
  const ParentCheck check{
      .level = root_.level, .generation = root_.generation, .owner = root_.id, .first_key = {}};
  return cache_->ReadBlock(root_.bytenr, &check);
}

void BTree::StandOnRoot(Path& path, ExtentBufferRef root) const {
  path.root_level_ = root_.level;
  path.root_bytenr_ = root_.bytenr;
  path.cache_ = cache_;
  path.nodes_[root_.level] = std::move(root);
}

absl::StatusOr<ExtentBufferRef> BTree::ReadBelow(const KeyPointer& pointer, int level) const {
  const ParentCheck check{.level = static_cast<uint8_t>(level - 1),
                          .generation = pointer.generation,
                          .owner = root_.id,
                          .first_key = pointer.key};
  absl::StatusOr<ExtentBufferRef> child = cache_->ReadBlock(pointer.bytenr, &check);
  // Only a root may be empty. The steps of a path rely on it.
  if (child.ok() && Header(**child).item_count() == 0) {
    return absl::DataLossError("no items, though it has a parent");
  }
  return child;
}

absl::StatusOr<ExtentBufferRef> BTree::ReadChild(const Path& path, int level) const {
  const KeyPointer pointer = LoadKeyPointer(*path.node(level), path.slot(level));
  absl::StatusOr<ExtentBufferRef> child = ReadBelow(pointer, level);
  if (!child.ok()) return InTree(root_, level - 1, pointer.bytenr, child.status());
  return child;
}

absl::Status BTree::GoTo(const Key& key, Path& path) const {
  absl::Cleanup lost = [&] { path = Path(); };  // also when memory is out on the way
  if (path.empty()) {
    absl::StatusOr<ExtentBufferRef> root = ReadRoot();
    if (!root.ok()) return InTree(root_, root_.level, root_.bytenr, root.status());
    StandOnRoot(path, *std::move(root));
  }
  bool shared = true;  // whether the way down is still the one that `path` holds
  for (int level = root_.level; level > 0; --level) {
    const ExtentBuffer& node = *path.nodes_[level];
    uint32_t slot = std::max(NodeSlotTowards(node, key), FirstSlotLeft(root_, node, level));
    // A place of deletion that is behind all children leads to the last one.
    slot = std::min(slot, Header(node).item_count() - 1);
    shared = shared && path.slots_[level] == slot && path.nodes_[level - 1];
    if (shared) continue;
    path.slots_[level] = slot;
    absl::StatusOr<ExtentBufferRef> child = ReadChild(path, level);
    if (!child.ok()) return child.status();
    path.nodes_[level - 1] = *std::move(child);
  }
  path.slots_[0] = CountLeafKeysBelow(*path.nodes_[0], key);
  std::move(lost).Cancel();
  return absl::OkStatus();
}

absl::StatusOr<Path> BTree::Locate(const Key& key) const {
  Path path;
  if (absl::Status status = GoTo(key, path); !status.ok()) return status;
  return path;
}

absl::Status BTree::Seek(const Key& key, Path& path) const {
  CheckOurs(path);
  absl::Status status = GoTo(key, path);
  if (!status.ok() || path.valid()) return status;
  return NextLeaf(path);
}

absl::StatusOr<Path> BTree::Search(const Key& key) const {
  Path path;
  if (absl::Status status = Seek(key, path); !status.ok()) return status;
  return path;
}

absl::StatusOr<Path> BTree::Find(const Key& key) const {
  absl::StatusOr<Path> path = Locate(key);
  if (!path.ok()) return path;
  if (!path->valid() || path->key() != key) {
    return absl::NotFoundError(absl::StrCat("tree ", root_.name, " has no item ", key.ToString()));
  }
  return path;
}

absl::StatusOr<Path> BTree::SearchBackward(const Key& key) const {
  absl::StatusOr<Path> path = Locate(key);
  if (!path.ok()) return path;
  const bool there = path->valid() && path->key() == key;
  if (there) return path;
  absl::Status moved = Previous(*path);
  if (absl::IsNotFound(moved)) {
    return absl::NotFoundError(
        absl::StrCat("tree ", root_.name, " has no item at or before ", key.ToString()));
  }
  if (!moved.ok()) return moved;
  return path;
}

}  // namespace ebcache
