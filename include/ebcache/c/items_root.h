/* The part of ebcache.h that takes items of trees' roots apart. items.h has the rules of all. */

#ifndef EBCACHE_C_ITEMS_ROOT_H_
#define EBCACHE_C_ITEMS_ROOT_H_

#include <stddef.h>
#include <stdint.h>

#include "ebcache/c/base.h"
#include "ebcache/c/cache.h"
#include "ebcache/c/items_file.h"

#ifdef __cplusplus
extern "C" {
#endif

/* (tree id, ROOT_ITEM, 0 or the transaction that made the snapshot): where a tree is. In front of it the
 * item has an inode item of the top directory, its first 160 bytes. */
struct ebcache_root_item {
  size_t size;
  uint64_t generation;
  uint64_t root_directory; /* its inode number; 0 in trees without files */
  uint64_t bytenr;
  uint64_t byte_limit;    /* never in use */
  uint64_t bytes_used;    /* of its blocks */
  uint64_t last_snapshot; /* generation of the last one that was made of it */
  uint64_t flags;         /* EBCACHE_ROOT_READ_ONLY, EBCACHE_ROOT_DEAD */
  struct ebcache_key drop_progress;
  uint32_t drop_level;
  uint32_t level;
  uint32_t refs; /* 0: being deleted */
  /* Not 0: the item has what follows, as those since 2012 have. */
  uint32_t has_uuids;
  uint8_t uuid[16];
  uint8_t parent_uuid[16];   /* of what it is a snapshot of */
  uint8_t received_uuid[16]; /* of what was sent */
  uint64_t generation_v2;    /* as `generation`; else older kernels have written since */
  uint64_t change_transaction;
  uint64_t origin_transaction; /* that made it */
  uint64_t send_transaction;
  uint64_t receive_transaction;
  struct ebcache_time change_time;
  struct ebcache_time origin_time;
  struct ebcache_time send_time;
  struct ebcache_time receive_time;
};
/* Errors: -EUCLEAN: also where it leads to no block that can be, or to a level that no tree has. */
EBCACHE_API int ebcache_parse_root_item(const void* data, size_t bytes,
                                        struct ebcache_root_item* root);

/* (parent, ROOT_REF, child) and (child, ROOT_BACKREF, parent): under which name a subvolume is in
 * another. */
struct ebcache_root_ref {
  size_t size;
  uint64_t directory; /* inode of the parent */
  uint64_t sequence;  /* the index of the name there */
  const char* name;
  size_t name_bytes;
};
/* Errors: -EUCLEAN. */
EBCACHE_API int ebcache_parse_root_ref(const void* data, size_t bytes,
                                       struct ebcache_root_ref* ref);

/* An entry of (first half of a uuid, UUID_SUBVOL or UUID_RECEIVED_SUBVOL, second half). */
struct ebcache_uuid_subvolume {
  size_t size;
  uint64_t id;
};
/* Errors: -EUCLEAN. */
EBCACHE_API int ebcache_next_uuid_subvolume(const void* data, size_t bytes, size_t* position,
                                            struct ebcache_uuid_subvolume* subvolume);

#ifdef __cplusplus
}
#endif

#endif /* EBCACHE_C_ITEMS_ROOT_H_ */
