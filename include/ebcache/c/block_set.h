/* The part of ebcache.h that is about sets of blocks: what walks have met, what a tool has seen. */

#ifndef EBCACHE_C_BLOCK_SET_H_
#define EBCACHE_C_BLOCK_SET_H_

#include <stdint.h>

#include "ebcache/c/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* For blocks of `node_bytes`, as a cache has them: a bit for each where they lie close together.
 * ebcache_block_set_free gives it back, after the walks that use it. */
EBCACHE_API int ebcache_block_set_create(uint32_t node_bytes, ebcache_block_set** set);
EBCACHE_API void ebcache_block_set_free(ebcache_block_set* set);
/* Puts the block at `start`, any address, into the set. 1: it was not in it; 0: it was. */
EBCACHE_API int ebcache_block_set_insert(ebcache_block_set* set, uint64_t start);
/* Whether it is in the set: 1 or 0; 0 for NULL. */
EBCACHE_API int ebcache_block_set_contains(const ebcache_block_set* set, uint64_t start);
/* How many blocks are in it; 0 for NULL. */
EBCACHE_API uint64_t ebcache_block_set_size(const ebcache_block_set* set);

#ifdef __cplusplus
}
#endif

#endif /* EBCACHE_C_BLOCK_SET_H_ */
