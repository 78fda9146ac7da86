// An ItemStore over a map, which can be made to fail at any call.

#ifndef EBCACHE_TESTS_SPACE_MAP_STORE_H_
#define EBCACHE_TESTS_SPACE_MAP_STORE_H_

#include <absl/status/status.h>

#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <vector>

#include "lib/space/item_store.h"

namespace ebcache::space {

class MapStore final : public ItemStore {
 public:
  using Items = std::map<Key, std::vector<std::byte>>;

  absl::StatusOr<std::optional<StoredItem>> AtOrAfter(const Key& key) override {
    if (absl::Status status = Call(); !status.ok()) return status;
    const auto at = items.lower_bound(key);
    if (at == items.end()) return std::optional<StoredItem>();
    return std::optional<StoredItem>({at->first, at->second});
  }
  absl::StatusOr<std::optional<StoredItem>> AtOrBefore(const Key& key) override {
    if (absl::Status status = Call(); !status.ok()) return status;
    const auto at = items.upper_bound(key);
    if (at == items.begin()) return std::optional<StoredItem>();
    return std::optional<StoredItem>({std::prev(at)->first, std::prev(at)->second});
  }
  absl::Status Insert(const Key& key, absl::Span<const std::byte> data) override {
    if (absl::Status status = Change(); !status.ok()) return status;
    if (!items.emplace(key, std::vector<std::byte>(data.begin(), data.end())).second) {
      return absl::AlreadyExistsError("in the map");
    }
    return absl::OkStatus();
  }
  absl::Status Replace(const Key& key, absl::Span<const std::byte> data) override {
    if (absl::Status status = Change(); !status.ok()) return status;
    const auto at = items.find(key);
    if (at == items.end()) return absl::NotFoundError("in the map");
    at->second.assign(data.begin(), data.end());
    return absl::OkStatus();
  }
  absl::Status Remove(const Key& key) override {
    if (absl::Status status = Change(); !status.ok()) return status;
    if (items.erase(key) == 0) return absl::NotFoundError("in the map");
    return absl::OkStatus();
  }

  Items items;
  uint64_t calls = 0;
  uint64_t changes = 0;
  uint64_t fail_at = 0;  // the number of a call, from 1; 0: none

 private:
  absl::Status Call() {
    return ++calls == fail_at ? absl::UnavailableError("the store") : absl::OkStatus();
  }
  absl::Status Change() {
    absl::Status status = Call();
    if (status.ok()) ++changes;
    return status;
  }
};

}  // namespace ebcache::space

#endif  // EBCACHE_TESTS_SPACE_MAP_STORE_H_
