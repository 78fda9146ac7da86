// The rules for block groups, chunks, devices and their extents: as in kernel_rules_test.cc.

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "tests/format/rule_checks.h"

namespace ebcache::testing {
namespace {

TEST(KernelRules, BlockGroups) {
  const Key key{kMiB, kBlockGroupItemType, kMiB};
  Passes(One(key, BlockGroup(kMiB)));
  Refused(Rejection::kBlockGroupUsed, One(key, BlockGroup(kMiB + 1)));
  Refused(Rejection::kBlockGroupRange, One({kMiB, kBlockGroupItemType, 0}, BlockGroup(0)));
  Passes(One({kMiB + 1, kBlockGroupItemType, 513}, BlockGroup(0)));
  Refused(Rejection::kItemSize, One(key, Joined(BlockGroup(), "x")));
  Refused(Rejection::kItemSize, One(key, std::string(BlockGroup()).substr(1)));
  for (uint64_t objectid : {255, 257}) {
    Refused(Rejection::kBlockGroupChunk, One(key, BlockGroup().Put<uint64_t>(8, objectid)));
  }
  for (uint64_t kinds = 0; kinds < 8; ++kinds) {
    const bool legal = kinds == 1 || kinds == 2 || kinds == 4 || kinds == 5;
    const Items items = One(key, BlockGroup(0, kinds));
    legal ? Passes(items) : Refused(Rejection::kBlockGroupType, items);
  }
  for (int bit = 3; bit < 64; ++bit) Passes(One(key, BlockGroup(0, 1 | uint64_t{1} << bit)));
  for (int bit = 4; bit <= 10; ++bit) {
    Refused(Rejection::kBlockGroupType, One(key, BlockGroup(0, 1 | 1 << 3 | 1 << bit)));
  }
}

std::string ChunkOf(const Chunk& chunk) {
  const Bytes bytes = ChunkItemOf(chunk);
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

TEST(KernelRules, ChunkRanges) {
  Chunk chunk = SoundChunk(RaidProfile::kDup, kMiB, 8 * kMiB);
  const auto items = [&](uint64_t logical = kMiB) {
    return One({256, kChunkItemType, logical}, ChunkOf(chunk));
  };
  Passes(items());
  Passes(One({1, kChunkItemType, kMiB}, ChunkOf(chunk)));  // the object is not looked at
  Refused(Rejection::kChunkItem, items(kMiB + 512));
  for (uint64_t length : {uint64_t{0}, uint64_t{4097}, (uint64_t{1} << 48) + 4096}) {
    chunk.length = length;
    Refused(Rejection::kChunkItem, items());
  }
  chunk.length = uint64_t{1} << 48;
  Passes(items());
  chunk.length = 8192;
  Passes(items(kLast - 8192));
  Refused(Rejection::kChunkItem, items(kLast));
  // Where its stripes lie is no fault of the leaf.
  chunk.stripes[0].physical = ~uint64_t{0};
  Passes(items());
}

TEST(KernelRules, ChunkTypes) {
  Chunk chunk = SoundChunk(RaidProfile::kDup, kMiB, 8 * kMiB);
  const auto items = [&](uint64_t kinds) {
    chunk.type = kinds | 1 << 5;
    return One({256, kChunkItemType, kMiB}, ChunkOf(chunk));
  };
  for (uint64_t kinds = 0; kinds < 8; ++kinds) {
    const bool legal = kinds == 1 || kinds == 2 || kinds == 4 || kinds == 5;
    legal ? Passes(items(kinds)) : Refused(Rejection::kChunkItem, items(kinds));
  }
  Refused(Rejection::kChunkItem, items(5), kChunkTreeId,
          With(&TreeBlockLimits::mixed_groups, false));
  Passes(items(4), kChunkTreeId, With(&TreeBlockLimits::mixed_groups, false));
  Refused(Rejection::kChunkItem, items(1 | 1 << 4));  // two profiles
  for (int bit = 11; bit < 64; ++bit) Refused(Rejection::kChunkItem, items(1 | uint64_t{1} << bit));
}

TEST(KernelRules, ChunkStripes) {
  const struct {
    RaidProfile profile;
    size_t fewest;
    bool more;
  } profiles[] = {{RaidProfile::kSingle, 1, false},  {RaidProfile::kDup, 2, false},
                  {RaidProfile::kRaid0, 1, true},    {RaidProfile::kRaid1, 2, false},
                  {RaidProfile::kRaid1c3, 3, false}, {RaidProfile::kRaid1c4, 4, false},
                  {RaidProfile::kRaid10, 2, true},   {RaidProfile::kRaid5, 2, true},
                  {RaidProfile::kRaid6, 3, true}};
  for (const auto& [profile, fewest, more] : profiles) {
    const auto items = [profile = profile](size_t stripes) {
      Chunk chunk = SoundChunk(profile, kMiB, 8 * kMiB);
      chunk.stripes.resize(stripes, chunk.stripes[0]);
      return One({256, kChunkItemType, kMiB}, ChunkOf(chunk));
    };
    Passes(items(fewest));
    Refused(Rejection::kChunkItem, items(fewest - 1));
    more ? Passes(items(fewest + 2)) : Refused(Rejection::kChunkItem, items(fewest + 1));
  }
  const Key key{256, kChunkItemType, kMiB};
  const Chunk dup = SoundChunk(RaidProfile::kDup, kMiB, 8 * kMiB);
  Refused(Rejection::kChunkItem, One(key, ChunkOf(dup).substr(0, 48 + 63)));
  Refused(Rejection::kChunkItem, One(key, ChunkOf(dup) + "x"));
  std::string bytes = ChunkOf(dup);
  bytes[16] = 1;  // stripe length
  Refused(Rejection::kChunkItem, One(key, bytes));
  bytes = ChunkOf(dup);
  bytes[41] = 0x20;  // sector size
  Refused(Rejection::kChunkItem, One(key, bytes));
}

TEST(KernelRules, Devices) {
  const Key key{1, kDevItemType, 7};
  Passes(One(key, DeviceItemOf(7)));
  Refused(Rejection::kDeviceKey, One({2, kDevItemType, 7}, DeviceItemOf(7)));
  Refused(Rejection::kDeviceKey, One(key, DeviceItemOf(8)));
  Refused(Rejection::kDeviceItem, One(key, Joined(DeviceItemOf(7), "x")));
  Passes(One(key, DeviceItemOf(7).Put<uint64_t>(16, 1 << 30)));
  Refused(Rejection::kDeviceItem, One(key, DeviceItemOf(7).Put<uint64_t>(16, (1 << 30) + 1)));
}

TEST(KernelRules, DeviceExtents) {
  const Key key{1, kDevExtentType, kMiB};
  Passes(One(key, DeviceExtent()));
  Refused(Rejection::kDeviceExtentOwner, One(key, DeviceExtent().Put<uint64_t>(0, 2)));
  Refused(Rejection::kDeviceExtentOwner, One(key, DeviceExtent().Put<uint64_t>(8, 257)));
  Refused(Rejection::kDeviceExtentRange, One({1, kDevExtentType, kMiB + 512}, DeviceExtent()));
  Refused(Rejection::kDeviceExtentRange, One(key, DeviceExtent().Put<uint64_t>(16, 512)));
  Refused(Rejection::kDeviceExtentRange, One(key, DeviceExtent(4097)));
  Passes(One(key, DeviceExtent(0)));
  const LeafItem first{key, DeviceExtent(8192)};
  Passes({first, {{1, kDevExtentType, kMiB + 8192}, DeviceExtent()}});
  Passes({first, {{2, kDevExtentType, kMiB + 4096}, DeviceExtent()}});
  Refused(Rejection::kDeviceExtentOverlap,
          {first, {{1, kDevExtentType, kMiB + 4096}, DeviceExtent()}});
}

TEST(KernelRules, RaidStripes) {
  const Key key{kMiB, kRaidStripeType, kMiB};
  for (size_t entries : {0, 1, 3}) Passes(One(key, std::string(16 * entries, 's')));
  Refused(Rejection::kItemRecords, One(key, std::string(17, 's')));
  Refused(Rejection::kStripeFeature, One(key, std::string(16, 's')), kRaidStripeTreeId,
          With(&TreeBlockLimits::raid_stripe_tree, false));
}

}  // namespace
}  // namespace ebcache::testing
