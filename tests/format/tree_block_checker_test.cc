// The structural check: sound blocks pass, and every rejection has its block.

#include "lib/format/check/tree_block_checker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "ebcache/on_disk.h"
#include "tests/format/buffer_pool.h"
#include "tests/format/format_bytes.h"

namespace ebcache::testing {
namespace {

using ::testing::HasSubstr;

constexpr uint32_t kNodeBytes = 4096;
constexpr TreeBlockLimits kLimits{.sector_bytes = 4096};
constexpr size_t kMostItems = (kNodeBytes - kHeaderBytes) / kItemBytes;           // 159
constexpr size_t kMostPointers = (kNodeBytes - kHeaderBytes) / kKeyPointerBytes;  // 121

BlockShape Shape(uint8_t level, uint64_t owner = kFsTreeId) {
  return {.node_bytes = kNodeBytes, .bytenr = 65536, .owner = owner, .level = level};
}

std::vector<LeafItem> Items(size_t count, const std::string& data = "data") {
  std::vector<LeafItem> items;
  for (size_t i = 0; i < count; ++i) items.push_back({{256, kStringItemType, i}, data});
  return items;
}

std::vector<KeyPointer> Pointers(size_t count) {
  std::vector<KeyPointer> pointers;
  for (size_t i = 0; i < count; ++i) {
    pointers.push_back({{256, kStringItemType, i}, 4096 * (i + 1), 7});
  }
  return pointers;
}

Bytes SoundLeaf() { return LeafBytes(Shape(0), Items(5)); }
Bytes SoundNode() { return NodeBytes(Shape(1), Pointers(5)); }

std::string CheckError(const Bytes& block) {
  const absl::Status status = CheckTreeBlockBytes(block, kLimits);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  return std::string(status.message());
}

size_t ItemAt(size_t slot) { return kHeaderBytes + slot * kItemBytes; }
size_t PointerAt(size_t slot) { return kHeaderBytes + slot * kKeyPointerBytes; }

TEST(TreeBlockChecker, SoundBlocksPass) {
  for (const Bytes& block : {
           SoundLeaf(),
           SoundNode(),
           LeafBytes(Shape(0), Items(1, "")),
           LeafBytes(Shape(0), Items(kMostItems, "")),
           LeafBytes(Shape(0), Items(1, std::string(kNodeBytes - kHeaderBytes - kItemBytes, 'x'))),
           NodeBytes(Shape(1), Pointers(1)),
           NodeBytes(Shape(7), Pointers(kMostPointers)),
       }) {
    EXPECT_EQ(CheckTreeBlockBytes(block, kLimits), absl::OkStatus());
  }
}

// ---- Leaves -------------------------------------------------------------------------------------

TEST(TreeBlockChecker, LeafWithTooManyItems) {
  Bytes leaf = SoundLeaf();
  Put<uint32_t>(leaf, 96, kMostItems + 1);
  EXPECT_EQ(CheckError(leaf), "leaf with 160 items, room is for 159 [leaf-count]");
  Put<uint32_t>(leaf, 96, 0xffffffff);
  EXPECT_EQ(CheckError(leaf), "leaf with 4294967295 items, room is for 159 [leaf-count]");
}

TEST(TreeBlockChecker, LeafKeysMustRise) {
  Bytes leaf = SoundLeaf();
  PutKey(leaf, ItemAt(3), {256, kStringItemType, 2});
  EXPECT_EQ(
      CheckError(leaf),
      "slot 3: key (256 STRING_ITEM 2) is not above (256 STRING_ITEM 2) of slot 2 [key-order]");
  PutKey(leaf, ItemAt(3), {255, 255, ~uint64_t{0}});
  EXPECT_THAT(CheckError(leaf), HasSubstr("slot 3: key (255 255 18446744073709551615)"));
}

TEST(TreeBlockChecker, ItemDataBeginsAtTheEndOfTheLeaf) {
  Bytes leaf = SoundLeaf();
  Put<uint32_t>(leaf, ItemAt(0) + 21, 3);  // one byte short
  EXPECT_EQ(CheckError(leaf), "slot 0: item data ends at 4095, not at 4096 [leaf-data-end]");
  Put<uint32_t>(leaf, ItemAt(0) + 21, 5);
  EXPECT_EQ(CheckError(leaf), "slot 0: item data ends at 4097, not at 4096 [leaf-data-end]");
}

TEST(TreeBlockChecker, ItemDataHasNoGapAndNoOverlap) {
  for (int shift : {-1, 1}) {
    Bytes leaf = SoundLeaf();
    const uint32_t offset = kNodeBytes - kHeaderBytes - 4 * 3;
    Put<uint32_t>(leaf, ItemAt(2) + 17, offset + shift);
    EXPECT_THAT(CheckError(leaf), HasSubstr("slot 2: item data ends at"));
  }
}

// offset + size is the right end in 32 bits, and far away in 64.
TEST(TreeBlockChecker, ItemDataMayNotWrapAround) {
  Bytes leaf = SoundLeaf();
  const uint32_t end = kNodeBytes - kHeaderBytes;
  Put<uint32_t>(leaf, ItemAt(0) + 17, 0xfffff000);
  Put<uint32_t>(leaf, ItemAt(0) + 21, end - 0xfffff000);
  EXPECT_EQ(CheckError(leaf), "slot 0: item data ends at 4294971392, not at 4096 [leaf-data-end]");
}

TEST(TreeBlockChecker, ItemDataMayNotOverlapTheHeads) {
  Bytes leaf = SoundLeaf();
  const uint32_t heads_end = 5 * kItemBytes;
  const uint32_t end = kNodeBytes - kHeaderBytes - 4 * 4;  // where slot 4 must end
  Put<uint32_t>(leaf, ItemAt(4) + 17, heads_end);
  Put<uint32_t>(leaf, ItemAt(4) + 21, end - heads_end);
  EXPECT_EQ(CheckTreeBlockBytes(leaf, kLimits), absl::OkStatus());
  Put<uint32_t>(leaf, ItemAt(4) + 17, heads_end - 1);
  Put<uint32_t>(leaf, ItemAt(4) + 21, end - heads_end + 1);
  EXPECT_EQ(
      CheckError(leaf),
      "slot 4: item data at 225 overlaps the item heads, which end at 226 [leaf-data-overlap]");
}

TEST(TreeBlockChecker, EmptyLeaves) {
  for (uint64_t owner : {kCsumTreeId, kUuidTreeId, kTreeLogId, kTreeRelocId, kFreeSpaceTreeId,
                         kQuotaTreeId, uint64_t{256}, kBlockGroupTreeId}) {
    EXPECT_EQ(CheckTreeBlockBytes(LeafBytes(Shape(0, owner), {}), kLimits), absl::OkStatus())
        << owner;
  }
  for (uint64_t owner :
       {kRootTreeId, kExtentTreeId, kChunkTreeId, kDevTreeId, kFsTreeId, kDataRelocTreeId}) {
    Bytes leaf = LeafBytes(Shape(0, owner), {});
    EXPECT_EQ(CheckError(leaf),
              "empty leaf, and " + TreeName(owner) + " is never empty [leaf-empty]");
    Put<uint64_t>(leaf, 56, 2);  // the relocation flag
    EXPECT_EQ(CheckTreeBlockBytes(leaf, kLimits), absl::OkStatus());
  }
  EXPECT_EQ(CheckError(LeafBytes(Shape(0, 0), {})), "empty leaf without an owner [leaf-empty]");
}

// ---- Nodes --------------------------------------------------------------------------------------

TEST(TreeBlockChecker, NodeWithTooManyOrNoPointers) {
  Bytes node = SoundNode();
  Put<uint32_t>(node, 96, 0);
  EXPECT_EQ(CheckError(node), "node with 0 pointers, legal is 1 to 121 [node-count]");
  Put<uint32_t>(node, 96, kMostPointers + 1);
  EXPECT_EQ(CheckError(node), "node with 122 pointers, legal is 1 to 121 [node-count]");
  Put<uint32_t>(node, 96, 0x80000000);
  EXPECT_EQ(CheckError(node), "node with 2147483648 pointers, legal is 1 to 121 [node-count]");
}

TEST(TreeBlockChecker, NodeKeysMustRise) {
  Bytes node = SoundNode();
  PutKey(node, PointerAt(1), {256, kStringItemType, 0});
  EXPECT_EQ(
      CheckError(node),
      "slot 1: key (256 STRING_ITEM 0) is not above (256 STRING_ITEM 0) of slot 0 [key-order]");
}

TEST(TreeBlockChecker, PointersToNowhere) {
  Bytes node = SoundNode();
  Put<uint64_t>(node, PointerAt(4) + 17, 0);
  EXPECT_EQ(CheckError(node), "slot 4: pointer to block 0 [node-pointer-zero]");
  Put<uint64_t>(node, PointerAt(4) + 17, ~uint64_t{0} - 8);
  EXPECT_EQ(CheckError(node),
            "slot 4: pointer to block 18446744073709551607, which is not aligned to the sector "
            "size 4096 [node-pointer-align]");
  Put<uint64_t>(node, PointerAt(4) + 17, 4096);
  EXPECT_EQ(CheckTreeBlockBytes(node, kLimits), absl::OkStatus());
  EXPECT_FALSE(CheckTreeBlockBytes(node, {.sector_bytes = 16384}).ok());
}

TEST(TreeBlockChecker, LevelTooHigh) {
  Bytes node = SoundNode();
  Put<uint8_t>(node, 100, 8);
  EXPECT_EQ(CheckError(node), "level 8, the highest is 7 [block-level]");
}

// Blocks in memory have no WRITTEN before their first write; those from a disk have it.
TEST(TreeBlockChecker, WhatWasReadWasWritten) {
  constexpr TreeBlockLimits kFromDisk{.sector_bytes = 4096, .from_disk = true};
  for (Bytes block : {SoundLeaf(), SoundNode()}) {
    EXPECT_EQ(CheckTreeBlockBytes(block, kFromDisk), absl::OkStatus());
    Put<uint64_t>(block, 56, uint64_t{1} << 56);
    EXPECT_EQ(CheckTreeBlockBytes(block, kLimits), absl::OkStatus());
    const absl::Status status = CheckTreeBlockBytes(block, kFromDisk);
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_EQ(status.message(),
              "header flags 0x100000000000000 without WRITTEN, which every block has that was ever "
              "on a disk [not-written]");
  }
}

TEST(TreeBlockChecker, TooShortForAHeader) {
  EXPECT_EQ(CheckError(Bytes(100)), "block of 100 bytes [block-size]");
  EXPECT_EQ(CheckError({}), "block of 0 bytes [block-size]");
}

// ---- All of it ----------------------------------------------------------------------------------

TEST(TreeBlockChecker, PageArraysAreCheckedAlike) {
  Bytes broken = LeafBytes({.owner = kFsTreeId}, Items(300));
  PutKey(broken, ItemAt(299), kMinKey);
  for (Layout layout : {Layout::kContiguous, Layout::kPages}) {
    BufferPool pool(16384, layout);
    const ExtentBufferRef sound = pool.Make(0, LeafBytes({.owner = kFsTreeId}, Items(300)));
    EXPECT_EQ(sound->contiguous() != nullptr, layout == Layout::kContiguous);
    EXPECT_EQ(CheckTreeBlock(*sound, 4096), absl::OkStatus());
    const ExtentBufferRef bad = pool.Make(0, broken);
    EXPECT_EQ(CheckTreeBlock(*bad, 4096), CheckTreeBlockBytes(broken, kLimits));
    EXPECT_FALSE(CheckTreeBlock(*bad, 4096).ok());
  }
}

TEST(TreeBlockChecker, UnusedBytes) {
  EXPECT_EQ(FindUnusedBytes(SoundLeaf()).offset, kHeaderBytes + 5 * kItemBytes);
  EXPECT_EQ(FindUnusedBytes(SoundLeaf()).length, kNodeBytes - kHeaderBytes - 5 * (kItemBytes + 4));
  EXPECT_EQ(FindUnusedBytes(SoundNode()).offset, kHeaderBytes + 5 * kKeyPointerBytes);
  EXPECT_EQ(FindUnusedBytes(SoundNode()).length, kNodeBytes - kHeaderBytes - 5 * kKeyPointerBytes);
  const Bytes empty = LeafBytes(Shape(0, kCsumTreeId), {});
  EXPECT_EQ(FindUnusedBytes(empty).offset, kHeaderBytes);
  EXPECT_EQ(FindUnusedBytes(empty).length, kNodeBytes - kHeaderBytes);
}

// What passed the check can be read without another thought, however it was broken before.
RC_GTEST_PROP(TreeBlockCheckerProperty, WhatPassesStaysInside, ()) {
  Bytes block = *rc::gen::arbitrary<bool>() ? LeafBytes(Shape(0), Items(8))
                                            : NodeBytes(Shape(1), Pointers(8));
  const int breaks = *rc::gen::inRange(0, 4);
  for (int i = 0; i < breaks; ++i) {
    const size_t at = *rc::gen::inRange<size_t>(96, kHeaderBytes + 9 * kKeyPointerBytes);
    block[at] = std::byte(*rc::gen::arbitrary<uint8_t>());
  }
  const bool passed = CheckTreeBlockBytes(block, kLimits).ok();
  RC_CLASSIFY(passed);
  if (!passed) return;
  static BufferPool pool(kNodeBytes);
  const ExtentBufferRef buffer = pool.Make(65536, block);
  const Header header(*buffer);
  for (uint32_t slot = 0; slot < header.item_count(); ++slot) {
    if (header.level() == 0) {
      const ItemHead item = LoadItemHead(*buffer, slot);
      RC_ASSERT(item.offset >= kHeaderBytes + header.item_count() * kItemBytes);
      RC_ASSERT(uint64_t{item.offset} + item.size <= buffer->length());
    } else {
      RC_ASSERT(LoadKeyPointer(*buffer, slot).bytenr != 0);
    }
  }
  const UnusedBytes unused = FindUnusedBytes(block);
  RC_ASSERT(unused.offset + unused.length <= block.size());
}

}  // namespace
}  // namespace ebcache::testing
