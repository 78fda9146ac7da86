// Opening, making and copying blocks; finding slots; changing keys.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/tree/edit/edit_fixture.h"

namespace ebcache::testing {
namespace {

using edit::MutableBlock;
using edit::Place;
using edit::Result;

absl::StatusCode OpenCode(std::vector<std::byte>& bytes) {
  const std::vector<std::byte> before = bytes;
  const auto block = MutableBlock::Open(absl::MakeSpan(bytes));
  EXPECT_TRUE(before == bytes);
  return block.status().code();
}

class EditBlock : public OfEveryNodeSize {
 protected:
  Bytes Leaf(size_t count) const {
    std::vector<LeafItem> items;
    for (size_t i = 0; i < count; ++i) items.push_back({K(i), "data"});
    return LeafBytes({.node_bytes = node_bytes(), .owner = kCsumTreeId}, items);
  }
};
EBCACHE_FOR_ALL_NODE_SIZES(EditBlock);

TEST_P(EditBlock, InitFillsTheHeaderAndZeroesAllElse) {
  std::vector<std::byte> bytes(node_bytes(), std::byte{0xee});
  const auto block = MutableBlock::Init(absl::MakeSpan(bytes), {.fsid = UuidOf(0x11),
                                                                .chunk_tree_uuid = UuidOf(0x22),
                                                                .bytenr = 1 << 20,
                                                                .generation = 9,
                                                                .owner = 257,
                                                                .level = 7});
  ASSERT_TRUE(block.ok());
  EXPECT_EQ(block->bytenr(), 1u << 20);
  EXPECT_EQ(block->generation(), 9u);
  EXPECT_EQ(block->owner(), 257u);
  EXPECT_EQ(block->level(), 7u);
  EXPECT_EQ(block->flags(), 0u);
  EXPECT_EQ(block->backref_revision(), 1u);
  EXPECT_EQ(block->item_count(), 0u);
  // The format written a second time.
  EXPECT_EQ(bytes[63], std::byte{1});
  EXPECT_EQ(bytes[32], std::byte{0x11});
  EXPECT_EQ(bytes[64], std::byte{0x22});
  EXPECT_TRUE(std::all_of(bytes.begin(), bytes.begin() + 32,
                          [](std::byte b) { return b == std::byte{0}; }));
  EXPECT_TRUE(std::all_of(bytes.begin() + kHeaderBytes, bytes.end(),
                          [](std::byte b) { return b == std::byte{0}; }));
}

TEST(EditBlock, SizesAndLevelsThatNoBlockHas) {
  for (size_t size : {0, 100, 512, 2048, 4095, 4097, 12288, 131072}) {
    std::vector<std::byte> bytes(size);
    EXPECT_EQ(OpenCode(bytes), absl::StatusCode::kInvalidArgument) << size;
    EXPECT_FALSE(MutableBlock::Init(absl::MakeSpan(bytes), {}).ok()) << size;
  }
  std::vector<std::byte> bytes(4096, std::byte{0xee});
  const auto before = bytes;
  EXPECT_FALSE(MutableBlock::Init(absl::MakeSpan(bytes), {.level = 8}).ok());
  EXPECT_TRUE(before == bytes);
}

TEST_P(EditBlock, OpenTakesWhatIsSound) {
  for (size_t count : {size_t{0}, size_t{1}, size_t{9}, area() / (kItemBytes + size_t{4})}) {
    Bytes bytes = Leaf(count);
    EXPECT_EQ(OpenCode(bytes), absl::StatusCode::kOk) << count;
  }
}

TEST_P(EditBlock, OpenRefusesWhatEditsCouldNotTrust) {
  const auto broken = [&](size_t at, uint32_t value) {
    Bytes bytes = Leaf(5);
    Put<uint32_t>(bytes, at, value);
    return OpenCode(bytes);
  };
  const size_t head = kHeaderBytes + 2 * kItemBytes;
  EXPECT_EQ(broken(96, area() / kItemBytes + 1), absl::StatusCode::kDataLoss);
  EXPECT_EQ(broken(96, 6), absl::StatusCode::kDataLoss);  // a head of zeroes
  EXPECT_EQ(broken(96, ~0u), absl::StatusCode::kDataLoss);
  EXPECT_EQ(broken(head + 17, area() - 11), absl::StatusCode::kDataLoss);
  EXPECT_EQ(broken(head + 17, ~0u), absl::StatusCode::kDataLoss);
  EXPECT_EQ(broken(head + 21, 5), absl::StatusCode::kDataLoss);
  EXPECT_EQ(broken(head + 21, ~0u), absl::StatusCode::kDataLoss);
  EXPECT_EQ(broken(head + 9, 1), absl::StatusCode::kDataLoss);               // the key of slot 1
  EXPECT_EQ(broken(head - kItemBytes + 9, 0), absl::StatusCode::kDataLoss);  // that of slot 0
}

TEST_P(EditBlock, ErrorsSayWhatIsWhere) {
  const auto expect = [&](Bytes bytes, const std::vector<std::string>& words) {
    const auto block = MutableBlock::Open(absl::MakeSpan(bytes));
    for (const std::string& word : words) {
      EXPECT_THAT(block.status().message(), ::testing::HasSubstr(word));
    }
  };
  const size_t head = kHeaderBytes + 2 * kItemBytes;
  Bytes bytes = Leaf(5);
  Put<uint64_t>(bytes, 48, 123456789);
  Put<uint32_t>(bytes, head + 21, 5);
  expect(bytes, {"block 123456789", "slot 2", std::to_string(node_bytes() - 12), "5 bytes"});
  bytes = Leaf(5);
  Put<uint64_t>(bytes, head + 9, 1);
  expect(bytes, {"slot 2", "key " + K(1).ToString() + " is not above " + K(1).ToString()});
  bytes = Leaf(5);
  Put<uint64_t>(bytes, head + 9, 0);
  expect(bytes, {"slot 2", "key " + K(0).ToString() + " is not above " + K(1).ToString()});
  bytes = Leaf(0);
  Put<uint8_t>(bytes, 100, 9);
  expect(bytes, {"level 9", "highest is 7"});
}

// offset + size is the right end in 32 bits, and far away in 64.
TEST_P(EditBlock, OpenRefusesDataThatWrapsAround) {
  Bytes bytes = Leaf(1);
  const uint32_t offset = 0xfffff000;
  Put<uint32_t>(bytes, kHeaderBytes + 17, offset);
  Put<uint32_t>(bytes, kHeaderBytes + 21, area() - offset);
  EXPECT_EQ(OpenCode(bytes), absl::StatusCode::kDataLoss);
}

TEST_P(EditBlock, OpenRefusesALevelThatNoTreeHas) {
  for (const uint8_t level : {uint8_t{7}, uint8_t{8}, uint8_t{255}}) {
    OwnBlock block(node_bytes(), 7);
    block.bytes[100] = std::byte{level};  // all else is sound: it is empty
    EXPECT_EQ(OpenCode(block.bytes),
              level == 7 ? absl::StatusCode::kOk : absl::StatusCode::kDataLoss);
  }
}

// One pointer more than there is room for, whose key, behind the end, would be in order.
TEST_P(EditBlock, OpenRefusesAPointerBehindTheEnd) {
  const uint32_t most = area() / kKeyPointerBytes;
  std::vector<KeyPointer> pointers;
  for (uint32_t i = 0; i < most; ++i) pointers.push_back({K(i), 4096, 7});
  Bytes bytes = NodeBytes({.node_bytes = node_bytes(), .level = 1}, pointers);
  EXPECT_EQ(OpenCode(bytes), absl::StatusCode::kOk);
  Put<uint32_t>(bytes, 96, most + 1);
  std::fill(bytes.begin() + kHeaderBytes + most * kKeyPointerBytes, bytes.end(), std::byte{0xff});
  bytes.resize(node_bytes() + kKeyPointerBytes, std::byte{0xff});
  const auto block = MutableBlock::Open(absl::MakeSpan(bytes).subspan(0, node_bytes()));
  EXPECT_EQ(block.status().code(), absl::StatusCode::kDataLoss);
}

// The last item's data over the heads: offset + size is right, but where it begins is not.
TEST_P(EditBlock, OpenRefusesDataOverTheHeads) {
  for (const bool overlaps : {false, true}) {
    OwnBlock leaf(node_bytes());
    leaf.Fill({{K(0), std::string(most_item() - kItemBytes, 'x')}, {K(1), ""}});
    ASSERT_EQ(leaf.view.free_bytes(), 0u);
    if (overlaps) {
      Put<uint32_t>(leaf.bytes, kHeaderBytes + kItemBytes + 17, 2 * kItemBytes - 1);
      Put<uint32_t>(leaf.bytes, kHeaderBytes + kItemBytes + 21, 1);
    }
    EXPECT_EQ(OpenCode(leaf.bytes), overlaps ? absl::StatusCode::kDataLoss : absl::StatusCode::kOk);
  }
}

TEST_P(EditBlock, CopyForCowHasItsOwnHeaderAndNoStaleBytes) {
  OwnBlock from(node_bytes());
  from.Fill({{K(1), "one"}, {K(2), "two"}});
  from.view.set_flags(kHeaderWritten | kHeaderReloc);
  from.bytes[0] = std::byte{0xcc};                              // of its checksum
  from.bytes[kHeaderBytes + 2 * kItemBytes] = std::byte{0x55};  // stale, in front
  from.bytes[node_bytes() - 7] = std::byte{0x55};               // and behind
  OwnBlock to(node_bytes());
  std::fill(to.bytes.begin(), to.bytes.end(), std::byte{0xdd});
  const auto copy = MutableBlock::CopyForCow(from.view, absl::MakeSpan(to.bytes),
                                             {.bytenr = 4096, .generation = 8, .owner = 300});
  ASSERT_TRUE(copy.ok());
  EXPECT_EQ(copy->bytenr(), 4096u);
  EXPECT_EQ(copy->generation(), 8u);
  EXPECT_EQ(copy->owner(), 300u);
  EXPECT_EQ(copy->flags(), 0u);
  EXPECT_EQ(copy->backref_revision(), 1u);
  EXPECT_EQ(to.bytes[0], std::byte{0});
  EXPECT_EQ(to.bytes[32], std::byte{0x11});
  ExpectLeaf(to, {{K(1), "one"}, {K(2), "two"}});
  EXPECT_EQ(from.view.flags(), kHeaderWritten | kHeaderReloc);
}

TEST_P(EditBlock, CopyForCowOfANode) {
  const Bytes node =
      NodeBytes({.node_bytes = node_bytes(), .level = 2}, {{K(1), 4096, 7}, {K(2), 8192, 7}});
  Bytes stale = node;
  stale.back() = std::byte{1};
  stale[kHeaderBytes + 2 * kKeyPointerBytes] = std::byte{1};
  Bytes to(node_bytes());
  ASSERT_TRUE(
      MutableBlock::CopyForCow(*MutableBlock::Open(absl::MakeSpan(stale)), absl::MakeSpan(to), {})
          .ok());
  EXPECT_TRUE(std::equal(node.begin() + 96, node.end(), to.begin() + 96));
}

TEST(EditBlock, CopiesThatCannotBe) {
  std::vector<std::byte> bytes(8192);
  const auto block = MutableBlock::Init(absl::MakeSpan(bytes).subspan(0, 4096), {});
  ASSERT_TRUE(block.ok());
  const auto before = bytes;
  for (const auto to : {absl::MakeSpan(bytes).subspan(0, 4096),
                        absl::MakeSpan(bytes).subspan(4095, 4096), absl::MakeSpan(bytes)}) {
    EXPECT_FALSE(MutableBlock::CopyForCow(*block, to, {}).ok());
    EXPECT_TRUE(before == bytes);
  }
  for (const size_t size : {size_t{0}, size_t{2048}, size_t{8192}}) {
    std::vector<std::byte> to(size, std::byte{0xee});
    EXPECT_FALSE(MutableBlock::CopyForCow(*block, absl::MakeSpan(to), {}).ok());
    EXPECT_EQ(std::count(to.begin(), to.end(), std::byte{0xee}), static_cast<long>(size));
  }
  EXPECT_TRUE(MutableBlock::CopyForCow(*block, absl::MakeSpan(bytes).subspan(4096, 4096), {}).ok());
}

TEST(EditBlock, FlagsLeaveTheRevisionAlone) {
  OwnBlock block(4096);
  block.view.set_flags(~uint64_t{0});
  EXPECT_EQ(block.view.backref_revision(), 1u);
  EXPECT_EQ(block.view.flags(), ~uint64_t{0} >> 8);
}

TEST_P(EditBlock, FindSlotAtEveryPlace) {
  for (uint32_t count : {0u, 1u, 2u, 3u, 40u}) {
    OwnBlock leaf(node_bytes());
    for (uint32_t i = 0; i < count; ++i) leaf.Fill({{K(2 * i + 1), "x"}});
    for (uint32_t number = 0; number < 2 * count + 2; ++number) {
      EXPECT_EQ(edit::FindSlot(leaf.view, K(number)),
                (Place{number / 2, number % 2 == 1 && number / 2 < count}))
          << number << " of " << count;
    }
  }
}

TEST_P(EditBlock, ChangeKeyBetweenNeighboursOnly) {
  OwnBlock leaf(node_bytes());
  leaf.Fill({{K(10), "a"}, {K(20), "b"}, {K(30), "c"}});
  for (auto [slot, key] : {std::pair{0u, 20u}, {1u, 10u}, {1u, 30u}, {1u, 31u}, {2u, 20u}}) {
    ExpectRefused(Result::kKeyOrder, {&leaf},
                  [&, s = slot, k = key] { return edit::ChangeKey(leaf.view, s, K(k)); });
  }
  ExpectRefused(Result::kBadSlot, {&leaf}, [&] { return edit::ChangeKey(leaf.view, 3, K(99)); });
  EXPECT_EQ(edit::ChangeKey(leaf.view, 1, K(20)), Result::kDone);
  EXPECT_EQ(edit::ChangeKey(leaf.view, 1, K(29)), Result::kDone);
  EXPECT_EQ(edit::ChangeKey(leaf.view, 0, kMinKey), Result::kDone);
  EXPECT_EQ(edit::ChangeKey(leaf.view, 2, kMaxKey), Result::kDone);
  ExpectLeaf(leaf, {{kMinKey, "a"}, {K(29), "b"}, {kMaxKey, "c"}});
}

TEST(EditBlock, WhatIsNotThereIsEmpty) {
  OwnBlock leaf(4096);
  leaf.Fill({{K(1), "data"}});
  EXPECT_EQ(leaf.view.key(1), Key{});
  EXPECT_TRUE(leaf.view.data(1).empty());
  EXPECT_TRUE(leaf.view.mutable_data(~0u).empty());
  EXPECT_EQ(leaf.view.pointer(0), KeyPointer{});
  OwnBlock node(4096, 1);
  EXPECT_TRUE(node.view.data(0).empty());
  leaf.view.mutable_data(0)[3] = std::byte{'!'};
  ExpectLeaf(leaf, {{K(1), "dat!"}});
}

TEST(EditBlock, EveryReasonHasWords) {
  for (int i = 0; i <= static_cast<int>(Result::kNoRoom); ++i) {
    EXPECT_STRNE(edit::ResultWords(static_cast<Result>(i)), "unknown");
  }
}

}  // namespace
}  // namespace ebcache::testing
