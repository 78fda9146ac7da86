/* The part of ebcache.h that takes items of the quota tree apart. items.h has the rules of all. Of the
 * id of a group the upper 16 bits are its level, the lower 48 at level 0 the subvolume's id. */

#ifndef EBCACHE_C_ITEMS_QUOTA_H_
#define EBCACHE_C_ITEMS_QUOTA_H_

#include <stddef.h>
#include <stdint.h>

#include "ebcache/c/base.h"
#include "ebcache/c/cache.h"

#ifdef __cplusplus
extern "C" {
#endif

/* (0, QGROUP_STATUS, 0). */
struct ebcache_qgroup_status {
  size_t size;
  uint64_t version;
  uint64_t generation;
  uint64_t flags;
  uint64_t rescan; /* objectid that a rescan has come to */
  uint32_t has_enable_generation;
  uint64_t enable_generation; /* simple quotas count what was made since */
};
/* Errors: -EUCLEAN. */
EBCACHE_API int ebcache_parse_qgroup_status(const void* data, size_t bytes,
                                            struct ebcache_qgroup_status* status);

/* (0, QGROUP_INFO, group). */
struct ebcache_qgroup_info {
  size_t size;
  uint64_t generation;
  uint64_t referenced;
  uint64_t referenced_compressed;
  uint64_t exclusive;
  uint64_t exclusive_compressed;
};
/* Errors: -EUCLEAN. */
EBCACHE_API int ebcache_parse_qgroup_info(const void* data, size_t bytes,
                                          struct ebcache_qgroup_info* info);

/* (0, QGROUP_LIMIT, group). Which of the limits hold is told by the flags, a bit each in their order. */
struct ebcache_qgroup_limit {
  size_t size;
  uint64_t flags;
  uint64_t max_referenced;
  uint64_t max_exclusive;
  uint64_t reserved_referenced;
  uint64_t reserved_exclusive;
};
/* Errors: -EUCLEAN. */
EBCACHE_API int ebcache_parse_qgroup_limit(const void* data, size_t bytes,
                                           struct ebcache_qgroup_limit* limit);

#ifdef __cplusplus
}
#endif

#endif /* EBCACHE_C_ITEMS_QUOTA_H_ */
