/* The part of ebcache.h that is about trees: their blocks, searches and walks. */

#ifndef EBCACHE_C_TREE_H_
#define EBCACHE_C_TREE_H_

#include <stddef.h>
#include <stdint.h>

#include "ebcache/c/base.h"
#include "ebcache/c/block_set.h"
#include "ebcache/c/cache.h"
#include "ebcache/c/readahead.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Tree blocks ----------------------------------------------------------------------------- */
/* Of blocks that were read from a filesystem, which are well-formed. */

/* The header of a block. */
struct ebcache_header {
  size_t size;
  uint64_t bytenr;
  uint64_t flags;
  uint64_t generation;
  uint64_t owner;
  uint32_t item_count;
  uint32_t level; /* 0: a leaf */
};
/* Reads the header of a block of a tree. */
EBCACHE_API int ebcache_header(const ebcache_buffer* buffer, struct ebcache_header* header);

/* A slot of a leaf: the item's key, and where in the block its data is. */
struct ebcache_leaf_slot {
  size_t size;
  struct ebcache_key key;
  uint32_t data_offset;
  uint32_t data_bytes;
};
/* A slot of a node: a child's first key, and where it is. */
struct ebcache_node_slot {
  size_t size;
  struct ebcache_key key;
  uint64_t bytenr;
  uint64_t generation;
};
/* -ERANGE: no such slot; -EINVAL: not a leaf, not a node. */
EBCACHE_API int ebcache_leaf_slot(const ebcache_buffer* leaf, uint32_t slot,
                                  struct ebcache_leaf_slot* item);
EBCACHE_API int ebcache_node_slot(const ebcache_buffer* node, uint32_t slot,
                                  struct ebcache_node_slot* child);

/* ---- Trees ----------------------------------------------------------------------------------- */

/* Where a tree is. */
struct ebcache_root {
  size_t size;
  uint64_t id;         /* 5: the top-level subvolume; 2: extents; ...; 0: owners are not checked */
  uint64_t key_offset; /* tells the trees of a log apart */
  uint64_t bytenr;
  uint64_t generation; /* of the root block; 0: any */
  uint32_t level;
  /* Of a subvolume being deleted: the key, in a node on drop_level, of the first child that is
   * still there. All zero otherwise. */
  uint32_t drop_level;
  struct ebcache_key drop_progress;
  char name[48]; /* "FS_TREE", "256", "TREE_LOG 5" */
  /* Not 0: a subvolume that users have deleted. Some or all of its blocks are still there until the
   * kernel has freed them, but what is in them is no part of the filesystem any more. */
  uint32_t deleted;
};
/* Calls `tell` for every tree there is, deleted ones too. What `tell` returns, other than 0, ends
 * that and is returned. After telling of those that could be found, when some could not: -EUCLEAN
 * for damage, and where there is none the number of what else there was, as ebcache_walk. */
EBCACHE_API int ebcache_for_each_tree(ebcache_filesystem* filesystem,
                                      int (*tell)(void* context, const struct ebcache_root* root),
                                      void* context);

/* A tree of a filesystem by id, or one whose root is known. ebcache_tree_close gives it back,
 * before the filesystem or cache goes. Errors of the first: -ENOENT (no such tree), those of
 * ebcache_read; of the second: -E2BIG. */
EBCACHE_API int ebcache_tree_open(ebcache_filesystem* filesystem, uint64_t id, ebcache_tree** tree);
EBCACHE_API int ebcache_tree_open_root(ebcache_cache* cache, const struct ebcache_root* root,
                                       ebcache_tree** tree);
EBCACHE_API void ebcache_tree_close(ebcache_tree* tree);
/* Where it is, as it was opened. */
EBCACHE_API int ebcache_tree_root(const ebcache_tree* tree, struct ebcache_root* root);

/* Which item a search ends at. */
enum ebcache_search_mode {
  EBCACHE_SEARCH_EXACT = 0,
  EBCACHE_SEARCH_AT_OR_AFTER = 1,
  EBCACHE_SEARCH_AT_OR_BEFORE = 2,
};
/* The place of an item; `key` may be NULL for the first one (at or after), or the last (before).
 * ebcache_path_close gives it back, and with it the references to the blocks above it; before the
 * tree. Errors: -ENOENT (no such item), those of ebcache_read. */
EBCACHE_API int ebcache_search(const ebcache_tree* tree, const struct ebcache_key* key, int mode,
                               ebcache_path** path);
EBCACHE_API void ebcache_path_close(ebcache_path* path);
/* To the next, or previous, item. -ENOENT where there is none: then the path has not moved. After
 * any other error, which is as those of ebcache_search, it is lost: only ebcache_path_close is
 * left, and the others answer -EINVAL. */
EBCACHE_API int ebcache_path_next(ebcache_path* path);
EBCACHE_API int ebcache_path_previous(ebcache_path* path);

/* An item of a leaf. */
struct ebcache_item {
  size_t size;
  struct ebcache_key key;
  const void* data; /* in one piece; valid until the path moves or is closed */
  size_t data_bytes;
};
/* The item that the path stands on. -EUCLEAN: it does not lie in its block. */
EBCACHE_API int ebcache_path_item(ebcache_path* path, struct ebcache_item* item);
/* The block at `level` (0: the leaf), borrowed until the path moves; NULL above the root. The slot
 * in it. */
EBCACHE_API ebcache_buffer* ebcache_path_buffer(const ebcache_path* path, int level);
EBCACHE_API uint32_t ebcache_path_slot(const ebcache_path* path, int level);

/* Calls `visit` for every item from `from` to `to`, both included (NULL: the first, the last). What
 * it returns, other than 0, ends that and is returned. Ends at the first block that cannot be had.
 * Errors: those of ebcache_search, but -ENOENT. */
EBCACHE_API int ebcache_iterate(const ebcache_tree* tree, const struct ebcache_key* from,
                                const struct ebcache_key* to,
                                int (*visit)(void* context, const struct ebcache_item* item),
                                void* context);

/* A part of a tree that iteration has left out: a block that cannot be had, and all below it. */
struct ebcache_gap {
  size_t size;
  struct ebcache_key from; /* items with these keys may be missing, */
  struct ebcache_key to;   /*   the last included */
  uint64_t tree;
  uint64_t logical;
  uint32_t level;      /* of the block, as its parent has it */
  int32_t error;       /* as ebcache_read would return it */
  const char* message; /* names mirrors, devices and reasons; valid during the call */
};
/* What is told of items, and of those that are missing. */
struct ebcache_item_visitor {
  size_t size;
  int (*item)(void* context, const struct ebcache_item* item); /* as `visit` of ebcache_iterate */
  /* May be NULL. In key order with the items. */
  void (*gap)(void* context, const struct ebcache_gap* gap);
};
/* As ebcache_iterate, but goes on behind blocks that cannot be had, as ebcache_walk does. 0: every
 * item of the range. When `gap` was told of some: as ebcache_walk. Errors: also -E2BIG. */
EBCACHE_API int ebcache_iterate_past_damage(const ebcache_tree* tree,
                                            const struct ebcache_key* from,
                                            const struct ebcache_key* to,
                                            const struct ebcache_item_visitor* visitor,
                                            void* context);

/* A subtree that a walk could not enter. */
struct ebcache_walk_damage {
  size_t size;
  uint64_t tree;
  uint64_t logical;
  uint32_t level;      /* of the block, as its parent has it */
  int32_t error;       /* as ebcache_read would return it */
  const char* message; /* names mirrors, devices and reasons; valid during the call */
};
/* The callbacks that are told of what a walk meets. */
struct ebcache_visitor {
  size_t size;
  /* A block: parents before their children, children in key order; borrowed. 0: go on below it;
   * above 0: do not; below 0: end the walk, which then returns that and begins no more reads. */
  int (*block)(void* context, const struct ebcache_root* root, const ebcache_buffer* block);
  /* May be NULL. The walk goes on beside it. */
  void (*damage)(void* context, const struct ebcache_walk_damage* damage);
};
/* How a walk goes about it. */
struct ebcache_walk_options {
  size_t size;
  /* Blocks that are passed over, with all that is below; the walk adds its own. One set for several
   * trees visits what snapshots share once. */
  ebcache_block_set* visited;
  uint32_t batch; /* children read at a time, at most (default 64) */
  uint32_t ahead; /* with `readahead`: leaves asked for before the walk comes to them, at most
                     (default 256; never more than a sixteenth of the budget) */
  /* Of the same cache: its threads read and check leaves beside the walk, which tells of the blocks
   * in the same order and on the same thread as without. NULL: the walk reads for itself. */
  ebcache_readahead* readahead;
  /* Not 0: what was read for this walk leaves the cache behind it, unless others have come for it or it
   * is dirty; for a walk that needs each block once. 0: it stays while there is room. */
  uint32_t drop_behind;
};
/* Visits every block of a tree, depth first; bounded by what there is, however knotted the tree.
 * Calls come from the thread that walks. `options` may be NULL. 0: the whole tree. All but what
 * `damage` was told of: -EUCLEAN when any of it is damage: bytes that were read and are bad, or a
 * pointer to where no block can be. Where nothing is, the number that ebcache_read has for all that
 * was not read (-EIO, -ENOMEM, -ENXIO, -EOPNOTSUPP, -EDEADLK, what a callback returned); -EIO when
 * there are several. Errors: also -E2BIG. A walk that ends early, by `block` or for want of memory,
 * has left in `visited` what it had come to. */
EBCACHE_API int ebcache_walk(ebcache_cache* cache, const struct ebcache_root* root,
                             const struct ebcache_visitor* visitor, void* context,
                             const struct ebcache_walk_options* options);

#ifdef __cplusplus
}
#endif

#endif /* EBCACHE_C_TREE_H_ */
