#include "lib/space/item_store.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

namespace ebcache::space {
namespace {

absl::Status Exists(const Key& key) {
  return absl::AlreadyExistsError(absl::StrCat("item ", key.ToString(), " exists already"));
}
absl::Status Missing(const Key& key) {
  return absl::NotFoundError(absl::StrCat("there is no item ", key.ToString()));
}

// The key right behind, or in front of, this one. REQUIRES: there is one.
Key Behind(Key key) {
  if (++key.offset == 0 && ++key.type == 0) ++key.objectid;
  return key;
}
Key InFront(Key key) {
  if (key.offset-- == 0 && key.type-- == 0) --key.objectid;
  return key;
}

}  // namespace

absl::StatusOr<std::optional<StoredItem>> ItemStore::Find(const Key& key) {
  absl::StatusOr<std::optional<StoredItem>> item = AtOrAfter(key);
  if (!item.ok()) return item.status();
  if (item->has_value() && (*item)->key != key) return std::optional<StoredItem>();
  return item;
}

PlannedChanges::Change* PlannedChanges::ChangeOf(const Key& key) {
  const auto at = std::lower_bound(changes_.begin(), changes_.end(), key,
                                   [](const Change& a, const Key& b) { return a.key < b; });
  return at != changes_.end() && at->key == key ? &*at : nullptr;
}

void PlannedChanges::Set(const Key& key, Fate fate, absl::Span<const std::byte> data) {
  const auto at = std::lower_bound(changes_.begin(), changes_.end(), key,
                                   [](const Change& a, const Key& b) { return a.key < b; });
  std::vector<std::byte> bytes(data.begin(), data.end());
  if (at != changes_.end() && at->key == key) {
    at->fate = fate;
    at->data = std::move(bytes);
  } else {
    changes_.insert(at, {key, fate, std::move(bytes)});
  }
}

absl::StatusOr<std::optional<StoredItem>> PlannedChanges::Stored(const Key& key) {
  for (const std::optional<Answer>& answer : answers_) {
    if (!answer || key < answer->from) continue;
    if (!answer->item || key <= answer->item->key) return answer->item;
  }
  absl::StatusOr<std::optional<StoredItem>> item = store_.AtOrAfter(key);
  if (!item.ok()) return item;
  answers_[1] = std::exchange(answers_[0], Answer{key, *item});
  return item;
}

absl::StatusOr<bool> PlannedChanges::IsStored(const Key& key) {
  const absl::StatusOr<std::optional<StoredItem>> item = Stored(key);
  if (!item.ok()) return item.status();
  return item->has_value() && (*item)->key == key;
}

absl::StatusOr<std::optional<StoredItem>> PlannedChanges::AtOrAfter(const Key& key) {
  const auto next = std::find_if(changes_.begin(), changes_.end(), [&](const Change& change) {
    return change.key >= key && change.fate != Fate::kRemoved;
  });
  Key from = key;
  for (;;) {
    absl::StatusOr<std::optional<StoredItem>> item = Stored(from);
    if (!item.ok()) return item.status();
    if (next != changes_.end() && (!item->has_value() || next->key <= (*item)->key)) {
      return std::optional<StoredItem>({next->key, next->data});
    }
    // What is not planned to change, or is nothing, is the answer.
    if (!item->has_value() || ChangeOf((*item)->key) == nullptr) return item;
    if ((*item)->key == kMaxKey) return std::optional<StoredItem>();
    from = Behind((*item)->key);
  }
}

absl::StatusOr<std::optional<StoredItem>> PlannedChanges::AtOrBefore(const Key& key) {
  const auto previous = std::find_if(changes_.rbegin(), changes_.rend(), [&](const Change& change) {
    return change.key <= key && change.fate != Fate::kRemoved;
  });
  Key from = key;
  for (;;) {
    absl::StatusOr<std::optional<StoredItem>> item = store_.AtOrBefore(from);
    if (!item.ok()) return item.status();
    if (previous != changes_.rend() && (!item->has_value() || previous->key >= (*item)->key)) {
      return std::optional<StoredItem>({previous->key, previous->data});
    }
    if (!item->has_value() || ChangeOf((*item)->key) == nullptr) return item;
    if ((*item)->key == kMinKey) return std::optional<StoredItem>();
    from = InFront((*item)->key);
  }
}

absl::Status PlannedChanges::Insert(const Key& key, absl::Span<const std::byte> data) {
  if (Change* const change = ChangeOf(key); change != nullptr) {
    if (change->fate != Fate::kRemoved) return Exists(key);
    // It is in the store as long as nothing is applied.
    Set(key, Fate::kReplaced, data);
    return absl::OkStatus();
  }
  absl::StatusOr<bool> there = IsStored(key);
  if (!there.ok()) return there.status();
  if (*there) return Exists(key);
  Set(key, Fate::kInserted, data);
  return absl::OkStatus();
}

absl::Status PlannedChanges::Replace(const Key& key, absl::Span<const std::byte> data) {
  if (Change* const change = ChangeOf(key); change != nullptr) {
    if (change->fate == Fate::kRemoved) return Missing(key);
    Set(key, change->fate, data);
    return absl::OkStatus();
  }
  absl::StatusOr<bool> there = IsStored(key);
  if (!there.ok()) return there.status();
  if (!*there) return Missing(key);
  Set(key, Fate::kReplaced, data);
  return absl::OkStatus();
}

absl::Status PlannedChanges::Remove(const Key& key) {
  if (Change* const change = ChangeOf(key); change != nullptr) {
    if (change->fate == Fate::kRemoved) return Missing(key);
    if (change->fate == Fate::kInserted) {
      changes_.erase(changes_.begin() + (change - changes_.data()));
    } else {
      Set(key, Fate::kRemoved, {});
    }
    return absl::OkStatus();
  }
  absl::StatusOr<bool> there = IsStored(key);
  if (!there.ok()) return there.status();
  if (!*there) return Missing(key);
  Set(key, Fate::kRemoved, {});
  return absl::OkStatus();
}

absl::Status PlannedChanges::Apply() {
  std::vector<Change> changes = std::exchange(changes_, {});
  answers_ = {};
  for (const Fate fate : {Fate::kRemoved, Fate::kReplaced, Fate::kInserted}) {
    for (const Change& change : changes) {
      if (change.fate != fate) continue;
      absl::Status status = fate == Fate::kRemoved    ? store_.Remove(change.key)
                            : fate == Fate::kReplaced ? store_.Replace(change.key, change.data)
                                                      : store_.Insert(change.key, change.data);
      if (!status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

}  // namespace ebcache::space
