/* The part of ebcache.h that leads from paths to inodes and back. */

#ifndef EBCACHE_C_PATHS_H_
#define EBCACHE_C_PATHS_H_

#include <stddef.h>
#include <stdint.h>

#include "ebcache/c/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where a file is. */
struct ebcache_inode_place {
  size_t size;
  uint64_t tree;  /* 5, or the id of a subvolume */
  uint64_t inode; /* 256: the top directory of `tree` */
  uint32_t type;  /* enum ebcache_file_type */
};
/* The inode that `path` leads to from the top directory of the subvolume `tree`: names with '/' between
 * them, in front and behind; "" and "/" are that directory. Goes on into subvolumes; symbolic links are
 * not followed, and "." and ".." are names that no directory has. Errors: -ENOENT (no such tree, no such
 * name, or what would have to be a directory is none), those of ebcache_read. */
EBCACHE_API int ebcache_find_inode(ebcache_filesystem* filesystem, uint64_t tree, const char* path,
                                   struct ebcache_inode_place* place);

/* Told of a path: `bytes` long, and terminated by a zero as well. Valid during the call. */
typedef int ebcache_path_fn(void* context, const char* path, size_t bytes);
/* Calls `tell` for every path of an inode from the top directory of its tree: one for each of its names, in
 * the order of keys; "/" for that directory itself. What `tell` returns, other than 0, ends that and is
 * returned. Errors: -ENOENT (no such tree; the inode has no name there), -EUCLEAN (directories that lead
 * nowhere, or round), those of ebcache_read. */
EBCACHE_API int ebcache_for_each_path(ebcache_filesystem* filesystem, uint64_t tree, uint64_t inode,
                                      ebcache_path_fn* tell, void* context);
/* The same for the one path of a subvolume from the top directory of the filesystem: "/" for tree 5.
 * -ENOENT also for one that is in no directory any more. */
EBCACHE_API int ebcache_subvolume_path(ebcache_filesystem* filesystem, uint64_t tree,
                                       ebcache_path_fn* tell, void* context);

#ifdef __cplusplus
}
#endif

#endif /* EBCACHE_C_PATHS_H_ */
