/* The part of ebcache.h that takes items of space apart: block groups, what is free in them, chunks,
 * devices, and what is done with these. items.h has the rules of all. */

#ifndef EBCACHE_C_ITEMS_SPACE_H_
#define EBCACHE_C_ITEMS_SPACE_H_

#include <stddef.h>
#include <stdint.h>

#include "ebcache/c/base.h"
#include "ebcache/c/cache.h"

#ifdef __cplusplus
extern "C" {
#endif

/* (start, BLOCK_GROUP_ITEM, length). */
struct ebcache_block_group {
  size_t size;
  uint64_t used; /* bytes of extents in it */
  uint64_t chunk_objectid;
  uint64_t flags; /* type and profile, as its chunk has them */
  /* Where the filesystem has a remap tree. */
  uint32_t has_remap;
  uint32_t identity_remap_count;
  uint64_t remap_bytes;
};
/* Errors: -EUCLEAN. */
EBCACHE_API int ebcache_parse_block_group(const void* data, size_t bytes,
                                          struct ebcache_block_group* group);

/* (start of a block group, FREE_SPACE_INFO, its length). */
struct ebcache_free_space_info {
  size_t size;
  uint32_t extent_count; /* runs of free space, whether as extents or in bitmaps */
  uint32_t flags;
};
/* Errors: -EUCLEAN. */
EBCACHE_API int ebcache_parse_free_space_info(const void* data, size_t bytes,
                                              struct ebcache_free_space_info* info);
/* Of (start, FREE_SPACE_BITMAP, length): 1 where that sector, counted from `start`, is free, else 0.
 * -ERANGE: the item has no such bit. */
EBCACHE_API int ebcache_free_space_bit(const void* data, size_t bytes, uint64_t sector);

/* (256, CHUNK_ITEM, logical). */
struct ebcache_chunk_item {
  size_t size;
  uint64_t length;
  uint64_t owner;
  uint64_t stripe_bytes; /* how much lies on one stripe before the next one's turn */
  uint64_t type;
  uint32_t io_align;
  uint32_t io_width;
  uint32_t sector_bytes;
  uint32_t sub_stripes;
  uint32_t stripe_count;
};
/* Errors: -EUCLEAN. */
EBCACHE_API int ebcache_parse_chunk_item(const void* data, size_t bytes,
                                         struct ebcache_chunk_item* chunk);
/* The part of a chunk that lies on one device. */
struct ebcache_chunk_stripe {
  size_t size;
  uint64_t device_id;
  uint64_t physical;
  uint8_t device_uuid[16];
};
/* Stripe `index` of a CHUNK_ITEM. Errors: -EUCLEAN, -ERANGE: it has no such stripe. */
EBCACHE_API int ebcache_parse_chunk_stripe(const void* data, size_t bytes, uint32_t index,
                                           struct ebcache_chunk_stripe* stripe);

/* (1, DEV_ITEM, id), in the chunk tree. */
struct ebcache_device_item {
  size_t size;
  uint64_t id;
  uint64_t total_bytes;
  uint64_t bytes_used; /* allocated to chunks */
  uint64_t type;
  uint64_t generation;
  uint64_t start_offset;
  uint32_t io_align;
  uint32_t io_width;
  uint32_t sector_bytes;
  uint32_t group;
  uint32_t seek_speed;
  uint32_t bandwidth;
  uint8_t uuid[16];
  uint8_t fsid[16];
};
/* Errors: -EUCLEAN. */
EBCACHE_API int ebcache_parse_device_item(const void* data, size_t bytes,
                                          struct ebcache_device_item* device);

/* (device id, DEV_EXTENT, physical): a stripe of a chunk. */
struct ebcache_device_extent {
  size_t size;
  uint64_t chunk_tree;
  uint64_t chunk_objectid;
  uint64_t chunk_offset; /* logical address of the chunk */
  uint64_t length;
  uint8_t chunk_tree_uuid[16];
};
/* Errors: -EUCLEAN. */
EBCACHE_API int ebcache_parse_device_extent(const void* data, size_t bytes,
                                            struct ebcache_device_extent* extent);

/* (0, PERSISTENT_ITEM, device id): errors of a device since they were reset. */
struct ebcache_device_stats {
  size_t size;
  uint64_t write_errors;
  uint64_t read_errors;
  uint64_t flush_errors;
  uint64_t corruption_errors;
  uint64_t generation_errors;
};
/* Errors: -EUCLEAN. */
EBCACHE_API int ebcache_parse_device_stats(const void* data, size_t bytes,
                                           struct ebcache_device_stats* stats);

/* An entry of (logical, RAID_STRIPE, length): one copy or one part of that data. */
struct ebcache_raid_stride {
  size_t size;
  uint64_t device_id;
  uint64_t physical;
};
/* Errors: -EUCLEAN. */
EBCACHE_API int ebcache_next_raid_stride(const void* data, size_t bytes, size_t* position,
                                         struct ebcache_raid_stride* stride);

/* (start, REMAP, length): where that range is now. (start, REMAP_BACKREF, length): where it was. */
struct ebcache_remap_item {
  size_t size;
  uint64_t address; /* logical, for `start` */
};
/* Errors: -EUCLEAN. */
EBCACHE_API int ebcache_parse_remap_item(const void* data, size_t bytes,
                                         struct ebcache_remap_item* remap);

/* ebcache_device_replace.state. */
enum ebcache_device_replace_state {
  EBCACHE_REPLACE_NEVER_STARTED = 0,
  EBCACHE_REPLACE_STARTED = 1,
  EBCACHE_REPLACE_FINISHED = 2,
  EBCACHE_REPLACE_CANCELED = 3,
  EBCACHE_REPLACE_SUSPENDED = 4
};
/* (0, DEV_REPLACE, 0), in the device tree. */
struct ebcache_device_replace {
  size_t size;
  uint64_t source_device_id;
  uint64_t cursor_left;  /* physical: up to here it is done */
  uint64_t cursor_right; /* physical: from here on it is not */
  uint64_t reading_mode; /* when the source is read: 0 always, 1 where nothing else is left */
  uint64_t state;        /* enum ebcache_device_replace_state */
  uint64_t time_started; /* seconds since 1970 UTC */
  uint64_t time_stopped;
  uint64_t write_errors;
  uint64_t uncorrectable_read_errors;
};
/* Errors: -EUCLEAN. */
EBCACHE_API int ebcache_parse_device_replace(const void* data, size_t bytes,
                                             struct ebcache_device_replace* replace);

/* What a balance does with the chunks of one type. Which of the fields count is told by the flags. */
struct ebcache_balance_arguments {
  uint64_t profiles;
  uint64_t usage;          /* percent; or least in the lower half, most in the upper half */
  uint64_t only_device_id; /* chunks with a stripe on this device */
  uint64_t physical_start;
  uint64_t physical_end;
  uint64_t logical_start;
  uint64_t logical_end;
  uint64_t target; /* the profile to convert to */
  uint64_t flags;
  uint64_t limit; /* chunks; or least in the lower half, most in the upper half */
  uint32_t stripes_min;
  uint32_t stripes_max;
};
/* (-4, TEMPORARY_ITEM, 0), in the root tree: a balance that is under way or paused. */
struct ebcache_balance_item {
  size_t size;
  uint64_t flags; /* which types of chunks; whether forced; whether resumed */
  struct ebcache_balance_arguments data;
  struct ebcache_balance_arguments metadata;
  struct ebcache_balance_arguments system;
};
/* Errors: -EUCLEAN. */
EBCACHE_API int ebcache_parse_balance_item(const void* data, size_t bytes,
                                           struct ebcache_balance_item* balance);

#ifdef __cplusplus
}
#endif

#endif /* EBCACHE_C_ITEMS_SPACE_H_ */
