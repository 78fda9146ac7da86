// Searches, steps and ranges against std::map, on random trees.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "ebcache/allocators.h"
#include "ebcache/btree.h"
#include "ebcache/buffer_cache.h"
#include "tests/tree/memory_tree.h"

namespace ebcache {

void showValue(const Key& key, std::ostream& out) { out << key.ToString(); }

namespace testing {
namespace {

// Few values for each part of a key, so that keys are often equal, or neighbours.
rc::Gen<Key> ArbitraryKey() {
  return rc::gen::apply(
      [](uint64_t objectid, uint8_t type, uint64_t offset) {
        return Key{objectid, type, offset};
      },
      rc::gen::element<uint64_t>(1, 2, 5, 256, 257, ~uint64_t{0}),
      // Types without rules: the data is anything.
      rc::gen::element<uint8_t>(2, kStringItemType, 254),
      rc::gen::element<uint64_t>(0, 1, 4096, ~uint64_t{0}));
}

// A random tree, its items, and a cache that is sometimes so small that blocks come and go.
class RandomTree {
 public:
  RandomTree() : source_(*rc::gen::element<uint32_t>(4096, 16384)) {
    for (const Key& key : *rc::gen::container<std::vector<Key>>(ArbitraryKey())) {
      items_[key] = std::string(*rc::gen::inRange(0, 1000), 'x');
    }
    const BuiltTree built = BuildTree(source_, items_,
                                      {.id = kCsumTreeId,  // may be empty
                                       .leaf_items = *rc::gen::inRange<uint32_t>(1, 6),
                                       .node_children = *rc::gen::inRange<uint32_t>(2, 8)});
    cache_ = std::make_unique<BufferCache>(
        BufferCacheOptions{.node_bytes = source_.node_bytes(),
                           .budget_bytes = *rc::gen::element<uint64_t>(65536, 1 << 20),
                           .allocator = *rc::gen::arbitrary<bool>()
                                            ? HeapAllocator()
                                            : Order0Allocator({.arena_bytes = size_t{64} << 20,
                                                               .contiguous_by_luck = false})},
        &source_);
    tree_.emplace(cache_.get(), built.root);
    RC_TAG(built.root.level);
  }

  const ItemMap& items() const { return items_; }
  const BTree& tree() const { return *tree_; }

 private:
  ItemMap items_;
  MemoryDisk source_;
  std::unique_ptr<BufferCache> cache_;
  std::optional<BTree> tree_;
};

// Whether `path` stands where `expected` does; the end of the map is an invalid path.
void CheckPlace(const Path& path, ItemMap::const_iterator expected, const ItemMap& items) {
  if (expected == items.end()) {
    RC_ASSERT(!path.valid());
    return;
  }
  RC_ASSERT(path.valid());
  RC_ASSERT(path.key() == expected->first);
  Item item;
  RC_ASSERT(path.Load(item).ok());
  RC_ASSERT(item.key() == expected->first);
  RC_ASSERT(item.data().size() == expected->second.size());
}

RC_GTEST_PROP(SearchProperties, SearchIsLowerBound, ()) {
  const RandomTree random;
  const Key key = *ArbitraryKey();
  const absl::StatusOr<Path> path = random.tree().Search(key);
  RC_ASSERT(path.ok());
  CheckPlace(*path, random.items().lower_bound(key), random.items());
}

RC_GTEST_PROP(SearchProperties, FindIsFind, ()) {
  const RandomTree random;
  const Key key = *ArbitraryKey();
  const absl::StatusOr<Path> path = random.tree().Find(key);
  const auto expected = random.items().find(key);
  if (expected == random.items().end()) {
    RC_ASSERT(absl::IsNotFound(path.status()));
  } else {
    RC_ASSERT(path.ok());
    CheckPlace(*path, expected, random.items());
  }
}

RC_GTEST_PROP(SearchProperties, SearchBackwardIsTheLastNotAbove, ()) {
  const RandomTree random;
  const Key key = *ArbitraryKey();
  const absl::StatusOr<Path> path = random.tree().SearchBackward(key);
  const auto above = random.items().upper_bound(key);
  if (above == random.items().begin()) {
    RC_ASSERT(absl::IsNotFound(path.status()));
  } else {
    RC_ASSERT(path.ok());
    CheckPlace(*path, std::prev(above), random.items());
  }
}

// One path that goes from key to key, and wanders in between.
RC_GTEST_PROP(SearchProperties, SeekFromAnywhereIsSearch, ()) {
  const RandomTree random;
  Path path;
  for (const Key& key : *rc::gen::container<std::vector<Key>>(ArbitraryKey())) {
    RC_ASSERT(random.tree().Seek(key, path).ok());
    CheckPlace(path, random.items().lower_bound(key), random.items());
    if (path.valid() && key.offset % 3 == 0) RC_ASSERT(random.tree().Next(path).ok());
    if (key.offset % 3 == 1) (void)random.tree().Previous(path);
  }
}

RC_GTEST_PROP(SearchProperties, StepsGoWhereIteratorsGo, ()) {
  const RandomTree random;
  const ItemMap& items = random.items();
  const Key start = *ArbitraryKey();
  absl::StatusOr<Path> path = random.tree().Search(start);
  RC_ASSERT(path.ok());
  auto expected = items.lower_bound(start);
  for (bool forward : *rc::gen::container<std::vector<bool>>(rc::gen::arbitrary<bool>())) {
    if (forward) {
      RC_ASSERT(random.tree().Next(*path).ok());
      if (expected != items.end()) ++expected;
    } else if (expected == items.begin()) {
      RC_ASSERT(absl::IsNotFound(random.tree().Previous(*path)));
    } else {
      RC_ASSERT(random.tree().Previous(*path).ok());
      --expected;
    }
    CheckPlace(*path, expected, items);
  }
}

RC_GTEST_PROP(SearchProperties, WholeTreeForwardAndBackward, ()) {
  const RandomTree random;
  const ItemMap& items = random.items();
  Path path = *random.tree().Search(kMinKey);
  for (auto expected = items.begin(); expected != items.end(); ++expected) {
    CheckPlace(path, expected, items);
    RC_ASSERT(random.tree().Next(path).ok());
  }
  RC_ASSERT(!path.valid());
  for (auto expected = items.rbegin(); expected != items.rend(); ++expected) {
    RC_ASSERT(random.tree().Previous(path).ok());
    CheckPlace(path, std::prev(expected.base()), items);
  }
  RC_ASSERT(absl::IsNotFound(random.tree().Previous(path)));
}

RC_GTEST_PROP(SearchProperties, RangesAreTheItemsBetween, ()) {
  const RandomTree random;
  const KeyRange range{.from = *ArbitraryKey(), .to = *ArbitraryKey()};
  std::vector<Key> expected;
  for (const auto& [key, data] : random.items()) {
    if (range.from <= key && key <= range.to) expected.push_back(key);
  }
  std::vector<Key> found;
  ItemRange items = random.tree().Items(range);
  for (const Item& item : items) found.push_back(item.key());
  RC_ASSERT(items.status().ok());
  RC_ASSERT(found == expected);
}

}  // namespace
}  // namespace testing
}  // namespace ebcache
