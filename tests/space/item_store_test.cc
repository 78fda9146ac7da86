// Planned changes against a map that is changed at once: looks see what is planned, the store is as
// it was until all is applied, and then it is that map.

#include "lib/space/item_store.h"

#include <gtest/gtest.h>

#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "tests/space/map_store.h"

namespace ebcache::space {
namespace {

std::vector<std::byte> Data(uint64_t number) {
  return std::vector<std::byte>(number % 5, static_cast<std::byte>(number));
}

// Few keys, so that steps meet: neighbours in each of the three parts of a key.
Key AnyKey(std::mt19937_64& random) {
  const uint64_t top = ~uint64_t{0};
  const uint64_t offsets[] = {0, 1, top - 1, top};
  return {random() % 3 == 0 ? top : random() % 2, static_cast<uint8_t>(random() % 2 == 0 ? 0 : 255),
          offsets[random() % 4]};
}

void ExpectSame(const absl::StatusOr<std::optional<StoredItem>>& found,
                const absl::StatusOr<std::optional<StoredItem>>& wanted) {
  ASSERT_TRUE(found.ok() && wanted.ok());
  ASSERT_EQ(found->has_value(), wanted->has_value());
  if (!found->has_value()) return;
  EXPECT_EQ((*found)->key, (*wanted)->key);
  EXPECT_EQ((*found)->data, (*wanted)->data);
}

TEST(PlannedChanges, EqualChangesAtOnce) {
  std::mt19937_64 random(7);
  MapStore store;
  for (int round = 0; round < 3000; ++round) {
    PlannedChanges plan(&store);
    MapStore at_once = store;
    const MapStore::Items before = store.items;
    for (uint64_t steps = random() % 12; steps > 0; --steps) {
      const Key key = AnyKey(random);
      const std::vector<std::byte> data = Data(random());
      switch (random() % 3) {
        case 0:
          ASSERT_EQ(plan.Insert(key, data).code(), at_once.Insert(key, data).code());
          break;
        case 1:
          ASSERT_EQ(plan.Replace(key, data).code(), at_once.Replace(key, data).code());
          break;
        default:
          ASSERT_EQ(plan.Remove(key).code(), at_once.Remove(key).code());
      }
      const Key place = AnyKey(random);
      ExpectSame(plan.AtOrAfter(place), at_once.AtOrAfter(place));
      ExpectSame(plan.AtOrBefore(place), at_once.AtOrBefore(place));
      ExpectSame(plan.Find(place), at_once.Find(place));
    }
    ASSERT_EQ(store.items, before);
    ASSERT_TRUE(plan.Apply().ok());
    ASSERT_EQ(store.items, at_once.items) << "round " << round;
    ASSERT_TRUE(plan.Apply().ok()) << "nothing is left to do";
  }
}

// Notes the order of what it is asked for.
class Noting final : public ItemStore {
 public:
  absl::StatusOr<std::optional<StoredItem>> AtOrAfter(const Key& key) override {
    return map.AtOrAfter(key);
  }
  absl::StatusOr<std::optional<StoredItem>> AtOrBefore(const Key& key) override {
    return map.AtOrBefore(key);
  }
  absl::Status Insert(const Key& key, absl::Span<const std::byte> data) override {
    order += 'i';
    return map.Insert(key, data);
  }
  absl::Status Replace(const Key& key, absl::Span<const std::byte> data) override {
    order += 'c';
    return map.Replace(key, data);
  }
  absl::Status Remove(const Key& key) override {
    order += 'r';
    return map.Remove(key);
  }
  MapStore map;
  std::string order;
};

TEST(PlannedChanges, RemovalsComeFirst) {
  Noting store;
  store.map.items = {{{2, 0, 0}, {}}, {{3, 0, 0}, {}}, {{4, 0, 0}, {}}};
  PlannedChanges plan(&store);
  ASSERT_TRUE(plan.Insert({1, 0, 0}, {}).ok());
  ASSERT_TRUE(plan.Replace({2, 0, 0}, Data(3)).ok());
  ASSERT_TRUE(plan.Remove({3, 0, 0}).ok());
  ASSERT_TRUE(plan.Insert({5, 0, 0}, {}).ok());
  ASSERT_TRUE(plan.Remove({4, 0, 0}).ok());
  ASSERT_TRUE(plan.Apply().ok());
  EXPECT_EQ(store.order, "rrcii");
}

}  // namespace
}  // namespace ebcache::space
