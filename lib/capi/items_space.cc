// Items of space, devices and quotas.

#include "lib/capi/handles.h"
#include "lib/capi/items.h"

using namespace ebcache;        // NOLINT: the functions below are outside of every namespace
using namespace ebcache::capi;  // NOLINT

// ---- Space --------------------------------------------------------------------------------------

int ebcache_parse_block_group(const void* data, size_t bytes, struct ebcache_block_group* group) {
  return ParseAs<BlockGroupItem>(data, bytes, group, "group", [](const BlockGroupItem& item) {
    const RemapCounts remap = item.remap.value_or(RemapCounts());
    return ebcache_block_group{.size = sizeof(ebcache_block_group),
                               .used = item.used,
                               .chunk_objectid = item.chunk_objectid,
                               .flags = item.flags,
                               .has_remap = item.remap.has_value() ? 1u : 0u,
                               .identity_remap_count = remap.identity_remap_count,
                               .remap_bytes = remap.remap_bytes};
  });
}

int ebcache_parse_free_space_info(const void* data, size_t bytes,
                                  struct ebcache_free_space_info* info) {
  return ParseAs<FreeSpaceInfo>(data, bytes, info, "info", [](const FreeSpaceInfo& item) {
    return ebcache_free_space_info{.size = sizeof(ebcache_free_space_info),
                                   .extent_count = item.extent_count,
                                   .flags = item.flags};
  });
}

int ebcache_free_space_bit(const void* data, size_t bytes, uint64_t sector) {
  if (data == nullptr) return NullArgument("data");
  if (sector / 8 >= bytes) return Fail(ERANGE, "the bitmap has no such bit");
  return FreeSpaceBitmap{Bytes(data, bytes)}.free(sector) ? 1 : 0;
}

int ebcache_next_raid_stride(const void* data, size_t bytes, size_t* position,
                             struct ebcache_raid_stride* stride) {
  return NextAs<RaidStride>(data, bytes, position, stride, "stride", [](const RaidStride& entry) {
    return ebcache_raid_stride{.size = sizeof(ebcache_raid_stride),
                               .device_id = entry.device_id,
                               .physical = entry.physical};
  });
}

// ---- Devices ------------------------------------------------------------------------------------

int ebcache_parse_chunk_item(const void* data, size_t bytes, struct ebcache_chunk_item* chunk) {
  return ParseAs<ChunkItem>(data, bytes, chunk, "chunk", [](const ChunkItem& item) {
    return ebcache_chunk_item{.size = sizeof(ebcache_chunk_item),
                              .length = item.length,
                              .owner = item.owner,
                              .stripe_bytes = item.stripe_bytes,
                              .type = item.type,
                              .io_align = item.io_align,
                              .io_width = item.io_width,
                              .sector_bytes = item.sector_bytes,
                              .sub_stripes = item.sub_stripes,
                              .stripe_count = static_cast<uint32_t>(item.stripes.size())};
  });
}

int ebcache_parse_chunk_stripe(const void* data, size_t bytes, uint32_t index,
                               struct ebcache_chunk_stripe* stripe) {
  if (data == nullptr) return NullArgument("data");
  return Guard([&] {
    const absl::StatusOr<ChunkItem> chunk = ParseItem<ChunkItem>(Bytes(data, bytes));
    if (!chunk.ok()) return Fail(chunk.status());
    if (index >= chunk->stripes.size()) return Fail(ERANGE, "the chunk has no such stripe");
    const ChunkStripe& at = chunk->stripes[index];
    ebcache_chunk_stripe full{.size = sizeof(full),
                              .device_id = at.device_id,
                              .physical = at.physical,
                              .device_uuid = {}};
    CopyUuid(at.device_uuid, full.device_uuid);
    return CopyOut(full, stripe, "stripe");
  });
}

int ebcache_parse_device_item(const void* data, size_t bytes, struct ebcache_device_item* device) {
  return ParseAs<DeviceItem>(data, bytes, device, "device", [](const DeviceItem& item) {
    ebcache_device_item full{.size = sizeof(full),
                             .id = item.id,
                             .total_bytes = item.total_bytes,
                             .bytes_used = item.bytes_used,
                             .type = item.type,
                             .generation = item.generation,
                             .start_offset = item.start_offset,
                             .io_align = item.io_align,
                             .io_width = item.io_width,
                             .sector_bytes = item.sector_bytes,
                             .group = item.group,
                             .seek_speed = item.seek_speed,
                             .bandwidth = item.bandwidth,
                             .uuid = {},
                             .fsid = {}};
    CopyUuid(item.uuid, full.uuid);
    CopyUuid(item.fsid, full.fsid);
    return full;
  });
}

int ebcache_parse_device_extent(const void* data, size_t bytes,
                                struct ebcache_device_extent* extent) {
  return ParseAs<DeviceExtent>(data, bytes, extent, "extent", [](const DeviceExtent& item) {
    ebcache_device_extent full{.size = sizeof(full),
                               .chunk_tree = item.chunk_tree,
                               .chunk_objectid = item.chunk_objectid,
                               .chunk_offset = item.chunk_offset,
                               .length = item.length,
                               .chunk_tree_uuid = {}};
    CopyUuid(item.chunk_tree_uuid, full.chunk_tree_uuid);
    return full;
  });
}

int ebcache_parse_device_stats(const void* data, size_t bytes, struct ebcache_device_stats* stats) {
  return ParseAs<DeviceStats>(data, bytes, stats, "stats", [](const DeviceStats& item) {
    struct ebcache_device_stats full {
      .size = sizeof(full), .write_errors = item.write_errors, .read_errors = item.read_errors,
      .flush_errors = item.flush_errors, .corruption_errors = item.corruption_errors,
      .generation_errors = item.generation_errors
    };
    return full;
  });
}

// ---- What is done with them ---------------------------------------------------------------------

int ebcache_parse_remap_item(const void* data, size_t bytes, struct ebcache_remap_item* remap) {
  return ParseAs<RemapItem>(data, bytes, remap, "remap", [](const RemapItem& item) {
    return ebcache_remap_item{.size = sizeof(ebcache_remap_item), .address = item.address};
  });
}

int ebcache_parse_device_replace(const void* data, size_t bytes,
                                 struct ebcache_device_replace* replace) {
  return ParseAs<DeviceReplaceItem>(
      data, bytes, replace, "replace", [](const DeviceReplaceItem& item) {
        return ebcache_device_replace{.size = sizeof(ebcache_device_replace),
                                      .source_device_id = item.source_device_id,
                                      .cursor_left = item.cursor_left,
                                      .cursor_right = item.cursor_right,
                                      .reading_mode = item.reading_mode,
                                      .state = item.state,
                                      .time_started = item.time_started,
                                      .time_stopped = item.time_stopped,
                                      .write_errors = item.write_errors,
                                      .uncorrectable_read_errors = item.uncorrectable_read_errors};
      });
}

namespace {

ebcache_balance_arguments OutsideArguments(const BalanceArguments& arguments) {
  return {.profiles = arguments.profiles,
          .usage = arguments.usage,
          .only_device_id = arguments.device_id,
          .physical_start = arguments.physical_start,
          .physical_end = arguments.physical_end,
          .logical_start = arguments.logical_start,
          .logical_end = arguments.logical_end,
          .target = arguments.target,
          .flags = arguments.flags,
          .limit = arguments.limit,
          .stripes_min = arguments.stripes_min,
          .stripes_max = arguments.stripes_max};
}

}  // namespace

int ebcache_parse_balance_item(const void* data, size_t bytes,
                               struct ebcache_balance_item* balance) {
  return ParseAs<BalanceItem>(data, bytes, balance, "balance", [](const BalanceItem& item) {
    return ebcache_balance_item{.size = sizeof(ebcache_balance_item),
                                .flags = item.flags,
                                .data = OutsideArguments(item.data),
                                .metadata = OutsideArguments(item.metadata),
                                .system = OutsideArguments(item.system)};
  });
}

// ---- Quotas -------------------------------------------------------------------------------------

int ebcache_parse_qgroup_status(const void* data, size_t bytes,
                                struct ebcache_qgroup_status* status) {
  return ParseAs<QgroupStatus>(data, bytes, status, "status", [](const QgroupStatus& item) {
    return ebcache_qgroup_status{
        .size = sizeof(ebcache_qgroup_status),
        .version = item.version,
        .generation = item.generation,
        .flags = item.flags,
        .rescan = item.rescan,
        .has_enable_generation = item.enable_generation.has_value() ? 1u : 0u,
        .enable_generation = item.enable_generation.value_or(0)};
  });
}

int ebcache_parse_qgroup_info(const void* data, size_t bytes, struct ebcache_qgroup_info* info) {
  return ParseAs<QgroupInfo>(data, bytes, info, "info", [](const QgroupInfo& item) {
    return ebcache_qgroup_info{.size = sizeof(ebcache_qgroup_info),
                               .generation = item.generation,
                               .referenced = item.referenced,
                               .referenced_compressed = item.referenced_compressed,
                               .exclusive = item.exclusive,
                               .exclusive_compressed = item.exclusive_compressed};
  });
}

int ebcache_parse_qgroup_limit(const void* data, size_t bytes, struct ebcache_qgroup_limit* limit) {
  return ParseAs<QgroupLimit>(data, bytes, limit, "limit", [](const QgroupLimit& item) {
    return ebcache_qgroup_limit{.size = sizeof(ebcache_qgroup_limit),
                                .flags = item.flags,
                                .max_referenced = item.max_referenced,
                                .max_exclusive = item.max_exclusive,
                                .reserved_referenced = item.reserved_referenced,
                                .reserved_exclusive = item.reserved_exclusive};
  });
}
