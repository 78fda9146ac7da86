// Items of space: block groups, what is free in them, and where stripes of data lie.

#ifndef EBCACHE_ITEMS_SPACE_H_
#define EBCACHE_ITEMS_SPACE_H_

#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>
#include <optional>

#include "ebcache/on_disk.h"

namespace ebcache {

// What block group items have behind their other fields where the filesystem has a remap tree.
struct RemapCounts {
  static constexpr size_t kBytes = 12;

  uint64_t remap_bytes = 0;
  uint32_t identity_remap_count = 0;

  friend constexpr bool operator==(const RemapCounts&, const RemapCounts&) = default;
};

// (start, BLOCK_GROUP_ITEM, length), in the extent tree or in one of its own.
struct BlockGroupItem {
  static constexpr size_t kBytes = 24;  // and RemapCounts::kBytes

  uint64_t used = 0;  // bytes of extents in it
  uint64_t chunk_objectid = kFirstChunkTreeObjectId;
  uint64_t flags = 0;  // type and profile, as its chunk has them
  std::optional<RemapCounts> remap;

  friend constexpr bool operator==(const BlockGroupItem&, const BlockGroupItem&) = default;
};

// FreeSpaceInfo::flags.
inline constexpr uint32_t kFreeSpaceUsesBitmaps = 1 << 0;

// (start of a block group, FREE_SPACE_INFO, its length).
struct FreeSpaceInfo {
  static constexpr size_t kBytes = 8;

  uint32_t extent_count = 0;  // runs of free space, whether as extents or in bitmaps
  uint32_t flags = 0;

  friend constexpr bool operator==(const FreeSpaceInfo&, const FreeSpaceInfo&) = default;
};

// (start, FREE_SPACE_BITMAP, length): a bit for each sector from `start` on, set where it is free.
// A view of the item. The last bitmap of a block group is shorter where the group's length asks for
// it: kernels write as many bytes as the sectors of `length` take.
struct FreeSpaceBitmap {
  static constexpr size_t kMostBytes = 256;
  static constexpr size_t kMostSectors = kMostBytes * 8;

  absl::Span<const std::byte> bits;

  // REQUIRES: sector / 8 < bits.size(); counted from the key's objectid.
  bool free(size_t sector) const {
    return (bits[sector / 8] >> (sector % 8) & std::byte{1}) != std::byte{0};
  }
  friend bool operator==(const FreeSpaceBitmap&, const FreeSpaceBitmap&) = default;
};

// Sets or clears the bit of a sector. REQUIRES: sector / 8 < bits.size().
inline void SetFree(absl::Span<std::byte> bits, size_t sector, bool free) {
  const std::byte bit = std::byte{1} << (sector % 8);
  bits[sector / 8] = free ? bits[sector / 8] | bit : bits[sector / 8] & ~bit;
}

// An entry of (logical, RAID_STRIPE, length): one copy or one part of that data.
struct RaidStride {
  static constexpr size_t kBytes = 16;

  uint64_t device_id = 0;
  uint64_t physical = 0;

  friend constexpr bool operator==(const RaidStride&, const RaidStride&) = default;
};

// (start, REMAP, length): where that range is now. (start, REMAP_BACKREF, length): where it was.
struct RemapItem {
  static constexpr size_t kBytes = 8;

  uint64_t address = 0;  // logical, for `start`

  friend constexpr bool operator==(const RemapItem&, const RemapItem&) = default;
};

}  // namespace ebcache

#endif  // EBCACHE_ITEMS_SPACE_H_
