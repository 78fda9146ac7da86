// Superblocks and chunks that are written: what parses with all checks comes back as the same bytes,
// and what cannot be written says so.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ebcache/items.h"
#include "ebcache/on_disk.h"
#include "tests/format/format_bytes.h"

namespace ebcache::testing {
namespace {

using ::testing::HasSubstr;

constexpr ChecksumType kChecksumTypes[] = {ChecksumType::kCrc32c, ChecksumType::kXxhash64,
                                           ChecksumType::kSha256, ChecksumType::kBlake2b};

Superblock Parsed(const Bytes& bytes, uint64_t physical = kSuperblockOffsets[0]) {
  const absl::StatusOr<Superblock> parsed = ParseSuperblock(bytes, physical);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed.ok() ? *parsed : Superblock{};
}

TEST(EncodeSuperblock, TheBytesThatWereParsed) {
  for (ChecksumType type : kChecksumTypes) {
    Superblock superblock = SoundSuperblock();
    superblock.checksum_type = type;
    superblock.label = "a label";
    Bytes bytes = SuperblockBytes(superblock);
    // What reading does not look at, and what is left over behind the label and the system chunks.
    for (size_t at : {104, 299 + 8, 299 + 255, 555, 587, 700, 811 + 2047, 2859, 3530, 3531, 4095}) {
      bytes[at] = std::byte{0xa5};
    }
    Seal(bytes, type);
    Bytes again(kSuperblockBytes, std::byte{0xee});
    ASSERT_TRUE(EncodeSuperblock(Parsed(bytes), absl::MakeSpan(again)).ok());
    EXPECT_EQ(again, bytes);
  }
}

TEST(EncodeSuperblock, ChangesAreSealed) {
  Superblock superblock = Parsed(SuperblockBytes(SoundSuperblock()));
  superblock.bytenr = kSuperblockOffsets[1];
  superblock.generation += 1;
  superblock.label = std::string(256, 'l');
  superblock.backup_roots[3].csum_root_level = 7;
  Bytes bytes(kSuperblockBytes);
  ASSERT_TRUE(EncodeSuperblock(superblock, absl::MakeSpan(bytes)).ok());
  Superblock again = Parsed(bytes, kSuperblockOffsets[1]);
  EXPECT_NE(again.checksum, superblock.checksum);
  again.checksum = superblock.checksum;
  EXPECT_EQ(again, superblock);
}

// Bytes behind a label, or behind system chunks, go when these have another length.
TEST(EncodeSuperblock, RemaindersOfOtherLengthsAreZero) {
  Superblock superblock = SoundSuperblock();
  superblock.label = "long label";
  Bytes bytes = SuperblockBytes(superblock);
  bytes[299 + 200] = std::byte{1};
  Seal(bytes, superblock.checksum_type);
  superblock = Parsed(bytes);
  EXPECT_EQ(superblock.label_remainder.size(), 246);
  superblock.label = "short";
  ASSERT_TRUE(EncodeSuperblock(superblock, absl::MakeSpan(bytes)).ok());
  const Superblock again = Parsed(bytes);
  EXPECT_EQ(again.label, "short");
  EXPECT_TRUE(again.label_remainder.empty());
}

TEST(EncodeSuperblock, WhatCannotBeWritten) {
  const auto error = [](const Superblock& superblock, size_t room = kSuperblockBytes) {
    Bytes out(room, std::byte{0xee});
    const absl::Status status = EncodeSuperblock(superblock, absl::MakeSpan(out));
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(out, Bytes(room, std::byte{0xee}));
    return std::string(status.message());
  };
  const Superblock sound = SoundSuperblock();
  EXPECT_THAT(error(sound, 4095), HasSubstr("has 4096 bytes, room is for 4095"));
  Superblock bad = sound;
  bad.label = std::string(257, 'l');
  EXPECT_THAT(error(bad), HasSubstr("label of 257 bytes, room is for 256"));
  bad.label = std::string("a\0b", 3);
  EXPECT_THAT(error(bad), HasSubstr("a zero in its label"));
  bad = sound;
  bad.system_chunk_array.resize(2049);
  EXPECT_THAT(error(bad), HasSubstr("system chunk array of 2049 bytes, room is for 2048"));
  bad = sound;
  bad.checksum_type = static_cast<ChecksumType>(4);
  EXPECT_THAT(error(bad), HasSubstr("unknown checksum type 4"));
}

// Fields alone: what any 4096 bytes are, but for a system chunk array that is longer than its room.
TEST(SuperblockFields, AreReadFromAnyBytes) {
  Bytes bytes(kSuperblockBytes);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 7 + 1);
  Put<uint32_t>(bytes, 160, 2049);
  EXPECT_THAT(std::string(ParseItem<Superblock>(bytes).status().message()),
              HasSubstr("system chunk array of 2049 bytes, room is for 2048"));
  Put<uint32_t>(bytes, 160, 2048);
  const absl::StatusOr<Superblock> parsed = ParseItem<Superblock>(bytes);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  Bytes again;
  ASSERT_TRUE(AppendItem(*parsed, again).ok());
  EXPECT_EQ(again, bytes);
}

TEST(EncodeChunk, TheBytesThatWereParsed) {
  for (RaidProfile profile : {RaidProfile::kSingle, RaidProfile::kDup, RaidProfile::kRaid10}) {
    Bytes bytes = ChunkItemOf(SoundChunk(profile, 1 << 20, 8 << 20));
    Put<uint64_t>(bytes, 8, 77);   // owner
    Put<uint32_t>(bytes, 32, 78);  // alignment and width, which nothing looks at
    Put<uint32_t>(bytes, 36, 79);
    const absl::StatusOr<Chunk> chunk = ParseChunkItem(1 << 20, bytes, 4096);
    ASSERT_TRUE(chunk.ok()) << chunk.status();
    Bytes again;
    ASSERT_TRUE(AppendItem(ItemOf(*chunk), again).ok());
    EXPECT_EQ(again, bytes);
  }
}

TEST(EncodeRoot, TheBytesThatWereParsed) {
  for (size_t size : {239, 439}) {
    Bytes bytes(size);
    for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 7 + 1);
    Put<uint64_t>(bytes, 176, 1 << 20);
    Put<uint16_t>(bytes, 237, 0x0102);  // both levels
    const absl::StatusOr<RootItem> root = ParseRootItem(bytes);
    ASSERT_TRUE(root.ok()) << root.status();
    Bytes again;
    ASSERT_TRUE(AppendItem(*root, again).ok());
    EXPECT_EQ(again, bytes);
  }
}

}  // namespace
}  // namespace ebcache::testing
