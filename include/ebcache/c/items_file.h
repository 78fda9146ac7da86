/* The part of ebcache.h that takes items of files apart. items.h has the rules of all. */

#ifndef EBCACHE_C_ITEMS_FILE_H_
#define EBCACHE_C_ITEMS_FILE_H_

#include <stddef.h>
#include <stdint.h>

#include "ebcache/c/base.h"
#include "ebcache/c/cache.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A moment. */
struct ebcache_time {
  int64_t seconds;
  uint32_t nanoseconds;
};

/* (inode, INODE_ITEM, 0). */
struct ebcache_inode_item {
  size_t size;
  uint64_t generation;  /* that made the inode */
  uint64_t transaction; /* that changed it last */
  uint64_t file_bytes;  /* of a directory: twice the lengths of its entries' names */
  uint64_t disk_bytes;  /* what the file takes, before compression and copies */
  uint64_t block_group; /* a hint; the inode's space cache uses it */
  uint64_t rdev;
  uint64_t flags;
  uint64_t sequence; /* of changes, for NFS */
  uint32_t link_count;
  uint32_t uid;
  uint32_t gid;
  uint32_t mode; /* kind and permissions, as stat(2) has them */
  struct ebcache_time atime;
  struct ebcache_time ctime;
  struct ebcache_time mtime;
  struct ebcache_time otime; /* when it was made */
};
/* Errors: -EUCLEAN. */
EBCACHE_API int ebcache_parse_inode_item(const void* data, size_t bytes,
                                         struct ebcache_inode_item* inode);

/* An entry of (inode, INODE_REF, directory), or of (inode, INODE_EXTREF, hash). */
struct ebcache_inode_ref {
  size_t size;
  uint64_t directory; /* of extended ones; of the others the key's offset has it, and this is 0 */
  uint64_t index;     /* the offset of the name's DIR_INDEX */
  const char* name;
  size_t name_bytes;
};
/* Errors: -EUCLEAN. */
EBCACHE_API int ebcache_next_inode_ref(const void* data, size_t bytes, size_t* position,
                                       struct ebcache_inode_ref* ref);
EBCACHE_API int ebcache_next_inode_extref(const void* data, size_t bytes, size_t* position,
                                          struct ebcache_inode_ref* ref);

/* An entry of (directory, DIR_ITEM, hash of the name), of (directory, DIR_INDEX, index), or of
 * (inode, XATTR_ITEM, hash of the name). */
struct ebcache_dir_entry {
  size_t size;
  struct ebcache_key location; /* of an inode's item or a subvolume's root; of attributes zero */
  uint64_t transaction;
  const char* name;
  size_t name_bytes;
  const void* data; /* the value of an attribute */
  size_t data_bytes;
  uint32_t type; /* enum ebcache_file_type */
};
/* Errors: -EUCLEAN. */
EBCACHE_API int ebcache_next_dir_entry(const void* data, size_t bytes, size_t* position,
                                       struct ebcache_dir_entry* entry);

/* (inode, EXTENT_DATA, offset in the file). */
struct ebcache_file_extent {
  size_t size;
  uint64_t generation;
  uint64_t ram_bytes;   /* of the extent when uncompressed */
  uint32_t compression; /* enum ebcache_compression */
  uint32_t encryption;
  uint32_t other_encoding;
  uint32_t type; /* enum ebcache_file_extent_type */
  /* Of all types but inline. */
  uint64_t disk_bytenr; /* logical; 0: a hole */
  uint64_t disk_bytes;  /* of the whole extent */
  uint64_t offset;      /* where in the extent, uncompressed, this part of the file begins */
  uint64_t file_bytes;  /* how much of the file is in it */
  /* Of inline ones, as it is stored. */
  const void* inline_data;
  size_t inline_bytes;
};
/* Errors: -EUCLEAN. */
EBCACHE_API int ebcache_parse_file_extent(const void* data, size_t bytes,
                                          struct ebcache_file_extent* extent);

/* (-10, EXTENT_CSUM, logical): a checksum for each sector from there on. */
struct ebcache_checksums {
  size_t size;
  const void* checksums; /* one behind the other */
  size_t count;
};
/* `checksum_bytes`, of each: 4, 8 or 32, by the filesystem's type of checksums. Errors: -EUCLEAN, and
 * -EINVAL for 0. */
EBCACHE_API int ebcache_parse_checksums(const void* data, size_t bytes, size_t checksum_bytes,
                                        struct ebcache_checksums* checksums);

/* (inode, VERITY_DESC_ITEM, 0). The descriptor lies in the items with offsets from 1. */
struct ebcache_verity_item {
  size_t size;
  uint64_t descriptor_bytes;
  uint32_t encryption;
};
/* Errors: -EUCLEAN. */
EBCACHE_API int ebcache_parse_verity_item(const void* data, size_t bytes,
                                          struct ebcache_verity_item* verity);

/* (directory, DIR_LOG_ITEM or DIR_LOG_INDEX, first key offset), in log trees: the log knows all names from there
 * to `end`. */
struct ebcache_dir_log_item {
  size_t size;
  uint64_t end; /* the last key offset */
};
/* Errors: -EUCLEAN. */
EBCACHE_API int ebcache_parse_dir_log_item(const void* data, size_t bytes,
                                           struct ebcache_dir_log_item* log);

/* (-11, untyped, start of a block group), in the root tree: which file has the free space of it, in the
 * space cache of version 1. */
struct ebcache_space_cache {
  size_t size;
  struct ebcache_key location; /* of the file's inode */
  uint64_t generation;
  uint64_t entry_count;
  uint64_t bitmap_count;
};
/* Errors: -EUCLEAN. */
EBCACHE_API int ebcache_parse_space_cache(const void* data, size_t bytes,
                                          struct ebcache_space_cache* cache);

#ifdef __cplusplus
}
#endif

#endif /* EBCACHE_C_ITEMS_FILE_H_ */
