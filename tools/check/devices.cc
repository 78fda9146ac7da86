#include "tools/check/devices.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "ebcache/items.h"

namespace ebcache::tools {
namespace {

struct Extent {
  uint64_t chunk = 0;
  uint64_t length = 0;
  friend bool operator==(const Extent&, const Extent&) = default;
};
using Extents = std::map<DevicePlace, Extent>;

uint64_t StripeLength(const Chunk& chunk) {
  const uint64_t stripes = chunk.stripes.size();
  switch (chunk.profile) {
    case RaidProfile::kRaid0:
      return chunk.length / stripes;
    case RaidProfile::kRaid10:
      return chunk.length /
             std::max<uint64_t>(1, stripes / std::max<uint64_t>(1, chunk.sub_stripes));
    case RaidProfile::kRaid5:
      return chunk.length / std::max<uint64_t>(1, stripes - 1);
    case RaidProfile::kRaid6:
      return chunk.length / std::max<uint64_t>(1, stripes - 2);
    default:
      return chunk.length;
  }
}

Extents WantedExtents(const std::vector<Chunk>& chunks) {
  Extents extents;
  for (const Chunk& chunk : chunks) {
    for (const ChunkStripe& stripe : chunk.stripes) {
      extents[{stripe.device_id, stripe.physical}] = {chunk.logical, StripeLength(chunk)};
    }
  }
  return extents;
}

std::string Words(const Extent& extent) {
  return absl::StrCat(extent.length, " bytes of chunk ", extent.chunk);
}

class DeviceCheck {
 public:
  explicit DeviceCheck(CheckState& state)
      : state_(state), chunks_(state.filesystem.volume().chunks()) {}

  void Run();

 private:
  bool LoadExtents();
  bool LoadItems();
  void CompareExtents();
  void CheckItems();
  void CheckSuperblock();
  void CheckSystemChunks();
  void Add(FindingKind kind, uint64_t tree, const Key& key, std::string found,
           std::string expected) {
    state_.findings.Add({kind, tree, key, {}, std::move(found), std::move(expected)});
  }

  CheckState& state_;
  const std::vector<Chunk> chunks_;
  Extents extents_;
  std::map<uint64_t, DeviceItem> items_;
};

bool DeviceCheck::LoadExtents() {
  const std::optional<BTree> tree = FindTree(state_, kDevTreeId);
  if (!tree) return false;
  ItemStream items(state_, tree, {});
  for (; items.valid(); items.Next()) {
    const Key& key = items.item().key();
    if (key.type != kDevExtentType) continue;
    const absl::StatusOr<DeviceExtent> extent = ParseItem<DeviceExtent>(items.item().data());
    if (!extent.ok()) continue;
    extents_[{key.objectid, key.offset}] = {extent->chunk_offset, extent->length};
  }
  return !items.gaps();
}

bool DeviceCheck::LoadItems() {
  const std::optional<BTree> tree = FindTree(state_, kChunkTreeId);
  if (!tree) return false;
  ItemStream items(state_, tree, {});
  for (; items.valid(); items.Next()) {
    if (items.item().key().type != kDevItemType) continue;
    const absl::StatusOr<DeviceItem> item = ParseItem<DeviceItem>(items.item().data());
    if (item.ok()) items_[items.item().key().offset] = *item;
  }
  return !items.gaps();
}

void DeviceCheck::CompareExtents() {
  const Extents wanted = WantedExtents(chunks_);
  const auto key = [](const DevicePlace& place) {
    return Key{place.device_id, kDevExtentType, place.offset};
  };
  for (const auto& [place, extent] : wanted) {
    const auto found = extents_.find(place);
    if (found != extents_.end() && found->second == extent) continue;
    Add(FindingKind::kDeviceExtentMissing, kDevTreeId, key(place),
        found == extents_.end() ? "" : Words(found->second), Words(extent));
  }
  DevicePlace before;
  uint64_t end = 0;
  for (const auto& [place, extent] : extents_) {
    if (!wanted.contains(place)) {
      Add(FindingKind::kDeviceExtentSurplus, kDevTreeId, key(place), Words(extent), "");
    }
    if (place.device_id == before.device_id && place.offset < end) {
      Add(FindingKind::kDeviceExtentOverlap, kDevTreeId, key(place),
          absl::StrCat("the one before it ends at ", end), "");
    }
    before = place;
    end = place.offset + extent.length;
  }
}

void DeviceCheck::CheckItems() {
  std::map<uint64_t, uint64_t> used;
  std::map<uint64_t, uint64_t> ends;
  for (const auto& [place, extent] : extents_) {
    used[place.device_id] += extent.length;
    ends[place.device_id] = std::max(ends[place.device_id], place.offset + extent.length);
  }
  for (const auto& [id, item] : items_) {
    const Key key{1, kDevItemType, id};
    if (item.bytes_used != used[id]) {
      Add(FindingKind::kDeviceBytesUsed, kChunkTreeId, key, absl::StrCat(item.bytes_used),
          absl::StrCat(used[id]));
    }
    if (item.total_bytes < ends[id]) {
      Add(FindingKind::kDeviceItem, kChunkTreeId, key,
          absl::StrCat("total bytes ", item.total_bytes), absl::StrCat("at least ", ends[id]));
    }
  }
  for (const auto& [id, end] : ends) {
    if (items_.contains(id)) continue;
    Add(FindingKind::kDeviceItem, kChunkTreeId, {1, kDevItemType, id}, "", "a device item");
  }
  for (const DeviceItem& own : state_.filesystem.volume().devices()) {
    const auto found = items_.find(own.id);
    // A seed's superblock is its own filesystem's.
    if (own.fsid != state_.superblock.header_fsid() && own.fsid != state_.superblock.fsid) continue;
    if (found == items_.end()) continue;
    if (found->second.bytes_used == own.bytes_used && found->second.uuid == own.uuid &&
        found->second.total_bytes == own.total_bytes) {
      continue;
    }
    Add(FindingKind::kDeviceItem, kChunkTreeId, {1, kDevItemType, own.id},
        absl::StrCat("used ", found->second.bytes_used, ", total ", found->second.total_bytes,
                     ", uuid ", UuidString(found->second.uuid)),
        absl::StrCat("as its superblock: used ", own.bytes_used, ", total ", own.total_bytes,
                     ", uuid ", UuidString(own.uuid)));
  }
}

void DeviceCheck::CheckSuperblock() {
  uint64_t total = 0;
  for (const auto& [id, item] : items_) total += item.total_bytes;
  const Superblock& superblock = state_.superblock;
  if (superblock.num_devices == items_.size() && superblock.total_bytes == total) return;
  state_.findings.Add(
      {FindingKind::kSuperblockDevices,
       {},
       {},
       {},
       absl::StrCat(superblock.num_devices, " devices, ", superblock.total_bytes, " bytes"),
       absl::StrCat(items_.size(), " devices, ", total, " bytes")});
}

void DeviceCheck::CheckSystemChunks() {
  std::map<uint64_t, ChunkItem> listed;
  ItemRecords<SystemChunk> records(state_.superblock.system_chunk_array);
  while (const std::optional<SystemChunk> record = records.Next()) {
    listed[record->key.offset] = record->chunk;
  }
  for (const Chunk& chunk : chunks_) {
    const Key key{kFirstChunkTreeObjectId, kChunkItemType, chunk.logical};
    const auto found = listed.find(chunk.logical);
    const bool system = (chunk.type & kBlockGroupSystem) != 0;
    if (found == listed.end()) {
      if (system) Add(FindingKind::kSystemChunk, kChunkTreeId, key, "", "in the superblock");
      continue;
    }
    const ChunkItem item = ItemOf(chunk);
    if (!system || found->second.length != item.length || found->second.stripes != item.stripes) {
      Add(FindingKind::kSystemChunk, kChunkTreeId, key, "another chunk in the superblock",
          "the same, of type system");
    }
  }
}

void DeviceCheck::Run() {
  const bool extents = LoadExtents();
  const bool items = LoadItems();
  if (extents && items && state_.filesystem.open_damage().empty()) {
    CompareExtents();
    CheckItems();
  }
  if (items) CheckSuperblock();
  CheckSystemChunks();
}

}  // namespace

void CheckDevices(CheckState& state) { DeviceCheck(state).Run(); }

}  // namespace ebcache::tools
