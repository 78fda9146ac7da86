// New chunks: made when room runs out, and when asked for, on every profile.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ebcache/item_codec.h"
#include "ebcache/items_device.h"
#include "ebcache/transaction.h"
#include "lib/format/system_chunk_array.h"
#include "tests/support/mkfs_image.h"
#include "tests/txn/txn_fixture.h"

namespace ebcache::testing {
namespace {

class ChunkTest : public SessionTest {
 protected:
  void Make(const std::string& options, int devices, uint64_t device_bytes = uint64_t{512} << 20) {
    SessionTest::Make(options, devices, device_bytes);
    Open();
  }

  // What the chunk tree, the device tree and superblocks say of one another.
  void ExpectDevicesAddUp() {
    absl::StatusOr<std::unique_ptr<Filesystem>> opened = Filesystem::Open(paths_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    std::map<uint64_t, uint64_t> extents;
    ItemRange of_devices = (*opened)->Tree(kDevTreeId)->Items();
    for (const Item& item : of_devices) {
      if (item.key().type != kDevExtentType) continue;
      extents[item.key().objectid] += ParseItem<DeviceExtent>(item.data())->length;
    }
    std::map<uint64_t, uint64_t> items;
    ItemRange of_chunks = (*opened)->Tree(kChunkTreeId)->Items();
    for (const Item& item : of_chunks) {
      if (item.key().type != kDevItemType) continue;
      items[item.key().offset] = ParseDeviceItem(item.data())->bytes_used;
    }
    EXPECT_EQ(extents, items);
    std::map<uint64_t, uint64_t> superblocks;
    for (const DeviceItem& device : (*opened)->volume().devices()) {
      superblocks[device.id] = device.bytes_used;
    }
    EXPECT_EQ(superblocks, items);
  }
};

TEST_F(ChunkTest, AreMadeWhenBlocksRunOutOfRoom) {
  Make("-n 4096", 1);
  const size_t chunks_before = filesystem_->volume().chunks().size();
  const uint64_t room = session_->free_bytes() / 4096;
  // Each takes a leaf of its own.
  uint64_t number = 0;
  while (number < room + room / 2) {
    auto transaction = session_->Begin();
    ASSERT_TRUE(transaction.ok());
    for (uint64_t end = number + 2000; number < end; ++number) {
      const SampleItem item = MakeAttribute(number, 3500);
      const absl::Status status = (*transaction)->Insert(kFsTreeId, item.key, item.data);
      ASSERT_TRUE(status.ok()) << status;
    }
    const absl::Status status = (*transaction)->Commit();
    ASSERT_TRUE(status.ok()) << status;
  }
  EXPECT_GT(filesystem_->volume().chunks().size(), chunks_before);
  ExpectSound();
  ExpectDevicesAddUp();
}

// When no device has room either that is an error, and the last commit stays.
TEST_F(ChunkTest, AnEndOfAllRoomIsAnError) {
  Make("-n 4096 --mixed", 1, uint64_t{64} << 20);
  absl::Status status;
  uint64_t number = 0;
  uint64_t committed = 0;
  while (status.ok()) {
    auto transaction = session_->Begin();
    ASSERT_TRUE(transaction.ok()) << transaction.status();
    for (uint64_t end = number + 500; status.ok() && number < end; ++number) {
      const SampleItem item = MakeAttribute(number, 3500);
      status = (*transaction)->Insert(kFsTreeId, item.key, item.data);
    }
    if (status.ok()) status = (*transaction)->Commit();
    if (status.ok()) committed = number;
    ASSERT_LT(number, 64u << 20 >> 12);
  }
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_GT(committed, 1000u);
  EXPECT_TRUE(session_->Begin().ok());
  ExpectSound();
  uint64_t attributes = 0;
  for (const auto& [key, data] : ItemsOf(paths_, kFsTreeId))
    attributes += key.type == kXattrItemType;
  EXPECT_EQ(attributes, committed);
}

struct Wanted {
  RaidProfile profile;
  int devices;
  const char* options;
};

class ChunkProfileTest : public ChunkTest, public ::testing::WithParamInterface<Wanted> {};

TEST_P(ChunkProfileTest, OfEveryType) {
  Make(GetParam().options, GetParam().devices);
  std::vector<Chunk> made;
  {
    auto transaction = session_->Begin();
    ASSERT_TRUE(transaction.ok());
    for (const uint64_t type : {kBlockGroupData, kBlockGroupMetadata, kBlockGroupSystem}) {
      const absl::StatusOr<Chunk> chunk =
          (*transaction)->MakeChunk(type, GetParam().profile, uint64_t{16} << 20);
      ASSERT_TRUE(chunk.ok()) << chunk.status();
      made.push_back(*chunk);
    }
    const absl::Status status = (*transaction)->Commit();
    ASSERT_TRUE(status.ok()) << status;
  }
  // All blocks go to the new chunks: they are behind the others.
  Open();
  const std::vector<Chunk> chunks = filesystem_->volume().chunks();
  for (const Chunk& chunk : made) {
    const auto there = std::find_if(chunks.begin(), chunks.end(), [&](const Chunk& other) {
      return other.logical == chunk.logical;
    });
    ASSERT_NE(there, chunks.end());
    EXPECT_EQ(there->type, chunk.type);
    EXPECT_EQ(there->profile, GetParam().profile);
    EXPECT_EQ(there->stripes, chunk.stripes);
  }
  const Superblock superblock = filesystem_->superblock();
  const auto system_chunks =
      ParseSystemChunkArray(superblock.system_chunk_array, superblock.sector_bytes);
  ASSERT_TRUE(system_chunks.ok());
  EXPECT_EQ(system_chunks->back().logical, made[2].logical);
  ExpectSound();
  ExpectDevicesAddUp();
}

INSTANTIATE_TEST_SUITE_P(Profiles, ChunkProfileTest,
                         ::testing::Values(Wanted{RaidProfile::kSingle, 1, ""},
                                           Wanted{RaidProfile::kDup, 1, ""},
                                           Wanted{RaidProfile::kDup, 1, "-R ^free-space-tree"},
                                           Wanted{RaidProfile::kRaid0, 2, ""},
                                           Wanted{RaidProfile::kRaid1, 2, ""},
                                           Wanted{RaidProfile::kRaid1c3, 3, "-m raid1c3"},
                                           Wanted{RaidProfile::kRaid1c4, 4, "-m raid1c4"},
                                           Wanted{RaidProfile::kRaid10, 4, "-m raid10"}));

TEST_F(ChunkTest, WhatCannotBeIsRefusedAndTheTransactionGoesOn) {
  Make("", 1);
  auto transaction = session_->Begin();
  ASSERT_TRUE(transaction.ok());
  const auto make = [&](uint64_t type, RaidProfile profile) {
    return (*transaction)->MakeChunk(type, profile).status();
  };
  EXPECT_TRUE(absl::IsInvalidArgument(make(0, RaidProfile::kSingle)));
  EXPECT_TRUE(absl::IsInvalidArgument(make(8, RaidProfile::kSingle)));
  EXPECT_TRUE(
      absl::IsInvalidArgument(make(kBlockGroupData | kBlockGroupMetadata, RaidProfile::kSingle)));
  EXPECT_TRUE(absl::IsInvalidArgument(make(kBlockGroupData, RaidProfile::kRaid1c3)));
  EXPECT_TRUE(absl::IsUnimplemented(make(kBlockGroupData, RaidProfile::kRaid5)));
  EXPECT_TRUE(absl::IsResourceExhausted(make(kBlockGroupData, RaidProfile::kRaid1)));
  const absl::Status status = (*transaction)->Commit();
  EXPECT_TRUE(status.ok()) << status;
}

// The volume forgets it, and its place is used by the next.
TEST_F(ChunkTest, AbortingTakesItBack) {
  Make("", 1);
  const size_t before = filesystem_->volume().chunks().size();
  const uint64_t free_before = session_->free_bytes();
  uint64_t first = 0;
  for (int i = 0; i < 2; ++i) {
    auto transaction = session_->Begin();
    ASSERT_TRUE(transaction.ok());
    EXPECT_EQ(session_->free_bytes(), free_before);
    const absl::StatusOr<Chunk> chunk =
        (*transaction)->MakeChunk(kBlockGroupMetadata, RaidProfile::kDup);
    ASSERT_TRUE(chunk.ok()) << chunk.status();
    EXPECT_GT(session_->free_bytes(), free_before);
    if (i == 0) first = chunk->logical;
    EXPECT_EQ(chunk->logical, first);
    (*transaction)->Abort();
    EXPECT_EQ(filesystem_->volume().chunks().size(), before);
  }
  Close();
  EXPECT_EQ(CheckComplaintOf(paths_), "");
}

// Its superblock is of the commit before the chunk; the next one says what the chunk tree says.
TEST_F(ChunkTest, ADeviceThatHasMissedTheSuperblock) {
  Make("-n 4096 -m raid1 -d single", 2);
  const std::string old = SuperblocksOf(paths_[1]);
  {
    const auto transaction = Begin();
    ASSERT_TRUE(transaction->MakeChunk(kBlockGroupMetadata, RaidProfile::kRaid1).ok());
    ASSERT_TRUE(transaction->Commit().ok());
  }
  Close();
  PutSuperblocks(paths_[1], old);
  Open();
  {
    const auto transaction = Begin();
    ASSERT_TRUE(transaction->SetLabel("next").ok());
    ASSERT_TRUE(transaction->Commit().ok());
  }
  Close();
  EXPECT_FALSE(SuperblocksOf(paths_[1]) == old);
  ExpectDevicesAddUp();
  EXPECT_EQ(CheckComplaintOf(paths_), "");
}

}  // namespace
}  // namespace ebcache::testing
