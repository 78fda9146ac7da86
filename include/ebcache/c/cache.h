/* The part of ebcache.h that is about caches: their sources, finding and making buffers, memory. */

#ifndef EBCACHE_C_CACHE_H_
#define EBCACHE_C_CACHE_H_

#include <stddef.h>
#include <stdint.h>

#include "ebcache/c/allocator.h"
#include "ebcache/c/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Keys, and what a parent says of a block ------------------------------------------------- */

/* Ordered by objectid, then type, then offset. */
struct ebcache_key {
  uint64_t objectid;
  uint64_t offset;
  uint8_t type;
};

/* Members of ebcache_check that count. */
enum ebcache_check_bit {
  EBCACHE_CHECK_LEVEL = 1,
  EBCACHE_CHECK_GENERATION = 2,
  EBCACHE_CHECK_OWNER = 4,
  EBCACHE_CHECK_FIRST_KEY = 8,
};
/* What is expected of a block; of the members those that `bits` names. */
struct ebcache_check {
  size_t size;
  uint32_t bits;
  uint32_t level;      /* 0 to 7; -EINVAL for others, where its bit is set */
  uint64_t generation; /* No block has 0: -EINVAL where its bit is set. */
  uint64_t owner;      /* id of the tree; likewise */
  struct ebcache_key first_key;
};

/* ---- Caches with a source of the caller's ---------------------------------------------------- */

/* One of the blocks that `read_many` of a source is asked for. */
struct ebcache_block_read {
  ebcache_buffer* buffer;            /* to be filled; borrowed */
  const struct ebcache_check* check; /* what its reader expects; NULL: nothing in particular */
  int bad_mirror;      /* the copy that a reader found no good (ebcache_reread); 0: none */
  int error;           /* to be set: 0, or a negative errno; -EIO until then */
  const char* message; /* to be set, or left NULL: words for the error, up to 1023 bytes, which stay
                          until the next call of the source on this thread */
};

/* Where the blocks of a cache come from and go to. Called from any thread, several at a time.
 * `read` and `write` are called for one block only once at a time, and never beside each other;
 * `validate` also while other calls of `validate` for the same block, or its `write`, are under
 * way: by every reader with a check. The functions may use the cache, and others; a call that would
 * have to wait for a block whose own callback waits for this one, be it on this thread or on
 * another, fails with -EDEADLK. That is not seen where a callback waits for other threads. An error
 * is a negative errno (what is none becomes -EIO), and may come with words by ebcache_set_error. */
struct ebcache_source {
  size_t size;
  /* Fills the buffer with the bytes of its block: by ebcache_copy_in, ebcache_mutable_data or
   * ebcache_mutable_piece. What it does not write keeps bytes of an earlier block. NULL: nothing
   * can be read. `buffer` is borrowed. */
  int (*read)(void* context, ebcache_buffer* buffer);
  /* Whether a block is what it should be: after it was read, and when a reader that gives a check
   * finds it in the cache. `check` is NULL where nothing in particular is expected. NULL: all are.
   */
  int (*validate)(void* context, const ebcache_buffer* buffer, const struct ebcache_check* check);
  /* Writes the block. After an error the same bytes, or newer ones, come again. NULL: nothing can
   * be written. */
  int (*write)(void* context, const ebcache_buffer* buffer);
  /* Reads `count` blocks, none of them twice, so that the source can merge and queue them, and choose
   * copies by what their readers expect. Each has an error of its own; `validate` is asked afterwards
   * of those that have none. Where this is given `read` is not called. */
  void (*read_many)(void* context, struct ebcache_block_read* reads, size_t count);
  /* Told of each buffer that goes, whatever the way, dummies and clones too, once, before its bytes
   * and `user` (ebcache_user) do; of none where `user_bytes` of the cache is 0. On whichever thread
   * lets it go. It must not call the library but for ebcache_buffer_* and what reads bytes, and wait
   * for no thread that does. `buffer` is borrowed, and cannot be kept. */
  void (*forget)(void* context, const ebcache_buffer* buffer, void* user);
  /* Told by the ebcache_set_dirty that takes the blocks which are not on disk to `dirty_limit_bytes` of
   * the cache's options, with how many bytes that is; again only after there were fewer, and by the
   * next ebcache_set_dirty where a write ended beside this one. On the thread that called it, once the
   * buffer is dirty. It may use the cache: to write all (ebcache_writeback_all), or to wake a thread
   * of the caller's that does. */
  void (*dirty_limit)(void* context, uint64_t dirty_bytes);
};

/* What a cache is like. */
struct ebcache_cache_options {
  size_t size;
  uint64_t budget_bytes;        /* payload to keep (default 256 MiB; EBCACHE_UNLIMITED) */
  ebcache_allocator* allocator; /* default: a heap of its own. The caller may release it at once. */
  uint32_t node_bytes;          /* of every block: a power of two, 4096 to 65536 (default 16384) */
  uint32_t background_reclaim;  /* not 0: a thread makes room before it is needed */
  uint32_t unmovable;           /* not 0: pages without EBCACHE_ALLOC_MOVABLE */
  uint64_t user_bytes;          /* of the caller's with each buffer (ebcache_user), 0 to 4096 */
  /* Blocks that are dirty or being written from which on `dirty_limit` of the source is told. They
   * stay, budget or not, until they were written: then the cache is back under its budget. 0: it is
   * not told. */
  uint64_t dirty_limit_bytes;
};

/* A cache. `options` may be NULL; so may `source`, for a cache that never reads or writes, and is
 * copied otherwise. `context` goes to every call of the source, and must outlive the cache.
 * ebcache_cache_destroy gives it back. Errors: -E2BIG, -EAGAIN, -EUSERS. */
EBCACHE_API int ebcache_cache_create(const struct ebcache_cache_options* options,
                                     const struct ebcache_source* source, void* context,
                                     ebcache_cache** cache);
/* Frees the cache and its buffers. -EBUSY, and the cache stays, when references, readahead or dirty
 * blocks are left: what is not on disk is written first (ebcache_writeback_all), or given up by name
 * (ebcache_give_up_writes). The words say how many there are, name the first few, and have the
 * first error of a write that failed. -EINVAL for the cache of a filesystem. */
EBCACHE_API int ebcache_cache_destroy(ebcache_cache* cache);
/* Told of a buffer: its address, its references but the cache's own, and its flags. */
typedef void ebcache_buffer_state_fn(void* context, uint64_t start, uint32_t references,
                                     uint32_t flags);
/* Tells of each buffer to which there are references, dummies and clones too, in no order; how many
 * there were. Others may put theirs meanwhile. `visit` may be NULL; it must not call the library. 0 for
 * no cache. */
EBCACHE_API uint64_t ebcache_for_each_held(const ebcache_cache* cache,
                                           ebcache_buffer_state_fn* visit, void* context);
/* Frees the cache whatever is left: `tell`, if not NULL, is told of each buffer that has references or
 * is dirty, and then it goes like all others. For programs that have lost count, and end. The
 * references that are left must not be put any more, nor used; no other thread may use the cache.
 * Nothing has happened: -EINVAL for the cache of a filesystem; -EBUSY where readahead is left. */
EBCACHE_API int ebcache_cache_destroy_forced(ebcache_cache* cache, ebcache_buffer_state_fn* tell,
                                             void* context);
/* 0 for NULL. */
EBCACHE_API uint32_t ebcache_cache_node_bytes(const ebcache_cache* cache);

/* ---- Finding and making ---------------------------------------------------------------------- */

/* The buffer of the block at logical address `start`, or NULL when it is not cached (or `cache` is
 * NULL): no error. Takes no lock, allocates nothing. */
EBCACHE_API ebcache_buffer* ebcache_find(ebcache_cache* cache, uint64_t start);
/* The same, or a new buffer, not uptodate, with undefined bytes. All that ask get the same buffer.
 * Errors: -EINVAL (start not a multiple of 4096, or at the end of the address space), -EEXIST. */
EBCACHE_API int ebcache_get_or_create(ebcache_cache* cache, uint64_t start,
                                      ebcache_buffer** buffer);
/* What a new buffer is like. */
enum ebcache_create_flag {
  EBCACHE_CREATE_ZEROED = 1, /* zeroes, and uptodate: ebcache_set_dirty works at once */
};
/* The same; *created, unless `created` is NULL, is 1 when this call has made the buffer, else 0. Of all
 * that ask for a block at the same time, one is told 1. `flags` are of new buffers, from the moment at
 * which others can find them: one that was there is left as it is. -EINVAL also for an unknown flag. */
EBCACHE_API int ebcache_get_or_create_with(ebcache_cache* cache, uint64_t start, uint32_t flags,
                                           ebcache_buffer** buffer, int* created);
/* The same, read and validated; one of the callers reads, the others wait, and all get the same
 * error. `check` may be NULL. A buffer whose read fails does not stay in the cache; one that was
 * there and is not what `check` says does, because it may be what others expect.
 * Errors: those above, -ENXIO, and what the source returned: that of a filesystem -EUCLEAN, -EIO,
 * -EOPNOTSUPP, and -ENOENT (the block is in no chunk). */
EBCACHE_API int ebcache_read(ebcache_cache* cache, uint64_t start,
                             const struct ebcache_check* check, ebcache_buffer** buffer);
/* Makes a buffer that the caller holds uptodate. Errors as ebcache_read but -EEXIST, and -EINVAL
 * for a buffer of another cache; after one from the source the buffer is stale. */
EBCACHE_API int ebcache_read_buffer(ebcache_cache* cache, ebcache_buffer* buffer,
                                    const struct ebcache_check* check);
/* Says that the bytes of a buffer that the caller holds are not good, though the source took them for
 * good, and reads it again, from another copy: a filesystem's source asks those behind the one it had,
 * then those before it, and that one no more; a source of the caller's finds it in
 * ebcache_block_read.bad_mirror, or by ebcache_buffer_mirror. No other thread may use the bytes.
 * Errors: as ebcache_read_buffer, and -EINVAL where the bytes are newer than the disk's (dirty, being
 * written), and for dummies and clones. */
EBCACHE_API int ebcache_reread(ebcache_cache* cache, ebcache_buffer* buffer,
                               const struct ebcache_check* check);
/* ebcache_read for `count` blocks, none of them twice, as one batch. buffers[i] is NULL where that
 * failed and errors[i], unless `errors` is NULL, says how, as ebcache_read would; 0, or the first
 * error. */
EBCACHE_API int ebcache_read_many(ebcache_cache* cache, const uint64_t* starts, size_t count,
                                  ebcache_buffer** buffers, int* errors);
/* The same with what is expected of each: `checks` has `count` of them, NULL where nothing is; or is
 * NULL. */
EBCACHE_API int ebcache_read_many_checked(ebcache_cache* cache, const uint64_t* starts,
                                          const struct ebcache_check* const* checks, size_t count,
                                          ebcache_buffer** buffers, int* errors);
/* The first cached buffer, or the first dirty one, at or after `start`; NULL when there is none. */
EBCACHE_API ebcache_buffer* ebcache_first_at_or_after(ebcache_cache* cache, uint64_t start);
EBCACHE_API ebcache_buffer* ebcache_next_dirty(ebcache_cache* cache, uint64_t start);

/* A buffer that cannot be found: uptodate, zeroed; or a copy of `buffer`, which must be as long as
 * blocks of this cache (-EINVAL). It goes with its last reference, is never dirty, and `start` may
 * be any address. */
EBCACHE_API int ebcache_dummy(ebcache_cache* cache, uint64_t start, ebcache_buffer** dummy);
EBCACHE_API int ebcache_clone(ebcache_cache* cache, const ebcache_buffer* buffer,
                              ebcache_buffer** clone);

/* A private buffer, as a dummy, of another size: of what is no tree block, as a superblock or a sector.
 * `bytes`: a power of two, 512 to the node size (-EINVAL). */
EBCACHE_API int ebcache_private(ebcache_cache* cache, uint64_t start, uint32_t bytes,
                                ebcache_buffer** buffer);

/* What the caller keeps with a buffer that it holds: `user_bytes` of the cache's options, zero when the
 * buffer is made, aligned as malloc's memory is, and its own as long as it is there, whatever becomes
 * of its bytes. NULL where the options asked for none, and for NULL. Callers that hold the buffer at
 * the same time agree on which of them writes there. No look-up. */
EBCACHE_API void* ebcache_user(const ebcache_buffer* buffer);

/* Another reference to a buffer that the caller holds: the same pointer, to be put once more. NULL
 * for NULL. */
EBCACHE_API ebcache_buffer* ebcache_ref(ebcache_buffer* buffer);
/* Puts a reference. The buffer stays in the cache, until its room is wanted. */
EBCACHE_API void ebcache_put(ebcache_buffer* buffer);
/* Puts a reference to a block that will not be wanted again: it goes at once, or with its last
 * user, or when it was written. */
EBCACHE_API void ebcache_put_stale(ebcache_buffer* buffer);
/* Puts a reference, and lets the buffer go if it was the last user's: nothing is done to other holders,
 * and what is dirty stays until it was written. */
EBCACHE_API void ebcache_put_nocache(ebcache_buffer* buffer);

/* ---- Memory ---------------------------------------------------------------------------------- */

/* Lets every idle buffer go; how many went. */
EBCACHE_API uint64_t ebcache_drop_caches(ebcache_cache* cache);
/* Lets idle buffers go until `bytes` are freed; how many bytes were. */
EBCACHE_API uint64_t ebcache_shrink(ebcache_cache* cache, uint64_t bytes);
/* Changes the budget (EBCACHE_UNLIMITED: none), and shrinks to it. -EINVAL for 0. */
EBCACHE_API int ebcache_set_budget(ebcache_cache* cache, uint64_t budget_bytes);

/* What a cache holds, and has done. */
struct ebcache_cache_stats {
  size_t size;
  uint64_t cached_buffers;  /* now */
  uint64_t private_buffers; /* dummies and clones, now */
  uint64_t cached_bytes;
  uint64_t dirty_buffers; /* not on disk: dirty, or being written */
  uint64_t peak_cached_buffers;
  uint64_t overhead_bytes; /* descriptors, index and what reclaim remembers */
  uint64_t creates;        /* since the start, like all below */
  uint64_t reads;
  uint64_t read_failures;
  uint64_t read_waits; /* readers that waited for another's read */
  uint64_t writes;
  uint64_t write_failures;
  uint64_t stale_frees;
  uint64_t reclaimed; /* by budget, shrinking and dropping */
  uint64_t migrations;
  uint64_t over_budget_creates; /* when nothing could go */
  uint64_t write_err_buffers;   /* now, of the dirty ones: the last write failed */
  uint64_t nocache_frees;       /* by ebcache_put_nocache */
};
/* Exact only while no thread works. */
EBCACHE_API int ebcache_cache_stats(const ebcache_cache* cache, struct ebcache_cache_stats* stats);

/* Why buffers can, or cannot, be let go. */
enum ebcache_verdict {
  EBCACHE_VERDICT_ELIGIBLE = 0,
  EBCACHE_VERDICT_DEAD = 1,
  EBCACHE_VERDICT_UNMAPPED = 2, /* dummies and clones */
  EBCACHE_VERDICT_MIGRATING = 3,
  EBCACHE_VERDICT_READING = 4,
  EBCACHE_VERDICT_WRITEBACK = 5,
  EBCACHE_VERDICT_DIRTY = 6,
  EBCACHE_VERDICT_IN_USE = 7,
  EBCACHE_VERDICT_NO_TREE_REF = 8,
};
/* How many verdicts there are. */
#define EBCACHE_VERDICTS 9
/* How many buffers there are of each verdict. */
struct ebcache_pins {
  size_t size;
  uint64_t buffers[EBCACHE_VERDICTS]; /* by verdict */
};
/* What is holding the memory, right now. Looks at all buffers. */
EBCACHE_API int ebcache_pins(const ebcache_cache* cache, struct ebcache_pins* pins);
/* "in use", "dirty", ...; "" for what is none. Lives for ever. */
EBCACHE_API const char* ebcache_verdict_name(uint32_t verdict);

#ifdef __cplusplus
}
#endif

#endif /* EBCACHE_C_CACHE_H_ */
