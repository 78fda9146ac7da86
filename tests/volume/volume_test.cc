// Opening volumes: which devices go together, and what is said when they do not.

#include "ebcache/volume.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/device/memory_device.h"
#include "tests/format/buffer_pool.h"
#include "tests/format/format_bytes.h"
#include "tests/volume/test_volume.h"

namespace ebcache::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr uint64_t kMiB = uint64_t{1} << 20;

// A device of 32 MiB, so with one superblock, as device `id` of SoundSuperblock's filesystem.
struct DeviceShape {
  std::string name = "disk0.img";
  uint64_t id = 1;
  uint64_t size_bytes = 32 * kMiB;
};
std::unique_ptr<BlockDevice> DeviceWith(Superblock sb, const DeviceShape& shape = {}) {
  sb.device.id = shape.id;
  sb.device.uuid = DeviceUuid(shape.id);
  sb.device.total_bytes = 32 * kMiB;
  auto device = std::make_unique<MemoryDevice>(shape.name, shape.size_bytes);
  device->Store(kSuperblockOffsets[0], SuperblockBytes(sb));
  return device;
}

template <typename... Devices>
absl::StatusOr<std::unique_ptr<Volume>> OpenWith(VolumeOptions options, Devices... devices) {
  std::vector<std::unique_ptr<BlockDevice>> all;
  (all.push_back(std::move(devices)), ...);
  return Volume::Open(std::move(all), std::move(options));
}
template <typename... Devices>
std::string OpenError(absl::StatusCode code, Devices... devices) {
  const absl::Status status = OpenWith({}, std::move(devices)...).status();
  EXPECT_EQ(status.code(), code) << status;
  return std::string(status.message());
}

Superblock TwoDevices() {
  Superblock sb = SoundSuperblock();
  sb.num_devices = 2;
  sb.system_chunk_array = SystemChunkArrayOf({SoundChunk(RaidProfile::kRaid1, 22020096, 8 * kMiB)});
  return sb;
}

template <typename... Ids>
auto IdsAre(Ids... ids) {
  return ElementsAre(Field(&MissingDevice::id, ids)...);
}

TEST(VolumeOpen, OneDevice) {
  auto volume = OpenWith({}, DeviceWith(SoundSuperblock()));
  ASSERT_TRUE(volume.ok()) << volume.status();
  EXPECT_EQ((*volume)->superblock().label, "sound");
  EXPECT_THAT((*volume)->superblock_warnings(), IsEmpty());
  EXPECT_THAT((*volume)->missing_devices(), IsEmpty());
  ASSERT_EQ((*volume)->chunks().size(), 1);
  EXPECT_EQ((*volume)->chunks()[0].logical, 22020096);
}

TEST(VolumeOpen, NoDevices) {
  EXPECT_EQ(OpenError(absl::StatusCode::kInvalidArgument), "no devices given");
}

TEST(VolumeOpen, TheErrorOfTheDeviceThatHasOne) {
  EXPECT_EQ(OpenError(absl::StatusCode::kDataLoss, DeviceWith(TwoDevices()),
                      std::make_unique<MemoryDevice>("text", 100000)),
            "text: not a btrfs filesystem: no superblock magic at 65536");
}

TEST(VolumeOpen, AnotherFilesystem) {
  Superblock other = TwoDevices();
  other.fsid = other.device.fsid = UuidOf(0x99);
  EXPECT_EQ(OpenError(absl::StatusCode::kInvalidArgument, DeviceWith(TwoDevices()),
                      DeviceWith(other, {.name = "disk1.img", .id = 2})),
            "disk1.img: of another filesystem, 99999999-9999-9999-9999-999999999999, than "
            "disk0.img, 11111111-1111-1111-1111-111111111111");
}

// ---- Seeds --------------------------------------------------------------------------------------

Superblock Seed() {
  Superblock seed = SoundSuperblock();
  seed.fsid = seed.device.fsid = UuidOf(0x99);
  seed.generation = 5;
  seed.flags |= static_cast<uint64_t>(SuperblockFlag::kSeeding);
  return seed;
}
constexpr DeviceShape kSeedDevice{.name = "seed.img", .id = 1};
constexpr DeviceShape kGrownDevice{.name = "grown.img", .id = 2};

TEST(VolumeOpen, ASeedAndWhatWasGrownOnIt) {
  for (bool seed_first : {true, false}) {
    std::unique_ptr<BlockDevice> seed = DeviceWith(Seed(), kSeedDevice);
    std::unique_ptr<BlockDevice> grown = DeviceWith(TwoDevices(), kGrownDevice);
    auto volume = seed_first ? OpenWith({}, std::move(seed), std::move(grown))
                             : OpenWith({}, std::move(grown), std::move(seed));
    ASSERT_TRUE(volume.ok()) << volume.status();
    EXPECT_EQ((*volume)->superblock().fsid, UuidOf(0x11));
    // The seed is as old as it is on purpose.
    EXPECT_THAT((*volume)->superblock_warnings(), IsEmpty());
    EXPECT_EQ((*volume)->superblock_candidates(), 1);
    EXPECT_THAT((*volume)->missing_devices(), IsEmpty());
    // Its blocks are read.
    BufferPool pool;
    for (uint8_t digit : {0x11, 0x99, 0x55}) {
      const Bytes leaf =
          LeafBytes({.fsid = UuidOf(digit), .bytenr = 22020096}, {{{1, 2, 3}, "data"}});
      EXPECT_EQ((*volume)->Validate(*pool.Make(22020096, leaf), nullptr).ok(), digit != 0x55);
    }
    // It must be one that the chunk tree knows.
    const absl::Status unknown = (*volume)->CheckSeedsAreNamed();
    EXPECT_EQ(unknown.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(unknown.message(),
              "seed.img: of another filesystem, 99999999-9999-9999-9999-999999999999, and no seed "
              "of grown.img, 11111111-1111-1111-1111-111111111111");
    ASSERT_TRUE(
        (*volume)
            ->AddDevice(
                {.id = 1, .total_bytes = 32 * kMiB, .uuid = DeviceUuid(1), .fsid = UuidOf(0x99)})
            .ok());
    EXPECT_EQ((*volume)->CheckSeedsAreNamed(), absl::OkStatus());
  }
}

TEST(VolumeOpen, MirrorsOfSeedsAreNoChoiceForWhatWasGrown) {
  Superblock sb = Seed();
  sb.device.total_bytes = 128 * kMiB;
  auto seed = std::make_unique<MemoryDevice>("seed.img", 128 * kMiB);
  seed->Store(kSuperblockOffsets[0], SuperblockBytes(sb));
  sb.generation = 4;
  seed->Store(kSuperblockOffsets[1], SuperblockBytes(sb, kSuperblockOffsets[1]));
  auto volume = OpenWith({}, std::unique_ptr<BlockDevice>(std::move(seed)),
                         DeviceWith(TwoDevices(), kGrownDevice));
  ASSERT_TRUE(volume.ok()) << volume.status();
  EXPECT_EQ((*volume)->superblock_candidates(), 1);
  EXPECT_THAT((*volume)->superblock_warnings(),
              ElementsAre("seed.img: superblock at 67108864: generation 4, that at 65536 has 5 and "
                          "is used"));
}

TEST(VolumeOpen, OnlySuperblocksThatThereAreCanBeUsed) {
  auto volume = OpenWith({}, DeviceWith(SoundSuperblock()));
  ASSERT_TRUE(volume.ok()) << volume.status();
  EXPECT_EQ((*volume)->UseSuperblock(0, absl::OkStatus()), absl::OkStatus());
  EXPECT_DEATH((void)(*volume)->UseSuperblock(1, absl::OkStatus()),
               "there is no superblock of that number");
}

TEST(VolumeOpen, ASeedAlone) {
  auto volume = OpenWith({}, DeviceWith(Seed(), kSeedDevice));
  ASSERT_TRUE(volume.ok()) << volume.status();
  EXPECT_EQ((*volume)->superblock().fsid, UuidOf(0x99));
}

TEST(VolumeOpen, SeedsAreNotWritten) {
  for (bool both : {false, true}) {
    std::vector<std::unique_ptr<BlockDevice>> devices;
    devices.push_back(DeviceWith(Seed(), kSeedDevice));
    if (both) devices.push_back(DeviceWith(TwoDevices(), kGrownDevice));
    const absl::Status status = Volume::Open(std::move(devices), {.writable = true}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("cannot be written: seed devices are for reading"));
  }
}

// ---- Interrupted changes ------------------------------------------------------------------------

// btrfstune -m, killed when it had written one of two devices.
TEST(VolumeOpen, AChangeOfTheMetadataUuidInterruptedBetweenDevices) {
  Superblock old = TwoDevices();
  old.flags |= static_cast<uint64_t>(SuperblockFlag::kChangingMetadataUuid);
  Superblock changed = TwoDevices();
  changed.generation = 8;
  changed.fsid = UuidOf(0x22);
  changed.metadata_uuid = UuidOf(0x11);
  changed.incompat_flags |= static_cast<uint64_t>(IncompatFlag::kMetadataUuid);
  auto volume = OpenWith({}, DeviceWith(old), DeviceWith(changed, {.name = "disk1.img", .id = 2}));
  ASSERT_TRUE(volume.ok()) << volume.status();
  EXPECT_EQ((*volume)->superblock().fsid, UuidOf(0x22));
  EXPECT_THAT((*volume)->notices(),
              ElementsAre("a change of the fsid (metadata_uuid) was interrupted between devices: "
                          "disk0.img has 11111111-1111-1111-1111-111111111111, disk1.img has "
                          "22222222-2222-2222-2222-222222222222"));
  EXPECT_THAT((*volume)->missing_devices(), IsEmpty());
  // Without the flag they are two filesystems that were one once.
  old.flags = 1;
  EXPECT_EQ(OpenError(absl::StatusCode::kInvalidArgument, DeviceWith(old),
                      DeviceWith(changed, {.name = "disk1.img", .id = 2})),
            "disk1.img: of another filesystem, 22222222-2222-2222-2222-222222222222, than "
            "disk0.img, 11111111-1111-1111-1111-111111111111");
}

// btrfstune -u, killed before it had written the second device at all.
TEST(VolumeOpen, AChangeOfTheFsidInterruptedBetweenDevices) {
  const Superblock old = TwoDevices();
  Superblock changing = TwoDevices();
  changing.fsid = UuidOf(0x22);
  changing.flags |= static_cast<uint64_t>(SuperblockFlag::kChangingFsid);
  auto volume = OpenWith({}, DeviceWith(changing), DeviceWith(old, {.name = "disk1.img", .id = 2}));
  ASSERT_TRUE(volume.ok()) << volume.status();
  EXPECT_THAT(
      (*volume)->notices(),
      ElementsAre("a change of the fsid was interrupted: blocks have the new one, "
                  "22222222-2222-2222-2222-222222222222, or the old one, "
                  "11111111-1111-1111-1111-111111111111",
                  "a change of the fsid (of all blocks) was interrupted between devices: disk1.img "
                  "has 11111111-1111-1111-1111-111111111111, disk0.img has "
                  "22222222-2222-2222-2222-222222222222"));
}

TEST(VolumeOpen, EveryInterruptedChangeIsSaid) {
  const std::pair<SuperblockFlag, const char*> changes[] = {
      {SuperblockFlag::kChangingFsid, "a change of the fsid was interrupted"},
      {SuperblockFlag::kChangingMetadataUuid,
       "a change of the fsid in the superblocks alone (metadata_uuid) was interrupted"},
      {SuperblockFlag::kChangingBlockGroupTree,
       "a conversion to or from the block group tree was interrupted"},
      {SuperblockFlag::kChangingDataChecksums, "a change of the data checksums was interrupted"},
      {SuperblockFlag::kChangingBlockChecksums,
       "a change of the checksums of tree blocks was interrupted"}};
  for (const auto& [flag, words] : changes) {
    Superblock sb = SoundSuperblock();
    EXPECT_THAT((*OpenWith({}, DeviceWith(sb)))->notices(), IsEmpty());
    sb.flags |= static_cast<uint64_t>(flag);
    auto volume = OpenWith({}, DeviceWith(sb));
    ASSERT_TRUE(volume.ok()) << volume.status();
    EXPECT_THAT((*volume)->notices(), ElementsAre(HasSubstr(words)));
    EXPECT_THAT((*volume)->superblock_warnings(), IsEmpty());
    const absl::Status status = OpenWith({.writable = true}, DeviceWith(sb)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(status.message()), HasSubstr(words));
  }
}

// ---- Devices that do not go together ------------------------------------------------------------

TEST(VolumeOpen, TheSameDeviceTwice) {
  EXPECT_EQ(OpenError(absl::StatusCode::kInvalidArgument, DeviceWith(TwoDevices()),
                      DeviceWith(TwoDevices(), {.name = "copy.img"})),
            "copy.img: has device id 1, as has disk0.img");
}

// It is read as far as it goes, and not written.
TEST(VolumeOpen, Truncated) {
  const auto short_device = [] { return DeviceWith(SoundSuperblock(), {.size_bytes = 8 * kMiB}); };
  constexpr char kWords[] = "disk0.img: truncated: 8388608 bytes, its superblock says 33554432";
  const absl::StatusOr<std::unique_ptr<Volume>> volume = OpenWith({}, short_device());
  ASSERT_TRUE(volume.ok()) << volume.status();
  EXPECT_THAT((*volume)->superblock_warnings(), Contains(kWords));
  const absl::Status refused = OpenWith({.writable = true}, short_device()).status();
  EXPECT_TRUE(absl::IsDataLoss(refused)) << refused;
  EXPECT_EQ(refused.message(), kWords);
}

TEST(VolumeOpen, BadSystemChunks) {
  Superblock sb = SoundSuperblock();
  Chunk chunk = SoundChunk(RaidProfile::kSingle, 22020096, 8 * kMiB);
  chunk.stripe_bytes = uint64_t{1} << 45;
  sb.system_chunk_array = SystemChunkArrayOf({chunk});
  EXPECT_EQ(OpenError(absl::StatusCode::kDataLoss, DeviceWith(sb)),
            "disk0.img: superblock at 65536: system chunk array at byte 0: chunk 22020096: stripe "
            "length 35184372088832 is not 65536");
  sb.system_chunk_array =
      SystemChunkArrayOf({SoundChunk(RaidProfile::kSingle, 22020096, 8 * kMiB),
                          SoundChunk(RaidProfile::kSingle, 22020096 + 4096, 8 * kMiB)});
  EXPECT_THAT(OpenError(absl::StatusCode::kDataLoss, DeviceWith(sb)),
              HasSubstr("disk0.img: system chunk array: chunk 22024192, length 8388608, type 0x2 "
                        "overlaps chunk 22020096"));
}

TEST(VolumeOpen, UnknownCompatRoFeaturesForbidWriting) {
  Superblock sb = SoundSuperblock();
  sb.compat_ro_flags = 1 << 20;
  EXPECT_TRUE(OpenWith({}, DeviceWith(sb)).ok());
  const absl::Status status = OpenWith({.writable = true}, DeviceWith(sb)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(status.message(), "disk0.img: cannot be written: unknown compat_ro features 0x100000");
}

TEST(VolumeOpen, TheNewestDeviceLeads) {
  Superblock newer = TwoDevices();
  newer.generation = 9;
  auto volume =
      OpenWith({}, DeviceWith(TwoDevices()), DeviceWith(newer, {.name = "disk1.img", .id = 2}));
  ASSERT_TRUE(volume.ok()) << volume.status();
  EXPECT_EQ((*volume)->superblock().generation, 9);
  EXPECT_THAT((*volume)->superblock_warnings(),
              ElementsAre("disk0.img: superblock of generation 7, that of disk1.img is 9"));
}

TEST(VolumeOpen, MissingDevices) {
  auto volume = OpenWith({}, DeviceWith(TwoDevices(), {.id = 2}));
  ASSERT_TRUE(volume.ok()) << volume.status();
  EXPECT_THAT((*volume)->missing_devices(), IdsAre(1));
  ASSERT_TRUE((*volume)->AddDevice({.id = 3, .total_bytes = 1, .uuid = DeviceUuid(3)}).ok());
  EXPECT_THAT((*volume)->missing_devices(), IdsAre(1, 3));
}

TEST(VolumeOpen, WhatIsToldOfAMissingDevice) {
  auto volume = OpenWith({}, DeviceWith(TwoDevices(), {.id = 2}));
  ASSERT_TRUE(volume.ok()) << volume.status();
  // A chunk does not say which filesystem made the device; its item does.
  MissingDevice device = (*volume)->missing_devices()[0];
  EXPECT_EQ(device.uuid, DeviceUuid(1));
  EXPECT_EQ(device.fsid, Uuid{});
  EXPECT_EQ(device.ToString(), "device 1 is missing");
  const auto item = [](uint64_t id, uint8_t fsid) {
    return DeviceItem{.id = id, .total_bytes = 1, .uuid = DeviceUuid(id), .fsid = UuidOf(fsid)};
  };
  ASSERT_TRUE((*volume)->AddDevice(item(1, 0x11)).ok());
  ASSERT_TRUE((*volume)->AddDevice(item(3, 0x99)).ok());
  ASSERT_EQ((*volume)->missing_devices().size(), 2);
  device = (*volume)->missing_devices()[0];
  EXPECT_EQ(device.fsid, UuidOf(0x11));
  EXPECT_FALSE(device.seed);
  device = (*volume)->missing_devices()[1];
  EXPECT_EQ(device.fsid, UuidOf(0x99));
  EXPECT_EQ(device.ToString(), "device 3 (seed) is missing");
}

TEST(VolumeOpen, BlocksOnMissingDevicesAreToldFromDamage) {
  auto volume = OpenWith({}, DeviceWith(TwoDevices(), {.id = 2}));
  ASSERT_TRUE(volume.ok()) << volume.status();
  EXPECT_FALSE((*volume)->OnMissingDevices(22020096));  // the other half of the mirror is there
  Chunk chunk = SoundChunk(RaidProfile::kRaid0, 64 * kMiB, 8 * kMiB, 2);
  ASSERT_TRUE((*volume)->AddChunk(chunk).ok());
  EXPECT_TRUE((*volume)->OnMissingDevices(64 * kMiB));
  EXPECT_FALSE((*volume)->OnMissingDevices(64 * kMiB + 65536));
  // Where there is no chunk at all, that is damage, unless some could not be read.
  EXPECT_FALSE((*volume)->OnMissingDevices(kMiB));
  EXPECT_EQ((*volume)->Map(kMiB, 4096).status().code(), absl::StatusCode::kNotFound);
  (*volume)->NoteMissingChunks(absl::UnavailableError("its leaf is elsewhere"));
  EXPECT_TRUE((*volume)->OnMissingDevices(kMiB));
  const absl::Status status = (*volume)->Map(kMiB, 4096).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status.message(),
            "address 1048576: no chunk at this address that is known, and not all are: its leaf is "
            "elsewhere");
  EXPECT_FALSE((*volume)->OnMissingDevices(64 * kMiB + 65536));
}

// The number was given away again: what has it now is not the device that the chunk means.
TEST(VolumeOpen, AnIdWithAnotherUuidIsMissing) {
  Superblock sb = TwoDevices();
  Chunk chunk = SoundChunk(RaidProfile::kRaid1, 22020096, 8 * kMiB);
  chunk.stripes[1].device_uuid = UuidOf(0x55);
  sb.system_chunk_array = SystemChunkArrayOf({chunk});
  auto volume = OpenWith({}, DeviceWith(sb), DeviceWith(sb, {.name = "disk1.img", .id = 2}));
  ASSERT_TRUE(volume.ok()) << volume.status();
  EXPECT_THAT((*volume)->missing_devices(), IdsAre(2));
  EXPECT_EQ((*(*volume)->Map(22020096, 4096))[1].device, nullptr);
}

TEST(Volume, AddDevice) {
  auto volume = OpenWith({}, DeviceWith(SoundSuperblock()));
  EXPECT_TRUE(
      (*volume)->AddDevice({.id = 1, .total_bytes = 32 * kMiB, .uuid = DeviceUuid(1)}).ok());
  const absl::Status status =
      (*volume)->AddDevice({.id = 1, .total_bytes = 32 * kMiB + 1, .uuid = DeviceUuid(1)});
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(status.message(), "disk0.img: has 33554432 bytes, the chunk tree says 33554433");
}

TEST(Volume, AddChunk) {
  auto volume = OpenWith({}, DeviceWith(SoundSuperblock()));
  EXPECT_TRUE((*volume)->AddChunk(SoundChunk(RaidProfile::kSingle, 22020096, 8 * kMiB)).ok());
  EXPECT_EQ((*volume)->chunks().size(), 1);
  EXPECT_EQ((*volume)->AddChunk(SoundChunk(RaidProfile::kSingle, 20 * kMiB, 8 * kMiB)).code(),
            absl::StatusCode::kDataLoss);
  EXPECT_TRUE((*volume)->AddChunk(SoundChunk(RaidProfile::kRaid5, kMiB, 8 * kMiB, 3)).ok());
  EXPECT_THAT((*volume)->missing_devices(), IdsAre(2, 3));
}

TEST(Volume, MixedGroupsNeedTheFeature) {
  Chunk mixed = SoundChunk(RaidProfile::kSingle, 64 * kMiB, 8 * kMiB);
  mixed.type = kBlockGroupData | kBlockGroupMetadata;
  Superblock sb = SoundSuperblock();
  EXPECT_EQ((*OpenWith({}, DeviceWith(sb)))->AddChunk(mixed).message(),
            "chunk 67108864: type 0x5 is mixed, and the filesystem has no mixed groups");
  sb.incompat_flags |= static_cast<uint64_t>(IncompatFlag::kMixedGroups);
  EXPECT_TRUE((*OpenWith({}, DeviceWith(sb)))->AddChunk(mixed).ok());
}

TEST(Volume, MapErrorsNameTheAddress) {
  auto volume = OpenWith({}, DeviceWith(SoundSuperblock()));
  ASSERT_TRUE((*volume)->AddChunk(SoundChunk(RaidProfile::kRaid6, kMiB, 8 * kMiB, 3)).ok());
  EXPECT_EQ((*volume)->Map(4096, 1).status().message(), "address 4096: no chunk at this address");
  EXPECT_THAT(std::string((*volume)->Map(kMiB, 4096).status().message()),
              HasSubstr("address 1048576: in chunk 1048576, length 8388608, type 0x102: RAID6 "
                        "cannot be read yet"));
  const auto extents = (*volume)->Map(22020096 + 4096, 4096);
  ASSERT_TRUE(extents.ok()) << extents.status();
  ASSERT_EQ(extents->size(), 1);
  EXPECT_EQ((*extents)[0].place.device_id, 1);
  EXPECT_EQ((*extents)[0].device->name(), "disk0.img");
  EXPECT_EQ((*extents)[0].place.offset, kMiB + 4096);
}

TEST(Volume, ValidateAndCheckParentNameTheBlock) {
  auto volume = OpenWith({}, DeviceWith(SoundSuperblock()));
  BufferPool pool;
  const ExtentBufferRef buffer = pool.Make(65536, BlockAt(65536));
  EXPECT_EQ((*volume)->Validate(*buffer, nullptr), absl::OkStatus());
  EXPECT_EQ((*volume)->CheckParent(*buffer, {.level = 0}), absl::OkStatus());
  const ParentCheck wrong{.generation = 8};
  EXPECT_EQ((*volume)->CheckParent(*buffer, wrong).message(),
            "block 65536: generation 7, the parent expects 8");
  EXPECT_EQ((*volume)->Validate(*buffer, &wrong).message(),
            "block 65536: generation 7, the parent expects 8");
}

}  // namespace
}  // namespace ebcache::testing
