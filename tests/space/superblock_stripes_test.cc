// Against the map that readers use: sector by sector, where do the copies of it lie?

#include "lib/space/superblock_stripes.h"

#include <gtest/gtest.h>

#include <vector>

#include "lib/format/raid_profile.h"
#include "lib/volume/chunk_map.h"
#include "tests/format/format_bytes.h"

namespace ebcache::space {
namespace {

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kLogical = 1 << 30;
constexpr uint32_t kSector = 4096;

// As they were told: the first MiB of a device, and 64 KiB at 64 MiB and at 256 GiB.
bool IsReserved(uint64_t physical) {
  return physical < kMiB || (physical >= 64 * kMiB && physical < 64 * kMiB + 65536) ||
         (physical >= 262144 * kMiB && physical < 262144 * kMiB + 65536);
}

std::vector<Range> BySector(const Chunk& chunk) {
  ChunkMap map(kSector);
  EXPECT_TRUE(map.Add(chunk).ok());
  std::vector<Range> ranges;
  for (uint64_t at = chunk.logical; at < chunk.logical + chunk.length; at += kSector) {
    const absl::StatusOr<StripeLocations> copies = map.Map(at, kSector);
    EXPECT_TRUE(copies.ok()) << copies.status();
    bool reserved = false;
    for (const StripeLocation& copy : *copies) reserved |= IsReserved(copy.place().offset);
    if (!reserved) continue;
    if (!ranges.empty() && ranges.back().end() == at) {
      ranges.back().length += kSector;
    } else {
      ranges.push_back({at, kSector});
    }
  }
  return ranges;
}

struct Place {
  RaidProfile profile;
  size_t stripes;
};

class SuperblockStripesTest : public ::testing::TestWithParam<Place> {};

TEST_P(SuperblockStripesTest, EqualsTheMap) {
  int with_some = 0;
  for (const uint64_t physical : {uint64_t{0}, kMiB / 2, kMiB, 60 * kMiB, 63 * kMiB + 65536,
                                  64 * kMiB, 64 * kMiB + 32768, 262140 * kMiB}) {
    Chunk chunk = testing::SoundChunk(GetParam().profile, kLogical, 24 * kMiB, GetParam().stripes);
    for (size_t i = 0; i < chunk.stripes.size(); ++i) {
      // Not all at the same place of their devices.
      chunk.stripes[i].physical = physical + (i % 3) * 32768;
    }
    const absl::StatusOr<std::vector<Range>> ranges = SuperblockStripes(chunk);
    ASSERT_TRUE(ranges.ok()) << ranges.status();
    EXPECT_EQ(*ranges, BySector(chunk)) << "at " << physical;
    with_some += !ranges->empty();
  }
  EXPECT_GE(with_some, 5);
}

INSTANTIATE_TEST_SUITE_P(
    Profiles, SuperblockStripesTest,
    ::testing::Values(Place{RaidProfile::kSingle, 1}, Place{RaidProfile::kDup, 2},
                      Place{RaidProfile::kRaid0, 1}, Place{RaidProfile::kRaid0, 3},
                      Place{RaidProfile::kRaid1, 2}, Place{RaidProfile::kRaid1c3, 3},
                      Place{RaidProfile::kRaid1c4, 4}, Place{RaidProfile::kRaid10, 4},
                      Place{RaidProfile::kRaid10, 6}),
    [](const auto& of) {
      return std::string(RaidProfileName(of.param.profile)) + "On" +
             std::to_string(of.param.stripes);
    });

TEST(SuperblockStripes, ChunksThatAreNone) {
  EXPECT_EQ(SuperblockStripes(testing::SoundChunk(RaidProfile::kRaid5, kLogical, 24 * kMiB))
                .status()
                .code(),
            absl::StatusCode::kUnimplemented);
  Chunk chunk = testing::SoundChunk(RaidProfile::kRaid10, kLogical, 24 * kMiB);
  chunk.stripes.pop_back();
  EXPECT_EQ(SuperblockStripes(chunk).status().code(), absl::StatusCode::kDataLoss);
  chunk.stripes.clear();
  EXPECT_EQ(SuperblockStripes(chunk).status().code(), absl::StatusCode::kDataLoss);
  chunk = testing::SoundChunk(RaidProfile::kRaid0, kLogical, 24 * kMiB);
  chunk.stripe_bytes = 0;
  EXPECT_EQ(SuperblockStripes(chunk).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace ebcache::space
