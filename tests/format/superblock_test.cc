// ParseSuperblock: every field broken once, in a superblock made by hand and in one by mkfs.btrfs.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ebcache/block_device.h"
#include "ebcache/on_disk.h"
#include "tests/format/format_bytes.h"
#include "tests/support/mkfs_image.h"

namespace ebcache::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr uint64_t kPrimary = kSuperblockOffsets[0];

struct Damage {
  const char* name;
  size_t offset;
  size_t width;
  uint64_t value;
  absl::StatusCode code;
  const char* message;
};

constexpr absl::StatusCode kDataLoss = absl::StatusCode::kDataLoss;
constexpr absl::StatusCode kUnimplemented = absl::StatusCode::kUnimplemented;

const Damage kDamages[] = {
    {"Magic", 64, 1, 'X', kDataLoss, "no btrfs magic"},
    {"ChecksumType", 196, 2, 4, kDataLoss, "unknown checksum type 4"},
    {"Bytenr", 48, 8, 67108864, kDataLoss, "says that it is at 67108864"},
    {"Root", 80, 8, 30408705, kDataLoss, "tree root at 30408705 is not aligned"},
    {"ChunkRoot", 88, 8, 4097, kDataLoss, "chunk root at 4097 is not aligned"},
    {"LogRoot", 96, 8, 2048, kDataLoss, "log root at 2048 is not aligned"},
    {"TotalBytes", 112, 8, 0, kDataLoss, "total bytes is 0"},
    {"BytesUsed", 120, 8, 4096, kDataLoss, "bytes used 4096 is less"},
    {"NumDevices", 136, 8, 0, kDataLoss, "number of devices is 0"},
    {"SectorZero", 144, 4, 0, kDataLoss, "sector size 0 "},
    {"SectorTiny", 144, 4, 256, kDataLoss, "sector size 256 "},
    {"SectorSmall", 144, 4, 2048, kUnimplemented,
     "cannot be read: sectors of 2048 bytes, smaller than 4096"},
    {"SectorSmallest", 144, 4, 512, kUnimplemented, "cannot be read: sectors of 512 bytes"},
    {"SectorOdd", 144, 4, 4097, kDataLoss, "sector size 4097 "},
    {"SectorLarge", 144, 4, 131072, kDataLoss, "sector size 131072 "},
    {"NodeZero", 148, 4, 0, kDataLoss, "node size 0 "},
    {"NodeBelowSector", 148, 4, 2048, kDataLoss, "node size 2048 "},
    {"NodeOdd", 148, 4, 16383, kDataLoss, "node size 16383 "},
    {"NodeLarge", 148, 4, 131072, kDataLoss, "node size 131072 "},
    {"NodeHuge", 148, 4, 0x80000000, kDataLoss, "node size 2147483648 "},
    {"LeafSize", 152, 4, 4096, kDataLoss, "leaf size 4096 is not the node size"},
    {"ArrayLarge", 160, 4, 2049, kDataLoss, "system chunk array of 2049 bytes, room is for 2048"},
    {"ArrayHuge", 160, 4, 0xffffffff, kDataLoss, "system chunk array of 4294967295 bytes"},
    {"ArraySmall", 160, 4, 96, kDataLoss, "system chunk array of 96 bytes holds no chunk"},
    {"ArrayEmpty", 160, 4, 0, kDataLoss, "system chunk array of 0 bytes holds no chunk"},
    {"Zoned", 188, 8, 0x1000, kUnimplemented, "cannot be read: zoned"},
    {"RemapTree", 188, 8, 0x20000, kUnimplemented, "cannot be read: remap-tree"},
    {"ExtentTreeV2", 188, 8, 0x2000, kUnimplemented, "cannot be read: extent-tree-v2"},
    {"UnknownIncompat", 188, 8, uint64_t{1} << 63 | 0x8000, kUnimplemented,
     "cannot be read: unknown (bit 15), unknown (bit 63)"},
    // Without the feature the header fsid is the fsid, with it the metadata uuid, here zero.
    {"MetadataUuid", 188, 8, 0x400, kDataLoss, "not 00000000-0000-0000-0000-000000000000"},
    {"SystemChunks", 811 + 17 + 16, 8, 1, kDataLoss,
     "system chunk array at byte 0: chunk 22020096: stripe length 1"},
    {"RootLevel", 198, 1, 8, kDataLoss, "tree root has level 8, the highest is 7"},
    {"ChunkRootLevel", 199, 1, 255, kDataLoss, "chunk root has level 255"},
    {"LogRootLevel", 200, 1, 9, kDataLoss, "log root has level 9"},
    {"DeviceFsid", 283, 8, 0, kDataLoss, "its device item has fsid 00000000-0000-0000-"},
};

Bytes Break(Bytes bytes, const Damage& damage) {
  for (size_t i = 0; i < damage.width; ++i) {
    bytes[damage.offset + i] = std::byte(damage.value >> (8 * i));
  }
  Seal(bytes, ChecksumType::kCrc32c);
  return bytes;
}

void ExpectAllDamagesFound(const Bytes& sound) {
  ASSERT_TRUE(ParseSuperblock(sound, kPrimary).ok());
  for (const Damage& damage : kDamages) {
    SCOPED_TRACE(damage.name);
    const absl::Status status = ParseSuperblock(Break(sound, damage), kPrimary).status();
    EXPECT_EQ(status.code(), damage.code);
    EXPECT_THAT(std::string(status.message()), StartsWith("superblock at 65536: "));
    EXPECT_THAT(std::string(status.message()), HasSubstr(damage.message));
  }
}

TEST(Superblock, EveryDamageIsFound) { ExpectAllDamagesFound(SuperblockBytes(SoundSuperblock())); }

Bytes ReadSuperblockOf(const std::string& path) {
  auto device = OpenFileDevice(path);
  if (!device.ok()) return {};
  Bytes bytes(kSuperblockBytes);
  DeviceRead read{.offset = kPrimary, .segments = {absl::MakeSpan(bytes)}};
  (*device)->Read(absl::MakeSpan(&read, 1));
  return read.status.ok() ? bytes : Bytes{};
}

TEST(Superblock, EveryDamageToOneOfMkfsIsFound) {
  if (!HaveMkfs()) GTEST_SKIP() << "mkfs.btrfs is not installed";
  const std::vector<std::string> images = MakeImages("-L hello");
  ASSERT_EQ(images.size(), 1);
  ExpectAllDamagesFound(ReadSuperblockOf(images[0]));
}

TEST(Superblock, FieldsOfMkfs) {
  if (!HaveMkfs()) GTEST_SKIP() << "mkfs.btrfs is not installed";
  const std::vector<std::string> images =
      MakeImages("-L hello -U 01234567-89ab-cdef-0123-456789abcdef -n 32768 --csum sha256");
  ASSERT_EQ(images.size(), 1);
  const absl::StatusOr<Superblock> sb = ParseSuperblock(ReadSuperblockOf(images[0]), kPrimary);
  ASSERT_TRUE(sb.ok()) << sb.status();
  EXPECT_EQ(sb->label, "hello");
  EXPECT_EQ(UuidString(sb->fsid), "01234567-89ab-cdef-0123-456789abcdef");
  EXPECT_EQ(sb->header_fsid(), sb->fsid);
  EXPECT_EQ(sb->node_bytes, 32768);
  EXPECT_EQ(sb->sector_bytes, 4096);
  EXPECT_EQ(sb->checksum_type, ChecksumType::kSha256);
  EXPECT_EQ(sb->num_devices, 1);
  EXPECT_EQ(sb->device.id, 1);
  EXPECT_EQ(sb->device.total_bytes, uint64_t{256} << 20);
  EXPECT_EQ(sb->total_bytes, uint64_t{256} << 20);
  EXPECT_EQ(sb->device.fsid, sb->fsid);
  EXPECT_TRUE(sb->has(IncompatFlag::kSkinnyMetadata));
  EXPECT_EQ(sb->log_root, 0);
  EXPECT_GT(sb->generation, 0);
}

TEST(Superblock, RoundTrip) {
  Superblock sb = SoundSuperblock();
  sb.log_root = 4096;
  sb.root_level = 1;
  sb.chunk_root_level = 2;
  sb.log_root_level = 3;
  sb.compat_flags = 5;
  sb.compat_ro_flags = 11;
  sb.checksum_type = ChecksumType::kBlake2b;
  sb.incompat_flags |= static_cast<uint64_t>(IncompatFlag::kMetadataUuid);
  sb.metadata_uuid = UuidOf(0x22);
  sb.device.fsid = sb.metadata_uuid;
  sb.label = std::string(256, 'L');  // without a zero at its end
  const absl::StatusOr<Superblock> parsed =
      ParseSuperblock(SuperblockBytes(sb, kSuperblockOffsets[1]), kSuperblockOffsets[1]);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->bytenr, kSuperblockOffsets[1]);
  EXPECT_EQ(parsed->root, sb.root);
  EXPECT_EQ(parsed->chunk_root, sb.chunk_root);
  EXPECT_EQ(parsed->log_root, 4096);
  EXPECT_EQ(parsed->root_level, 1);
  EXPECT_EQ(parsed->chunk_root_level, 2);
  EXPECT_EQ(parsed->log_root_level, 3);
  EXPECT_EQ(parsed->generation, 7);
  EXPECT_EQ(parsed->chunk_root_generation, 6);
  EXPECT_EQ(parsed->bytes_used, sb.bytes_used);
  EXPECT_EQ(parsed->compat_flags, 5);
  EXPECT_EQ(parsed->compat_ro_flags, 11);
  EXPECT_EQ(parsed->checksum_type, ChecksumType::kBlake2b);
  EXPECT_EQ(parsed->header_fsid(), UuidOf(0x22));
  EXPECT_EQ(parsed->fsid, UuidOf(0x11));
  EXPECT_EQ(parsed->device.uuid, DeviceUuid(1));
  EXPECT_EQ(parsed->label, sb.label);
  EXPECT_EQ(parsed->system_chunk_array, sb.system_chunk_array);
}

TEST(Superblock, EveryBitIsUnderTheChecksum) {
  const Bytes sound = SuperblockBytes(SoundSuperblock());
  for (size_t at = 0; at < sound.size(); ++at) {
    // Only the first four bytes of the area in front hold a crc32c.
    if (at >= 4 && at < kChecksumAreaBytes) continue;
    Bytes broken = sound;
    broken[at] ^= std::byte{0x10};
    EXPECT_FALSE(ParseSuperblock(broken, kPrimary).ok()) << "byte " << at;
  }
}

TEST(Superblock, NamesTheChecksum) {
  Bytes bytes = SuperblockBytes(SoundSuperblock());
  bytes[299] = std::byte{'X'};
  EXPECT_THAT(std::string(ParseSuperblock(bytes, kPrimary).status().message()),
              ::testing::MatchesRegex("superblock at 65536: checksum mismatch \\(crc32c\\): wanted "
                                      "0x[0-9a-f]{8}, found 0x[0-9a-f]{8}"));
}

TEST(Superblock, AnyLength) {
  const Bytes sound = SuperblockBytes(SoundSuperblock());
  for (size_t length : {size_t{0}, size_t{1}, size_t{64}, size_t{4095}}) {
    const absl::Status status =
        ParseSuperblock(absl::MakeConstSpan(sound).subspan(0, length), kPrimary).status();
    EXPECT_EQ(status.code(), kDataLoss) << length;
  }
}

}  // namespace
}  // namespace ebcache::testing
