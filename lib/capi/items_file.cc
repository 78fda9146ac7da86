// Items of files, and those of trees' roots.

#include "lib/capi/handles.h"
#include "lib/capi/items.h"

using namespace ebcache;        // NOLINT: the functions below are outside of every namespace
using namespace ebcache::capi;  // NOLINT

int ebcache_parse_inode_item(const void* data, size_t bytes, struct ebcache_inode_item* inode) {
  return ParseAs<InodeItem>(data, bytes, inode, "inode", [](const InodeItem& item) {
    return ebcache_inode_item{.size = sizeof(ebcache_inode_item),
                              .generation = item.generation,
                              .transaction = item.transaction,
                              .file_bytes = item.size,
                              .disk_bytes = item.disk_bytes,
                              .block_group = item.block_group,
                              .rdev = item.rdev,
                              .flags = item.flags,
                              .sequence = item.sequence,
                              .link_count = item.link_count,
                              .uid = item.uid,
                              .gid = item.gid,
                              .mode = item.mode,
                              .atime = capi::Outside(item.atime),
                              .ctime = capi::Outside(item.ctime),
                              .mtime = capi::Outside(item.mtime),
                              .otime = capi::Outside(item.otime)};
  });
}

int ebcache_next_inode_ref(const void* data, size_t bytes, size_t* position,
                           struct ebcache_inode_ref* ref) {
  return NextAs<InodeRef>(data, bytes, position, ref, "ref", [](const InodeRef& entry) {
    return ebcache_inode_ref{.size = sizeof(ebcache_inode_ref),
                             .directory = 0,
                             .index = entry.index,
                             .name = entry.name.data(),
                             .name_bytes = entry.name.size()};
  });
}

int ebcache_next_inode_extref(const void* data, size_t bytes, size_t* position,
                              struct ebcache_inode_ref* ref) {
  return NextAs<InodeExtref>(data, bytes, position, ref, "ref", [](const InodeExtref& entry) {
    return ebcache_inode_ref{.size = sizeof(ebcache_inode_ref),
                             .directory = entry.directory,
                             .index = entry.index,
                             .name = entry.name.data(),
                             .name_bytes = entry.name.size()};
  });
}

int ebcache_next_dir_entry(const void* data, size_t bytes, size_t* position,
                           struct ebcache_dir_entry* entry) {
  return NextAs<DirEntry>(data, bytes, position, entry, "entry", [](const DirEntry& met) {
    return ebcache_dir_entry{.size = sizeof(ebcache_dir_entry),
                             .location = capi::Outside(met.location),
                             .transaction = met.transaction,
                             .name = met.name.data(),
                             .name_bytes = met.name.size(),
                             .data = met.data.data(),
                             .data_bytes = met.data.size(),
                             .type = met.type};
  });
}

int ebcache_parse_file_extent(const void* data, size_t bytes, struct ebcache_file_extent* extent) {
  return ParseAs<FileExtentItem>(data, bytes, extent, "extent", [](const FileExtentItem& item) {
    const FileExtentPlace place = item.place.value_or(FileExtentPlace());
    return ebcache_file_extent{.size = sizeof(ebcache_file_extent),
                               .generation = item.generation,
                               .ram_bytes = item.ram_bytes,
                               .compression = item.compression,
                               .encryption = item.encryption,
                               .other_encoding = item.other_encoding,
                               .type = item.type,
                               .disk_bytenr = place.disk_bytenr,
                               .disk_bytes = place.disk_bytes,
                               .offset = place.offset,
                               .file_bytes = place.file_bytes,
                               .inline_data = item.is_inline() ? item.inline_data.data() : nullptr,
                               .inline_bytes = item.inline_data.size()};
  });
}

int ebcache_parse_checksums(const void* data, size_t bytes, size_t checksum_bytes,
                            struct ebcache_checksums* checksums) {
  if (data == nullptr) return NullArgument("data");
  return Guard([&] {
    const absl::StatusOr<DataChecksums> parsed =
        ParseDataChecksums(Bytes(data, bytes), checksum_bytes);
    if (!parsed.ok()) return Fail(parsed.status());
    return CopyOut({.size = sizeof(*checksums), .checksums = data, .count = parsed->size()},
                   checksums, "checksums");
  });
}

int ebcache_parse_verity_item(const void* data, size_t bytes, struct ebcache_verity_item* verity) {
  return ParseAs<VerityDescriptorItem>(
      data, bytes, verity, "verity", [](const VerityDescriptorItem& item) {
        return ebcache_verity_item{.size = sizeof(ebcache_verity_item),
                                   .descriptor_bytes = item.size,
                                   .encryption = item.encryption};
      });
}

int ebcache_parse_dir_log_item(const void* data, size_t bytes, struct ebcache_dir_log_item* log) {
  return ParseAs<DirLogItem>(data, bytes, log, "log", [](const DirLogItem& item) {
    return ebcache_dir_log_item{.size = sizeof(ebcache_dir_log_item), .end = item.end};
  });
}

int ebcache_parse_space_cache(const void* data, size_t bytes, struct ebcache_space_cache* cache) {
  return ParseAs<FreeSpaceCacheHeader>(
      data, bytes, cache, "cache", [](const FreeSpaceCacheHeader& item) {
        return ebcache_space_cache{.size = sizeof(ebcache_space_cache),
                                   .location = capi::Outside(item.location),
                                   .generation = item.generation,
                                   .entry_count = item.entry_count,
                                   .bitmap_count = item.bitmap_count};
      });
}

// ---- Roots --------------------------------------------------------------------------------------

namespace {

void AddExtension(const RootItemExtension& from, ebcache_root_item& to) {
  to.has_uuids = 1;
  CopyUuid(from.uuid, to.uuid);
  CopyUuid(from.parent_uuid, to.parent_uuid);
  CopyUuid(from.received_uuid, to.received_uuid);
  to.generation_v2 = from.generation_v2;
  to.change_transaction = from.change_transaction;
  to.origin_transaction = from.origin_transaction;
  to.send_transaction = from.send_transaction;
  to.receive_transaction = from.receive_transaction;
  to.change_time = capi::Outside(from.change_time);
  to.origin_time = capi::Outside(from.origin_time);
  to.send_time = capi::Outside(from.send_time);
  to.receive_time = capi::Outside(from.receive_time);
}

}  // namespace

int ebcache_parse_root_item(const void* data, size_t bytes, struct ebcache_root_item* root) {
  if (data == nullptr) return NullArgument("data");
  return Guard([&] {
    const absl::StatusOr<RootItem> item = ParseRootItem(Bytes(data, bytes));
    if (!item.ok()) return Fail(item.status());
    ebcache_root_item full{};
    full.size = sizeof full;
    full.generation = item->generation;
    full.root_directory = item->root_directory;
    full.bytenr = item->bytenr;
    full.byte_limit = item->byte_limit;
    full.bytes_used = item->bytes_used;
    full.last_snapshot = item->last_snapshot;
    full.flags = item->flags;
    full.drop_progress = capi::Outside(item->drop_progress);
    full.drop_level = item->drop_level;
    full.level = item->level;
    full.refs = item->refs;
    if (item->extension.has_value()) AddExtension(*item->extension, full);
    return CopyOut(full, root, "root");
  });
}

int ebcache_parse_root_ref(const void* data, size_t bytes, struct ebcache_root_ref* ref) {
  return ParseAs<RootRef>(data, bytes, ref, "ref", [](const RootRef& item) {
    return ebcache_root_ref{.size = sizeof(ebcache_root_ref),
                            .directory = item.directory,
                            .sequence = item.sequence,
                            .name = item.name.data(),
                            .name_bytes = item.name.size()};
  });
}

int ebcache_next_uuid_subvolume(const void* data, size_t bytes, size_t* position,
                                struct ebcache_uuid_subvolume* subvolume) {
  return NextAs<UuidSubvolume>(
      data, bytes, position, subvolume, "subvolume", [](const UuidSubvolume& entry) {
        return ebcache_uuid_subvolume{.size = sizeof(ebcache_uuid_subvolume), .id = entry.id};
      });
}
