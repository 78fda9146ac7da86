// Blocks at addresses that are no multiples of their size, as old filesystems have them.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "ebcache/item_codec.h"
#include "ebcache/items_root.h"
#include "ebcache/transaction.h"
#include "lib/format/checksum.h"
#include "tests/support/mkfs_image.h"
#include "tests/txn/txn_fixture.h"

namespace ebcache::testing {
namespace {

constexpr uint32_t kNodeBytes = 16384;

class UnalignedBlocksTest : public SessionTest {
 protected:
  void SetUp() override {
    SessionTest::SetUp();
    if (IsSkipped()) return;
    // Without a free space tree it is the extent tree that tells what is free.
    Make("-n 16384 -m single -R ^free-space-tree");
    Open({.change_space_trees = true, .undo_file = ""});
    MoveCsumRoot();
    Open();
  }

  // Moves the root of the tree of checksums to where the next block would be, and half a block on.
  void MoveCsumRoot() {
    const uint64_t from = filesystem_->Tree(kCsumTreeId)->root().bytenr;
    slot_ = FirstFreeSlot();
    block_ = slot_ + kNodeBytes / 2;
    const Key root_key{kCsumTreeId, kRootItemType, 0};
    RootItem root = ParseRootItem(ItemsOf(*filesystem_->Tree(kRootTreeId)).at(root_key)).value();
    ASSERT_EQ(root.level, 0);
    root.bytenr = block_;
    std::vector<std::byte> root_bytes;
    ASSERT_TRUE(AppendItem(root, root_bytes).ok());
    const Key extent{from, kMetadataItemType, 0};
    const std::vector<std::byte> item = ItemsOf(*filesystem_->Tree(kExtentTreeId)).at(extent);
    Write(from);
    // What it writes itself goes behind: the first places are taken.
    const auto transaction = Begin();
    ASSERT_TRUE(transaction->Replace(kRootTreeId, root_key, root_bytes).ok());
    ASSERT_TRUE(transaction->Remove(kExtentTreeId, extent).ok());
    ASSERT_TRUE(transaction->Insert(kExtentTreeId, {block_, kMetadataItemType, 0}, item).ok());
    const absl::Status committed = transaction->Commit();
    ASSERT_TRUE(committed.ok()) << committed;
  }

  // Two slots behind all that there is, far from where the transaction puts its own blocks.
  uint64_t FirstFreeSlot() {
    uint64_t last = 0;
    for (const auto& [key, data] : ItemsOf(*filesystem_->Tree(kExtentTreeId))) {
      if (key.type == kMetadataItemType) last = std::max(last, key.objectid);
    }
    return last + 40 * uint64_t{kNodeBytes};
  }

  // The block, with its new address and a checksum of that.
  void Write(uint64_t from) {
    BlockDevice* const device = filesystem_->volume().Map(from, kNodeBytes).value()[0].device;
    std::vector<std::byte> bytes(kNodeBytes);
    DeviceRead read{.offset = filesystem_->volume().Map(from, kNodeBytes).value()[0].place.offset,
                    .segments = {absl::MakeSpan(bytes)}};
    device->Read(absl::MakeSpan(&read, 1));
    ASSERT_TRUE(read.status.ok());
    std::memcpy(&bytes[48], &block_, 8);
    const absl::Span<const std::byte> piece(bytes);
    const Checksum checksum = ComputeBlockChecksum(ChecksumType::kCrc32c, {&piece, 1}).value();
    std::memcpy(bytes.data(), &checksum, 4);
    DeviceWrite write{
        .offset = filesystem_->volume().Map(block_, kNodeBytes).value()[0].place.offset,
        .segments = {absl::MakeConstSpan(bytes)}};
    device->Write(absl::MakeSpan(&write, 1));
    ASSERT_TRUE(write.status.ok());
  }

  static absl::Status ChangeChecksums(Transaction& transaction) {
    const std::vector<std::byte> sum(4);
    return transaction.Insert(kCsumTreeId, {~uint64_t{9}, kExtentCsumType, 1 << 20}, sum);
  }

  // Commits so much that each place is used, and remembers which were.
  void UseAllPlaces() {
    for (int commit = 0; commit < 4; ++commit) {
      const auto transaction = Begin();
      for (uint64_t i = 0; i < 700; ++i) {
        const absl::Status put = PutAttribute(*transaction, i, 3900, static_cast<uint8_t>(commit));
        ASSERT_TRUE(put.ok()) << put;
      }
      const absl::Status committed = transaction->Commit();
      ASSERT_TRUE(committed.ok()) << committed;
      used_.merge(UsedNow());
    }
  }

  std::set<uint64_t> UsedNow() {
    std::set<uint64_t> used;
    for (const auto& [key, data] : ItemsOf(*filesystem_->Tree(kExtentTreeId))) {
      if (key.type == kMetadataItemType) used.insert(key.objectid);
    }
    return used;
  }
  bool WasUsed(uint64_t bytenr) const { return used_.contains(bytenr); }

  std::set<uint64_t> used_;
  uint64_t slot_ = 0;   // an aligned place, which the block overlaps
  uint64_t block_ = 0;  // where the root is
};

TEST_F(UnalignedBlocksTest, NothingIsPutOverThem) {
  ASSERT_EQ(WalkDamageOf(paths_), "");
  UseAllPlaces();
  EXPECT_TRUE(UsedNow().contains(block_));
  EXPECT_FALSE(WasUsed(slot_));
  EXPECT_FALSE(WasUsed(slot_ + kNodeBytes));
  EXPECT_TRUE(WasUsed(slot_ + 2 * kNodeBytes));
  Close();
  EXPECT_EQ(WalkDamageOf(paths_), "");
}

TEST_F(UnalignedBlocksTest, WhatTheyLeaveIsUsedAgain) {
  {
    const auto transaction = Begin();
    ASSERT_TRUE(ChangeChecksums(*transaction).ok());
    ASSERT_TRUE(transaction->Commit().ok());
  }
  EXPECT_FALSE(UsedNow().contains(block_));
  UseAllPlaces();
  EXPECT_TRUE(WasUsed(slot_));
  EXPECT_TRUE(WasUsed(slot_ + kNodeBytes));
  Close();
  EXPECT_EQ(WalkDamageOf(paths_), "");
}

// A reader has it: the cache cannot have another block over it.
TEST_F(UnalignedBlocksTest, WhatAReaderHoldsIsPassedOver) {
  {
    const ExtentBufferRef held = filesystem_->cache().ReadBlock(block_, nullptr).value();
    {
      const auto transaction = Begin();
      ASSERT_TRUE(ChangeChecksums(*transaction).ok());
      ASSERT_TRUE(transaction->Commit().ok());
    }
    UseAllPlaces();
    EXPECT_FALSE(WasUsed(slot_));
    EXPECT_TRUE(WasUsed(slot_ + kNodeBytes));
    EXPECT_EQ(Header(*held).owner(), kCsumTreeId);
  }
  // Nothing has it any more.
  for (uint64_t i = 700; i < 1400; ++i) {
    const auto transaction = Begin();
    ASSERT_TRUE(PutAttribute(*transaction, i, 3900).ok());
    ASSERT_TRUE(transaction->Commit().ok());
    if (UsedNow().contains(slot_)) break;
  }
  EXPECT_TRUE(UsedNow().contains(slot_));
  Close();
  EXPECT_EQ(WalkDamageOf(paths_), "");
}

}  // namespace
}  // namespace ebcache::testing
