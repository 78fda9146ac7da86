#include "lib/txn/tree_store.h"

#include <utility>

#include "lib/txn/refusal.h"

namespace ebcache::txn {
namespace {

absl::StatusOr<std::optional<space::StoredItem>> ItemAt(const absl::StatusOr<Path>& path) {
  if (!path.ok()) return ReadError(path.status());
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

absl::StatusOr<std::optional<space::StoredItem>> ReadStore::AtOrBefore(const Key& key) {
  const absl::StatusOr<Path> path = tree_.SearchBackward(key);
  if (absl::IsNotFound(path.status())) return std::optional<space::StoredItem>();
  return ItemAt(path);
}

}  // namespace ebcache::txn
