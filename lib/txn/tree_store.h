// Trees as ItemStores: one that is read, and one that a transaction changes.

#ifndef EBCACHE_LIB_TXN_TREE_STORE_H_
#define EBCACHE_LIB_TXN_TREE_STORE_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <cstddef>
#include <optional>
#include <utility>

#include "ebcache/btree.h"
#include "lib/space/item_store.h"
#include "lib/txn/cow_tree.h"

namespace ebcache::txn {

// A tree that cannot be changed: to try is Unimplemented.
class ReadStore final : public space::ItemStore {
 public:
  explicit ReadStore(BTree tree) : tree_(std::move(tree)) {}

  absl::StatusOr<std::optional<space::StoredItem>> AtOrAfter(const Key& key) override;
  absl::StatusOr<std::optional<space::StoredItem>> AtOrBefore(const Key& key) override;
  absl::Status Insert(const Key&, absl::Span<const std::byte>) override { return Refusal(); }
  absl::Status Replace(const Key&, absl::Span<const std::byte>) override { return Refusal(); }
  absl::Status Remove(const Key&) override { return Refusal(); }

 private:
  static absl::Status Refusal() { return absl::UnimplementedError("a tree that is only read"); }

  BTree tree_;
};

class TreeStore final : public space::ItemStore {
 public:
  explicit TreeStore(CowTree tree) : tree_(tree) {}

  absl::StatusOr<std::optional<space::StoredItem>> AtOrAfter(const Key& key) override {
    return ReadStore(tree_.Reader()).AtOrAfter(key);
  }
  absl::StatusOr<std::optional<space::StoredItem>> AtOrBefore(const Key& key) override {
    return ReadStore(tree_.Reader()).AtOrBefore(key);
  }
  absl::Status Insert(const Key& key, absl::Span<const std::byte> data) override {
    return tree_.Insert(key, data);
  }
  absl::Status Replace(const Key& key, absl::Span<const std::byte> data) override {
    return tree_.Replace(key, data);
  }
  absl::Status Remove(const Key& key) override { return tree_.Remove(key); }

 private:
  CowTree tree_;
};

}  // namespace ebcache::txn

#endif  // EBCACHE_LIB_TXN_TREE_STORE_H_
