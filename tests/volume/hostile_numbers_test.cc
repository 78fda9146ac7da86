// Numbers made to overflow, to allocate or to divide: stripes by the ten thousand, lengths that
// wrap around, addresses at the end of everything.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>

#include "ebcache/on_disk.h"
#include "lib/format/system_chunk_array.h"
#include "lib/volume/chunk_map.h"
#include "tests/format/format_bytes.h"
#include "tests/volume/test_volume.h"

namespace ebcache::testing {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
constexpr uint64_t kMiB = 1 << 20;
constexpr size_t kMostStripes = 65535;  // what the field can say

TEST(HostileChunks, AMillionStripesInAFewBytes) {
  Bytes item = ChunkItemOf(SoundChunk(RaidProfile::kRaid0, kMiB, kMiB, 2));
  Put<uint16_t>(item, 44, kMostStripes);
  const absl::Status status = ParseChunkItem(kMiB, item, 4096).status();
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("item of 112 bytes, one with 65535 stripes has 2097168"));
}

// As many as there can be, all of them there: the map holds them, and a lookup costs what it costs
// with two.
TEST(HostileChunks, AsManyStripesAsCanBe) {
  for (RaidProfile profile : {RaidProfile::kRaid0, RaidProfile::kRaid10}) {
    const size_t stripes = profile == RaidProfile::kRaid10 ? kMostStripes - 1 : kMostStripes;
    const Chunk chunk = SoundChunk(profile, kMiB, kMiB * kMiB, stripes);
    const absl::StatusOr<Chunk> parsed = ParseChunkItem(kMiB, ChunkItemOf(chunk), 4096);
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    ChunkMap map(4096);
    ASSERT_TRUE(map.Add(*parsed).ok());
    const absl::StatusOr<StripeLocations> last = map.Map(kMiB + kMiB * kMiB - 16384, 16384);
    ASSERT_TRUE(last.ok()) << last.status();
    EXPECT_EQ(last->size(), chunk.copies());
  }
}

TEST(HostileChunks, MirroredProfilesHaveAsManyStripesAsCopies) {
  for (RaidProfile profile : {RaidProfile::kSingle, RaidProfile::kDup, RaidProfile::kRaid1,
                              RaidProfile::kRaid1c3, RaidProfile::kRaid1c4}) {
    const Bytes item = ChunkItemOf(SoundChunk(profile, kMiB, kMiB, 1000));
    EXPECT_THAT(std::string(ParseChunkItem(kMiB, item, 4096).status().message()),
                HasSubstr("1000 stripes do not make"));
  }
}

TEST(HostileChunks, LengthsThatWrap) {
  for (uint64_t length : {kMax, kMax - 4095, kMax - kMiB + 1, uint64_t{1} << 63}) {
    for (uint64_t logical : {kMiB, uint64_t{1} << 63, kMax - 4095}) {
      const Bytes item = ChunkItemOf(SoundChunk(RaidProfile::kSingle, logical, length));
      const absl::StatusOr<Chunk> chunk = ParseChunkItem(logical, item, 4096);
      if (chunk.ok()) {
        EXPECT_LE(chunk->length, kMax - logical);
      }
    }
  }
}

TEST(HostileChunks, TheEndOfTheAddressSpace) {
  const auto parse = [](uint64_t logical) {
    const Bytes item = ChunkItemOf(SoundChunk(RaidProfile::kSingle, logical, 8192));
    return ParseChunkItem(logical, item, 4096).status();
  };
  EXPECT_TRUE(parse(kMax - 4096 - 8191).ok());
  EXPECT_THAT(std::string(parse(kMax - 4095).message()), HasSubstr("leaves the address space"));
}

TEST(HostileChunks, StripesAtTheEndOfADevice) {
  Chunk chunk = SoundChunk(RaidProfile::kDup, kMiB, kMiB);
  chunk.stripes[1].physical = kMax - 4095;
  // A kernel reads the leaf that says so; nothing is mapped to there.
  const absl::StatusOr<Chunk> parsed = ParseChunkItem(kMiB, ChunkItemOf(chunk), 4096);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  ChunkMap map(4096);
  EXPECT_EQ(map.Add(*parsed).message(),
            "chunk 1048576: stripe 1 at 18446744073709547520 leaves the address space");
  EXPECT_EQ(map.Find(kMiB), nullptr);
  chunk.stripes[1].physical = kMax - kMiB;  // the last byte but one
  EXPECT_TRUE(map.Add(chunk).ok());
}

TEST(HostileChunks, RangesThatWrap) {
  ChunkMap map(4096);
  const Chunk last = SoundChunk(RaidProfile::kSingle, kMax - kMiB * 8 + 1 - 4096, kMiB * 8);
  ASSERT_TRUE(map.Add(last).ok());
  for (uint64_t logical : {last.logical, last.logical + kMiB, kMax - 8191}) {
    for (uint64_t length : {kMax, kMax - logical, kMax - 4095, kMiB * 8 + 1}) {
      const absl::StatusOr<StripeLocations> places = map.Map(logical, length);
      if (places.ok()) {
        EXPECT_LE(length, last.logical + last.length - logical);
      }
    }
  }
  EXPECT_FALSE(map.Map(kMax, 1).ok());
}

// An array full of the smallest entries there are: bounded by its 2048 bytes.
TEST(HostileChunks, ASystemArrayThatIsFull) {
  std::vector<Chunk> chunks;
  for (uint64_t i = 1; (i + 1) * (kKeyBytes + 80) < kSystemChunkArrayBytes; ++i) {
    chunks.push_back(SoundChunk(RaidProfile::kSingle, i * kMiB, kMiB));
  }
  Bytes array = SystemChunkArrayOf(chunks);
  EXPECT_EQ(ParseSystemChunkArray(array, 4096)->size(), chunks.size());
  // One whose stripes reach behind the end, from every place.
  for (size_t entry = 0; entry < chunks.size(); ++entry) {
    Bytes broken = array;
    Put<uint16_t>(broken, entry * (kKeyBytes + 80) + kKeyBytes + 44, kMostStripes);
    EXPECT_TRUE(absl::IsDataLoss(ParseSystemChunkArray(broken, 4096).status()));
  }
}

TEST(HostileChunks, AVolumeAtTheEndOfTheAddressSpace) {
  TestVolume t({.profile = RaidProfile::kSingle});
  Chunk far = SoundChunk(RaidProfile::kSingle, kMax - kMiB + 1 - 4096, kMiB);
  far.stripes[0].physical = kMax - kMiB - 4095;
  ASSERT_TRUE(t.volume().AddChunk(far).ok());
  EXPECT_TRUE(t.volume().Map(far.logical, 16384).ok());
  EXPECT_FALSE(t.volume().Map(kMax - 4095, 16384).ok());
  EXPECT_FALSE(t.volume().Map(far.logical, kMax).ok());
}

}  // namespace
}  // namespace ebcache::testing
