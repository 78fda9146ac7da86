// Opening a filesystem: devices, superblocks, cache, chunks.

#include "ebcache/filesystem.h"

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>
#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ebcache/block_device.h"
#include "ebcache/btree.h"
#include "ebcache/buffer_cache.h"
#include "ebcache/on_disk.h"
#include "ebcache/volume.h"
#include "lib/btree/leaf_items.h"
#include "lib/btree/tree_roots.h"

namespace ebcache {
namespace {

// Gives a volume what the chunk tree tells of devices and chunks.
class ChunkTreeLoader : public TreeVisitor {
 public:
  ChunkTreeLoader(Volume& volume, std::vector<WalkDamage>& damage)
      : volume_(volume), damage_(damage) {}

  bool VisitBlock(const TreeRoot& tree, const ExtentBuffer& block) override {
    if (Header(block).level() > 0) return true;
    ForEachItemOfType(block, kDevItemType, [&](const Key& key, absl::Span<const std::byte> data) {
      absl::StatusOr<DeviceItem> device = ParseDeviceItem(data);
      Note(tree, block, key, device.ok() ? volume_.AddDevice(*device) : device.status());
    });
    const uint32_t sector_bytes = volume_.superblock().sector_bytes;
    ForEachItemOfType(block, kChunkItemType, [&](const Key& key, absl::Span<const std::byte> data) {
      absl::StatusOr<Chunk> chunk = ParseChunkItem(key.offset, data, sector_bytes);
      Note(tree, block, key, chunk.ok() ? volume_.AddChunk(*std::move(chunk)) : chunk.status());
    });
    return true;
  }

  void VisitDamage(const WalkDamage& damage) override { damage_.push_back(damage); }

 private:
  void Note(const TreeRoot& tree, const ExtentBuffer& leaf, const Key& key,
            const absl::Status& status) {
    if (!status.ok()) damage_.push_back(ItemDamage(tree, leaf, key, status));
  }

  Volume& volume_;
  std::vector<WalkDamage>& damage_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Filesystem>> Filesystem::Open(const std::vector<std::string>& paths,
                                                             FilesystemOptions options) {
  std::vector<std::unique_ptr<BlockDevice>> devices;
  for (const std::string& path : paths) {
    absl::StatusOr<std::unique_ptr<BlockDevice>> device = OpenFileDevice(path, options.device);
    if (!device.ok()) return device.status();
    devices.push_back(*std::move(device));
  }
  return OpenDevices(std::move(devices), std::move(options));
}

absl::StatusOr<std::unique_ptr<Filesystem>> Filesystem::OpenDevices(
    std::vector<std::unique_ptr<BlockDevice>> devices, FilesystemOptions options) {
  if (devices.empty()) return absl::InvalidArgumentError("a filesystem needs at least one device");
  absl::StatusOr<std::unique_ptr<Volume>> volume =
      Volume::Open(std::move(devices), {.on_damage = std::move(options.on_damage)});
  if (!volume.ok()) return volume.status();

  std::unique_ptr<Filesystem> filesystem(new Filesystem());
  filesystem->volume_ = *std::move(volume);
  options.cache.node_bytes = filesystem->superblock().node_bytes;
  filesystem->cache_ =
      std::make_unique<BufferCache>(std::move(options.cache), filesystem->volume_.get());
  filesystem->LoadChunks();
  return filesystem;
}

Filesystem::~Filesystem() = default;

// The system chunks, which are in the superblock, are enough to read this tree; all others are in
// it. What cannot be read of it leaves parts of the address space without a place.
void Filesystem::LoadChunks() {
  ChunkTreeLoader loader(*volume_, open_damage_);
  WalkTree(*cache_, ChunkTreeRoot(superblock()), loader);
  for (const WalkDamage& damage : open_damage_) {
    if (volume_->OnMissingDevices(damage.logical)) volume_->NoteMissingChunks(damage.status);
  }
}

absl::StatusOr<ExtentBufferRef> Filesystem::ReadTreeBlock(uint64_t logical,
                                                          const ParentCheck& check) {
  return cache_->ReadBlock(logical, &check);
}

}  // namespace ebcache
