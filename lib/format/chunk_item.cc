// Chunk items: in the chunk tree, and in the superblock's system chunk array.

#include <absl/strings/str_cat.h>

#include "ebcache/on_disk.h"
#include "lib/base/messages.h"
#include "lib/base/planted.h"
#include "lib/format/byte_reader.h"
#include "lib/format/chunk_check.h"
#include "lib/format/raid_profile.h"
#include "lib/format/system_chunk_array.h"

namespace ebcache {
namespace {

constexpr size_t kStripeItemBytes = 32;
constexpr size_t kStripesOffset = 48;
constexpr size_t kStripeCountOffset = 44;

absl::StatusOr<Chunk> ParseBody(uint64_t logical, absl::Span<const std::byte> item,
                                uint32_t sector_bytes) {
  if (item.size() < ChunkItemBytes(1)) {
    return absl::DataLossError(
        absl::StrCat("item of ", item.size(), " bytes, one with a stripe has ", ChunkItemBytes(1)));
  }
  ByteReader reader(item);
  size_t stripe_count = reader.Load<uint16_t>(kStripeCountOffset);
  if (fuzz::Planted("no-stripes-taken-for-one") && stripe_count == 0) stripe_count = 1;
  if (stripe_count == 0) return absl::DataLossError("no stripes");
  if (item.size() != ChunkItemBytes(stripe_count)) {
    return absl::DataLossError(absl::StrCat("item of ", item.size(), " bytes, one with ",
                                            stripe_count, " stripes has ",
                                            ChunkItemBytes(stripe_count)));
  }
  const uint32_t sector = reader.Load<uint32_t>(40);
  if (sector != sector_bytes) {
    return absl::DataLossError(
        absl::StrCat("sector size ", sector, ", the superblock has ", sector_bytes));
  }
  Chunk chunk;
  chunk.logical = logical;
  chunk.length = reader.Load<uint64_t>(0);
  chunk.stripe_bytes = reader.Load<uint64_t>(16);
  chunk.type = reader.Load<uint64_t>(24);
  chunk.sub_stripes = reader.Load<uint16_t>(46);
  absl::StatusOr<RaidProfile> profile = ProfileOfType(chunk.type);
  if (!profile.ok()) return profile.status();
  chunk.profile = *profile;
  chunk.stripes.reserve(stripe_count);
  for (size_t i = 0; i < stripe_count; ++i) {
    const size_t at = kStripesOffset + i * kStripeItemBytes;
    chunk.stripes.push_back({.device_id = reader.Load<uint64_t>(at),
                             .physical = reader.Load<uint64_t>(at + 8),
                             .device_uuid = reader.LoadUuid(at + 16)});
  }
  if (absl::Status status = CheckChunk(chunk, sector_bytes); !status.ok()) return status;
  return chunk;
}

}  // namespace

int Chunk::copies() const { return TraitsOf(profile).copies; }

size_t ChunkItemBytes(size_t stripes) { return kStripesOffset + stripes * kStripeItemBytes; }

absl::StatusOr<Chunk> ParseChunkItem(uint64_t logical, absl::Span<const std::byte> item,
                                     uint32_t sector_bytes) {
  absl::StatusOr<Chunk> chunk = ParseBody(logical, item, sector_bytes);
  if (!chunk.ok()) return Prefixed(absl::StrCat("chunk ", logical), chunk.status());
  return chunk;
}

absl::StatusOr<std::vector<Chunk>> ParseSystemChunkArray(absl::Span<const std::byte> array,
                                                         uint32_t sector_bytes) {
  std::vector<Chunk> chunks;
  ByteReader reader(array);
  for (size_t at = 0; at < array.size();) {
    const std::string where = absl::StrCat("system chunk array at byte ", at);
    const Key key = reader.LoadKey(at);
    const size_t stripe_count = reader.Load<uint16_t>(at + kKeyBytes + kStripeCountOffset);
    const size_t item_bytes = ChunkItemBytes(stripe_count);
    absl::Span<const std::byte> item = reader.Slice(at + kKeyBytes, item_bytes);
    if (!reader.ok()) {
      return absl::DataLossError(
          absl::StrCat(where, ": entry runs past the end, ", array.size(), " bytes"));
    }
    if (key.type != kChunkItemType) {
      return absl::DataLossError(absl::StrCat(where, ": key ", key.ToString(), " is no chunk"));
    }
    absl::StatusOr<Chunk> chunk = ParseChunkItem(key.offset, item, sector_bytes);
    if (!chunk.ok()) return Prefixed(where, chunk.status());
    if ((chunk->type & kBlockGroupSystem) == 0) {
      return absl::DataLossError(absl::StrCat(where, ": chunk ", chunk->logical, " has type 0x",
                                              absl::Hex(chunk->type), ", which is not system"));
    }
    chunks.push_back(*std::move(chunk));
    at += kKeyBytes + item_bytes;
  }
  return chunks;
}

}  // namespace ebcache
