// Which copy of a superblock is taken, and what is said when none can be.

#include "lib/volume/superblock_reader.h"

#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/status_number.h"
#include "tests/device/memory_device.h"
#include "tests/format/format_bytes.h"

namespace ebcache::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kGiB = uint64_t{1} << 30;

// A device with all the copies that fit.
void StoreSuperblocks(MemoryDevice& device, Superblock sb) {
  sb.device.total_bytes = device.size_bytes();
  for (uint64_t offset : kSuperblockOffsets) {
    if (offset + kSuperblockBytes > device.size_bytes()) break;
    device.Store(offset, SuperblockBytes(sb, offset));
  }
}

std::string ErrorOf(MemoryDevice& device, absl::StatusCode code) {
  const absl::Status status = ReadSuperblock(device).status();
  EXPECT_EQ(status.code(), code) << status;
  return std::string(status.message());
}

TEST(SuperblockReader, ReadsTheCopiesThatFit) {
  const std::pair<uint64_t, size_t> cases[] = {
      {65536 + 4096, 1}, {64 * kMiB + 4095, 1}, {64 * kMiB + 4096, 2}, {256 * kGiB + 4096, 3}};
  for (auto [size, copies] : cases) {
    MemoryDevice device("disk", size);
    StoreSuperblocks(device, SoundSuperblock());
    const absl::StatusOr<DeviceSuperblock> found = ReadSuperblock(device);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(found->superblock.bytenr, 65536);
    EXPECT_THAT(found->warnings, IsEmpty());
    EXPECT_EQ(device.reads().size(), copies) << size;
  }
}

TEST(SuperblockReader, AGoodMirrorStandsIn) {
  MemoryDevice device("disk0.img", kGiB);
  StoreSuperblocks(device, SoundSuperblock());
  device.Flip(65536 + 300);
  const absl::StatusOr<DeviceSuperblock> found = ReadSuperblock(device);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->superblock.bytenr, 64 * kMiB);
  EXPECT_THAT(
      found->warnings,
      ElementsAre(StartsWith("disk0.img: superblock at 65536: checksum mismatch (crc32c)")));
}

TEST(SuperblockReader, ABadMirrorIsMentioned) {
  MemoryDevice device("disk0.img", kGiB);
  StoreSuperblocks(device, SoundSuperblock());
  device.FailReadsAt(64 * kMiB, 4096);
  const absl::StatusOr<DeviceSuperblock> found = ReadSuperblock(device);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->superblock.bytenr, 65536);
  EXPECT_THAT(found->warnings, ElementsAre("disk0.img: superblock at 67108864: bad sector"));
}

// ---- Devices that say nothing of their bytes ----------------------------------------------------

const absl::Status& NoMemory() {
  static const auto& status = *new absl::Status(absl::ResourceExhaustedError("no memory now"));
  return status;
}

// Be it that others could be read: what is in that copy is not known, and the others may be older.
TEST(SuperblockReader, MemoryThatIsOutIsNotDamageOfACopy) {
  for (const uint64_t offset : {65536 * uint64_t{1}, 64 * kMiB}) {
    MemoryDevice device("disk0.img", kGiB);
    StoreSuperblocks(device, SoundSuperblock());
    device.set_read_error(NoMemory());
    device.FailReadsAt(offset, 4096);
    EXPECT_EQ(ErrorOf(device, absl::StatusCode::kResourceExhausted),
              absl::StrCat("disk0.img: superblock at ", offset, ": no memory now"));
    device.Heal();
    EXPECT_TRUE(ReadSuperblock(device).ok());
  }
}

TEST(SuperblockReader, MemoryThatIsOutComesBeforeDamageOfTheOthers) {
  MemoryDevice device("disk0.img", kGiB);
  StoreSuperblocks(device, SoundSuperblock());
  device.Flip(65536 + 300);
  device.set_read_error(NoMemory());
  device.FailReadsAt(64 * kMiB, 4096);
  (void)ErrorOf(device, absl::StatusCode::kResourceExhausted);
}

// Whatever the code is that the number became inside.
TEST(SuperblockReader, TheNumberOfADeviceThatFails) {
  for (const absl::StatusCode code :
       {absl::StatusCode::kCancelled, absl::StatusCode::kUnimplemented,
        absl::StatusCode::kPermissionDenied, absl::StatusCode::kInvalidArgument}) {
    MemoryDevice device("disk0.img", kGiB);
    StoreSuperblocks(device, SoundSuperblock());
    device.set_read_error(WithNumber(absl::Status(code, "busy"), EXDEV));
    device.FailReadsAt(0, kGiB);
    absl::Status status = ReadSuperblock(device).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
    EXPECT_EQ(NumberOf(status), EXDEV);

    // A copy that is there, and bad, is damage.
    device.Heal();
    device.Flip(64 * kMiB + 300);
    device.FailReadsAt(65536, 4096);
    status = ReadSuperblock(device).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    EXPECT_EQ(NumberOf(status), 0);

    // One that is good stands in.
    device.Flip(64 * kMiB + 300);
    EXPECT_TRUE(ReadSuperblock(device).ok());
  }
}

// No word of a magic that was not there: it was not looked for.
TEST(SuperblockReader, ADeviceThatCallsItsBytesBad) {
  MemoryDevice device("disk0.img", kGiB);
  StoreSuperblocks(device, SoundSuperblock());
  device.set_read_error(WithNumber(absl::DataLossError("parity"), EBADMSG));
  device.FailReadsAt(0, kGiB);
  const absl::Status status = ReadSuperblock(device).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(NumberOf(status), EBADMSG);
  EXPECT_THAT(std::string(status.message()), HasSubstr("superblock at 65536: parity"));
}

// A kernel mounts by the primary, whatever is newer.
TEST(SuperblockReader, ThePrimaryIsUsedAndMirrorsOfOtherGenerationsAreDamaged) {
  for (uint64_t generation : {5, 6, 8, 1000}) {
    MemoryDevice device("disk", kGiB);
    StoreSuperblocks(device, SoundSuperblock());
    Superblock other = SoundSuperblock();
    other.generation = generation;
    device.Store(64 * kMiB, SuperblockBytes(other, 64 * kMiB));
    const absl::StatusOr<DeviceSuperblock> found = ReadSuperblock(device);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(found->superblock.generation, 7);
    EXPECT_EQ(found->superblock.bytenr, 65536);
    EXPECT_THAT(found->warnings,
                ElementsAre(absl::StrCat("disk: superblock at 67108864: generation ", generation,
                                         ", that at 65536 has 7 and is used")));
    ASSERT_EQ(found->others.size(), 1);
    EXPECT_EQ(found->others[0].generation, generation);
  }
}

TEST(SuperblockReader, WithoutAPrimaryTheNewestMirrorIsUsed) {
  MemoryDevice device("disk", 256 * kGiB + 4096);
  StoreSuperblocks(device, SoundSuperblock());
  device.Flip(65536 + 300);
  Superblock newer = SoundSuperblock();
  newer.generation = 9;
  newer.device.total_bytes = device.size_bytes();
  device.Store(256 * kGiB, SuperblockBytes(newer, 256 * kGiB));
  const absl::StatusOr<DeviceSuperblock> found = ReadSuperblock(device);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->superblock.generation, 9);
  EXPECT_THAT(found->warnings,
              ElementsAre(HasSubstr("superblock at 65536: checksum mismatch"),
                          "disk: superblock at 67108864: generation 7, that at 274877906944 has 9 "
                          "and is used"));
}

TEST(SuperblockReader, AMirrorThatIsNoneIsDamaged) {
  MemoryDevice device("disk", kGiB);
  StoreSuperblocks(device, SoundSuperblock());
  device.Store(64 * kMiB, std::vector<std::byte>(4096));
  const absl::StatusOr<DeviceSuperblock> found = ReadSuperblock(device);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_THAT(found->warnings, ElementsAre("disk: superblock at 67108864: no btrfs magic"));
  EXPECT_THAT(found->others, IsEmpty());
}

// An fsync writes the log's root to the primary alone, in the same generation.
TEST(SuperblockReader, OfEquallyNewOnesThePrimary) {
  MemoryDevice device("disk", kGiB);
  StoreSuperblocks(device, SoundSuperblock());
  Superblock with_log = SoundSuperblock();
  with_log.log_root = 40960;
  device.Store(65536, SuperblockBytes(with_log));
  EXPECT_EQ(ReadSuperblock(device)->superblock.log_root, 40960);
}

TEST(SuperblockReader, LeftOversBehindTheFilesystemAreNotLookedAt) {
  MemoryDevice device("disk", kGiB);
  Superblock old = SoundSuperblock();
  old.generation = 1000;
  StoreSuperblocks(device, old);
  Superblock small = SoundSuperblock();
  small.device.total_bytes = 32 * kMiB;
  device.Store(65536, SuperblockBytes(small));
  const absl::StatusOr<DeviceSuperblock> found = ReadSuperblock(device);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->superblock.generation, 7);
  EXPECT_THAT(found->warnings, IsEmpty());
}

TEST(SuperblockReader, LeftOversOfAnotherFilesystemDoNotTakeOver) {
  MemoryDevice device("disk", kGiB);
  Superblock other = SoundSuperblock();
  other.generation = 1000;
  other.fsid = other.device.fsid = UuidOf(0x99);
  StoreSuperblocks(device, other);
  Superblock sb = SoundSuperblock();
  sb.device.total_bytes = kGiB;
  device.Store(65536, SuperblockBytes(sb));
  const absl::StatusOr<DeviceSuperblock> found = ReadSuperblock(device);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->superblock.generation, 7);
  EXPECT_THAT(found->warnings, ElementsAre("disk: superblock at 67108864: of another filesystem, "
                                           "99999999-9999-9999-9999-999999999999"));
}

TEST(SuperblockReader, AllBad) {
  MemoryDevice device("disk0.img", kGiB);
  StoreSuperblocks(device, SoundSuperblock());
  device.Flip(65536 + 300);
  Superblock sb = SoundSuperblock();
  sb.node_bytes = 0;
  device.Store(64 * kMiB, SuperblockBytes(sb, 64 * kMiB));
  const std::string message = ErrorOf(device, absl::StatusCode::kDataLoss);
  EXPECT_THAT(message, StartsWith("disk0.img: superblock at 65536: checksum mismatch (crc32c): "));
  EXPECT_THAT(message, HasSubstr("; superblock at 67108864: node size 0 is no power of two"));
}

TEST(SuperblockReader, NotBtrfs) {
  MemoryDevice empty("empty", 0);
  EXPECT_EQ(ErrorOf(empty, absl::StatusCode::kDataLoss),
            "empty: not a btrfs filesystem: 0 bytes, too small for the superblock at 65536");
  MemoryDevice small("small", 65536 + 4095);
  EXPECT_THAT(ErrorOf(small, absl::StatusCode::kDataLoss), HasSubstr("69631 bytes, too small"));
  MemoryDevice blank("blank", kGiB);
  EXPECT_EQ(ErrorOf(blank, absl::StatusCode::kDataLoss),
            "blank: not a btrfs filesystem: no superblock magic at 65536");
}

TEST(SuperblockReader, ReadErrorsAreNotCalledDamage) {
  MemoryDevice device("disk", 8 * kMiB);
  StoreSuperblocks(device, SoundSuperblock());
  device.FailRead(1);
  EXPECT_EQ(ErrorOf(device, absl::StatusCode::kUnavailable),
            "disk: superblock at 65536: injected read error");
}

TEST(SuperblockReader, AFeatureIsNoDamage) {
  MemoryDevice device("disk", kGiB);
  StoreSuperblocks(device, SoundSuperblock());
  Superblock zoned = SoundSuperblock();
  zoned.incompat_flags |= static_cast<uint64_t>(IncompatFlag::kZoned);
  zoned.generation = 8;
  device.Store(65536, SuperblockBytes(zoned));
  // The mirror is sound, older and knows nothing of zones.
  EXPECT_EQ(ErrorOf(device, absl::StatusCode::kUnimplemented),
            "disk: superblock at 65536: uses features that cannot be read: zoned");
  // Nor is there a word of mirrors that are none, as zoned devices have them.
  device.Store(64 * kMiB, std::vector<std::byte>(4096));
  EXPECT_EQ(ErrorOf(device, absl::StatusCode::kUnimplemented),
            "disk: superblock at 65536: uses features that cannot be read: zoned");
}

TEST(SuperblockReader, AMirrorWithAFeatureIsDamageOfThatMirror) {
  MemoryDevice device("disk", kGiB);
  StoreSuperblocks(device, SoundSuperblock());
  Superblock zoned = SoundSuperblock();
  zoned.incompat_flags |= static_cast<uint64_t>(IncompatFlag::kZoned);
  device.Store(64 * kMiB, SuperblockBytes(zoned, 64 * kMiB));
  const absl::StatusOr<DeviceSuperblock> found = ReadSuperblock(device);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_THAT(found->warnings,
              ElementsAre("disk: superblock at 67108864: uses features that cannot "
                          "be read: zoned"));
  // But where the primary is damaged, nothing else tells what the filesystem is.
  device.Flip(65536 + 300);
  EXPECT_EQ(ErrorOf(device, absl::StatusCode::kUnimplemented),
            "disk: superblock at 67108864: uses features that cannot be read: zoned");
}

// btrfstune, killed between the two copies.
TEST(SuperblockReader, AMirrorWithTheOldFsidIsNamedAsThat) {
  MemoryDevice device("disk", kGiB);
  Superblock old = SoundSuperblock();
  old.flags |= static_cast<uint64_t>(SuperblockFlag::kChangingMetadataUuid);
  StoreSuperblocks(device, old);
  Superblock changed = SoundSuperblock();
  changed.fsid = UuidOf(0x22);
  changed.metadata_uuid = UuidOf(0x11);
  changed.incompat_flags |= static_cast<uint64_t>(IncompatFlag::kMetadataUuid);
  changed.device.total_bytes = kGiB;
  device.Store(65536, SuperblockBytes(changed));
  const absl::StatusOr<DeviceSuperblock> found = ReadSuperblock(device);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_THAT(found->warnings,
              ElementsAre("disk: superblock at 67108864: fsid "
                          "11111111-1111-1111-1111-111111111111, that at 65536 has "
                          "22222222-2222-2222-2222-222222222222: a change of the fsid was "
                          "interrupted"));
}

}  // namespace
}  // namespace ebcache::testing
