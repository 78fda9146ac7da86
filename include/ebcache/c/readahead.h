/* The part of ebcache.h that reads blocks before their reader comes for them, for caches with any source:
 * a filesystem's, or the caller's, whose read_many then gets the blocks in batches. */

#ifndef EBCACHE_C_READAHEAD_H_
#define EBCACHE_C_READAHEAD_H_

#include <stddef.h>
#include <stdint.h>

#include "ebcache/c/base.h"
#include "ebcache/c/cache.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether the block at `start` seems to be cached: 1 or 0, a moment old; 0 for NULL. A block that
 * overlaps it counts. Takes no reference, no lock, and writes to no memory: for callers that look
 * for the children of every node that they meet, to ask for those that are not there. */
EBCACHE_API int ebcache_may_be_cached(const ebcache_cache* cache, uint64_t start);

/* For ebcache_readahead_options.threads: none. */
#define EBCACHE_NO_THREADS UINT32_MAX

/* How to read ahead. */
struct ebcache_readahead_options {
  size_t size;
  /* Threads that read, 1 to 1024; 0: one for each processor but the caller's; EBCACHE_NO_THREADS:
   * what waits is read by ebcache_readahead_read_some alone, on the thread that calls it. */
  uint32_t threads;
  uint32_t batch;        /* blocks that are read together, 1 to 65536 (default 16) */
  uint64_t most_waiting; /* blocks that wait to be read, 1 or more (default 1024) */
};
/* Readahead over a cache. `options` may be NULL. Where the system refuses threads there are fewer, or
 * none. ebcache_readahead_destroy gives it back, before the cache or the filesystem goes (-EBUSY from
 * those): it finishes the reads that are under way and forgets what waits. A child of a fork has no
 * threads, and reads by ebcache_readahead_read_some. */
EBCACHE_API int ebcache_readahead_create(ebcache_cache* cache,
                                         const struct ebcache_readahead_options* options,
                                         ebcache_readahead** readahead);
EBCACHE_API void ebcache_readahead_destroy(ebcache_readahead* readahead);

/* Asks for a block, of which `check` (may be NULL) is expected. A hint: how the read went only
 * a reader hears that comes for the block, and reads it again where it failed. 1: it will be read, or
 * is cached already, which is found without a lock; 0: too many wait. */
EBCACHE_API int ebcache_readahead_ask(ebcache_readahead* readahead, uint64_t start,
                                      const struct ebcache_check* check);
/* The same for `count` blocks, with one lock for all. `checks` has `count` of them, NULL where nothing
 * is expected; or is NULL. *asked, unless NULL: for how many of them, from the front, the answer is 1;
 * the rest found no room. */
EBCACHE_API int ebcache_readahead_ask_many(ebcache_readahead* readahead, const uint64_t* starts,
                                           const struct ebcache_check* const* checks, size_t count,
                                           size_t* asked);
/* Wakes a thread for what waits, however little it is: without it one is woken for a whole batch. */
EBCACHE_API int ebcache_readahead_flush(ebcache_readahead* readahead);
/* Forgets what callers of ebcache_readahead_ask have asked for and what no thread has begun to read. */
EBCACHE_API int ebcache_readahead_forget(ebcache_readahead* readahead);
/* Reads one batch of what waits on the caller's thread: instead of threads, or instead of waiting for
 * them. 1; 0 when nothing waits, or when memory was out, after which nothing waits. */
EBCACHE_API int ebcache_readahead_read_some(ebcache_readahead* readahead);

/* What it has done. */
struct ebcache_readahead_stats {
  size_t size;
  uint64_t blocks_read; /* that were not cached when their turn came */
  uint64_t waiting;     /* now */
  uint64_t failures;    /* batches of its threads that were given up because memory was out */
};
/* Each number is a moment old. */
EBCACHE_API int ebcache_readahead_stats(const ebcache_readahead* readahead,
                                        struct ebcache_readahead_stats* stats);

#ifdef __cplusplus
}
#endif

#endif /* EBCACHE_C_READAHEAD_H_ */
