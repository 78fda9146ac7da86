#include "tests/fuzz/small_image.h"

#include <absl/strings/str_cat.h>

#include <string>
#include <utility>

#include "ebcache/on_disk.h"
#include "tests/format/item_bytes.h"

namespace ebcache::fuzz {
namespace {

using testing::Bytes;
using testing::ItemBytes;
using testing::LeafItem;

constexpr uint64_t kMiB = 1 << 20;
// The one chunk for everything: system, so that the array in the superblock has it.
constexpr uint64_t kChunkLogical = 4 * kMiB;
constexpr uint64_t kChunkBytes = 4 * kMiB;
constexpr uint64_t kGeneration = 7;
constexpr uint64_t kDataChecksums = static_cast<uint64_t>(-10);

Chunk TheChunk() {
  Chunk chunk = testing::SoundChunk(RaidProfile::kDup, kChunkLogical, kChunkBytes);
  chunk.stripes[1].physical = chunk.stripes[0].physical + kChunkBytes;
  return chunk;
}

class Builder {
 public:
  uint64_t Leaf(uint64_t tree, const std::vector<LeafItem>& items, uint64_t generation = 7) {
    const uint64_t logical = NextLogical();
    return Add(logical, testing::LeafBytes(Shape(logical, tree, 0, generation), items));
  }
  uint64_t Node(uint64_t tree, uint8_t level, const std::vector<std::pair<Key, uint64_t>>& below) {
    const uint64_t logical = NextLogical();
    std::vector<KeyPointer> pointers;
    for (const auto& [key, child] : below) pointers.push_back({key, child, kGeneration});
    return Add(logical, testing::NodeBytes(Shape(logical, tree, level, kGeneration), pointers));
  }
  std::vector<ImageBlock> Finish(const Superblock& superblock) {
    const uint64_t at = kSuperblockOffsets[0];
    blocks_.insert(blocks_.begin(), {at, {at, at}, testing::SuperblockBytes(superblock, at)});
    return std::move(blocks_);
  }

 private:
  static testing::BlockShape Shape(uint64_t logical, uint64_t tree, uint8_t level,
                                   uint64_t generation) {
    return {.node_bytes = kImageNodeBytes,
            .bytenr = logical,
            .generation = generation,
            .owner = tree,
            .level = level};
  }
  uint64_t NextLogical() const { return kChunkLogical + blocks_.size() * kImageNodeBytes; }
  uint64_t Add(uint64_t logical, Bytes bytes) {
    const Chunk chunk = TheChunk();
    const uint64_t offset = logical - kChunkLogical;
    blocks_.push_back({logical,
                       {chunk.stripes[0].physical + offset, chunk.stripes[1].physical + offset},
                       std::move(bytes)});
    return logical;
  }

  std::vector<ImageBlock> blocks_;
};

std::string StringOf(const Bytes& bytes) {
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

ItemBytes Root(uint64_t bytenr, uint8_t level = 0, uint64_t generation = kGeneration) {
  return testing::RootItemOf(bytenr).Put<uint64_t>(160, generation).Put<uint8_t>(238, level);
}

// A file of a few bytes, with all that belongs to it.
void AddFile(std::vector<LeafItem>& items, uint64_t inode) {
  const std::string name = absl::StrCat("file", inode);
  items.push_back({{inode, kInodeItemType, 0}, testing::InodeItem()});
  items.push_back({{inode, kInodeRefType, 256}, testing::InodeRef(name)});
  items.push_back({{inode, kXattrItemType, testing::HashOf("user.x")},
                   testing::DirectoryEntry("user.x", 8, "value")});
  items.push_back({{inode, kExtentDataType, 0},
                   inode % 2 == 0 ? std::string(testing::InlineExtent("text"))
                                  : std::string(testing::FileExtent())});
}

// Three levels.
uint64_t BuildFileTree(Builder& builder) {
  std::vector<std::pair<Key, uint64_t>> nodes;
  for (uint64_t n = 0; n < 2; ++n) {
    std::vector<std::pair<Key, uint64_t>> leaves;
    for (uint64_t l = 0; l < 2; ++l) {
      std::vector<LeafItem> items;
      const uint64_t first = 256 + n * 20 + l * 10;
      if (first == 256) {
        items = {
            {{256, kInodeItemType, 0}, testing::InodeItem(040755)},
            {{256, kInodeRefType, 256}, testing::InodeRef("..")},
            {{256, kDirItemType, testing::HashOf("file257")}, testing::DirectoryEntry("file257")},
            {{256, kDirIndexType, 2}, testing::DirectoryEntry("file257")}};
      }
      for (uint64_t inode = first + (first == 256); inode < first + 4; ++inode) {
        AddFile(items, inode);
      }
      leaves.push_back({items[0].key, builder.Leaf(kFsTreeId, items)});
    }
    nodes.push_back({leaves[0].first, builder.Node(kFsTreeId, 1, leaves)});
  }
  return builder.Node(kFsTreeId, 2, nodes);
}

uint64_t BuildExtentTree(Builder& builder) {
  return builder.Leaf(
      kExtentTreeId,
      {{{kMiB, kExtentItemType, 16384},
        std::string(testing::ExtentHeader(3, 1)) + std::string(testing::DataRef(2)) +
            std::string(testing::SharedDataRef(kMiB, 1))},
       {{kChunkLogical, kMetadataItemType, 0},
        std::string(testing::ExtentHeader(1, 2)) + std::string(testing::TreeBlockRef())},
       {{kChunkLogical, kBlockGroupItemType, kChunkBytes},
        testing::BlockGroup(4096, kBlockGroupSystem | 1 << 5)}});
}

std::vector<ImageBlock> Build() {
  Builder builder;
  const Chunk chunk = TheChunk();
  Superblock sb = testing::SoundSuperblock();
  sb.node_bytes = kImageNodeBytes;
  sb.total_bytes = sb.device.total_bytes = kImageDeviceBytes;
  sb.chunk_root_generation = kGeneration;
  sb.chunk_root = builder.Leaf(
      kChunkTreeId,
      {{{1, kDevItemType, 1},
        testing::DeviceItemOf(1).Put<uint64_t>(8, kImageDeviceBytes).Put<uint64_t>(16, 8 * kMiB)},
       {{kFirstChunkTreeObjectId, kChunkItemType, kChunkLogical},
        StringOf(testing::ChunkItemOf(chunk))}});
  const uint64_t extents = BuildExtentTree(builder);
  const uint64_t devices =
      builder.Leaf(kDevTreeId, {{{0, kPersistentItemType, 1}, std::string(40, '\0')},
                                {{1, kDevExtentType, kMiB}, testing::DeviceExtent(kChunkBytes)}});
  const uint64_t files = BuildFileTree(builder);
  const uint64_t checksums =
      builder.Leaf(kCsumTreeId, {{{kDataChecksums, kExtentCsumType, kMiB}, std::string(16, 'c')}});
  const uint64_t log =
      builder.Leaf(kTreeLogId, {{{257, kInodeItemType, 0}, testing::InodeItem()}}, kGeneration + 1);
  sb.log_root = builder.Leaf(
      kTreeLogId, {{{kTreeLogId, kRootItemType, kFsTreeId}, Root(log, 0, kGeneration + 1)}},
      kGeneration + 1);
  sb.root = builder.Leaf(kRootTreeId, {{{kExtentTreeId, kRootItemType, 0}, Root(extents)},
                                       {{kDevTreeId, kRootItemType, 0}, Root(devices)},
                                       {{kFsTreeId, kRootItemType, 0}, Root(files, 2)},
                                       {{kCsumTreeId, kRootItemType, 0}, Root(checksums)}});
  sb.system_chunk_array = testing::SystemChunkArrayOf({chunk});
  return builder.Finish(sb);
}

}  // namespace

const std::vector<ImageBlock>& SmallImage() {
  static const auto* const image = new std::vector<ImageBlock>(Build());
  return *image;
}

}  // namespace ebcache::fuzz
