#include "lib/txn/tree_store.h"

#include <utility>

namespace ebcache::txn {
namespace {

absl::StatusOr<std::optional<space::StoredItem>> ItemAt(const absl::StatusOr<Path>& path) {
  if (absl::IsNotFound(path.status())) return std::optional<space::StoredItem>();
  if (!path.ok()) return path.status();
  if (!path->valid()) return std::optional<space::StoredItem>();
  Item item;
  if (absl::Status status = path->Load(item); !status.ok()) return status;
  return std::optional<space::StoredItem>(
      {.key = item.key(), .data = {item.data().begin(), item.data().end()}});
}

}  // namespace

absl::StatusOr<std::optional<space::StoredItem>> ReadStore::AtOrAfter(const Key& key) {
  return ItemAt(tree_.Search(key));
}

// NotFound is also what a device or the cache may answer for a block, but never without words of its
// own; a tree's own "no such item" is asked for by its first key.
absl::StatusOr<std::optional<space::StoredItem>> ReadStore::AtOrBefore(const Key& key) {
  const absl::StatusOr<Path> path = tree_.SearchBackward(key);
  if (path.ok() || !absl::IsNotFound(path.status())) return ItemAt(path);
  // There is none before it, or a block on the way could not be mapped: the front of the tree tells.
  const absl::StatusOr<std::optional<space::StoredItem>> first = AtOrAfter(kMinKey);
  if (!first.ok()) return first.status();
  if (first->has_value() && (*first)->key <= key) return path.status();
  return std::optional<space::StoredItem>();
}

}  // namespace ebcache::txn
