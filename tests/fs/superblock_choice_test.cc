// Which superblock a filesystem is opened by when roots cannot be read, what is refused as a
// feature, and what missing parts of the chunk tree mean.

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ebcache/btree.h"
#include "ebcache/filesystem.h"
#include "ebcache/on_disk.h"
#include "tests/device/memory_device.h"
#include "tests/format/format_bytes.h"
#include "tests/fs/sample_device.h"
#include "tests/fuzz/small_image.h"

namespace ebcache::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kMirror = kSuperblockOffsets[1];
constexpr uint64_t kDeviceBytes = 128 * kMiB;

// A filesystem in two copies of its superblock, whose bytes a test changes before it is opened.
class SuperblockChoiceTest : public ::testing::Test {
 protected:
  SuperblockChoiceTest() : device_(std::make_unique<MemoryDevice>("disk0.img", kDeviceBytes)) {
    StoreBlocks();
    superblock_ = *ParseSuperblock(device_->Load(kSuperblockOffsets[0], kSuperblockBytes), 65536);
    superblock_.device.total_bytes = kDeviceBytes;
    StoreSuperblocks();
  }

  void StoreBlocks() {
    for (const fuzz::ImageBlock& block : fuzz::SmallImage()) {
      for (uint64_t at : block.physical) device_->Store(at, block.bytes);
    }
  }
  void StoreSuperblocks() {
    StoreSuperblock(kSuperblockOffsets[0], superblock_);
    StoreSuperblock(kMirror, superblock_);
  }

  void StoreSuperblock(uint64_t at, const Superblock& superblock) {
    device_->Store(at, SuperblockBytes(superblock, at));
  }
  // Breaks both copies of the block at a logical address.
  void Break(uint64_t logical) {
    for (const fuzz::ImageBlock& block : fuzz::SmallImage()) {
      if (block.logical != logical) continue;
      for (uint64_t at : block.physical) device_->Flip(at + 200);
    }
  }
  // Puts a second root tree, good like the first, where nothing lies yet.
  uint64_t MoveRootTree(uint64_t generation) {
    const uint64_t moved = superblock_.root + kMiB;
    for (const fuzz::ImageBlock& block : fuzz::SmallImage()) {
      if (block.logical != superblock_.root) continue;
      Bytes bytes = block.bytes;
      Put<uint64_t>(bytes, 48, moved);
      Put<uint64_t>(bytes, 80, generation);
      Seal(bytes, ChecksumType::kCrc32c);
      for (uint64_t at : block.physical) device_->Store(at + kMiB, bytes);
    }
    return moved;
  }
  absl::StatusOr<std::unique_ptr<Filesystem>> Open() {
    std::vector<std::unique_ptr<BlockDevice>> devices;
    devices.push_back(std::move(device_));
    return Filesystem::OpenDevices(std::move(devices));
  }

  std::unique_ptr<MemoryDevice> device_;
  Superblock superblock_;
};

size_t TreesOf(Filesystem& filesystem, std::vector<WalkDamage>& damage) {
  return filesystem.Trees(&damage).size();
}

TEST_F(SuperblockChoiceTest, ThePrimaryWhereAllIsWell) {
  const auto filesystem = Open();
  ASSERT_TRUE(filesystem.ok()) << filesystem.status();
  const SuperblockCopy copy = (*filesystem)->volume().superblock_copy();
  EXPECT_EQ(copy.device, "disk0.img");
  EXPECT_EQ(copy.place.device_id, 1);
  EXPECT_EQ(copy.place.offset, 65536);
  EXPECT_EQ(copy.generation, 7);
  EXPECT_THAT((*filesystem)->volume().notices(), IsEmpty());
  EXPECT_THAT((*filesystem)->volume().superblock_warnings(), IsEmpty());
  EXPECT_THAT((*filesystem)->open_damage(), IsEmpty());
}

// The mirror is older by a transaction whose root tree is still there.
TEST_F(SuperblockChoiceTest, AnotherCopyWhereTheRootsOfThePrimaryCannotBeRead) {
  Superblock older = superblock_;
  older.generation = 6;
  older.root = MoveRootTree(6);
  older.log_root = 0;  // it was of the transaction after the other one
  StoreSuperblock(kMirror, older);
  Break(superblock_.root);
  const auto filesystem = Open();
  ASSERT_TRUE(filesystem.ok()) << filesystem.status();
  EXPECT_EQ((*filesystem)->superblock().generation, 6);
  const SuperblockCopy copy = (*filesystem)->volume().superblock_copy();
  EXPECT_EQ(copy.place.offset, kMirror);
  EXPECT_EQ(copy.generation, 6);
  EXPECT_THAT(
      (*filesystem)->volume().notices(),
      ElementsAre(StartsWith("the superblock at 67108864 on disk0.img (generation 6) is used: by "
                             "the superblock at 65536 on disk0.img (generation 7) tree ROOT_TREE, "
                             "level 0, block ")));
  EXPECT_EQ((*filesystem)->volume().chunks().size(), 1);
  // What was lost is told, and the trees are there.
  ASSERT_EQ((*filesystem)->open_damage().size(), 1);
  EXPECT_EQ((*filesystem)->open_damage()[0].logical, superblock_.root);
  std::vector<WalkDamage> damage;
  EXPECT_EQ(TreesOf(**filesystem, damage), 6);
  EXPECT_THAT(damage, IsEmpty());
}

TEST_F(SuperblockChoiceTest, ANewerMirrorIsNoBetterThanThePrimary) {
  Superblock newer = superblock_;
  newer.generation = 12;
  newer.root = MoveRootTree(12);
  StoreSuperblock(kMirror, newer);
  const auto filesystem = Open();
  ASSERT_TRUE(filesystem.ok()) << filesystem.status();
  EXPECT_EQ((*filesystem)->superblock().generation, 7);
  EXPECT_THAT((*filesystem)->volume().superblock_warnings(),
              ElementsAre("disk0.img: superblock at 67108864: generation 12, that at 65536 has 7 "
                          "and is used"));
}

// Whichever of them is wrong in the primary, a mirror of the same generation has it right.
TEST_F(SuperblockChoiceTest, EachRootCounts) {
  const auto with = [&](auto change) {
    Superblock wrong = superblock_;
    change(wrong);
    return wrong;
  };
  for (const Superblock& wrong : {
           with([](Superblock& s) { s.root += 64 * 4096; }),
           with([](Superblock& s) { ++s.root_level; }),
           with([](Superblock& s) { s.chunk_root += 64 * 4096; }),
           with([](Superblock& s) { ++s.chunk_root_level; }),
       }) {
    StoreSuperblock(kSuperblockOffsets[0], wrong);
    const auto filesystem = Open();
    ASSERT_TRUE(filesystem.ok()) << filesystem.status();
    EXPECT_EQ((*filesystem)->volume().superblock_copy().place.offset, kMirror);
    device_ = std::make_unique<MemoryDevice>("disk0.img", kDeviceBytes);
    StoreBlocks();
    StoreSuperblocks();
  }
}

TEST_F(SuperblockChoiceTest, TheFirstWhereNoCopyIsAnyBetter) {
  Superblock older = superblock_;
  older.generation = 6;
  older.chunk_root += 64 * 4096;  // nothing is there
  StoreSuperblock(kMirror, older);
  Break(superblock_.root);
  const auto filesystem = Open();
  ASSERT_TRUE(filesystem.ok()) << filesystem.status();
  EXPECT_EQ((*filesystem)->superblock().generation, 7);
  EXPECT_EQ((*filesystem)->volume().superblock_copy().place.offset, 65536);
  EXPECT_THAT((*filesystem)->volume().notices(), IsEmpty());
  EXPECT_EQ((*filesystem)->volume().chunks().size(), 1);
}

// A mirror that cannot even be begun with does not stop the search.
TEST_F(SuperblockChoiceTest, AMirrorWhoseSystemChunksContradictEachOtherIsPassedOver) {
  Superblock older = superblock_;
  older.generation = 6;
  const Bytes overlapping = SystemChunkArrayOf({SoundChunk(RaidProfile::kDup, 4 * kMiB, 8 * kMiB)});
  older.system_chunk_array.insert(older.system_chunk_array.end(), overlapping.begin(),
                                  overlapping.end());
  StoreSuperblock(kMirror, older);
  Break(superblock_.root);
  const auto filesystem = Open();
  ASSERT_TRUE(filesystem.ok()) << filesystem.status();
  EXPECT_EQ((*filesystem)->superblock().generation, 7);
  EXPECT_FALSE((*filesystem)->ReadTreeBlock(superblock_.root).ok());
  EXPECT_TRUE((*filesystem)->ReadTreeBlock(superblock_.chunk_root).ok());
}

// The older superblock may be from before it.
TEST_F(SuperblockChoiceTest, AFeatureIsNoReasonToGoBack) {
  Superblock parity = superblock_;
  const Chunk chunk = SoundChunk(RaidProfile::kRaid5, 4 * kMiB, 4 * kMiB, 3);
  parity.system_chunk_array = SystemChunkArrayOf({chunk});
  parity.generation = 8;
  StoreSuperblock(kSuperblockOffsets[0], parity);
  const absl::Status status = Open().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(status.message()), HasSubstr("metadata in chunks of profile RAID5"));
}

TEST_F(SuperblockChoiceTest, MissingDevicesAreNoReasonToGoBack) {
  Superblock elsewhere = superblock_;
  Chunk chunk = SoundChunk(RaidProfile::kSingle, 4 * kMiB, 4 * kMiB);
  chunk.stripes[0].device_id = 2;
  chunk.stripes[0].device_uuid = DeviceUuid(2);
  elsewhere.system_chunk_array = SystemChunkArrayOf({chunk});
  elsewhere.generation = 8;
  StoreSuperblock(kSuperblockOffsets[0], elsewhere);
  const auto filesystem = Open();
  ASSERT_TRUE(filesystem.ok()) << filesystem.status();
  EXPECT_EQ((*filesystem)->superblock().generation, 8);
  ASSERT_EQ((*filesystem)->volume().missing_devices().size(), 1);
  EXPECT_EQ((*filesystem)->volume().missing_devices()[0].id, 2);
  // The whole chunk tree is on that device, so of no address it can be said that nothing is there.
  EXPECT_TRUE((*filesystem)->volume().OnMissingDevices(64 * kMiB));
}

// ---- Memory that is out -------------------------------------------------------------------------

// Any reads of opening, one or several or all that follow: the newest filesystem with all its
// chunks, or an error that says that memory was out. By no means the older one that is there, too.
TEST_F(SuperblockChoiceTest, MemoryThatIsOutIsNoReasonToGoBack) {
  Superblock older = superblock_;
  older.generation = 6;
  older.root = MoveRootTree(6);
  older.log_root = 0;
  StoreSuperblock(kMirror, older);
  MemoryDevice& device = *device_;
  const auto open = [&] { return Filesystem::OpenDevices(Borrow(device)); };
  for (const uint64_t width : {uint64_t{1}, uint64_t{2}, uint64_t{3}, uint64_t{1} << 40}) {
    uint64_t refused = 0;
    for (uint64_t first = 1;; ++first) {
      device.set_out_of_memory(first, width);
      const auto filesystem = open();
      if (filesystem.ok()) {
        EXPECT_EQ((*filesystem)->superblock().generation, 7) << "read " << first << " of " << width;
        EXPECT_THAT((*filesystem)->open_damage(), IsEmpty());
        EXPECT_EQ((*filesystem)->volume().chunks().size(), 1);
      } else {
        ++refused;
        EXPECT_EQ(filesystem.status().code(), absl::StatusCode::kResourceExhausted)
            << filesystem.status();
        EXPECT_THAT(std::string(filesystem.status().message()), HasSubstr("no memory now"));
      }
      if (!device.was_out_of_memory()) break;
    }
    device.set_out_of_memory(0, 0);
    // Both superblocks, and where both copies are concerned the roots.
    EXPECT_GE(refused, width == 1 ? 2 : 4) << width;
  }
}

// The roots of the first one are damaged, and those of the next are not read: it may be the one.
TEST_F(SuperblockChoiceTest, MemoryThatIsOutWhileAnotherIsTried) {
  Superblock older = superblock_;
  older.generation = 6;
  older.root = MoveRootTree(6);
  older.log_root = 0;
  StoreSuperblock(kMirror, older);
  Break(superblock_.root);
  MemoryDevice& device = *device_;
  for (uint64_t first = 1;; ++first) {
    device.set_out_of_memory(first, 2);
    const auto filesystem = Filesystem::OpenDevices(Borrow(device));
    if (filesystem.ok()) {
      EXPECT_EQ((*filesystem)->superblock().generation, 6) << first;
    } else {
      EXPECT_EQ(filesystem.status().code(), absl::StatusCode::kResourceExhausted)
          << filesystem.status();
    }
    if (!device.was_out_of_memory()) break;
  }
}

// The superblock of the device knows how long it is, its item in the chunk tree does not.
TEST_F(SuperblockChoiceTest, ADeviceItemThatContradictsItsDeviceIsTold) {
  for (const fuzz::ImageBlock& block : fuzz::SmallImage()) {
    if (block.logical != superblock_.chunk_root) continue;
    Bytes bytes = block.bytes;
    // The first item of the leaf: behind the header, its key, where its data begins.
    uint32_t data;
    std::memcpy(&data, bytes.data() + 101 + 17, sizeof data);
    data += 101;
    Put<uint64_t>(bytes, data + 8, kDeviceBytes + kMiB);
    std::memcpy(bytes.data() + data + 66, superblock_.device.uuid.data(), 16);
    Seal(bytes, ChecksumType::kCrc32c);
    for (uint64_t at : block.physical) device_->Store(at, bytes);
  }
  const auto filesystem = Open();
  ASSERT_TRUE(filesystem.ok()) << filesystem.status();
  ASSERT_EQ((*filesystem)->open_damage().size(), 1);
  EXPECT_THAT(std::string((*filesystem)->open_damage()[0].status.message()),
              HasSubstr(absl::StrCat("the chunk tree says ", kDeviceBytes + kMiB)));
}

TEST_F(SuperblockChoiceTest, MetadataWithParityIsAFeature) {
  Superblock parity = superblock_;
  const Bytes chunk = SystemChunkArrayOf({SoundChunk(RaidProfile::kRaid5, 16 * kMiB, 8 * kMiB, 3)});
  parity.system_chunk_array.insert(parity.system_chunk_array.end(), chunk.begin(), chunk.end());
  StoreSuperblock(kSuperblockOffsets[0], parity);
  StoreSuperblock(kMirror, parity);
  const absl::Status status = Open().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(status.message(),
            "disk0.img: uses features that cannot be read: metadata in chunks of profile RAID5");
}

}  // namespace
}  // namespace ebcache::testing
