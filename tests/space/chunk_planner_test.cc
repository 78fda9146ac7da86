// New chunks: every one passes the check that chunk items have to pass, keeps its limits, and lies on
// space that is free.

#include "lib/space/chunk_planner.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <vector>

#include "lib/format/raid_profile.h"
#include "tests/format/format_bytes.h"

namespace ebcache::space {
namespace {

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kGiB = 1 << 30;

std::vector<DeviceSpace> Devices(const std::vector<uint64_t>& sizes) {
  std::vector<DeviceSpace> devices;
  for (const uint64_t bytes : sizes) {
    const uint64_t id = devices.size() + 1;
    devices.push_back({.id = id, .uuid = testing::DeviceUuid(id), .total_bytes = bytes});
  }
  return devices;
}

// Takes the chunk's stripes from the devices; fails where they are not free, or in front.
void Take(std::vector<DeviceSpace>& devices, const Chunk& chunk) {
  for (const ChunkStripe& stripe : chunk.stripes) {
    DeviceSpace& device = devices.at(stripe.device_id - 1);
    EXPECT_EQ(stripe.device_uuid, device.uuid);
    EXPECT_GE(stripe.physical, kMiB);
    EXPECT_LE(stripe.physical + StripeBytesOf(chunk), device.total_bytes);
    const absl::Status status = device.taken.Add({stripe.physical, StripeBytesOf(chunk)});
    EXPECT_TRUE(status.ok()) << status;
  }
}

// As a chunk item is checked when a filesystem is read.
void ExpectSound(const Chunk& chunk) {
  const absl::StatusOr<Chunk> parsed =
      ParseChunkItem(chunk.logical, testing::ChunkItemOf(chunk), chunk.sector_bytes);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->profile, chunk.profile);
  EXPECT_EQ(parsed->length, chunk.length);
}

struct Wanted {
  RaidProfile profile;
  size_t fewest;  // devices
  size_t most;    // of eight devices
  int copies;
};

class PlanTest : public ::testing::TestWithParam<Wanted> {};

TEST_P(PlanTest, FillsDevices) {
  const Wanted& wanted = GetParam();
  std::mt19937_64 random(3);
  for (size_t count = 1; count <= 8; ++count) {
    std::vector<uint64_t> sizes;
    for (size_t i = 0; i < count; ++i) sizes.push_back((200 + random() % 800) * kMiB + i * 4096);
    std::vector<DeviceSpace> devices = Devices(sizes);
    uint64_t all = 0;
    for (const uint64_t bytes : sizes) all += bytes;
    uint64_t logical = kGiB;
    int chunks = 0;
    for (;; ++chunks) {
      const uint64_t type = random() % 3 == 0   ? kBlockGroupSystem
                            : random() % 2 == 0 ? kBlockGroupData
                                                : kBlockGroupMetadata;
      const absl::StatusOr<Chunk> chunk =
          PlanChunk(devices, {.logical = logical, .type = type, .profile = wanted.profile});
      if (!chunk.ok()) {
        EXPECT_EQ(chunk.status().code(), absl::StatusCode::kResourceExhausted);
        break;
      }
      ExpectSound(*chunk);
      EXPECT_EQ(chunk->logical, logical);
      EXPECT_EQ(chunk->copies(), wanted.copies);
      EXPECT_EQ(chunk->type & kBlockGroupTypeMask, type);
      std::set<uint64_t> on;
      for (const ChunkStripe& stripe : chunk->stripes) on.insert(stripe.device_id);
      EXPECT_GE(on.size(), wanted.fewest);
      EXPECT_LE(on.size(), wanted.most);
      EXPECT_EQ(chunk->stripes.size(), wanted.profile == RaidProfile::kDup ? 2 : on.size());
      EXPECT_EQ(StripeBytesOf(*chunk) % 65536, 0);
      EXPECT_EQ(StripeBytesOf(*chunk) * chunk->stripes.size(), chunk->length * wanted.copies);
      EXPECT_LE(chunk->length, std::max(all / 10, 65536 * on.size()));
      if (type == kBlockGroupSystem) {
        EXPECT_LE(chunk->length, 64 * kMiB);
      }
      Take(devices, *chunk);
      logical += chunk->length;
      ASSERT_LT(chunks, 100000);
    }
    if (count < wanted.fewest) {
      EXPECT_EQ(chunks, 0) << count;
      continue;
    }
    EXPECT_GT(chunks, 2) << count;
    // What is left is on too few devices.
    size_t with_room = 0;
    for (const DeviceSpace& device : devices) {
      const uint64_t usable = device.total_bytes - kMiB;
      with_room += usable - device.taken.bytes() >= 65536u * (wanted.fewest == 1 ? 2 : 1);
    }
    EXPECT_LT(with_room, wanted.fewest) << count;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Profiles, PlanTest,
    ::testing::Values(Wanted{RaidProfile::kSingle, 1, 1, 1}, Wanted{RaidProfile::kDup, 1, 1, 2},
                      Wanted{RaidProfile::kRaid0, 1, 8, 1}, Wanted{RaidProfile::kRaid1, 2, 2, 2},
                      Wanted{RaidProfile::kRaid1c3, 3, 3, 3},
                      Wanted{RaidProfile::kRaid1c4, 4, 4, 4},
                      Wanted{RaidProfile::kRaid10, 2, 8, 2}),
    [](const auto& of) { return std::string(RaidProfileName(of.param.profile)); });

TEST(ChunkPlanner, SizesAreTheKernels) {
  const auto length = [](std::vector<DeviceSpace> devices, uint64_t type, RaidProfile profile) {
    const absl::StatusOr<Chunk> chunk =
        PlanChunk(devices, {.logical = kGiB, .type = type, .profile = profile});
    EXPECT_TRUE(chunk.ok()) << chunk.status();
    return chunk.ok() ? chunk->length : 0;
  };
  const auto small = Devices({20 * kGiB, 20 * kGiB});
  const auto large = Devices({100 * kGiB, 100 * kGiB, 100 * kGiB, 100 * kGiB});
  EXPECT_EQ(length(small, kBlockGroupData, RaidProfile::kSingle), kGiB);
  EXPECT_EQ(length(small, kBlockGroupMetadata, RaidProfile::kRaid1), 256 * kMiB);
  EXPECT_EQ(length(large, kBlockGroupMetadata, RaidProfile::kRaid1), kGiB);
  EXPECT_EQ(length(small, kBlockGroupSystem, RaidProfile::kRaid1), 32 * kMiB);
  EXPECT_EQ(length(large, kBlockGroupData, RaidProfile::kRaid0), 4 * kGiB);
  EXPECT_EQ(length(large, kBlockGroupData, RaidProfile::kRaid10), 2 * kGiB);
  // A tenth.
  EXPECT_EQ(length(Devices({2000 * kMiB}), kBlockGroupData, RaidProfile::kSingle), 200 * kMiB);
  // Data and metadata together are as data.
  EXPECT_EQ(length(small, kBlockGroupData | kBlockGroupMetadata, RaidProfile::kSingle), kGiB);
}

TEST(ChunkPlanner, TakesTheLongestHoles) {
  std::vector<DeviceSpace> devices = Devices({10 * kGiB, 12 * kGiB, 11 * kGiB});
  ASSERT_TRUE(devices[1].taken.Add({kMiB, 8 * kGiB}).ok());
  const absl::StatusOr<Chunk> chunk = PlanChunk(
      devices, {.logical = kGiB, .type = kBlockGroupMetadata, .profile = RaidProfile::kRaid1});
  ASSERT_TRUE(chunk.ok());
  EXPECT_EQ(chunk->stripes[0].device_id, 3);
  EXPECT_EQ(chunk->stripes[1].device_id, 1);
}

TEST(ChunkPlanner, AsLongAsWasAsked) {
  const std::vector<DeviceSpace> devices = Devices({10 * kGiB});
  ChunkRequest request{.logical = kGiB, .type = kBlockGroupMetadata, .most_bytes = 8 * kMiB + 5};
  EXPECT_EQ(PlanChunk(devices, request)->length, 8 * kMiB);
  request.most_bytes = 1;
  EXPECT_EQ(PlanChunk(devices, request)->length, 65536);
}

TEST(ChunkPlanner, Refusals) {
  const std::vector<DeviceSpace> devices = Devices({10 * kGiB, 10 * kGiB, kMiB, 65536});
  ChunkRequest request{.logical = kGiB, .type = kBlockGroupData, .profile = RaidProfile::kRaid1c3};
  EXPECT_EQ(PlanChunk(devices, request).status().message(),
            "a chunk of profile RAID1C3 wants 3 devices with room, there are 2");
  request.profile = RaidProfile::kRaid6;
  EXPECT_EQ(PlanChunk(devices, request).status().code(), absl::StatusCode::kUnimplemented);
  request = {.logical = kGiB};
  EXPECT_EQ(PlanChunk(devices, request).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace ebcache::space
