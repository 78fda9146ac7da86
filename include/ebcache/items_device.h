// Items of devices: chunks as they are on disk, extents of devices, errors that were counted, and
// balances and replacements under way.

#ifndef EBCACHE_ITEMS_DEVICE_H_
#define EBCACHE_ITEMS_DEVICE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "ebcache/on_disk.h"

namespace ebcache {

// (256, CHUNK_ITEM, logical), all of its fields as they are. ParseChunkItem makes a Chunk of it,
// with the checks that make it fit for mapping.
struct ChunkItem {
  static constexpr size_t kHeadBytes = 48;    // in front of the stripes
  static constexpr size_t kStripeBytes = 32;  // each of them

  uint64_t length = 0;
  uint64_t owner = kExtentTreeId;  // id of the tree with its extents
  uint64_t stripe_bytes = 0;       // how much lies on one stripe before the next one's turn
  uint64_t type = 0;               // kBlockGroup bits and profile bits
  uint32_t io_align = 0;           // bytes; nothing looks at it
  uint32_t io_width = 0;           // the same
  uint32_t sector_bytes = 0;
  uint16_t sub_stripes = 0;
  std::vector<ChunkStripe> stripes;

  friend bool operator==(const ChunkItem&, const ChunkItem&) = default;
};

// The item of a chunk, to be encoded.
ChunkItem ItemOf(const Chunk& chunk);

// An entry of a superblock's system chunk array: ItemRecords<SystemChunk>(array).
struct SystemChunk {
  Key key;
  ChunkItem chunk;

  friend bool operator==(const SystemChunk&, const SystemChunk&) = default;
};

// (device id, DEV_EXTENT, physical) in the device tree: a stripe of a chunk.
struct DeviceExtent {
  static constexpr size_t kBytes = 48;

  uint64_t chunk_tree = kChunkTreeId;
  uint64_t chunk_objectid = kFirstChunkTreeObjectId;
  uint64_t chunk_offset = 0;  // logical address of the chunk
  uint64_t length = 0;
  Uuid chunk_tree_uuid{};

  friend constexpr bool operator==(const DeviceExtent&, const DeviceExtent&) = default;
};

// Objectid of DeviceStats.
inline constexpr uint64_t kDeviceStatsObjectId = 0;

// (0, PERSISTENT_ITEM, device id) in the device tree: errors of a device since they were reset.
struct DeviceStats {
  static constexpr size_t kBytes = 40;

  uint64_t write_errors = 0;
  uint64_t read_errors = 0;
  uint64_t flush_errors = 0;
  uint64_t corruption_errors = 0;
  uint64_t generation_errors = 0;

  friend constexpr bool operator==(const DeviceStats&, const DeviceStats&) = default;
};

// DeviceReplaceItem::state.
enum class DeviceReplaceState : uint64_t {
  kNeverStarted = 0,
  kStarted = 1,
  kFinished = 2,
  kCanceled = 3,
  kSuspended = 4,
};

// (0, DEV_REPLACE, 0) in the device tree.
struct DeviceReplaceItem {
  static constexpr size_t kBytes = 72;

  uint64_t source_device_id = 0;
  uint64_t cursor_left = 0;   // physical: up to here it is done
  uint64_t cursor_right = 0;  // physical: from here on it is not
  uint64_t reading_mode = 0;  // when the source is read: 0 always, 1 where nothing else is left
  uint64_t state = 0;
  uint64_t time_started = 0;  // seconds since 1970 UTC
  uint64_t time_stopped = 0;
  uint64_t write_errors = 0;
  uint64_t uncorrectable_read_errors = 0;

  friend constexpr bool operator==(const DeviceReplaceItem&, const DeviceReplaceItem&) = default;
};

// What a balance does with the chunks of one type. Which of the fields count is told by the flags.
struct BalanceArguments {
  static constexpr size_t kBytes = 136;

  uint64_t profiles = 0;
  uint64_t usage = 0;  // percent; or least in the lower half, most in the upper half
  uint64_t device_id = 0;
  uint64_t physical_start = 0;
  uint64_t physical_end = 0;
  uint64_t logical_start = 0;
  uint64_t logical_end = 0;
  uint64_t target = 0;  // the profile to convert to
  uint64_t flags = 0;
  uint64_t limit = 0;  // chunks; or least in the lower half, most in the upper half
  uint32_t stripes_min = 0;
  uint32_t stripes_max = 0;
  std::array<uint64_t, 6> unused{};

  friend constexpr bool operator==(const BalanceArguments&, const BalanceArguments&) = default;
};

// Objectid of BalanceItem.
inline constexpr uint64_t kBalanceObjectId = static_cast<uint64_t>(-4);

// (-4, TEMPORARY_ITEM, 0) in the root tree: a balance that is under way or paused.
struct BalanceItem {
  static constexpr size_t kBytes = 448;

  uint64_t flags = 0;  // which types of chunks; whether forced; whether resumed
  BalanceArguments data;
  BalanceArguments metadata;
  BalanceArguments system;
  std::array<uint64_t, 4> unused{};

  friend constexpr bool operator==(const BalanceItem&, const BalanceItem&) = default;
};

}  // namespace ebcache

#endif  // EBCACHE_ITEMS_DEVICE_H_
