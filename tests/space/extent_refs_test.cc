// References of extents against a map beside them. Where each goes and how they lie is held against
// the rules as they were told, in a second writing: inline by type ascending and, within a type, by
// parent, root or hash descending; a new one inline as long as no other has an item of its own and
// the extent's item stays below a sixteenth of a leaf.

#include "lib/space/extent_refs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "ebcache/item_codec.h"
#include "ebcache/on_disk.h"
#include "lib/format/check/tree_block_checker.h"
#include "tests/format/format_bytes.h"
#include "tests/space/map_store.h"

namespace ebcache::space {
namespace {

constexpr uint64_t kBytenr = 1 << 24;
constexpr uint64_t kDataBytes = 65536;

// crc32c a bit at a time, without the inversion at the end, as the hash of a reference wants it.
uint32_t SlowCrc(uint32_t crc, std::vector<uint64_t> words) {
  for (uint64_t word : words) {
    for (int bit = 0; bit < 64; ++bit) {
      const bool carry = ((crc ^ (word >> bit)) & 1) != 0;
      crc = crc >> 1 ^ (carry ? 0x82f63b78u : 0);
    }
  }
  return crc;
}
uint64_t SlowHash(uint64_t root, uint64_t inode, uint64_t offset) {
  return (uint64_t{SlowCrc(~0u, {root})} << 31) ^ SlowCrc(~0u, {inode, offset});
}

// All that a store has of the extent, read field by field.
struct Found {
  uint64_t references = 0;
  uint64_t flags = 0;
  size_t item_bytes = 0;
  std::map<ExtentRef, uint64_t> inline_refs, keyed_refs;
};

uint64_t Number(const std::vector<std::byte>& bytes, size_t at, int size) {
  uint64_t value = 0;
  for (int i = 0; i < size; ++i) value |= uint64_t(bytes.at(at + i)) << (8 * i);
  return value;
}

Found Read(const MapStore& store) {
  Found found;
  for (const auto& [key, data] : store.items) {
    if (key.objectid != kBytenr) continue;
    if (key.type == kExtentItemType || key.type == kMetadataItemType) {
      found.references = Number(data, 0, 8);
      found.flags = Number(data, 16, 8);
      found.item_bytes = data.size();
      size_t at = 24;
      if (key.type == kExtentItemType && (found.flags & 2) != 0) at += 18;
      uint8_t type = 0;
      uint64_t order = 0;
      while (at < data.size()) {
        const uint8_t next_type = static_cast<uint8_t>(Number(data, at, 1));
        ExtentRef ref{.type = next_type};
        uint64_t count = 1, next_order = 0;
        if (next_type == 178) {
          ref = ExtentRef::OfFile(Number(data, at + 1, 8), Number(data, at + 9, 8),
                                  Number(data, at + 17, 8));
          count = Number(data, at + 25, 4);
          next_order = SlowHash(ref.root, ref.inode, ref.offset);
          at += 29;
        } else {
          ref.root = next_order = Number(data, at + 1, 8);
          if (next_type == 184) count = Number(data, at + 9, 4);
          at += next_type == 184 ? 13 : 9;
        }
        EXPECT_GE(next_type, type);
        if (next_type == type) {
          EXPECT_LE(next_order, order);
        }
        type = next_type;
        order = next_order;
        EXPECT_TRUE(found.inline_refs.emplace(ref, count).second) << ref.ToString();
      }
      EXPECT_EQ(at, data.size());
    } else if (key.type == 178) {
      const ExtentRef ref =
          ExtentRef::OfFile(Number(data, 0, 8), Number(data, 8, 8), Number(data, 16, 8));
      EXPECT_GE(key.offset, SlowHash(ref.root, ref.inode, ref.offset));
      EXPECT_LE(key.offset, SlowHash(ref.root, ref.inode, ref.offset) + 4);
      EXPECT_TRUE(found.keyed_refs.emplace(ref, Number(data, 24, 4)).second);
    } else {
      const ExtentRef ref{.type = key.type, .root = key.offset};
      const uint64_t count = key.type == 184 ? Number(data, 0, 4) : 1;
      EXPECT_EQ(data.size(), key.type == 184 ? 4 : 0);
      EXPECT_TRUE(found.keyed_refs.emplace(ref, count).second);
    }
  }
  return found;
}

size_t InlineBytes(const ExtentRef& ref) { return ref.type == 178 ? 29 : ref.type == 184 ? 13 : 9; }

struct Kind {
  const char* name;
  bool data;
  bool skinny;
  uint32_t node_bytes;
};

class ExtentRefsTest : public ::testing::TestWithParam<Kind> {
 protected:
  ExtentChange Change(std::vector<ExtentChange::Delta> deltas) const {
    return {.bytenr = kBytenr,
            .bytes = GetParam().data ? kDataBytes : GetParam().node_bytes,
            .data = GetParam().data,
            .level = 1,
            .generation = 7,
            .first_key = {256, kInodeItemType, 0},
            .deltas = std::move(deltas)};
  }
  // One number after the other: compilers evaluate arguments in orders of their own.
  ExtentRef AnyRef(std::mt19937_64& random) const {
    const bool above = random() % 2 == 0;
    const uint64_t a = random(), b = random(), c = random();
    if (!GetParam().data) {
      return above ? ExtentRef::OfTree(5 + a % 3 * 251 + b % 60)
                   : ExtentRef::OfParent((1 + a % 60) << 20);
    }
    if (above) return ExtentRef::OfLeaf((1 + a % 40) << 20);
    return ExtentRef::OfFile(256 + a % 3, 257 + b % 20, c % 3 * 4096);
  }
  ExtentRef AnyOf(uint64_t n) const {
    return GetParam().data ? ExtentRef::OfFile(5, 257 + n, 0) : ExtentRef::OfTree(256 + n);
  }
  // An extent's item without references.
  static size_t EmptyItemBytes() { return GetParam().data || GetParam().skinny ? 24 : 24 + 18; }
  // As a leaf of the extent tree.
  void ExpectPassesChecker(const MapStore& store) const {
    std::vector<testing::LeafItem> items;
    for (const auto& [key, data] : store.items) {
      items.push_back({key, std::string(reinterpret_cast<const char*>(data.data()), data.size())});
    }
    const absl::Status status = CheckTreeBlockBytes(
        testing::LeafBytes({.node_bytes = 65536, .bytenr = 65536, .owner = kExtentTreeId}, items),
        {.sector_bytes = 4096,
         .checksum_bytes = 4,
         .newest_generation = 8,
         .skinny_metadata = GetParam().skinny});
    // Blocks of 4096 bytes in a leaf of 65536: the checker takes a block's size from the leaf.
    if (GetParam().data || GetParam().skinny) {
      EXPECT_TRUE(status.ok()) << status;
    }
  }

  static uint64_t References(const std::map<ExtentRef, uint64_t>& model) {
    uint64_t sum = 0;
    for (const auto& [ref, count] : model) sum += count;
    return sum;
  }
  // All of them are there, and those that are `keyed` have items of their own.
  static void ExpectReferences(const Found& found, const std::map<ExtentRef, uint64_t>& model,
                               const std::set<ExtentRef>& keyed) {
    std::map<ExtentRef, uint64_t> all = found.inline_refs;
    all.insert(found.keyed_refs.begin(), found.keyed_refs.end());
    ASSERT_EQ(all, model);
    ASSERT_EQ(found.keyed_refs.size(), keyed.size());
    for (const ExtentRef& ref : keyed) ASSERT_TRUE(found.keyed_refs.contains(ref));
  }

  const ExtentRules rules_{.node_bytes = GetParam().node_bytes,
                           .skinny_metadata = GetParam().skinny};
  MapStore store_;
};

TEST_P(ExtentRefsTest, EqualAMap) {
  std::mt19937_64 random(GetParam().node_bytes + GetParam().data);
  // A neighbour on either side, which is no business of this extent's.
  const std::vector<std::byte> neighbour(33, std::byte{1});
  for (int round = 0; round < 60; ++round) {
    store_.items.clear();
    store_.items[{kBytenr - 65536, kExtentItemType, 65536}] = neighbour;
    store_.items[{kBytenr + 65536, kExtentItemType, 65536}] = neighbour;
    std::map<ExtentRef, uint64_t> model;
    std::set<ExtentRef> keyed;
    size_t bytes = EmptyItemBytes();
    const size_t most = (GetParam().node_bytes - 101) / 16 - 25;
    bool is_new = true;
    for (int step = 0; step < 200; ++step) {
      const bool growing = step % 100 < 60;
      ExtentChange change = Change({});
      change.is_new = is_new;
      if (model.empty() || random() % 10 < (growing ? 7u : 3u)) {
        const ExtentRef ref = AnyRef(random);
        if (!ref.of_data() && model.contains(ref)) continue;
        const int64_t count = ref.of_data() ? 1 + random() % 3 : 1;
        change.deltas.push_back({ref, count});
        if (!model.contains(ref)) {
          if (keyed.empty() && bytes + InlineBytes(ref) < most) {
            bytes += InlineBytes(ref);
          } else {
            keyed.insert(ref);
          }
        }
        model[ref] += count;
      } else {
        const auto at = std::next(model.begin(), random() % model.size());
        const int64_t count = 1 + random() % at->second;
        change.deltas.push_back({at->first, -count});
        at->second -= count;
        if (at->second == 0) {
          if (keyed.erase(at->first) == 0) bytes -= InlineBytes(at->first);
          model.erase(at);
        }
      }
      const absl::StatusOr<ExtentState> state = ChangeExtent(store_, change, rules_);
      ASSERT_TRUE(state.ok()) << state.status();
      is_new = model.empty();
      const uint64_t sum = References(model);
      ASSERT_EQ(state->references, sum);
      const Found found = Read(store_);
      ASSERT_EQ(found.references, sum);
      if (is_new) {
        ASSERT_EQ(store_.items.size(), 2);
        bytes = EmptyItemBytes();
        continue;
      }
      ASSERT_EQ(found.item_bytes, bytes);
      ASSERT_NO_FATAL_FAILURE(ExpectReferences(found, model, keyed));
      ASSERT_EQ(store_.items.at({kBytenr - 65536, kExtentItemType, 65536}), neighbour);
    }
    std::erase_if(store_.items, [&](const auto& item) { return item.second == neighbour; });
    if (!store_.items.empty()) ExpectPassesChecker(store_);
  }
}

// Many at once are what one after the other is, and those that go are not missed by those that
// come.
TEST_P(ExtentRefsTest, OneReferenceForAnother) {
  ExtentChange born = Change({{AnyOf(0), 1}});
  born.is_new = true;
  ASSERT_TRUE(ChangeExtent(store_, born, rules_).ok());
  const absl::StatusOr<ExtentState> state =
      ChangeExtent(store_, Change({{AnyOf(0), -1}, {AnyOf(1), 1}}), rules_);
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(state->references, 1);
  EXPECT_EQ(Read(store_).inline_refs.begin()->first, AnyOf(1));
}

TEST_P(ExtentRefsTest, Refusals) {
  ExtentChange born = Change({{AnyOf(0), 1}, {AnyOf(1), 1}});
  EXPECT_EQ(ChangeExtent(store_, born, rules_).status().code(), absl::StatusCode::kNotFound);
  born.is_new = true;
  ASSERT_TRUE(ChangeExtent(store_, born, rules_).ok());
  const MapStore::Items before = store_.items;
  const auto refused = [&](const ExtentChange& change) {
    const absl::Status status = ChangeExtent(store_, change, rules_).status();
    EXPECT_EQ(store_.items, before) << status;
    return status.code();
  };
  EXPECT_EQ(refused(born), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(refused(Change({{AnyOf(2), -1}})), absl::StatusCode::kNotFound);
  EXPECT_EQ(refused(Change({{AnyOf(0), -2}})), absl::StatusCode::kDataLoss);
  EXPECT_EQ(refused(Change({{AnyOf(0), -1}, {AnyOf(1), -1}, {AnyOf(2), -1}})),
            absl::StatusCode::kDataLoss);
  EXPECT_EQ(refused(Change({{AnyOf(0), 0}})), absl::StatusCode::kInvalidArgument);
  const ExtentRef other = GetParam().data ? ExtentRef::OfTree(5) : ExtentRef::OfLeaf(65536);
  EXPECT_EQ(refused(Change({{other, 1}})), absl::StatusCode::kInvalidArgument);
  if (!GetParam().data) {
    EXPECT_EQ(refused(Change({{AnyOf(0), 1}})), absl::StatusCode::kAlreadyExists);
  }
  ExtentChange unborn = Change({});
  unborn.bytenr += 1 << 20;
  unborn.is_new = true;
  EXPECT_EQ(refused(unborn), absl::StatusCode::kInvalidArgument);
}

// The one with an item of its own goes in the change in which another comes, which therefore has an
// item of its own too.
TEST_P(ExtentRefsTest, AddsBeforeItDrops) {
  ExtentChange born = Change({{AnyOf(0), 1}});
  born.is_new = true;
  ASSERT_TRUE(ChangeExtent(store_, born, rules_).ok());
  int64_t n = 1;
  while (Read(store_).keyed_refs.empty()) {
    ASSERT_TRUE(ChangeExtent(store_, Change({{AnyOf(n++), 1}}), rules_).ok());
  }
  const ExtentRef last = AnyOf(n - 1);
  ASSERT_TRUE(ChangeExtent(store_, Change({{AnyOf(0), -1}}), rules_).ok());  // room inline
  ASSERT_TRUE(ChangeExtent(store_, Change({{last, -1}, {AnyOf(n), 1}}), rules_).ok());
  const Found found = Read(store_);
  ASSERT_EQ(found.keyed_refs.size(), 1);
  EXPECT_EQ(found.keyed_refs.begin()->first, AnyOf(n));
}

// A count that is too low does not free an extent that is referred to.
TEST_P(ExtentRefsTest, CountsThatAreTooLow) {
  ExtentChange born = Change({{AnyOf(0), 1}});
  born.is_new = true;
  ASSERT_TRUE(ChangeExtent(store_, born, rules_).ok());
  const ExtentRef other = GetParam().data ? ExtentRef::OfLeaf(65536) : ExtentRef::OfParent(65536);
  store_.items[{kBytenr, other.type, 65536}] =
      std::vector<std::byte>(GetParam().data ? 4 : 0, std::byte{1});
  MapStore::Items before = store_.items;
  EXPECT_EQ(ChangeExtent(store_, Change({{AnyOf(0), -1}}), rules_).status().code(),
            absl::StatusCode::kDataLoss);
  EXPECT_EQ(store_.items, before);
}

TEST_P(ExtentRefsTest, WhatIsThereAlready) {
  ExtentChange old = Change({{AnyOf(0), 1}, {AnyOf(1), 1}});
  old.is_new = true;
  ASSERT_TRUE(ChangeExtent(store_, old, rules_).ok());
  // One with an item of its own, which goes too where all are replaced.
  store_.items[{kBytenr, kTreeBlockRefType, 999}] = {};
  const MapStore::Items before = store_.items;

  ExtentChange born = Change({{AnyOf(1), 1}, {AnyOf(2), 1}});
  born.is_new = true;
  born.generation = 8;
  ExtentRules rules = rules_;
  rules.existing = ExtentRules::Existing::kKeep;
  absl::StatusOr<ExtentState> state = ChangeExtent(store_, born, rules);
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(state->references, 3);
  EXPECT_EQ(state->generation, 7);

  store_.items = before;
  rules.existing = ExtentRules::Existing::kReplace;
  state = ChangeExtent(store_, born, rules);
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(state->references, 2);
  EXPECT_EQ(state->generation, 8);
  const Found found = Read(store_);
  EXPECT_EQ(found.inline_refs.size(), 2);
  EXPECT_TRUE(found.keyed_refs.empty());
}

TEST_P(ExtentRefsTest, EveryCallOfTheStoreFails) {
  ExtentChange born = Change({{AnyOf(0), 1}});
  born.is_new = true;
  ASSERT_TRUE(ChangeExtent(store_, born, rules_).ok());
  const MapStore::Items before = store_.items;
  uint64_t failed = 0;
  for (uint64_t fail_at = 1;; ++fail_at) {
    store_.items = before;
    store_.calls = store_.changes = 0;
    store_.fail_at = fail_at;
    const absl::Status status =
        ChangeExtent(store_, Change({{AnyOf(1), 1}, {AnyOf(0), -1}}), rules_).status();
    if (status.ok()) break;
    ++failed;
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    if (store_.changes == 0) {
      EXPECT_EQ(store_.items, before);
    }
  }
  EXPECT_GE(failed, 3);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, ExtentRefsTest,
    ::testing::Values(Kind{"Data4K", true, true, 4096}, Kind{"Data16K", true, true, 16384},
                      Kind{"Skinny4K", false, true, 4096}, Kind{"Skinny16K", false, true, 16384},
                      Kind{"Fat4K", false, false, 4096}, Kind{"Fat16K", false, false, 16384}),
    [](const auto& of) { return std::string(of.param.name); });

TEST(ExtentRefs, HashOfFiles) {
  for (const auto& [root, inode, offset] : std::vector<std::tuple<uint64_t, uint64_t, uint64_t>>{
           {5, 257, 0}, {256, 1000, 4096}, {~uint64_t{0} - 8, 1 << 20, ~uint64_t{0} - 4095}}) {
    EXPECT_EQ(DataRefHash(root, inode, offset), SlowHash(root, inode, offset));
  }
}

// Two references of one hash: the second takes the next number, is found there, also when the
// first one has gone.
TEST(ExtentRefs, SameHash) {
  const ExtentRef wanted = ExtentRef::OfFile(5, 257, 0);
  const uint64_t hash = DataRefHash(5, 257, 0);
  MapStore store;
  const ExtentRules rules{.node_bytes = 4096};
  ExtentChange change{.bytenr = kBytenr,
                      .bytes = kDataBytes,
                      .data = true,
                      .is_new = true,
                      .generation = 7,
                      .deltas = {{ExtentRef::OfLeaf(65536), 1}}};
  ASSERT_TRUE(ChangeExtent(store, change, rules).ok());
  std::vector<std::byte> other;
  ASSERT_TRUE(AppendItem(ExtentDataRef{6, 300, 8192, 2}, other).ok());
  store.items[{kBytenr, kExtentDataRefType, hash}] = other;
  change.is_new = false;
  change.deltas = {{wanted, 1}};
  ASSERT_TRUE(ChangeExtent(store, change, rules).ok());
  ASSERT_TRUE(store.items.contains({kBytenr, kExtentDataRefType, hash + 1}));
  ASSERT_TRUE(ChangeExtent(store, change, rules).ok());
  store.items.erase({kBytenr, kExtentDataRefType, hash});
  change.deltas = {{wanted, -2}};
  ASSERT_TRUE(ChangeExtent(store, change, rules).ok());
  EXPECT_FALSE(store.items.contains({kBytenr, kExtentDataRefType, hash + 1}));
}

// The one that owns the data's space stays, and is no reference.
TEST(ExtentRefs, OwnersOfSimpleQuotas) {
  MapStore store;
  std::vector<std::byte> item;
  const std::vector<InlineRef> refs = {ExtentOwnerRef{256}, ExtentDataRef{256, 257, 0, 1}};
  ASSERT_TRUE(AppendExtentItem({1, 7, kExtentData}, std::nullopt, refs, item).ok());
  store.items[{kBytenr, kExtentItemType, kDataBytes}] = item;
  ExtentChange change{.bytenr = kBytenr, .bytes = kDataBytes, .data = true};
  change.deltas = {{ExtentRef::OfLeaf(65536), 1}, {ExtentRef::OfFile(256, 257, 0), -1}};
  absl::StatusOr<ExtentState> state = ChangeExtent(store, change, {.node_bytes = 16384});
  ASSERT_TRUE(state.ok()) << state.status();
  const std::vector<std::byte>& now = store.items.begin()->second;
  EXPECT_EQ(now[24], std::byte{kExtentOwnerRefType});
  change.deltas = {{ExtentRef::OfLeaf(65536), -1}};
  state = ChangeExtent(store, change, {.node_bytes = 16384});
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_TRUE(store.items.empty());
}

TEST(ExtentRefs, BlocksByTheirAddress) {
  MapStore store;
  EXPECT_FALSE(FindBlockExtent(store, kBytenr, 16384)->has_value());
  ExtentChange change{.bytenr = kBytenr,
                      .bytes = 16384,
                      .level = 2,
                      .is_new = true,
                      .generation = 9,
                      .deltas = {{ExtentRef::OfTree(5), 1}}};
  for (const bool skinny : {true, false}) {
    store.items.clear();
    change.is_new = true;
    change.set_full_backref = false;
    const ExtentRules rules{.node_bytes = 16384, .skinny_metadata = skinny};
    ASSERT_TRUE(ChangeExtent(store, change, rules).ok());
    change.is_new = false;
    change.set_full_backref = true;
    ExtentChange shared = change;
    shared.deltas = {{ExtentRef::OfParent(65536), 1}};
    ASSERT_TRUE(ChangeExtent(store, shared, rules).ok());
    const auto state = FindBlockExtent(store, kBytenr, 16384);
    ASSERT_TRUE(state.ok() && state->has_value());
    EXPECT_EQ((*state)->references, 2);
    EXPECT_EQ((*state)->flags, 2 | 256);
    EXPECT_EQ((*state)->generation, 9);
  }
  store.items.clear();
  std::vector<std::byte> data;
  ASSERT_TRUE(AppendExtentItem({1, 7, kExtentData}, std::nullopt, {}, data).ok());
  store.items[{kBytenr, kExtentItemType, 16384}] = data;
  EXPECT_EQ(FindBlockExtent(store, kBytenr, 16384).status().code(), absl::StatusCode::kDataLoss);
}

// Against what is taken, byte by byte: extents of both kinds, references behind them, a block group.
TEST(ExtentRefs, ExtentsInARange) {
  constexpr uint64_t kUnit = 4096;
  MapStore store;
  EXPECT_FALSE(FindExtentIn(store, {0, kUnit}, kUnit)->has_value());
  store.items[{0, kExtentItemType - 1, 7}] = {};
  store.items[{8 * kUnit, kBlockGroupItemType, 64 * kUnit}] = {};
  store.items[{10 * kUnit, kExtentItemType, 3 * kUnit}] = {};
  store.items[{10 * kUnit, kExtentDataRefType, 1}] = {};
  store.items[{10 * kUnit, kExtentDataRefType, ~uint64_t{0}}] = {};
  store.items[{13 * kUnit, kMetadataItemType, 0}] = {};
  store.items[{13 * kUnit, kTreeBlockRefType, 5}] = {};
  store.items[{20 * kUnit, kMetadataItemType, 1}] = {};
  const auto is_taken = [](uint64_t unit) { return (unit >= 10 && unit < 14) || unit == 20; };
  for (uint64_t first = 0; first < 30; ++first) {
    for (uint64_t count = 1; count < 8; ++count) {
      bool taken = false;
      for (uint64_t unit = first; unit < first + count; ++unit) taken |= is_taken(unit);
      const auto found = FindExtentIn(store, {first * kUnit, count * kUnit}, kUnit);
      ASSERT_TRUE(found.ok());
      EXPECT_EQ(found->has_value(), taken) << first << " " << count;
      if (!found->has_value()) continue;
      EXPECT_TRUE(is_taken((*found)->start / kUnit));
      EXPECT_TRUE((*found)->start < (first + count) * kUnit && (*found)->end() > first * kUnit);
    }
  }
}

}  // namespace
}  // namespace ebcache::space
