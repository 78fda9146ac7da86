// Opening a filesystem: devices, superblocks, cache, chunks.

#include "ebcache/filesystem.h"

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/string_view.h>
#include <absl/types/span.h>
#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ebcache/block_device.h"
#include "ebcache/btree.h"
#include "ebcache/buffer_cache.h"
#include "ebcache/on_disk.h"
#include "ebcache/volume.h"
#include "lib/base/status_number.h"
#include "lib/fs/tree_roots.h"

namespace ebcache {
namespace {

// Gives a volume what the chunk tree tells of devices and chunks.
class ChunkTreeLoader : public TreeVisitor {
 public:
  ChunkTreeLoader(Volume& volume, std::vector<WalkDamage>& damage)
      : volume_(volume), sector_bytes_(volume.superblock().sector_bytes), damage_(damage) {}

  bool VisitBlock(const TreeRoot& tree, const ExtentBuffer& block) override {
    if (Header(block).level() > 0) return true;
    ForEachItemOfType(block, kDevItemType, [&](const Key& key, absl::Span<const std::byte> data) {
      absl::StatusOr<DeviceItem> device = ParseDeviceItem(data);
      Note(tree, block, key, device.ok() ? volume_.AddDevice(*device) : device.status());
    });
    ForEachItemOfType(block, kChunkItemType, [&](const Key& key, absl::Span<const std::byte> data) {
      absl::StatusOr<Chunk> chunk = ParseChunkItem(key.offset, data, sector_bytes_);
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
  const uint32_t sector_bytes_;
  std::vector<WalkDamage>& damage_;
};

// Data may lie anywhere; blocks that nothing here can map are a feature of the filesystem.
absl::Status CheckMetadataProfiles(const Volume& volume) {
  for (const Chunk& chunk : volume.chunks()) {
    const bool parity =
        chunk.profile == RaidProfile::kRaid5 || chunk.profile == RaidProfile::kRaid6;
    if (!parity || (chunk.type & (kBlockGroupMetadata | kBlockGroupSystem)) == 0) continue;
    const std::string_view name = RaidProfileName(chunk.profile);
    return absl::UnimplementedError(
        absl::StrCat(volume.superblock_copy().device,
                     ": uses features that cannot be read: metadata in chunks of profile ",
                     absl::string_view(name.data(), name.size())));
  }
  return absl::OkStatus();
}

// Two names of one file or block device would be told as two devices that claim the same place.
absl::Status CheckDifferent(const std::vector<std::string>& paths) {
  std::map<std::pair<dev_t, ino_t>, std::string> seen;
  for (const std::string& path : paths) {
    struct stat info;
    if (stat(path.c_str(), &info) != 0) continue;  // opening it will say why
    const std::pair<dev_t, ino_t> device = S_ISBLK(info.st_mode)
                                               ? std::pair<dev_t, ino_t>(info.st_rdev, 0)
                                               : std::pair<dev_t, ino_t>(info.st_dev, info.st_ino);
    const auto [first, is_new] = seen.emplace(device, path);
    if (is_new) continue;
    return absl::InvalidArgumentError(
        first->second == path ? absl::StrCat(path, " is given twice")
                              : absl::StrCat(first->second, " and ", path, " are the same device"));
  }
  return absl::OkStatus();
}

absl::Status StatusOf(const WalkDamage& damage) {
  return Reworded(damage.status, damage.ToString());
}

}  // namespace

absl::StatusOr<std::unique_ptr<Filesystem>> Filesystem::Open(const std::vector<std::string>& paths,
                                                             FilesystemOptions options) {
  if (absl::Status status = CheckDifferent(paths); !status.ok()) return status;
  if (options.writable) options.device.writable = true;
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
      Volume::Open(std::move(devices),
                   {.writable = options.writable, .on_damage = std::move(options.on_damage)});
  if (!volume.ok()) return volume.status();

  std::unique_ptr<Filesystem> filesystem(new Filesystem());
  filesystem->writable_ = options.writable;
  filesystem->volume_ = *std::move(volume);
  if (absl::Status status = filesystem->OpenRoots(options); !status.ok()) return status;
  if (absl::Status status = CheckMetadataProfiles(*filesystem->volume_); !status.ok()) {
    return status;
  }
  if (filesystem->open_damage_.empty()) {
    absl::Status status = filesystem->volume_->CheckSeedsAreNamed();
    if (!status.ok()) return status;
  }
  return filesystem;
}

Filesystem::~Filesystem() = default;

// The first superblock whose roots can be read is the one to go by; where there is none the first
// of all, by which at least something may be had. Memory that is out ends the search: of roots that
// were not read for want of it nothing is known, and another superblock must not be taken for them.
absl::Status Filesystem::OpenRoots(const FilesystemOptions& options) {
  const size_t candidates = volume_->superblock_candidates();
  absl::Status why;
  std::vector<WalkDamage> first_damage;
  for (size_t candidate = 0; candidate < candidates; ++candidate) {
    const absl::Status loaded =
        candidate == 0 ? LoadAll(options) : UseSuperblock(candidate, why, options);
    if (!loaded.ok()) {
      if (candidate == 0 || absl::IsResourceExhausted(loaded)) return loaded;
      continue;
    }
    const std::optional<WalkDamage> damage = RootDamage();
    if (damage && absl::IsResourceExhausted(damage->status)) return StatusOf(*damage);
    if (!damage) {
      open_damage_.insert(open_damage_.begin(), first_damage.begin(), first_damage.end());
      return absl::OkStatus();
    }
    if (candidate > 0) continue;
    if (!IsDamage(*damage)) return absl::OkStatus();
    why = absl::Status(damage->status.code(), damage->ToString());
    first_damage.push_back(*damage);
  }
  return candidates == 1 ? absl::OkStatus() : UseSuperblock(0, absl::OkStatus(), options);
}

absl::Status Filesystem::UseSuperblock(size_t candidate, const absl::Status& why,
                                       const FilesystemOptions& options) {
  cache_.reset();  // before the volume that it reads from forgets its chunks
  absl::Status status = volume_->UseSuperblock(candidate, why);
  return status.ok() ? LoadAll(options) : status;
}

absl::Status Filesystem::LoadAll(const FilesystemOptions& options) {
  BufferCacheOptions cache = options.cache;
  cache.node_bytes = superblock().node_bytes;
  if (cache.allocator == nullptr && options.make_allocator) {
    cache.allocator = options.make_allocator(cache.node_bytes);
  }
  cache_ = std::make_unique<BufferCache>(std::move(cache), volume_.get());
  open_damage_.clear();
  if (absl::Status status = cache_->status(); !status.ok()) return status;
  LoadChunks();
  // What was not read for want of memory would be missed for as long as the filesystem is open.
  for (const WalkDamage& damage : open_damage_) {
    if (absl::IsResourceExhausted(damage.status)) return StatusOf(damage);
  }
  return absl::OkStatus();
}

// Whether a block may be better by another superblock: not for want of devices or code.
bool Filesystem::IsDamage(const WalkDamage& damage) const {
  return !volume_->OnMissingDevices(damage.logical) && !absl::IsUnimplemented(damage.status);
}

// What is wrong with the root of the chunk tree or the root tree.
std::optional<WalkDamage> Filesystem::RootDamage() {
  for (const TreeRoot& root : {ChunkTreeRoot(superblock()), RootTreeRoot(superblock())}) {
    const ParentCheck check{
        .level = root.level, .generation = root.generation, .owner = root.id, .first_key = {}};
    const absl::Status status = cache_->ReadBlock(root.bytenr, &check).status();
    if (status.ok()) continue;
    return WalkDamage{
        .tree = root.id, .level = root.level, .logical = root.bytenr, .status = status};
  }
  return std::nullopt;
}

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
