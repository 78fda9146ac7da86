// ItemStore: the items of one tree, as what keeps space needs them: found, and changed one by one.
//
// A transaction has one over each tree; tests have one over a map. Functions that change several
// items plan first and then act: where they refuse, nothing was changed. Where the store itself
// fails between two changes, its error is theirs, and the transaction that the store belongs to
// cannot go on.
//
// Thread safety: one thread at a time.

#ifndef EBCACHE_LIB_SPACE_ITEM_STORE_H_
#define EBCACHE_LIB_SPACE_ITEM_STORE_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <array>
#include <cstddef>
#include <optional>
#include <vector>

#include "ebcache/key.h"

namespace ebcache::space {

struct StoredItem {
  Key key;
  std::vector<std::byte> data;
};

class ItemStore {
 public:
  virtual ~ItemStore() = default;

  // The first item at or after `key`, the last at or before it; nullopt where there is none.
  virtual absl::StatusOr<std::optional<StoredItem>> AtOrAfter(const Key& key) = 0;
  virtual absl::StatusOr<std::optional<StoredItem>> AtOrBefore(const Key& key) = 0;
  // The item with this key; nullopt where there is none.
  absl::StatusOr<std::optional<StoredItem>> Find(const Key& key);

  // Errors: AlreadyExists.
  virtual absl::Status Insert(const Key& key, absl::Span<const std::byte> data) = 0;
  // New data for an item, of any length. Errors: NotFound.
  virtual absl::Status Replace(const Key& key, absl::Span<const std::byte> data) = 0;
  // Errors: NotFound.
  virtual absl::Status Remove(const Key& key) = 0;
};

// Changes of a store that are planned before the first of them is made: looks see what is planned.
class PlannedChanges : public ItemStore {
 public:
  // `store` must outlive this, and is not changed by others meanwhile.
  explicit PlannedChanges(ItemStore* store) : store_(*store) {}

  absl::StatusOr<std::optional<StoredItem>> AtOrAfter(const Key& key) override;
  absl::StatusOr<std::optional<StoredItem>> AtOrBefore(const Key& key) override;
  absl::Status Insert(const Key& key, absl::Span<const std::byte> data) override;
  absl::Status Replace(const Key& key, absl::Span<const std::byte> data) override;
  absl::Status Remove(const Key& key) override;

  // Makes them, in the order of keys, removals first: a tree is never larger than it has to be.
  absl::Status Apply();

 private:
  enum class Fate { kInserted, kReplaced, kRemoved };
  struct Change {
    Key key;
    Fate fate;
    std::vector<std::byte> data;
  };
  // The planned change of this key; null where there is none.
  Change* ChangeOf(const Key& key);
  void Set(const Key& key, Fate fate, absl::Span<const std::byte> data);
  // What the store says: of a plan's few keys that lie side by side, mostly the same.
  absl::StatusOr<std::optional<StoredItem>> Stored(const Key& key);
  absl::StatusOr<bool> IsStored(const Key& key);

  // An answer of the store to AtOrAfter: that to all keys from `from` up to the item's. Good for as
  // long as nothing is applied.
  struct Answer {
    Key from;
    std::optional<StoredItem> item;
  };

  ItemStore& store_;
  std::vector<Change> changes_;                   // by key; few
  std::array<std::optional<Answer>, 2> answers_;  // the last one first
};

}  // namespace ebcache::space

#endif  // EBCACHE_LIB_SPACE_ITEM_STORE_H_
