// Chunk items and the system chunk array: every rule broken once.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "ebcache/on_disk.h"
#include "lib/format/raid_profile.h"
#include "lib/format/system_chunk_array.h"
#include "tests/format/format_bytes.h"

namespace ebcache::testing {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kLogical = 22020096;
constexpr uint64_t kLength = uint64_t{8} << 20;

constexpr RaidProfile kAllProfiles[] = {
    RaidProfile::kSingle, RaidProfile::kDup,     RaidProfile::kRaid0,
    RaidProfile::kRaid1,  RaidProfile::kRaid1c3, RaidProfile::kRaid1c4,
    RaidProfile::kRaid10, RaidProfile::kRaid5,   RaidProfile::kRaid6};

absl::Status ParseStatus(const Bytes& item, uint64_t logical = kLogical) {
  return ParseChunkItem(logical, item, 4096).status();
}

TEST(ChunkItem, EveryProfileRoundTrips) {
  for (RaidProfile profile : kAllProfiles) {
    SCOPED_TRACE(std::string(RaidProfileName(profile)));
    const Chunk chunk = SoundChunk(profile, kLogical, kLength);
    const absl::StatusOr<Chunk> parsed = ParseChunkItem(kLogical, ChunkItemOf(chunk), 4096);
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(parsed->logical, kLogical);
    EXPECT_EQ(parsed->length, kLength);
    EXPECT_EQ(parsed->type, chunk.type);
    EXPECT_EQ(parsed->profile, profile);
    EXPECT_EQ(parsed->stripe_bytes, 65536);
    EXPECT_EQ(parsed->sub_stripes, chunk.sub_stripes);
    ASSERT_EQ(parsed->stripes.size(), chunk.stripes.size());
    EXPECT_EQ(parsed->stripes.back().device_id, chunk.stripes.back().device_id);
    EXPECT_EQ(parsed->stripes.back().physical, chunk.stripes.back().physical);
    EXPECT_EQ(parsed->stripes.back().device_uuid, chunk.stripes.back().device_uuid);
  }
}

TEST(ChunkItem, Copies) {
  const int expected[] = {1, 2, 1, 2, 3, 4, 2, 1, 1};
  for (size_t i = 0; i < std::size(kAllProfiles); ++i) {
    EXPECT_EQ(SoundChunk(kAllProfiles[i], kLogical, kLength).copies(), expected[i]);
  }
}

struct ChunkDamage {
  RaidProfile profile;
  std::function<void(Chunk&)> apply;
  const char* message;
};

TEST(ChunkItem, EveryRuleIsKept) {
  const uint64_t kTop = ~uint64_t{0};
  const ChunkDamage damages[] = {
      {RaidProfile::kSingle, [](Chunk& c) { c.length = 0; }, "length is 0"},
      {RaidProfile::kSingle, [](Chunk& c) { c.length = 4097; }, "length 4097 is not a multiple"},
      {RaidProfile::kSingle, [&](Chunk& c) { c.length = kTop - 4095; },
       "length 18446744073709547520 is more than 4294967296 stripes"},
      {RaidProfile::kSingle, [](Chunk& c) { c.stripe_bytes = 0; }, "stripe length 0 is not 65536"},
      {RaidProfile::kRaid0, [](Chunk& c) { c.stripe_bytes = 4096; }, "stripe length 4096 "},
      {RaidProfile::kRaid0, [](Chunk& c) { c.stripe_bytes = uint64_t{1} << 45; },
       "stripe length 35184372088832 "},
      {RaidProfile::kSingle, [](Chunk& c) { c.type = 0; }, "neither data, metadata nor system"},
      {RaidProfile::kDup, [](Chunk& c) { c.type = 1 << 5; }, "neither data, metadata nor system"},
      {RaidProfile::kSingle, [](Chunk& c) { c.type = 3; }, "type 0x3 mixes system"},
      {RaidProfile::kSingle, [](Chunk& c) { c.type = 6; }, "type 0x6 mixes system"},
      {RaidProfile::kSingle, [](Chunk& c) { c.type |= 1 << 11; }, "unknown type bits 0x800"},
      {RaidProfile::kSingle, [](Chunk& c) { c.type |= uint64_t{1} << 48; }, "unknown type bits"},
      {RaidProfile::kRaid1, [](Chunk& c) { c.type |= 1 << 3; }, "more than one profile in type"},
      {RaidProfile::kSingle, [](Chunk& c) { c.stripes.push_back(c.stripes[0]); },
       "2 stripes do not make single"},
      {RaidProfile::kDup, [](Chunk& c) { c.stripes.pop_back(); }, "1 stripes do not make DUP"},
      {RaidProfile::kDup, [](Chunk& c) { c.stripes.push_back(c.stripes[0]); },
       "3 stripes do not make DUP"},
      {RaidProfile::kRaid1, [](Chunk& c) { c.stripes.push_back(c.stripes[0]); },
       "3 stripes do not make RAID1"},
      {RaidProfile::kRaid1c3, [](Chunk& c) { c.stripes.pop_back(); },
       "2 stripes do not make RAID1C3"},
      {RaidProfile::kRaid1c4, [](Chunk& c) { c.stripes.pop_back(); },
       "3 stripes do not make RAID1C4"},
      {RaidProfile::kRaid10, [](Chunk& c) { c.stripes.push_back(c.stripes[0]); },
       "3 stripes with 2 sub-stripes do not make RAID10"},
      {RaidProfile::kRaid10, [](Chunk& c) { c.sub_stripes = 0; },
       "2 stripes with 0 sub-stripes do not make RAID10"},
      {RaidProfile::kRaid10, [](Chunk& c) { c.sub_stripes = 1; }, "with 1 sub-stripes"},
      {RaidProfile::kRaid5, [](Chunk& c) { c.stripes.pop_back(); }, "1 stripes do not make RAID5"},
      {RaidProfile::kRaid6, [](Chunk& c) { c.stripes.pop_back(); }, "2 stripes do not make RAID6"},
  };
  for (const ChunkDamage& damage : damages) {
    Chunk chunk = SoundChunk(damage.profile, kLogical, kLength);
    damage.apply(chunk);
    const absl::Status status = ParseStatus(ChunkItemOf(chunk));
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << damage.message;
    EXPECT_THAT(std::string(status.message()), HasSubstr(damage.message));
    EXPECT_THAT(std::string(status.message()), HasSubstr("chunk 22020096: "));
  }
}

TEST(ChunkItem, UnalignedAddress) {
  const Bytes item = ChunkItemOf(SoundChunk(RaidProfile::kSingle, kLogical, kLength));
  EXPECT_THAT(std::string(ParseStatus(item, kLogical + 1).message()),
              HasSubstr("logical address 22020097 is not a multiple of the sector size 4096"));
}

TEST(ChunkItem, SectorSize) {
  const Bytes item = ChunkItemOf(SoundChunk(RaidProfile::kSingle, kLogical, kLength), 65536);
  EXPECT_THAT(std::string(ParseStatus(item).message()),
              HasSubstr("sector size 65536, the superblock has 4096"));
}

TEST(ChunkItem, SizeTellsTheNumberOfStripes) {
  Bytes item = ChunkItemOf(SoundChunk(RaidProfile::kRaid1, kLogical, kLength));
  for (size_t length = 0; length < item.size(); ++length) {
    EXPECT_FALSE(ParseStatus(Bytes(item.begin(), item.begin() + length)).ok()) << length;
  }
  Bytes longer = item;
  longer.resize(longer.size() + 32);
  EXPECT_THAT(std::string(ParseStatus(longer).message()),
              HasSubstr("item of 144 bytes, one with 2 stripes has 112"));
  Put<uint16_t>(item, 44, 0xffff);
  EXPECT_THAT(std::string(ParseStatus(item).message()),
              HasSubstr("item of 112 bytes, one with 65535 stripes has 2097168"));
  Put<uint16_t>(item, 44, 0);
  EXPECT_THAT(std::string(ParseStatus(item).message()), HasSubstr("no stripes"));
}

// ---- The array in the superblock ----------------------------------------------------------------

std::string ArrayError(const Bytes& array) {
  return std::string(ParseSystemChunkArray(array, 4096).status().message());
}

TEST(SystemChunkArray, SeveralChunks) {
  const absl::StatusOr<std::vector<Chunk>> chunks = ParseSystemChunkArray(
      SystemChunkArrayOf({SoundChunk(RaidProfile::kDup, kLogical, kLength),
                          SoundChunk(RaidProfile::kRaid1c3, 2 * kLogical, kLength)}),
      4096);
  ASSERT_TRUE(chunks.ok()) << chunks.status();
  ASSERT_EQ(chunks->size(), 2);
  EXPECT_EQ((*chunks)[0].profile, RaidProfile::kDup);
  EXPECT_EQ((*chunks)[1].logical, 2 * kLogical);
}

TEST(SystemChunkArray, CutAnywhere) {
  const Bytes array = SystemChunkArrayOf({SoundChunk(RaidProfile::kDup, kLogical, kLength)});
  for (size_t length = 1; length < array.size(); ++length) {
    EXPECT_THAT(ArrayError(Bytes(array.begin(), array.begin() + length)),
                HasSubstr("system chunk array at byte 0: entry runs past the end"))
        << length;
  }
}

TEST(SystemChunkArray, OnlySystemChunks) {
  Chunk data = SoundChunk(RaidProfile::kSingle, kLogical, kLength);
  data.type = kBlockGroupData;
  EXPECT_THAT(ArrayError(SystemChunkArrayOf({SoundChunk(RaidProfile::kSingle, 0, kLength), data})),
              HasSubstr("system chunk array at byte 97: chunk 22020096 has type 0x1, which is not "
                        "system"));
  Bytes array = SystemChunkArrayOf({SoundChunk(RaidProfile::kSingle, kLogical, kLength)});
  Put<uint8_t>(array, 8, kDevItemType);
  EXPECT_THAT(ArrayError(array), HasSubstr("key (256 DEV_ITEM 22020096) is no chunk"));
}

TEST(SystemChunkArray, BadChunk) {
  Chunk bogus = SoundChunk(RaidProfile::kSingle, kLogical, kLength);
  bogus.stripe_bytes = 1;
  EXPECT_THAT(ArrayError(SystemChunkArrayOf({bogus})),
              HasSubstr("system chunk array at byte 0: chunk 22020096: stripe length 1 "));
}

}  // namespace
}  // namespace ebcache::testing
