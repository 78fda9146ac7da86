/* Items taken apart: every item of an image, by its type, held against what is known of the image; and bytes
 * of any kind and length, which are refused or believed but never read beyond. */

#include <errno.h>

#include "tests/capi/check.h"
#include "tests/capi/sample_image.h"

#define SIZED(type) \
  (struct type) { .size = sizeof(struct type) }

struct seen {
  uint64_t inodes, names, entries, extents, inline_extents, checksums, roots, uuids, data_items;
  uint64_t block_items, inline_refs, groups, free_infos, chunks, stripes, devices, device_extents;
  uint64_t fs_tree_bytenr, used_bytes, refs_counted;
};

static ebcache_filesystem* filesystem;

static int is_name(const char* name, size_t bytes, const char* prefix) {
  return bytes > strlen(prefix) && memcmp(name, prefix, strlen(prefix)) == 0;
}

static void see_file_item(struct seen* seen, const struct ebcache_item* item) {
  size_t at = 0;
  if (item->key.type == EBCACHE_TYPE_INODE_ITEM) {
    struct ebcache_inode_item inode = SIZED(ebcache_inode_item);
    CHECK_EQUAL(ebcache_parse_inode_item(item->data, item->data_bytes, &inode), 0);
    CHECK((inode.mode & 0170000) == 0100000 || (inode.mode & 0170000) == 0040000);
    if ((inode.mode & 0170000) == 0100000) CHECK_EQUAL(inode.file_bytes, 1000);
    CHECK_EQUAL(inode.link_count, 1);
    CHECK(inode.mtime.seconds > 1500000000 && inode.mtime.nanoseconds < 1000000000);
    ++seen->inodes;
  } else if (item->key.type == EBCACHE_TYPE_INODE_REF) {
    struct ebcache_inode_ref ref = SIZED(ebcache_inode_ref);
    while (ebcache_next_inode_ref(item->data, item->data_bytes, &at, &ref) == 1) {
      CHECK(item->key.objectid <= 256 || is_name(ref.name, ref.name_bytes, "file-"));
      CHECK_EQUAL(ref.directory, 0);
      ++seen->names;
    }
    CHECK_EQUAL(at, item->data_bytes);
  } else if (item->key.type == EBCACHE_TYPE_DIR_INDEX) {
    struct ebcache_dir_entry entry = SIZED(ebcache_dir_entry);
    CHECK_EQUAL(ebcache_next_dir_entry(item->data, item->data_bytes, &at, &entry), 1);
    CHECK_EQUAL(entry.type, EBCACHE_FILE_REGULAR);
    CHECK_EQUAL(entry.location.type, EBCACHE_TYPE_INODE_ITEM);
    CHECK(entry.location.objectid > 256 && is_name(entry.name, entry.name_bytes, "file-"));
    CHECK_EQUAL(entry.data_bytes, 0);
    CHECK_EQUAL(ebcache_next_dir_entry(item->data, item->data_bytes, &at, &entry), 0);
    ++seen->entries;
  } else if (item->key.type == EBCACHE_TYPE_EXTENT_DATA) {
    struct ebcache_file_extent extent = SIZED(ebcache_file_extent);
    CHECK_EQUAL(ebcache_parse_file_extent(item->data, item->data_bytes, &extent), 0);
    CHECK_EQUAL(extent.compression, EBCACHE_COMPRESSION_NONE);
    ++seen->extents;
    if (extent.type != EBCACHE_FILE_EXTENT_INLINE) return;
    CHECK_EQUAL(extent.inline_bytes, 1000);
    CHECK_EQUAL(extent.disk_bytenr, 0);
    CHECK(((const char*)extent.inline_data)[0] == ' ');
    ++seen->inline_extents;
  }
}

static int count_ref(void* context, const struct ebcache_extent_ref* ref) {
  ++*(uint64_t*)context;
  CHECK_EQUAL(ref->type, EBCACHE_TYPE_TREE_BLOCK_REF);
  CHECK_EQUAL(ref->count, 1);
  CHECK(ref->root != 0 && ref->parent == 0 && ref->inode == 0);
  return 0;
}

static void see_root(struct seen* seen, const struct ebcache_item* item) {
  struct ebcache_root_item root = SIZED(ebcache_root_item);
  CHECK_EQUAL(ebcache_parse_root_item(item->data, item->data_bytes, &root), 0);
  CHECK_EQUAL(root.refs, 1);
  CHECK_EQUAL(root.has_uuids, 1);
  ++seen->roots;
  if (item->key.objectid != EBCACHE_TREE_FS) return;
  CHECK_EQUAL(root.root_directory, EBCACHE_TOP_DIRECTORY);
  CHECK_EQUAL(root.flags, 0);
  static const uint8_t none[16];
  CHECK(memcmp(root.uuid, none, 16) != 0);
  CHECK(memcmp(root.parent_uuid, none, 16) == 0);
  seen->fs_tree_bytenr = root.bytenr;
  struct ebcache_inode_item inode = SIZED(ebcache_inode_item);
  CHECK_EQUAL(ebcache_parse_inode_item(item->data, 160, &inode), 0);
}

static void see_space_item(struct seen* seen, const struct ebcache_item* item) {
  if (item->key.type == EBCACHE_TYPE_BLOCK_GROUP_ITEM) {
    struct ebcache_block_group group = SIZED(ebcache_block_group);
    CHECK_EQUAL(ebcache_parse_block_group(item->data, item->data_bytes, &group), 0);
    CHECK(group.used <= item->key.offset && group.has_remap == 0);
    seen->used_bytes += group.used;
    ++seen->groups;
  } else if (item->key.type == EBCACHE_TYPE_FREE_SPACE_INFO) {
    struct ebcache_free_space_info info = SIZED(ebcache_free_space_info);
    CHECK_EQUAL(ebcache_parse_free_space_info(item->data, item->data_bytes, &info), 0);
    ++seen->free_infos;
  } else if (item->key.type == EBCACHE_TYPE_CHUNK_ITEM) {
    struct ebcache_chunk_item chunk = SIZED(ebcache_chunk_item);
    CHECK_EQUAL(ebcache_parse_chunk_item(item->data, item->data_bytes, &chunk), 0);
    ++seen->chunks;
    for (uint32_t i = 0; i < chunk.stripe_count; ++i) {
      struct ebcache_chunk_stripe stripe = SIZED(ebcache_chunk_stripe);
      CHECK_EQUAL(ebcache_parse_chunk_stripe(item->data, item->data_bytes, i, &stripe), 0);
      CHECK_EQUAL(stripe.device_id, 1);
      ++seen->stripes;
    }
    struct ebcache_chunk_stripe stripe = SIZED(ebcache_chunk_stripe);
    CHECK_FAILS(
        ebcache_parse_chunk_stripe(item->data, item->data_bytes, chunk.stripe_count, &stripe),
        ERANGE, "stripe");
  } else if (item->key.type == EBCACHE_TYPE_DEV_ITEM) {
    struct ebcache_device_item device = SIZED(ebcache_device_item);
    CHECK_EQUAL(ebcache_parse_device_item(item->data, item->data_bytes, &device), 0);
    CHECK_EQUAL(device.id, 1);
    CHECK_EQUAL(device.total_bytes, 128 << 20);
    ++seen->devices;
  } else if (item->key.type == EBCACHE_TYPE_DEV_EXTENT) {
    struct ebcache_device_extent extent = SIZED(ebcache_device_extent);
    CHECK_EQUAL(ebcache_parse_device_extent(item->data, item->data_bytes, &extent), 0);
    ++seen->device_extents;
  }
}

static int see_item(void* context, const struct ebcache_item* item) {
  struct seen* const seen = context;
  see_file_item(seen, item);
  see_space_item(seen, item);
  if (item->key.type == EBCACHE_TYPE_ROOT_ITEM) see_root(seen, item);
  if (item->key.type == EBCACHE_TYPE_METADATA_ITEM) {
    struct ebcache_extent_item extent = SIZED(ebcache_extent_item);
    CHECK_EQUAL(ebcache_parse_extent_item(item->key.type, item->data, item->data_bytes, &extent),
                0);
    CHECK_EQUAL(extent.flags, EBCACHE_EXTENT_TREE_BLOCK);
    size_t at = 0;
    struct ebcache_extent_ref ref = SIZED(ebcache_extent_ref);
    while (ebcache_next_inline_ref(extent.inline_refs, extent.inline_ref_bytes, &at, &ref) == 1) {
      count_ref(&seen->inline_refs, &ref);
    }
    ++seen->block_items;
  }
  return 0;
}

static int see_tree(void* context, const struct ebcache_root* root) {
  ebcache_tree* tree;
  CHECK_EQUAL(ebcache_tree_open_root(ebcache_filesystem_cache(filesystem), root, &tree), 0);
  CHECK_EQUAL(ebcache_iterate(tree, NULL, NULL, see_item, context), 0);
  ebcache_tree_close(tree);
  return 0;
}

static void every_item_of_an_image(void) {
  struct seen seen = {0};
  CHECK_EQUAL(ebcache_for_each_tree(filesystem, see_tree, &seen), 0);
  CHECK(seen.inodes >= 601);
  CHECK(seen.names >= 601);
  CHECK_EQUAL(seen.entries, 600);
  CHECK_EQUAL(seen.inline_extents, 600);
  CHECK(seen.roots >= 6);
  CHECK(seen.block_items > 20);
  CHECK_EQUAL(seen.inline_refs, seen.block_items);
  CHECK(seen.chunks >= 3 && seen.chunks == seen.groups);
  CHECK_EQUAL(seen.stripes, seen.device_extents);
  CHECK_EQUAL(seen.devices, 1);
  CHECK(seen.used_bytes >= seen.block_items * 16384);
}

static int stop_at_ref(void* context, const struct ebcache_extent_ref* ref) {
  (void)ref;
  ++*(int*)context;
  return -ECHILD;
}

static void references_of_an_extent(void) {
  ebcache_tree *extents, *files;
  CHECK_EQUAL(ebcache_tree_open(filesystem, EBCACHE_TREE_EXTENT, &extents), 0);
  CHECK_EQUAL(ebcache_tree_open(filesystem, EBCACHE_TREE_FS, &files), 0);
  struct ebcache_root root = SIZED(ebcache_root);
  CHECK_EQUAL(ebcache_tree_root(files, &root), 0);
  struct ebcache_extent_item extent = SIZED(ebcache_extent_item);
  uint64_t count = 0;
  CHECK_EQUAL(ebcache_for_each_extent_ref(extents, root.bytenr, &extent, count_ref, &count), 0);
  CHECK_EQUAL(count, 1);
  CHECK_EQUAL(extent.references, 1);
  CHECK_EQUAL(extent.generation, root.generation);
  CHECK_EQUAL(ebcache_for_each_extent_ref(extents, root.bytenr, NULL, count_ref, &count), 0);
  int stops = 0;
  CHECK_EQUAL(ebcache_for_each_extent_ref(extents, root.bytenr, NULL, stop_at_ref, &stops),
              -ECHILD);
  CHECK_EQUAL(stops, 1);
  CHECK_FAILS(ebcache_for_each_extent_ref(extents, 4096, NULL, count_ref, &count), ENOENT,
              "nothing");
  CHECK_FAILS(ebcache_for_each_extent_ref(NULL, 0, NULL, count_ref, NULL), EINVAL, "extents");
  CHECK_FAILS(ebcache_for_each_extent_ref(extents, 0, NULL, NULL, NULL), EINVAL, "tell");
  ebcache_tree_close(files);
  ebcache_tree_close(extents);
}

/* ---- Items that the image has none of ----------------------------------------------------------- */

static void put(unsigned char* to, uint64_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) to[i] = (unsigned char)(value >> (8 * i));
}

static void references_with_keys_of_their_own(void) {
  unsigned char data[56] = {0};
  struct ebcache_extent_ref ref = SIZED(ebcache_extent_ref);
  size_t at = 0;
  struct ebcache_key key = {4096, 77, EBCACHE_TYPE_TREE_BLOCK_REF};
  CHECK_EQUAL(ebcache_next_keyed_ref(&key, NULL, 0, &at, &ref), 1);
  CHECK_EQUAL(ref.root, 77);
  CHECK_EQUAL(ref.count, 1);
  CHECK_EQUAL(ebcache_next_keyed_ref(&key, NULL, 0, &at, &ref), 0);
  at = 0;
  key.type = EBCACHE_TYPE_SHARED_BLOCK_REF;
  CHECK_EQUAL(ebcache_next_keyed_ref(&key, data, 0, &at, &ref), 1);
  CHECK_EQUAL(ref.parent, 77);
  CHECK_EQUAL(ref.root, 0);
  at = 0;
  CHECK_FAILS(ebcache_next_keyed_ref(&key, data, 1, &at, &ref), EUCLEAN, "bytes");
  key.type = EBCACHE_TYPE_SHARED_DATA_REF;
  put(data, 9, 4);
  at = 0;
  CHECK_EQUAL(ebcache_next_keyed_ref(&key, data, 4, &at, &ref), 1);
  CHECK_EQUAL(ref.parent, 77);
  CHECK_EQUAL(ref.count, 9);
  CHECK_EQUAL(ebcache_next_keyed_ref(&key, data, 4, &at, &ref), 0);
  key.type = EBCACHE_TYPE_EXTENT_OWNER_REF;
  put(data, 300, 8);
  at = 0;
  CHECK_EQUAL(ebcache_next_keyed_ref(&key, data, 8, &at, &ref), 1);
  CHECK_EQUAL(ref.root, 300);
  CHECK_EQUAL(ref.count, 0);
  key.type = EBCACHE_TYPE_EXTENT_DATA_REF; /* two whose hashes are the same */
  for (size_t i = 0; i < 2; ++i) {
    put(data + 28 * i, 5 + i, 8);
    put(data + 28 * i + 8, 257, 8);
    put(data + 28 * i + 16, 65536, 8);
    put(data + 28 * i + 24, 3, 4);
  }
  at = 0;
  CHECK_EQUAL(ebcache_next_keyed_ref(&key, data, 56, &at, &ref), 1);
  CHECK_EQUAL(ref.root, 5);
  CHECK_EQUAL(ebcache_next_keyed_ref(&key, data, 56, &at, &ref), 1);
  CHECK(ref.root == 6 && ref.inode == 257 && ref.offset == 65536 && ref.count == 3);
  CHECK_EQUAL(ebcache_next_keyed_ref(&key, data, 56, &at, &ref), 0);
  key.type = EBCACHE_TYPE_INODE_ITEM;
  CHECK_FAILS(ebcache_next_keyed_ref(&key, data, 4, &at, &ref), EINVAL, "key");
}

static void other_items(void) {
  unsigned char data[64] = {0};
  size_t at = 0;
  struct ebcache_root_ref name = SIZED(ebcache_root_ref);
  put(data, 256, 8);
  put(data + 8, 3, 8);
  put(data + 16, 2, 2);
  memcpy(data + 18, "ab", 2);
  CHECK_EQUAL(ebcache_parse_root_ref(data, 20, &name), 0);
  CHECK(name.directory == 256 && name.sequence == 3 && name.name_bytes == 2);
  CHECK(memcmp(name.name, "ab", 2) == 0);
  CHECK_FAILS(ebcache_parse_root_ref(data, 19, &name), EUCLEAN, "bytes");
  struct ebcache_uuid_subvolume subvolume = SIZED(ebcache_uuid_subvolume);
  CHECK_EQUAL(ebcache_next_uuid_subvolume(data, 16, &at, &subvolume), 1);
  CHECK_EQUAL(subvolume.id, 256);
  CHECK_EQUAL(ebcache_next_uuid_subvolume(data, 16, &at, &subvolume), 1);
  CHECK_EQUAL(subvolume.id, 3);
  CHECK_EQUAL(ebcache_next_uuid_subvolume(data, 16, &at, &subvolume), 0);
  struct ebcache_raid_stride stride = SIZED(ebcache_raid_stride);
  at = 0;
  CHECK_EQUAL(ebcache_next_raid_stride(data, 16, &at, &stride), 1);
  CHECK(stride.device_id == 256 && stride.physical == 3);
  struct ebcache_inode_ref ref = SIZED(ebcache_inode_ref);
  at = 0;
  CHECK_EQUAL(ebcache_next_inode_extref(data, 20, &at, &ref), 1);
  CHECK(ref.directory == 256 && ref.index == 3 && ref.name_bytes == 2);
  struct ebcache_checksums sums = SIZED(ebcache_checksums);
  CHECK_EQUAL(ebcache_parse_checksums(data, 64, 32, &sums), 0);
  CHECK_EQUAL(sums.count, 2);
  CHECK_FAILS(ebcache_parse_checksums(data, 63, 4, &sums), EUCLEAN, "");
  CHECK_FAILS(ebcache_parse_checksums(data, 64, 0, &sums), EINVAL, "");
  struct ebcache_qgroup_limit limit = SIZED(ebcache_qgroup_limit);
  CHECK_EQUAL(ebcache_parse_qgroup_limit(data, 40, &limit), 0);
  CHECK(limit.flags == 256 && limit.max_referenced == 3);
  struct ebcache_qgroup_info info = SIZED(ebcache_qgroup_info);
  CHECK_EQUAL(ebcache_parse_qgroup_info(data, 40, &info), 0);
  CHECK(info.generation == 256 && info.referenced == 3);
  struct ebcache_qgroup_status status = SIZED(ebcache_qgroup_status);
  CHECK_EQUAL(ebcache_parse_qgroup_status(data, 32, &status), 0);
  CHECK(status.version == 256 && status.generation == 3 && !status.has_enable_generation);
  CHECK_EQUAL(ebcache_parse_qgroup_status(data, 40, &status), 0);
  CHECK_EQUAL(status.has_enable_generation, 1);
  struct ebcache_device_stats stats = SIZED(ebcache_device_stats);
  CHECK_EQUAL(ebcache_parse_device_stats(data, 40, &stats), 0);
  CHECK(stats.write_errors == 256 && stats.read_errors == 3);
  put(data, 5, 1); /* bits 0 and 2 */
  CHECK_EQUAL(ebcache_free_space_bit(data, 64, 0), 1);
  CHECK_EQUAL(ebcache_free_space_bit(data, 64, 1), 0);
  CHECK_EQUAL(ebcache_free_space_bit(data, 64, 2), 1);
  CHECK_FAILS(ebcache_free_space_bit(data, 64, 512), ERANGE, "bit");
  CHECK_FAILS(ebcache_free_space_bit(data, 64, UINT64_MAX), ERANGE, "bit");
}

/* Each field from its own place: the offsets are those of the format, not of the library. */
static void items_of_what_is_under_way(void) {
  unsigned char data[448] = {0};
  for (size_t i = 0; i < 56; ++i) put(data + 8 * i, 1000 + i, 8);
  struct ebcache_remap_item remap = SIZED(ebcache_remap_item);
  CHECK_EQUAL(ebcache_parse_remap_item(data, 8, &remap), 0);
  CHECK_EQUAL(remap.address, 1000);
  CHECK_FAILS(ebcache_parse_remap_item(data, 9, &remap), EUCLEAN, "bytes");
  struct ebcache_device_replace replace = SIZED(ebcache_device_replace);
  CHECK_EQUAL(ebcache_parse_device_replace(data, 72, &replace), 0);
  CHECK(replace.source_device_id == 1000 && replace.cursor_left == 1001);
  CHECK(replace.cursor_right == 1002 && replace.reading_mode == 1003 && replace.state == 1004);
  CHECK(replace.time_started == 1005 && replace.time_stopped == 1006);
  CHECK(replace.write_errors == 1007 && replace.uncorrectable_read_errors == 1008);
  CHECK_FAILS(ebcache_parse_device_replace(data, 71, &replace), EUCLEAN, "bytes");
  struct ebcache_balance_item balance = SIZED(ebcache_balance_item);
  CHECK_EQUAL(ebcache_parse_balance_item(data, 448, &balance), 0);
  CHECK_EQUAL(balance.flags, 1000);
  const struct ebcache_balance_arguments* const kinds[] = {&balance.data, &balance.metadata,
                                                           &balance.system};
  for (uint64_t kind = 0; kind < 3; ++kind) {
    const struct ebcache_balance_arguments* const part = kinds[kind];
    const uint64_t first = 1001 + 17 * kind; /* 136 bytes each */
    CHECK(part->profiles == first && part->usage == first + 1 && part->only_device_id == first + 2);
    CHECK(part->physical_start == first + 3 && part->physical_end == first + 4);
    CHECK(part->logical_start == first + 5 && part->logical_end == first + 6);
    CHECK(part->target == first + 7 && part->flags == first + 8 && part->limit == first + 9);
    CHECK(part->stripes_min == first + 10 && part->stripes_max == 0);
  }
  CHECK_FAILS(ebcache_parse_balance_item(data, 447, &balance), EUCLEAN, "bytes");
  struct ebcache_dir_log_item log = SIZED(ebcache_dir_log_item);
  CHECK_EQUAL(ebcache_parse_dir_log_item(data, 8, &log), 0);
  CHECK_EQUAL(log.end, 1000);
  struct ebcache_verity_item verity = SIZED(ebcache_verity_item);
  data[24] = 7;
  CHECK_EQUAL(ebcache_parse_verity_item(data, 25, &verity), 0);
  CHECK(verity.descriptor_bytes == 1000 && verity.encryption == 7);
  CHECK_FAILS(ebcache_parse_verity_item(data, 24, &verity), EUCLEAN, "bytes");
  struct ebcache_space_cache cache = SIZED(ebcache_space_cache);
  data[8] = EBCACHE_TYPE_INODE_ITEM; /* a key has 17 bytes */
  put(data + 9, 5, 8);
  put(data + 17, 6, 8);
  put(data + 25, 7, 8);
  put(data + 33, 8, 8);
  CHECK_EQUAL(ebcache_parse_space_cache(data, 41, &cache), 0);
  CHECK(cache.location.objectid == 1000 && cache.location.type == EBCACHE_TYPE_INODE_ITEM);
  CHECK(cache.location.offset == 5 && cache.generation == 6);
  CHECK(cache.entry_count == 7 && cache.bitmap_count == 8);
}

/* ---- Bytes of any kind --------------------------------------------------------------------------- */

/* All of the functions that know an item's form; how many have taken the bytes for theirs. */
static int offer(const unsigned char* bytes, size_t length) {
  struct ebcache_inode_item inode = SIZED(ebcache_inode_item);
  struct ebcache_file_extent file_extent = SIZED(ebcache_file_extent);
  struct ebcache_root_item root = SIZED(ebcache_root_item);
  struct ebcache_root_ref root_ref = SIZED(ebcache_root_ref);
  struct ebcache_extent_item extent = SIZED(ebcache_extent_item);
  struct ebcache_block_group group = SIZED(ebcache_block_group);
  struct ebcache_free_space_info space = SIZED(ebcache_free_space_info);
  struct ebcache_chunk_item chunk = SIZED(ebcache_chunk_item);
  struct ebcache_device_item device = SIZED(ebcache_device_item);
  struct ebcache_device_extent device_extent = SIZED(ebcache_device_extent);
  struct ebcache_device_replace replace = SIZED(ebcache_device_replace);
  struct ebcache_balance_item balance = SIZED(ebcache_balance_item);
  struct ebcache_verity_item verity = SIZED(ebcache_verity_item);
  struct ebcache_space_cache cache = SIZED(ebcache_space_cache);
  const int results[] = {
      ebcache_parse_inode_item(bytes, length, &inode),
      ebcache_parse_file_extent(bytes, length, &file_extent),
      ebcache_parse_root_item(bytes, length, &root),
      ebcache_parse_root_ref(bytes, length, &root_ref),
      ebcache_parse_extent_item(EBCACHE_TYPE_EXTENT_ITEM, bytes, length, &extent),
      ebcache_parse_extent_item(EBCACHE_TYPE_METADATA_ITEM, bytes, length, &extent),
      ebcache_parse_block_group(bytes, length, &group),
      ebcache_parse_free_space_info(bytes, length, &space),
      ebcache_parse_chunk_item(bytes, length, &chunk),
      ebcache_parse_device_item(bytes, length, &device),
      ebcache_parse_device_extent(bytes, length, &device_extent),
      ebcache_parse_device_replace(bytes, length, &replace),
      ebcache_parse_balance_item(bytes, length, &balance),
      ebcache_parse_verity_item(bytes, length, &verity),
      ebcache_parse_space_cache(bytes, length, &cache),
  };
  int taken = 0;
  for (size_t i = 0; i < sizeof results / sizeof *results; ++i) {
    CHECK(results[i] == 0 || results[i] == -EUCLEAN);
    taken += results[i] == 0;
  }
  return taken;
}

/* The entries of an item by each of the functions that go through several: they end, each further on. */
static int offer_entries(const unsigned char* bytes, size_t length) {
  struct ebcache_inode_ref name = SIZED(ebcache_inode_ref);
  struct ebcache_dir_entry entry = SIZED(ebcache_dir_entry);
  struct ebcache_extent_ref ref = SIZED(ebcache_extent_ref);
  int taken = 0;
  for (int which = 0; which < 4; ++which) {
    size_t at = 0;
    for (;;) {
      const size_t before = at;
      const int result = which == 0   ? ebcache_next_inode_ref(bytes, length, &at, &name)
                         : which == 1 ? ebcache_next_inode_extref(bytes, length, &at, &name)
                         : which == 2 ? ebcache_next_dir_entry(bytes, length, &at, &entry)
                                      : ebcache_next_inline_ref(bytes, length, &at, &ref);
      CHECK(result == 0 || result == 1 || result == -EUCLEAN);
      CHECK(at <= length && (result == 1 ? at > before : at == before));
      if (result != 1) break;
      ++taken;
    }
  }
  return taken;
}

static void bytes_of_any_kind(void) {
  uint64_t random = 1;
  int taken = 0, entries = 0;
  for (int round = 0; round < 20000; ++round) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    const size_t length = (random >> 33) % 4 == 0 ? 0 : (random >> 35) % 450;
    unsigned char* const bytes =
        malloc(length + 1); /* so that the address sanitizer sees the end */
    CHECK(bytes != NULL);
    unsigned char* const end = bytes + 1;
    for (size_t i = 0; i < length; ++i) {
      random = random * 6364136223846793005u + 1442695040888963407u;
      end[i] = (unsigned char)((random >> 40) % 8 == 0 ? random >> 50 : 0);
    }
    taken += offer(end, length);
    entries += offer_entries(end, length);
    free(bytes);
  }
  CHECK(taken > 100 && entries > 100);
}

static void mistakes(void) {
  unsigned char data[200] = {0};
  struct ebcache_inode_item inode = {0};
  struct ebcache_inode_ref ref = SIZED(ebcache_inode_ref);
  size_t at = 0;
  CHECK_FAILS(ebcache_parse_inode_item(data, 160, &inode), EINVAL, "size");
  CHECK_FAILS(ebcache_parse_inode_item(data, 160, NULL), EINVAL, "inode is NULL");
  CHECK_FAILS(ebcache_parse_inode_item(NULL, 160, &inode), EINVAL, "data is NULL");
  CHECK_FAILS(ebcache_next_inode_ref(data, 100, NULL, &ref), EINVAL, "position is NULL");
  at = 101;
  CHECK_FAILS(ebcache_next_inode_ref(data, 100, &at, &ref), EINVAL, "position");
  struct ebcache_extent_item extent = SIZED(ebcache_extent_item);
  CHECK_FAILS(ebcache_parse_extent_item(1, data, 100, &extent), EINVAL, "key type");
  CHECK_FAILS(ebcache_free_space_bit(NULL, 1, 0), EINVAL, "data is NULL");
}

int main(void) {
  const char* const paths[] = {sample_image()};
  CHECK_EQUAL(ebcache_open(paths, 1, NULL, &filesystem), 0);
  RUN(every_item_of_an_image);
  RUN(references_of_an_extent);
  RUN(references_with_keys_of_their_own);
  RUN(other_items);
  RUN(items_of_what_is_under_way);
  RUN(bytes_of_any_kind);
  RUN(mistakes);
  CHECK_EQUAL(ebcache_close(filesystem), 0);
  return 0;
}
