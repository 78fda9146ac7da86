// Volumes over what mkfs.btrfs makes: every profile and checksum.

#include <absl/types/span.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cctype>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ebcache/buffer_cache.h"
#include "ebcache/volume.h"
#include "tests/format/format_bytes.h"
#include "tests/support/mkfs_image.h"

namespace ebcache::testing {
namespace {

using ::testing::IsEmpty;

struct MkfsCase {
  const char* options;
  int devices;
};

class VolumeOnImage : public ::testing::TestWithParam<MkfsCase> {};

// The data of an item, in one piece.
Bytes DataOf(const ExtentBuffer& leaf, const ItemHead& item) {
  Bytes data(item.size);
  EXPECT_TRUE(leaf.Read(item.offset, absl::MakeSpan(data)).ok());
  return data;
}

// Tells the volume what a leaf of the chunk tree has.
void AddAll(const ExtentBuffer& leaf, Volume& volume) {
  for (uint32_t slot = 0; slot < Header(leaf).item_count(); ++slot) {
    const ItemHead item = LoadItemHead(leaf, slot);
    if (item.key.type == kDevItemType) {
      const absl::StatusOr<DeviceItem> device = ParseDeviceItem(DataOf(leaf, item));
      ASSERT_TRUE(device.ok()) << device.status();
      EXPECT_EQ(volume.AddDevice(*device), absl::OkStatus());
    } else if (item.key.type == kChunkItemType) {
      const absl::StatusOr<Chunk> chunk =
          ParseChunkItem(item.key.offset, DataOf(leaf, item), volume.superblock().sector_bytes);
      ASSERT_TRUE(chunk.ok()) << chunk.status();
      EXPECT_EQ(volume.AddChunk(*chunk), absl::OkStatus());
    }
  }
}

// Reads the root of every tree that a leaf of the root tree has.
void ReadTrees(const ExtentBuffer& leaf, BufferCache& cache) {
  for (uint32_t slot = 0; slot < Header(leaf).item_count(); ++slot) {
    const ItemHead item = LoadItemHead(leaf, slot);
    if (item.key.type != kRootItemType) continue;
    const absl::StatusOr<RootItem> tree = ParseRootItem(DataOf(leaf, item));
    ASSERT_TRUE(tree.ok()) << tree.status();
    const ParentCheck check{
        .level = tree->level, .generation = tree->generation, .owner = item.key.objectid};
    const auto block = cache.ReadBlock(tree->bytenr, &check);
    EXPECT_TRUE(block.ok()) << TreeName(item.key.objectid) << ": " << block.status();
  }
}

// Reads the roots of the chunk tree and of the root tree through a cache, checked in all ways.
TEST_P(VolumeOnImage, ReadsTheRoots) {
  if (!HaveMkfs()) GTEST_SKIP() << "SKIPPED: mkfs.btrfs is not installed";
  const std::vector<std::string> paths = MakeImages(GetParam().options, GetParam().devices);
  ASSERT_EQ(paths.size(), GetParam().devices);
  std::vector<std::unique_ptr<BlockDevice>> devices;
  for (const std::string& path : paths) devices.push_back(*OpenFileDevice(path));
  std::vector<std::string> damage;
  auto opened =
      Volume::Open(std::move(devices),
                   {.on_damage = [&](const MirrorDamage& d) { damage.push_back(d.ToString()); }});
  ASSERT_TRUE(opened.ok()) << opened.status();
  Volume& volume = **opened;
  const Superblock& sb = volume.superblock();
  EXPECT_THAT(volume.superblock_warnings(), IsEmpty());
  EXPECT_THAT(volume.missing_devices(), IsEmpty());
  BufferCache cache({.node_bytes = sb.node_bytes}, &volume);

  const ParentCheck chunk_check{
      .level = sb.chunk_root_level, .generation = sb.chunk_root_generation, .owner = kChunkTreeId};
  const auto chunk_root = cache.ReadBlock(sb.chunk_root, &chunk_check);
  ASSERT_TRUE(chunk_root.ok()) << chunk_root.status();
  ASSERT_EQ(sb.chunk_root_level, 0);
  AddAll(**chunk_root, volume);
  EXPECT_GE(volume.chunks().size(), 1);
  EXPECT_THAT(volume.missing_devices(), IsEmpty());

  const ParentCheck root_check{
      .level = sb.root_level, .generation = sb.generation, .owner = kRootTreeId};
  const auto root = cache.ReadBlock(sb.root, &root_check);
  ASSERT_TRUE(root.ok()) << root.status();
  ReadTrees(**root, cache);
  EXPECT_THAT(damage, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(
    Images, VolumeOnImage,
    ::testing::Values(MkfsCase{"-n 4096", 1}, MkfsCase{"-n 65536", 1}, MkfsCase{"--csum xxhash", 1},
                      MkfsCase{"--csum sha256", 1}, MkfsCase{"--csum blake2", 1},
                      MkfsCase{"-m single", 1}, MkfsCase{"--mixed", 1},
                      MkfsCase{"-m raid0 -d raid0", 3}, MkfsCase{"-m raid1", 2},
                      MkfsCase{"-m raid1c3", 3}, MkfsCase{"-m raid1c4", 4},
                      MkfsCase{"-m raid10 -d raid10", 4}, MkfsCase{"-m raid1 -d raid5", 3}),
    [](const auto& info) {
      std::string name;
      for (const char* c = info.param.options; *c != '\0'; ++c) {
        if (std::isalnum(static_cast<unsigned char>(*c))) name.push_back(*c);
      }
      return name;
    });

}  // namespace
}  // namespace ebcache::testing
