/* The part of ebcache.h that takes items of the extent tree apart: what is allocated, and what refers to
 * it. items.h has the rules of all. */

#ifndef EBCACHE_C_ITEMS_EXTENT_H_
#define EBCACHE_C_ITEMS_EXTENT_H_

#include <stddef.h>
#include <stdint.h>

#include "ebcache/c/base.h"
#include "ebcache/c/cache.h"

#ifdef __cplusplus
extern "C" {
#endif

/* (logical, EXTENT_ITEM, length) and (logical, METADATA_ITEM, level). */
struct ebcache_extent_item {
  size_t size;
  uint64_t references; /* inline ones and others, each as often as it counts */
  uint64_t generation; /* that made it */
  uint64_t flags;      /* EBCACHE_EXTENT_DATA, _TREE_BLOCK, _FULL_BACKREF */
  /* Of the EXTENT_ITEM of a tree block: not 0, and what the block is. */
  uint32_t has_block;
  uint32_t level;
  struct ebcache_key first_key;
  const void* inline_refs; /* for ebcache_next_inline_ref */
  size_t inline_ref_bytes;
};
/* `type`: EXTENT_ITEM or METADATA_ITEM. The inline references are not looked at. Errors: -EUCLEAN, and
 * -EINVAL for another type. */
EBCACHE_API int ebcache_parse_extent_item(uint8_t type, const void* data, size_t bytes,
                                          struct ebcache_extent_item* extent);

/* What refers to an extent. */
struct ebcache_extent_ref {
  size_t size;
  uint32_t type;   /* the item type that says so: TREE_BLOCK_REF, SHARED_BLOCK_REF, EXTENT_DATA_REF,
                      SHARED_DATA_REF, EXTENT_OWNER_REF */
  uint32_t count;  /* how many of the extent's references it is; 0 for EXTENT_OWNER_REF */
  uint64_t root;   /* of all but shared ones: id of the tree */
  uint64_t parent; /* of shared ones: logical address of the block that refers */
  /* Of EXTENT_DATA_REF. */
  uint64_t inode;
  uint64_t offset; /* of the file's part, less where it begins in the extent; may be below zero */
};
/* The references inside of an extent item. Errors: -EUCLEAN. */
EBCACHE_API int ebcache_next_inline_ref(const void* data, size_t bytes, size_t* position,
                                        struct ebcache_extent_ref* ref);
/* Those of an item of their own, whose key is `key`, of one of the types above: data and parent of some
 * are in the key alone, and `data` may be NULL where `bytes` is 0. Errors: -EUCLEAN, and -EINVAL for a
 * key of another type. */
EBCACHE_API int ebcache_next_keyed_ref(const struct ebcache_key* key, const void* data,
                                       size_t bytes, size_t* position,
                                       struct ebcache_extent_ref* ref);

/* Calls `tell` for every reference to the extent at `start`, inline or in an item of its own: `extents` is
 * the extent tree. What `tell` returns, other than 0, ends that and is returned. Fills in `extent`, unless
 * it is NULL, before. Errors: -ENOENT (nothing is allocated there), -EUCLEAN, those of
 * ebcache_iterate. */
EBCACHE_API int ebcache_for_each_extent_ref(
    const ebcache_tree* extents, uint64_t start, struct ebcache_extent_item* extent,
    int (*tell)(void* context, const struct ebcache_extent_ref* ref), void* context);

#ifdef __cplusplus
}
#endif

#endif /* EBCACHE_C_ITEMS_EXTENT_H_ */
