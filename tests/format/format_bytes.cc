#include "tests/format/format_bytes.h"

#include <algorithm>

#include "lib/format/checksum.h"
#include "lib/format/raid_profile.h"

namespace ebcache::testing {
namespace {

Bytes BlockWithHeader(const BlockShape& shape, uint32_t count) {
  Bytes block(shape.node_bytes);
  PutUuid(block, 32, shape.fsid);
  Put<uint64_t>(block, 48, shape.bytenr);
  Put<uint64_t>(block, 56, uint64_t{1} << 56 | 1);  // mixed backrefs, written
  Put<uint64_t>(block, 80, shape.generation);
  Put<uint64_t>(block, 88, shape.owner);
  Put<uint32_t>(block, 96, count);
  Put<uint8_t>(block, 100, shape.level);
  return block;
}

void PutDeviceItem(Bytes& bytes, size_t at, const DeviceItem& device) {
  Put<uint64_t>(bytes, at, device.id);
  Put<uint64_t>(bytes, at + 8, device.total_bytes);
  PutUuid(bytes, at + 66, device.uuid);
  PutUuid(bytes, at + 82, device.fsid);
}

}  // namespace

void PutUuid(Bytes& bytes, size_t offset, const Uuid& uuid) {
  std::copy(uuid.begin(), uuid.end(), bytes.begin() + offset);
}

void PutKey(Bytes& bytes, size_t offset, const Key& key) {
  Put<uint64_t>(bytes, offset, key.objectid);
  Put<uint8_t>(bytes, offset + 8, key.type);
  Put<uint64_t>(bytes, offset + 9, key.offset);
}

Uuid UuidOf(uint8_t digit) {
  Uuid uuid;
  uuid.fill(std::byte{digit});
  return uuid;
}

Uuid DeviceUuid(uint64_t id) { return UuidOf(static_cast<uint8_t>(0xd0 + id)); }

void Seal(Bytes& block, ChecksumType type) {
  const Checksum checksum = *ComputeBlockChecksum(type, {absl::MakeConstSpan(block)});
  std::copy(checksum.begin(), checksum.end(), block.begin());
}

Superblock SoundSuperblock() {
  Superblock sb;
  sb.fsid = UuidOf(0x11);
  sb.flags = 1;
  sb.generation = 7;
  sb.root = 30408704;
  sb.chunk_root = 22020096;
  sb.total_bytes = uint64_t{256} << 20;
  sb.bytes_used = 131072;
  sb.num_devices = 1;
  sb.sector_bytes = 4096;
  sb.node_bytes = 16384;
  sb.chunk_root_generation = 6;
  sb.incompat_flags = 0x341;
  sb.device = {
      .id = 1, .total_bytes = uint64_t{256} << 20, .uuid = DeviceUuid(1), .fsid = UuidOf(0x11)};
  sb.label = "sound";
  sb.system_chunk_array =
      SystemChunkArrayOf({SoundChunk(RaidProfile::kSingle, 22020096, uint64_t{8} << 20)});
  return sb;
}

Bytes SuperblockBytes(const Superblock& sb, uint64_t physical) {
  Bytes bytes(kSuperblockBytes);
  PutUuid(bytes, 32, sb.fsid);
  Put<uint64_t>(bytes, 48, physical);
  Put<uint64_t>(bytes, 56, sb.flags);
  std::memcpy(&bytes[64], "_BHRfS_M", 8);
  Put<uint64_t>(bytes, 72, sb.generation);
  Put<uint64_t>(bytes, 80, sb.root);
  Put<uint64_t>(bytes, 88, sb.chunk_root);
  Put<uint64_t>(bytes, 96, sb.log_root);
  Put<uint64_t>(bytes, 112, sb.total_bytes);
  Put<uint64_t>(bytes, 120, sb.bytes_used);
  Put<uint64_t>(bytes, 136, sb.num_devices);
  Put<uint32_t>(bytes, 144, sb.sector_bytes);
  Put<uint32_t>(bytes, 148, sb.node_bytes);
  Put<uint32_t>(bytes, 152, sb.node_bytes);  // leaf size
  Put<uint32_t>(bytes, 160, static_cast<uint32_t>(sb.system_chunk_array.size()));
  Put<uint64_t>(bytes, 164, sb.chunk_root_generation);
  Put<uint64_t>(bytes, 172, sb.compat_flags);
  Put<uint64_t>(bytes, 180, sb.compat_ro_flags);
  Put<uint64_t>(bytes, 188, sb.incompat_flags);
  Put<uint16_t>(bytes, 196, static_cast<uint16_t>(sb.checksum_type));
  Put<uint8_t>(bytes, 198, sb.root_level);
  Put<uint8_t>(bytes, 199, sb.chunk_root_level);
  Put<uint8_t>(bytes, 200, sb.log_root_level);
  PutDeviceItem(bytes, 201, sb.device);
  std::memcpy(&bytes[299], sb.label.data(), sb.label.size());
  PutUuid(bytes, 571, sb.metadata_uuid);
  std::copy(sb.system_chunk_array.begin(), sb.system_chunk_array.end(), bytes.begin() + 811);
  Seal(bytes, sb.checksum_type);
  return bytes;
}

Chunk SoundChunk(RaidProfile profile, uint64_t logical, uint64_t length, size_t stripes) {
  const RaidTraits& traits = TraitsOf(profile);
  Chunk chunk{.logical = logical,
              .length = length,
              .type = kBlockGroupSystem | traits.type_bit,
              .profile = profile,
              .stripe_bytes = kStripeBytes,
              .sub_stripes = profile == RaidProfile::kRaid10 ? kRaid10SubStripes : uint16_t{1}};
  if (stripes == 0) stripes = traits.min_stripes;
  for (size_t i = 0; i < stripes; ++i) {
    const uint64_t id = profile == RaidProfile::kDup ? 1 : i + 1;
    chunk.stripes.push_back({.device_id = id,
                             .physical = (uint64_t{1} << 20) + i * (uint64_t{64} << 20),
                             .device_uuid = DeviceUuid(id)});
  }
  return chunk;
}

Bytes ChunkItemOf(const Chunk& chunk, uint32_t sector_bytes) {
  Bytes item(48 + 32 * chunk.stripes.size());
  Put<uint64_t>(item, 0, chunk.length);
  Put<uint64_t>(item, 8, kExtentTreeId);
  Put<uint64_t>(item, 16, chunk.stripe_bytes);
  Put<uint64_t>(item, 24, chunk.type);
  Put<uint32_t>(item, 40, sector_bytes);
  Put<uint16_t>(item, 44, static_cast<uint16_t>(chunk.stripes.size()));
  Put<uint16_t>(item, 46, chunk.sub_stripes);
  for (size_t i = 0; i < chunk.stripes.size(); ++i) {
    Put<uint64_t>(item, 48 + 32 * i, chunk.stripes[i].device_id);
    Put<uint64_t>(item, 56 + 32 * i, chunk.stripes[i].physical);
    PutUuid(item, 64 + 32 * i, chunk.stripes[i].device_uuid);
  }
  return item;
}

Bytes SystemChunkArrayOf(const std::vector<Chunk>& chunks) {
  Bytes array;
  for (const Chunk& chunk : chunks) {
    Bytes key(kKeyBytes);
    PutKey(key, 0, {kFirstChunkTreeObjectId, kChunkItemType, chunk.logical});
    const Bytes item = ChunkItemOf(chunk);
    array.insert(array.end(), key.begin(), key.end());
    array.insert(array.end(), item.begin(), item.end());
  }
  return array;
}

Bytes LeafBytes(const BlockShape& shape, const std::vector<LeafItem>& items) {
  Bytes leaf = BlockWithHeader(shape, static_cast<uint32_t>(items.size()));
  size_t data = leaf.size();
  for (size_t slot = 0; slot < items.size(); ++slot) {
    const LeafItem& item = items[slot];
    data -= item.data.size();
    const size_t head = kHeaderBytes + slot * kItemBytes;
    PutKey(leaf, head, item.key);
    Put<uint32_t>(leaf, head + 17, static_cast<uint32_t>(data - kHeaderBytes));
    Put<uint32_t>(leaf, head + 21, static_cast<uint32_t>(item.data.size()));
    if (!item.data.empty()) std::memcpy(&leaf.at(data), item.data.data(), item.data.size());
  }
  Seal(leaf, shape.checksum_type);
  return leaf;
}

Bytes NodeBytes(const BlockShape& shape, const std::vector<KeyPointer>& pointers) {
  Bytes node = BlockWithHeader(shape, static_cast<uint32_t>(pointers.size()));
  for (size_t slot = 0; slot < pointers.size(); ++slot) {
    const size_t at = kHeaderBytes + slot * kKeyPointerBytes;
    PutKey(node, at, pointers[slot].key);
    Put<uint64_t>(node, at + 17, pointers[slot].bytenr);
    Put<uint64_t>(node, at + 25, pointers[slot].generation);
  }
  Seal(node, shape.checksum_type);
  return node;
}

}  // namespace ebcache::testing
