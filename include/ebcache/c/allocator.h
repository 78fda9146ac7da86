/* The part of ebcache.h that is about where pages come from. */

#ifndef EBCACHE_C_ALLOCATOR_H_
#define EBCACHE_C_ALLOCATOR_H_

#include <stddef.h>
#include <stdint.h>

#include "ebcache/c/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The allocators that come with the library. */
enum ebcache_allocator_kind {
  EBCACHE_ALLOCATOR_HEAP = 0,    /* mimalloc, else malloc; every block in one piece */
  EBCACHE_ALLOCATOR_ORDER0 = 1,  /* single pages of an arena; one piece only by luck */
  EBCACHE_ALLOCATOR_HIGH = 2,    /* one large folio where there is one, else pages */
  EBCACHE_ALLOCATOR_VMAP = 3,    /* pages, mapped side by side; children of forks lack them */
  EBCACHE_ALLOCATOR_MOVABLE = 4, /* a region that keeps movable pages apart, and moves them */
};

/* Which allocator, and how large. */
struct ebcache_allocator_options {
  size_t size;
  uint32_t kind;        /* of ebcache_allocator_kind */
  uint32_t defragment;  /* movable: not 0: a thread keeps room in one piece */
  uint64_t page_bytes;  /* 4096 (default), 16384 or 65536 */
  uint64_t max_bytes;   /* heap: the most to hand out (default: no limit) */
  uint64_t arena_bytes; /* all others: the most there can be, a multiple of 2 MiB and fewer than
                           2^28 pages. Address space, which costs nothing until touched; where the
                           system refuses so much, half of it, or half of that, down to 64 MiB.
                           (default 64 GiB; movable and high: 4 GiB, and up to a 4096th less where
                           it is not a round number) */
  uint64_t max_windows; /* vmap: blocks mapped at a time (default: what the system allows) */
};

/* An allocator that several caches may share. `options` may be NULL: a heap.
 * ebcache_allocator_release gives it back, also while caches use it: it goes with the last of them.
 * Errors: -EAGAIN, -E2BIG. */
EBCACHE_API int ebcache_allocator_create(const struct ebcache_allocator_options* options,
                                         ebcache_allocator** allocator);
EBCACHE_API void ebcache_allocator_release(ebcache_allocator* allocator);

/* Bits of `flags` of an allocation: what it is for, and how hard to try. */
enum ebcache_alloc_flag {
  EBCACHE_ALLOC_MOVABLE = 1,
  EBCACHE_ALLOC_RECLAIMABLE = 2,
  EBCACHE_ALLOC_NO_FAIL = 4, /* the library itself asks again, and waits, when this ends in NULL */
  EBCACHE_ALLOC_NO_WARN = 8,
  EBCACHE_ALLOC_NO_RECLAIM = 16,
};

/* Memory of the caller's own. The functions are called from any thread, and must not call back into
 * a cache that stands on them. */
struct ebcache_allocator_ops {
  size_t size;
  /* `bytes` at a multiple of `alignment` (both powers of two, of whole pages), contents undefined;
   * NULL: there are none. An address that is not aligned is given back at once, and is none. */
  void* (*allocate)(void* context, size_t bytes, size_t alignment, uint32_t flags);
  void (*free)(void* context, void* address, size_t bytes);
  /* May be NULL: gives free memory back to the system; returns how many bytes. */
  size_t (*trim)(void* context);
  /* May be NULL: called once, after the last free, when no cache uses the allocator any more. */
  void (*destroy)(void* context);
};
/* As ebcache_allocator_create. Of `options` (NULL: the defaults) page_bytes and max_bytes count,
 * and kind must be 0. On an error `destroy` is not called. Errors: -E2BIG. */
EBCACHE_API int ebcache_allocator_create_custom(const struct ebcache_allocator_ops* ops,
                                                void* context,
                                                const struct ebcache_allocator_options* options,
                                                ebcache_allocator** allocator);

/* Gives free memory back to the system. Returns the bytes; may be slow. 0 for NULL. */
EBCACHE_API uint64_t ebcache_allocator_trim(ebcache_allocator* allocator);

/* What an allocator has handed out. */
struct ebcache_allocator_stats {
  size_t size;
  uint64_t page_bytes;
  uint64_t in_use_bytes;     /* handed out and not yet freed */
  uint64_t from_os_bytes;    /* asked from the system and not given back */
  uint64_t allocated_folios; /* since the start, like all below */
  uint64_t freed_folios;
  uint64_t failed_allocations;
  uint64_t allocated_blocks;
  uint64_t contiguous_blocks; /* of these: in one piece */
  uint64_t lucky_blocks;      /* of these: pages that happened to be neighbours, */
  uint64_t large_blocks;      /*   one large folio, */
  uint64_t mapped_blocks;     /*   pages mapped side by side */
  uint64_t arena_bytes; /* the most that an arena can have: 0 before the first allocation, then
                           what the system gave, which may be less than was asked for */
};
/* Exact only while no thread allocates or frees. */
EBCACHE_API int ebcache_allocator_stats(const ebcache_allocator* allocator,
                                        struct ebcache_allocator_stats* stats);

#ifdef __cplusplus
}
#endif

#endif /* EBCACHE_C_ALLOCATOR_H_ */
