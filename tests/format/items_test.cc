// Root items and device items.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "ebcache/on_disk.h"
#include "tests/format/format_bytes.h"

namespace ebcache::testing {
namespace {

using ::testing::HasSubstr;

Bytes SoundRootItem(size_t length) {
  Bytes item(length);
  Put<uint64_t>(item, 160, 9);         // generation
  Put<uint64_t>(item, 176, 30408704);  // bytenr
  Put<uint32_t>(item, 216, 1);         // refs
  Put<uint8_t>(item, 238, 2);          // level
  return item;
}

std::string RootError(const Bytes& item) {
  const absl::Status status = ParseRootItem(item).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  return std::string(status.message());
}

TEST(RootItem, BothSizes) {
  for (size_t length : {239, 439}) {
    Bytes item = SoundRootItem(length);
    PutKey(item, 220, {257, kInodeItemType, 3});
    Put<uint8_t>(item, 237, 1);
    Put<uint32_t>(item, 216, 0);
    const absl::StatusOr<RootItem> root = ParseRootItem(item);
    ASSERT_TRUE(root.ok()) << root.status();
    EXPECT_EQ(root->bytenr, 30408704);
    EXPECT_EQ(root->generation, 9);
    EXPECT_EQ(root->level, 2);
    EXPECT_EQ(root->refs, 0);
    EXPECT_EQ(root->drop_progress, (Key{257, kInodeItemType, 3}));
    EXPECT_EQ(root->drop_level, 1);
  }
}

TEST(RootItem, OtherSizes) {
  for (size_t length : {0, 1, 238, 240, 438, 440}) {
    EXPECT_THAT(RootError(Bytes(length)), HasSubstr("they have 239 or 439")) << length;
  }
}

TEST(RootItem, EveryRuleIsKept) {
  Bytes item = SoundRootItem(439);
  Put<uint64_t>(item, 176, 1280);
  EXPECT_THAT(RootError(item), HasSubstr("block 1280 is not sector-aligned"));
  item = SoundRootItem(439);
  Put<uint8_t>(item, 238, 8);
  EXPECT_THAT(RootError(item), HasSubstr("level 8, the highest is 7"));
  item = SoundRootItem(439);
  Put<uint8_t>(item, 237, 96);
  EXPECT_THAT(RootError(item), HasSubstr("drop level 96, the highest is 7"));
}

// No kernel holds the place of a deletion against its level.
TEST(RootItem, DropProgressAtLevelZero) {
  Bytes item = SoundRootItem(439);
  PutKey(item, 220, {257, kInodeItemType, 0});
  const absl::StatusOr<RootItem> root = ParseRootItem(item);
  ASSERT_TRUE(root.ok()) << root.status();
  EXPECT_EQ(root->drop_level, 0);
}

Bytes SoundDeviceItem() {
  Bytes item(98);
  Put<uint64_t>(item, 0, 3);
  Put<uint64_t>(item, 8, uint64_t{1} << 30);
  Put<uint64_t>(item, 16, uint64_t{1} << 30);  // all of it used
  PutUuid(item, 66, UuidOf(0x33));
  PutUuid(item, 82, UuidOf(0x44));
  return item;
}

TEST(DeviceItem, Fields) {
  const absl::StatusOr<DeviceItem> device = ParseDeviceItem(SoundDeviceItem());
  ASSERT_TRUE(device.ok()) << device.status();
  EXPECT_EQ(device->id, 3);
  EXPECT_EQ(device->total_bytes, uint64_t{1} << 30);
  EXPECT_EQ(device->uuid, UuidOf(0x33));
  EXPECT_EQ(device->fsid, UuidOf(0x44));
}

TEST(DeviceItem, EveryRuleIsKept) {
  Bytes item = SoundDeviceItem();
  Put<uint64_t>(item, 16, (uint64_t{1} << 30) + 1);
  EXPECT_THAT(std::string(ParseDeviceItem(item).status().message()),
              HasSubstr("device item 3: 1073741825 bytes used of 1073741824"));
  for (size_t length : {0, 97, 99}) {
    EXPECT_THAT(std::string(ParseDeviceItem(Bytes(length)).status().message()),
                HasSubstr("they have 98"));
  }
}

}  // namespace
}  // namespace ebcache::testing
