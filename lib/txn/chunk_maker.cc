#include "lib/txn/chunk_maker.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "ebcache/item_codec.h"
#include "ebcache/items_device.h"
#include "ebcache/items_space.h"
#include "lib/base/messages.h"
#include "lib/format/raid_profile.h"
#include "lib/space/free_space_tree.h"
#include "lib/space/superblock_stripes.h"

namespace ebcache::txn {
namespace {

// Objectid of DEV_ITEMs.
constexpr uint64_t kDeviceItemsObjectId = 1;

}  // namespace

ChunkMaker::ChunkMaker(TransactionTrees* trees, BlockSpace* space, Volume* volume,
                       const SpaceForm* form, const Uuid& chunk_tree_uuid, Superblock* superblock)
    : trees_(*trees),
      space_(*space),
      volume_(*volume),
      form_(*form),
      chunk_tree_uuid_(chunk_tree_uuid),
      superblock_(*superblock),
      devices_(volume->devices()) {}

absl::Status ChunkMaker::CheckProfile(uint64_t type, RaidProfile profile) const {
  if ((type & ~kBlockGroupTypeMask) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("no type of chunks: ", type));
  }
  if ((type & kBlockGroupSystem) != 0 && type != kBlockGroupSystem) {
    return absl::InvalidArgumentError("a chunk of system blocks has no others");
  }
  const bool mixed = (type & kBlockGroupData) != 0 && (type & kBlockGroupMetadata) != 0;
  if (mixed && !superblock_.has(IncompatFlag::kMixedGroups)) {
    return absl::InvalidArgumentError("this filesystem has no mixed block groups");
  }
  const bool three_or_four = profile == RaidProfile::kRaid1c3 || profile == RaidProfile::kRaid1c4;
  if (three_or_four && !superblock_.has(IncompatFlag::kRaid1c34)) {
    return absl::InvalidArgumentError("this filesystem has no chunks of three or four copies");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<space::DeviceSpace>> ChunkMaker::FreeOnDevices() {
  absl::StatusOr<CowTree> tree = trees_.Open(kDevTreeId);
  if (!tree.ok()) return tree.status();
  const BTree extents = tree->Reader();
  std::vector<space::DeviceSpace> devices;
  for (const DeviceItem& item : devices_) {
    space::DeviceSpace& device = devices.emplace_back();
    device.id = item.id;
    device.uuid = item.uuid;
    device.total_bytes = item.total_bytes;
    ItemRange items = extents.Items(
        {.from = {item.id, kDevExtentType, 0}, .to = {item.id, kDevExtentType, kMaxKey.offset}});
    for (const Item& taken : items) {
      const absl::StatusOr<DeviceExtent> extent = ParseItem<DeviceExtent>(taken.data());
      absl::Status status = extent.status();
      if (status.ok()) status = device.taken.Add({taken.key().offset, extent->length});
      if (!status.ok()) return Prefixed(taken.key().ToString(), status);
    }
    if (!items.status().ok()) return items.status();
  }
  return devices;
}

absl::StatusOr<Chunk> ChunkMaker::Make(uint64_t type, RaidProfile profile, uint64_t most_bytes) {
  if (absl::Status status = CheckProfile(type, profile); !status.ok()) return status;
  const absl::StatusOr<std::vector<space::DeviceSpace>> devices = FreeOnDevices();
  if (!devices.ok()) return devices.status();
  uint64_t logical = 0;
  for (const auto& [start, group] : space_.groups()) logical = std::max(logical, group.range.end());
  const absl::StatusOr<Chunk> chunk =
      space::PlanChunk(*devices, {.logical = logical,
                                  .type = type,
                                  .profile = profile,
                                  .sector_bytes = form_.sector_bytes,
                                  .most_bytes = most_bytes});
  if (!chunk.ok()) return chunk.status();
  std::vector<std::byte> item;
  if (absl::Status status = AppendItem(ItemOf(*chunk), item); !status.ok()) return status;
  std::vector<std::byte> system_chunks = superblock_.system_chunk_array;
  if ((type & kBlockGroupSystem) != 0) {
    const Key key{kFirstChunkTreeObjectId, kChunkItemType, logical};
    absl::Status status = AppendItem(SystemChunk{key, ItemOf(*chunk)}, system_chunks);
    if (!status.ok()) return status;
    if (system_chunks.size() > kSystemChunkArrayBytes) {
      return WithNumber(
          absl::ResourceExhaustedError("superblocks have no room for another system chunk"),
          ENOSPC);
    }
  }
  // What takes memory at the end comes first: once the volume has the chunk it must be in this list,
  // and what was made must be told of.
  absl::StatusOr<Chunk> result = *chunk;
  made_.reserve(made_.size() + 1);
  if (absl::Status status = volume_.AddChunk(*chunk); !status.ok()) return status;
  made_.push_back(logical);
  half_made_ = true;
  superblock_.system_chunk_array = std::move(system_chunks);
  absl::Status status = AddDeviceExtents(*chunk);
  if (status.ok()) status = AddChunkItem(*chunk, item);
  if (status.ok()) status = AddBlockGroup(*chunk);
  if (!status.ok()) {
    // It was begun: what is half told must not be committed.
    return absl::InternalError(absl::StrCat("making a chunk at ", logical, ": ", status.message()));
  }
  half_made_ = false;
  return result;
}

absl::Status ChunkMaker::AddDeviceExtents(const Chunk& chunk) {
  absl::StatusOr<CowTree> tree = trees_.Open(kDevTreeId);
  if (!tree.ok()) return tree.status();
  const DeviceExtent extent{.chunk_offset = chunk.logical,
                            .length = space::StripeBytesOf(chunk),
                            .chunk_tree_uuid = chunk_tree_uuid_};
  std::vector<std::byte> data;
  if (absl::Status status = AppendItem(extent, data); !status.ok()) return status;
  for (const ChunkStripe& stripe : chunk.stripes) {
    absl::Status status = tree->Insert({stripe.device_id, kDevExtentType, stripe.physical}, data);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status ChunkMaker::AddChunkItem(const Chunk& chunk, const std::vector<std::byte>& item) {
  absl::StatusOr<TreeStore> tree = trees_.Store(kChunkTreeId);
  if (!tree.ok()) return tree.status();
  absl::Status status =
      tree->Insert({kFirstChunkTreeObjectId, kChunkItemType, chunk.logical}, item);
  if (!status.ok()) return status;
  const uint64_t stripe_bytes = space::StripeBytesOf(chunk);
  for (DeviceItem& device : devices_) {
    const auto stripes =
        std::count_if(chunk.stripes.begin(), chunk.stripes.end(),
                      [&](const ChunkStripe& stripe) { return stripe.device_id == device.id; });
    if (stripes == 0) continue;
    // The chunk tree's item has fields that a superblock's may have older; what is taken is its own.
    const Key key{kDeviceItemsObjectId, kDevItemType, device.id};
    const absl::StatusOr<std::optional<space::StoredItem>> stored = tree->Find(key);
    if (!stored.ok()) return stored.status();
    if (!stored->has_value()) {
      return absl::DataLossError(absl::StrCat("there is no item ", key.ToString()));
    }
    absl::StatusOr<DeviceItem> in_tree = ParseItem<DeviceItem>((*stored)->data);
    if (!in_tree.ok()) return in_tree.status();
    in_tree->bytes_used += stripe_bytes * static_cast<uint64_t>(stripes);
    device.bytes_used = in_tree->bytes_used;
    std::vector<std::byte> data;
    status = AppendItem(*in_tree, data);
    if (status.ok()) status = tree->Replace(key, data);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status ChunkMaker::AddBlockGroup(const Chunk& chunk) {
  BlockGroup group{.range = {chunk.logical, chunk.length}, .flags = chunk.type};
  absl::StatusOr<TreeStore> groups = trees_.Store(form_.block_group_tree_id());
  if (!groups.ok()) return groups.status();
  std::vector<std::byte> data;
  absl::Status status = AppendItem(BlockGroupItem{.flags = chunk.type}, data);
  if (status.ok()) {
    status = groups->Insert({chunk.logical, kBlockGroupItemType, chunk.length}, data);
  }
  if (!status.ok()) return status;
  if (form_.free_space_tree) {
    absl::StatusOr<TreeStore> store = trees_.Store(kFreeSpaceTreeId);
    if (!store.ok()) return store.status();
    status = space::FreeSpaceTree(&*store, group.range, form_.sector_bytes).Create();
    if (!status.ok()) return status;
  }
  if (group.holds_blocks()) {
    group.free.Unite(group.range);
    const absl::StatusOr<std::vector<space::Range>> reserved = space::SuperblockStripes(chunk);
    if (!reserved.ok()) return reserved.status();
    for (const space::Range& range : *reserved) group.free.Subtract(range);
  }
  return space_.AddGroup(std::move(group));
}

absl::Status ChunkMaker::KeepReserve(uint64_t reserve_bytes, uint64_t system_reserve_bytes) {
  // First what the chunk tree needs to be told of a chunk of any kind.
  absl::Status status = KeepReserveOf(true, system_reserve_bytes);
  return status.ok() ? KeepReserveOf(false, reserve_bytes) : status;
}

absl::Status ChunkMaker::KeepReserveOf(bool system, uint64_t reserve_bytes) {
  bool& no_room = no_room_[system ? 1 : 0];
  if (no_room || space_.FreeBytes(system) >= reserve_bytes) return absl::OkStatus();
  const BlockGroup* last = nullptr;
  for (const auto& [start, group] : space_.groups()) {
    if (group.holds_blocks() && group.system() == system) last = &group;
  }
  if (last == nullptr) return absl::OkStatus();
  const absl::StatusOr<RaidProfile> profile = ProfileOfType(last->flags);
  if (!profile.ok()) return profile.status();
  const absl::Status made = Make(last->flags & kBlockGroupTypeMask, *profile, 0).status();
  // A profile that cannot be made here, as of a filesystem without its feature, is no error either.
  no_room = absl::IsResourceExhausted(made) || absl::IsInvalidArgument(made) ||
            absl::IsUnimplemented(made);
  return no_room ? absl::OkStatus() : made;
}

void ChunkMaker::TakeBytesUsed() {
  absl::StatusOr<TreeStore> tree = trees_.Store(kChunkTreeId);
  if (!tree.ok()) return;
  for (DeviceItem& device : devices_) {
    const auto stored = tree->Find({kDeviceItemsObjectId, kDevItemType, device.id});
    if (!stored.ok() || !stored->has_value()) continue;
    const absl::StatusOr<DeviceItem> in_tree = ParseItem<DeviceItem>((*stored)->data);
    if (in_tree.ok() && in_tree->uuid == device.uuid) device.bytes_used = in_tree->bytes_used;
  }
}

void ChunkMaker::GiveUp() {
  for (const uint64_t logical : made_) {
    // It is there: it was added.
    (void)volume_.RemoveChunk(logical);
  }
  made_.clear();
}

}  // namespace ebcache::txn
