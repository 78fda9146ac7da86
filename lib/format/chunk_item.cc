// Chunk items: in the chunk tree, and in the superblock's system chunk array.

#include <absl/strings/str_cat.h>

#include "ebcache/item_codec.h"
#include "ebcache/items_device.h"
#include "ebcache/on_disk.h"
#include "lib/base/messages.h"
#include "lib/format/chunk_check.h"
#include "lib/format/layout_block.h"
#include "lib/format/layout_device.h"
#include "lib/format/raid_profile.h"
#include "lib/format/system_chunk_array.h"

namespace ebcache {
namespace {

absl::StatusOr<Chunk> ParseBody(uint64_t logical, absl::Span<const std::byte> item,
                                uint32_t sector_bytes) {
  if (item.size() < ChunkItemBytes(1)) {
    return absl::DataLossError(
        absl::StrCat("item of ", item.size(), " bytes, one with a stripe has ", ChunkItemBytes(1)));
  }
  const size_t stripe_count = LoadLe16(item, format::kChunkStripeCountOffset);
  if (stripe_count == 0) return absl::DataLossError("no stripes");
  if (item.size() != ChunkItemBytes(stripe_count)) {
    return absl::DataLossError(absl::StrCat("item of ", item.size(), " bytes, one with ",
                                            stripe_count, " stripes has ",
                                            ChunkItemBytes(stripe_count)));
  }
  absl::StatusOr<ChunkItem> fields = ParseItem<ChunkItem>(item);
  if (!fields.ok()) return fields.status();
  if (fields->sector_bytes != sector_bytes) {
    return absl::DataLossError(
        absl::StrCat("sector size ", fields->sector_bytes, ", the superblock has ", sector_bytes));
  }
  Chunk chunk;
  chunk.logical = logical;
  chunk.length = fields->length;
  chunk.type = fields->type;
  chunk.stripe_bytes = fields->stripe_bytes;
  chunk.sub_stripes = fields->sub_stripes;
  chunk.owner = fields->owner;
  chunk.io_align = fields->io_align;
  chunk.io_width = fields->io_width;
  chunk.sector_bytes = fields->sector_bytes;
  absl::StatusOr<RaidProfile> profile = ProfileOfType(chunk.type);
  if (!profile.ok()) return profile.status();
  chunk.profile = *profile;
  chunk.stripes = std::move(fields->stripes);
  if (absl::Status status = CheckChunk(chunk, sector_bytes); !status.ok()) return status;
  return chunk;
}

}  // namespace

int Chunk::copies() const { return TraitsOf(profile).copies; }

ChunkItem ItemOf(const Chunk& chunk) {
  return {.length = chunk.length,
          .owner = chunk.owner,
          .stripe_bytes = chunk.stripe_bytes,
          .type = chunk.type,
          .io_align = chunk.io_align,
          .io_width = chunk.io_width,
          .sector_bytes = chunk.sector_bytes,
          .sub_stripes = chunk.sub_stripes,
          .stripes = chunk.stripes};
}

size_t ChunkItemBytes(size_t stripes) {
  return ChunkItem::kHeadBytes + stripes * ChunkItem::kStripeBytes;
}

absl::StatusOr<Chunk> ParseChunkItem(uint64_t logical, absl::Span<const std::byte> item,
                                     uint32_t sector_bytes) {
  absl::StatusOr<Chunk> chunk = ParseBody(logical, item, sector_bytes);
  if (!chunk.ok()) return Prefixed(absl::StrCat("chunk ", logical), chunk.status());
  return chunk;
}

absl::StatusOr<std::vector<Chunk>> ParseSystemChunkArray(absl::Span<const std::byte> array,
                                                         uint32_t sector_bytes) {
  std::vector<Chunk> chunks;
  for (size_t at = 0; at < array.size();) {
    const std::string where = absl::StrCat("system chunk array at byte ", at);
    const absl::Span<const std::byte> rest = array.subspan(at);
    constexpr size_t kCountOffset = kKeyBytes + format::kChunkStripeCountOffset;
    const size_t stripe_count =
        rest.size() < kCountOffset + sizeof(uint16_t) ? 0 : LoadLe16(rest, kCountOffset);
    const size_t item_bytes = ChunkItemBytes(stripe_count);
    if (rest.size() < kKeyBytes + item_bytes) {
      return absl::DataLossError(
          absl::StrCat(where, ": entry runs past the end, ", array.size(), " bytes"));
    }
    const Key key = KeyAt(rest.data());
    if (key.type != kChunkItemType) {
      return absl::DataLossError(absl::StrCat(where, ": key ", key.ToString(), " is no chunk"));
    }
    absl::StatusOr<Chunk> chunk =
        ParseChunkItem(key.offset, rest.subspan(kKeyBytes, item_bytes), sector_bytes);
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
