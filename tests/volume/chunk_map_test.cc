// The map from logical addresses to copies.

#include "lib/volume/chunk_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lib/format/raid_profile.h"
#include "tests/format/format_bytes.h"

namespace ebcache::testing {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kMiB = uint64_t{1} << 20;

ChunkMap MapOf(const std::vector<Chunk>& chunks) {
  ChunkMap map(4096);
  for (const Chunk& chunk : chunks) EXPECT_TRUE(map.Add(chunk).ok());
  return map;
}

std::string MapError(const ChunkMap& map, uint64_t logical, uint64_t length,
                     absl::StatusCode code) {
  const absl::Status status = map.Map(logical, length).status();
  EXPECT_EQ(status.code(), code) << status;
  return std::string(status.message());
}

using Places = std::vector<DevicePlace>;

// Where each copy lies.
Places CopiesOf(const ChunkMap& map, uint64_t logical) {
  const absl::StatusOr<StripeLocations> locations = map.Map(logical, 4096);
  EXPECT_TRUE(locations.ok()) << locations.status();
  Places copies;
  for (const StripeLocation& location : *locations) {
    copies.push_back(location.place());
  }
  return copies;
}

TEST(ChunkMap, MirroredProfiles) {
  const uint64_t at = 16 * kMiB + 12345 * 4096;
  const uint64_t in = 12345 * 4096;
  for (auto [profile, copies] : {std::pair(RaidProfile::kSingle, 1),
                                 {RaidProfile::kRaid1, 2},
                                 {RaidProfile::kRaid1c3, 3},
                                 {RaidProfile::kRaid1c4, 4}}) {
    const ChunkMap map = MapOf({SoundChunk(profile, 16 * kMiB, 64 * kMiB)});
    Places expected;
    for (uint64_t i = 0; i < copies; ++i) expected.push_back({i + 1, kMiB + i * 64 * kMiB + in});
    EXPECT_EQ(CopiesOf(map, at), expected) << RaidProfileName(profile);
  }
  const ChunkMap dup = MapOf({SoundChunk(RaidProfile::kDup, 16 * kMiB, 64 * kMiB)});
  EXPECT_EQ(CopiesOf(dup, at), (Places{{1, kMiB + in}, {1, 65 * kMiB + in}}));
}

// Three stripes: element 7 is the third on the second.
TEST(ChunkMap, Raid0) {
  const ChunkMap map = MapOf({SoundChunk(RaidProfile::kRaid0, 16 * kMiB, 48 * kMiB, 3)});
  EXPECT_EQ(CopiesOf(map, 16 * kMiB), (Places{{1, kMiB}}));
  EXPECT_EQ(CopiesOf(map, 16 * kMiB + 65536), (Places{{2, 65 * kMiB}}));
  EXPECT_EQ(CopiesOf(map, 16 * kMiB + 7 * 65536 + 8192),
            (Places{{2, 65 * kMiB + 2 * 65536 + 8192}}));
}

// Four stripes make two pairs: element 5 is the third on the second pair.
TEST(ChunkMap, Raid10) {
  const ChunkMap map = MapOf({SoundChunk(RaidProfile::kRaid10, 16 * kMiB, 64 * kMiB, 4)});
  EXPECT_EQ(CopiesOf(map, 16 * kMiB + 4096), (Places{{1, kMiB + 4096}, {2, 65 * kMiB + 4096}}));
  EXPECT_EQ(CopiesOf(map, 16 * kMiB + 5 * 65536),
            (Places{{3, 129 * kMiB + 2 * 65536}, {4, 193 * kMiB + 2 * 65536}}));
}

TEST(ChunkMap, Edges) {
  const ChunkMap map = MapOf({SoundChunk(RaidProfile::kSingle, 16 * kMiB, kMiB),
                              SoundChunk(RaidProfile::kRaid0, 32 * kMiB, 2 * kMiB, 2)});
  EXPECT_EQ(MapError(map, 16 * kMiB - 1, 1, absl::StatusCode::kNotFound),
            "no chunk at this address");
  EXPECT_EQ(MapError(map, 17 * kMiB, 1, absl::StatusCode::kNotFound), "no chunk at this address");
  EXPECT_EQ(MapError(map, ~uint64_t{0}, 1, absl::StatusCode::kNotFound),
            "no chunk at this address");
  EXPECT_TRUE(map.Map(17 * kMiB - 16384, 16384).ok());
  EXPECT_THAT(MapError(map, 17 * kMiB - 4096, 16384, absl::StatusCode::kDataLoss),
              HasSubstr("16384 bytes cross the end of chunk 16777216"));
  EXPECT_THAT(MapError(map, 16 * kMiB, ~uint64_t{0}, absl::StatusCode::kDataLoss),
              HasSubstr("cross the end"));
  EXPECT_THAT(MapError(map, 16 * kMiB + 4096, ~uint64_t{0}, absl::StatusCode::kDataLoss),
              HasSubstr("cross the end"));
  EXPECT_TRUE(map.Map(32 * kMiB + 65536 - 16384, 16384).ok());
  EXPECT_THAT(MapError(map, 32 * kMiB + 65536 - 4096, 16384, absl::StatusCode::kDataLoss),
              HasSubstr("16384 bytes cross a stripe boundary of chunk 33554432"));
}

TEST(ChunkMap, EmptyMap) {
  const ChunkMap map(4096);
  EXPECT_EQ(map.Find(0), nullptr);
  EXPECT_TRUE(absl::IsNotFound(map.Map(0, 4096).status()));
  EXPECT_TRUE(map.chunks().empty());
}

TEST(ChunkMap, ParityIsNotMappedYet) {
  const ChunkMap map = MapOf({SoundChunk(RaidProfile::kRaid5, 16 * kMiB, 8 * kMiB, 3),
                              SoundChunk(RaidProfile::kRaid6, 32 * kMiB, 8 * kMiB, 4)});
  EXPECT_THAT(MapError(map, 16 * kMiB, 4096, absl::StatusCode::kUnimplemented),
              HasSubstr("RAID5 cannot be read yet"));
  EXPECT_THAT(MapError(map, 32 * kMiB, 4096, absl::StatusCode::kUnimplemented),
              HasSubstr("RAID6 cannot be read yet"));
}

TEST(ChunkMap, Overlaps) {
  const Chunk chunk = SoundChunk(RaidProfile::kSingle, 16 * kMiB, 8 * kMiB);
  struct {
    uint64_t logical;
    uint64_t length;
    bool fits;
  } const cases[] = {
      {8 * kMiB, 8 * kMiB, true},         {24 * kMiB, 8 * kMiB, true},
      {8 * kMiB, 8 * kMiB + 4096, false}, {24 * kMiB - 4096, 8 * kMiB, false},
      {17 * kMiB, kMiB, false},           {0, 64 * kMiB, false},
      {16 * kMiB, kMiB, false},           {20 * kMiB, 4 * kMiB, false},
  };
  for (const auto& c : cases) {
    ChunkMap map = MapOf({chunk});
    const absl::Status status = map.Add(SoundChunk(RaidProfile::kSingle, c.logical, c.length));
    EXPECT_EQ(status.ok(), c.fits) << c.logical << ": " << status;
    EXPECT_EQ(map.chunks().size(), c.fits ? 2 : 1);
    EXPECT_EQ(absl::IsDataLoss(status), !c.fits);
  }
}

TEST(ChunkMap, TheSameAgainIsFine) {
  ChunkMap map = MapOf({SoundChunk(RaidProfile::kDup, 16 * kMiB, 8 * kMiB)});
  EXPECT_TRUE(map.Add(SoundChunk(RaidProfile::kDup, 16 * kMiB, 8 * kMiB)).ok());
  EXPECT_EQ(map.chunks().size(), 1);
}

// A chunk that differs in anything at all is another one.
TEST(ChunkMap, Contradictions) {
  const Chunk sound = SoundChunk(RaidProfile::kRaid10, 16 * kMiB, 8 * kMiB, 4);
  const std::function<void(Chunk&)> changes[] = {
      [](Chunk& c) { c.length -= 4096; },
      [](Chunk& c) { c.type = kBlockGroupMetadata | 1 << 6; },
      [](Chunk& c) { c.stripes.resize(2); },
      [](Chunk& c) { c.stripes[1].physical += 65536; },
      [](Chunk& c) { c.stripes[2].device_id = 9; },
      [](Chunk& c) { c.stripes[3].device_uuid = UuidOf(1); },
  };
  for (const auto& change : changes) {
    ChunkMap map = MapOf({sound});
    Chunk other = sound;
    change(other);
    const absl::Status status = map.Add(other);
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(status.message()),
                HasSubstr(" contradicts chunk 16777216, length 8388608, type 0x42"));
  }
}

TEST(ChunkMap, UnsoundChunksStayOut) {
  ChunkMap map(4096);
  Chunk chunk = SoundChunk(RaidProfile::kRaid10, 0, kMiB);
  chunk.sub_stripes = 0;
  EXPECT_EQ(map.Add(chunk).code(), absl::StatusCode::kDataLoss);
  // What the type says and what the struct says may differ only when nobody parsed it.
  chunk = SoundChunk(RaidProfile::kSingle, 0, kMiB);
  chunk.profile = RaidProfile::kRaid1c4;
  EXPECT_EQ(map.Add(chunk).message(), "chunk 0: type 0x2 is not RAID1C4");
  EXPECT_TRUE(map.chunks().empty());
}

TEST(ChunkMap, ReachesTheTopOfTheAddressSpace) {
  const uint64_t top = ~uint64_t{0} - 4095;  // its last sector begins here
  const ChunkMap map = MapOf({SoundChunk(RaidProfile::kSingle, top - kMiB, kMiB)});
  EXPECT_EQ(CopiesOf(map, top - 4096), (Places{{1, 2 * kMiB - 4096}}));
  EXPECT_EQ(map.Find(top), nullptr);
}

// ---- Properties ---------------------------------------------------------------------------------

RC_GTEST_PROP(ChunkMapProperty, EverySectorHasPlacesOfItsOwn, ()) {
  const auto profile =
      *rc::gen::element(RaidProfile::kSingle, RaidProfile::kDup, RaidProfile::kRaid0,
                        RaidProfile::kRaid1, RaidProfile::kRaid1c3, RaidProfile::kRaid10);
  size_t stripes = 0;
  if (profile == RaidProfile::kRaid0) stripes = *rc::gen::inRange<size_t>(1, 9);
  if (profile == RaidProfile::kRaid10) stripes = 2 * *rc::gen::inRange<size_t>(1, 5);
  const uint64_t sectors = *rc::gen::inRange<uint64_t>(1, 600);
  const uint64_t logical = 4096 * *rc::gen::inRange<uint64_t>(0, uint64_t{1} << 40);
  ChunkMap map(4096);
  const Chunk chunk = SoundChunk(profile, logical, sectors * 4096, stripes);
  RC_ASSERT(map.Add(chunk).ok());
  std::set<DevicePlace> taken;
  for (uint64_t sector = 0; sector < sectors; ++sector) {
    const absl::StatusOr<StripeLocations> copies = map.Map(logical + sector * 4096, 4096);
    RC_ASSERT(copies.ok());
    RC_ASSERT(copies->size() == static_cast<size_t>(chunk.copies()));
    std::set<uint64_t> devices;
    for (const StripeLocation& copy : *copies) {
      devices.insert(copy.stripe.device_id);
      RC_ASSERT(taken.insert(copy.place()).second);
      // Inside of the stripe, whose length is at most that of the chunk.
      RC_ASSERT(copy.place().offset >= copy.stripe.physical);
      RC_ASSERT(copy.place().offset + 4096 <= copy.stripe.physical + chunk.length);
    }
    RC_ASSERT(devices.size() == (profile == RaidProfile::kDup ? 1 : copies->size()));
  }
}

// Sector-aligned addresses with the ends of the address space, and now and then any number at all.
uint64_t WildNumber() {
  const uint64_t sectors = *rc::gen::inRange<uint64_t>(0, 1 << 20) * 4096;
  const int kind = *rc::gen::resize(100, rc::gen::inRange(0, 16));
  if (kind == 0) return *rc::gen::arbitrary<uint64_t>();
  return kind == 1 ? -sectors : sectors;
}

// Whatever the numbers are: a chunk is refused, or maps without leaving the address space.
RC_GTEST_PROP(ChunkMapProperty, HostileNumbers, ()) {
  const auto sometimes = [] { return *rc::gen::resize(100, rc::gen::inRange(0, 16)) == 0; };
  Chunk chunk = SoundChunk(*rc::gen::element(RaidProfile::kSingle, RaidProfile::kRaid0,
                                             RaidProfile::kRaid10, RaidProfile::kRaid1),
                           WildNumber(), WildNumber());
  if (sometimes()) chunk.stripe_bytes = WildNumber();
  if (sometimes()) chunk.type = WildNumber() & 0x7ff;
  if (sometimes()) chunk.stripes.resize(*rc::gen::inRange<size_t>(0, 5));
  for (ChunkStripe& stripe : chunk.stripes) stripe.physical = WildNumber();
  const absl::StatusOr<Chunk> parsed = ParseChunkItem(chunk.logical, ChunkItemOf(chunk), 4096);
  RC_CLASSIFY(parsed.ok(), "sound");
  if (!parsed.ok()) return;
  ChunkMap map(4096);
  const bool fits = std::all_of(
      parsed->stripes.begin(), parsed->stripes.end(),
      [&](const ChunkStripe& s) { return s.physical <= ~uint64_t{0} - parsed->length; });
  RC_ASSERT(map.Add(*parsed).ok() == fits);
  if (!fits) return;
  const uint64_t at = chunk.logical + WildNumber() % chunk.length;
  const uint64_t length = *rc::gen::element<uint64_t>(0, 1, 4096, WildNumber());
  const absl::StatusOr<StripeLocations> copies = map.Map(at, length);
  RC_CLASSIFY(copies.ok(), "mapped");
  if (!copies.ok()) return;
  for (const StripeLocation& copy : *copies) {
    RC_ASSERT(copy.place().offset >= copy.stripe.physical);
    RC_ASSERT(copy.place().offset + length >= copy.place().offset);
  }
}

}  // namespace
}  // namespace ebcache::testing
