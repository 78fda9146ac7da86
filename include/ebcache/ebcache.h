/* ebcache.h: the C face of ebcache. C11, and C++ as well; the only header that a C program
 * includes.
 *
 *   ebcache_filesystem *fs;
 *   const char *const devices[] = {"disk0.img", "disk1.img"};
 *   if (ebcache_open(devices, 2, NULL, &fs) != 0) return fail(ebcache_last_error());
 *   ebcache_buffer *block;
 *   if (ebcache_read(ebcache_filesystem_cache(fs), logical, NULL, &block) == 0) {
 *     uint64_t generation;
 *     ebcache_get_u64(block, 80, &generation);
 *     ebcache_put(block);
 *   }
 *   ebcache_close(fs);
 *
 * HANDLES are opaque. What a function hands out through its last argument belongs to the caller,
 * which gives it back by the function named there; a handle called "borrowed" is not given back.
 * Giving back NULL does nothing. Handing out fails by setting the argument to NULL.
 *
 * REFERENCES: an ebcache_buffer pointer that is not borrowed is one reference to the buffer. Each
 * is put exactly once, by ebcache_put or ebcache_put_stale, from any thread; the bytes stay where
 * they are until then. All must be put before their cache goes.
 *
 * ERRORS: a function that returns int returns 0 (or what it says), or a negative errno, and then
 * ebcache_last_error() says in words what was wrong: with which argument, block, copy, device and
 * place. Each may return -EINVAL and -ENOMEM; what else it may return is said with it.
 *   -EINVAL      an argument: NULL, out of range, of another cache, a struct without its size, or
 *                with one above 4096; or the buffer is in no state for it. Nothing was done
 *   -E2BIG       a struct of a later version, with members set that this one does not know
 *   -ENOMEM      no memory, for pages or for anything else. What was asked for has not been done;
 *                the handle is as good as before, and the same call may succeed later
 *   -ENOENT      no such tree, item, chunk or file
 *   -EEXIST      the block would overlap a cached one that begins in the same multiple of the node
 *                size
 *   -ERANGE      a range that leaves the block or the device
 *   -EUCLEAN     damage: no copy of the block is what it should be
 *   -EIO         a device failed, or is missing
 *   -EACCES      may not be opened, or not be written
 *   -EBUSY       references are left, or blocks that are not written
 *   -ENXIO       the cache has no source to read from or to write to
 *   -EOPNOTSUPP  a feature of the filesystem that this library cannot read
 *   -EAGAIN      the system gives no thread
 *   -EUSERS      the allocator has 255 caches already: another one needs an allocator of its own
 *   -EDEADLK     a callback asks for a block that cannot be had before the callback returns
 * What a callback of the caller's returns below 0 comes out of the function that called it as it
 * is, whether in this list or not; with the words that the callback left by ebcache_set_error,
 * whatever it asked the library for after that, and from however deep a call.
 * Input from disks never ends the process, whatever it is. Neither does memory that is out. A
 * reference that is put twice is a bug of the caller's. Where no other thread holds the buffer, the
 * second put aborts with a message on stderr. Where others do, or where the buffer has become
 * another block's, nothing can tell whose reference it was: it takes theirs, and their buffer may
 * go while they use it. Otherwise the library prints nothing. No C++ exception leaves it; none may
 * enter it from a callback.
 *
 * STRUCTS that a caller fills begin with their size, so that later versions can add members:
 *   struct ebcache_cache_options options = {.size = sizeof options};
 * Every member left zero has its default. In structs that the library fills the caller sets the
 * size as well, and gets as much as fits. No struct will have more than 4096 bytes: a larger size
 * is one that was not set, and -EINVAL.
 *
 * THREADS: everything may be called from any thread at any time, but: paths and block sets belong
 * to one thread at a time, and no thread may use a handle while, or after, it is given back. The
 * bytes of a buffer may be read by all its holders; a holder that writes sees to it that no other
 * reads or writes them meanwhile. Callbacks are called with no lock held. */

#ifndef EBCACHE_EBCACHE_H_
#define EBCACHE_EBCACHE_H_

#include <stddef.h>
#include <stdint.h>

/* EBCACHE_VERSION_MAJOR, _MINOR, _PATCH and _STRING of these headers. */
#include "ebcache/version.h"

/* Goes up, with MAJOR, when programs built against an older header would no longer run: until then
 * functions, and members of structs, are only added. The number in the shared library's soname. */
#define EBCACHE_ABI_VERSION 0

/* In front of what the shared library exports. */
#define EBCACHE_API __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

/* Of the library that is linked: "0.1.0"; EBCACHE_ABI_VERSION. */
EBCACHE_API const char* ebcache_version(void);
EBCACHE_API int ebcache_abi_version(void);

typedef struct ebcache_allocator ebcache_allocator;   /* where pages come from */
typedef struct ebcache_cache ebcache_cache;           /* buffers by logical address */
typedef struct ebcache_buffer ebcache_buffer;         /* a reference to one block in memory */
typedef struct ebcache_filesystem ebcache_filesystem; /* devices, cache and trees together */
typedef struct ebcache_tree ebcache_tree;             /* a tree, for searching */
typedef struct ebcache_path ebcache_path;             /* a place in a tree */
typedef struct ebcache_block_set ebcache_block_set;   /* blocks that walks have met */

/* For members whose default is a limit: none at all. */
#define EBCACHE_UNLIMITED UINT64_MAX

/* ---- Errors ---------------------------------------------------------------------------------- */

/* What the last call of this thread that failed had to say; "" before the first. Valid until the
 * next one of this thread fails. */
EBCACHE_API const char* ebcache_last_error(void);
/* For callbacks of the caller's that are about to return an error: the words that go with it, up to
 * 1023 bytes. They stay with this call of the callback: errors of what it asks the library for, and
 * callbacks of those, change nothing about them. */
EBCACHE_API void ebcache_set_error(const char* message);

/* How bad it is. */
enum ebcache_log_level {
  EBCACHE_LOG_ERROR = 0,   /* something is lost */
  EBCACHE_LOG_WARNING = 1, /* something is damaged, and was recovered */
};
/* Told what a filesystem meets that is no error of the call under way: damaged copies, old
 * superblocks, missing devices. From any thread. `message` is valid during the call. */
typedef void ebcache_log_fn(void* context, int level, const char* message);

/* ---- Where pages come from ------------------------------------------------------------------- */

/* The allocators that come with the library. */
enum ebcache_allocator_kind {
  EBCACHE_ALLOCATOR_HEAP = 0,    /* mimalloc; every block in one piece */
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
};

/* What a cache is like. */
struct ebcache_cache_options {
  size_t size;
  uint64_t budget_bytes;        /* payload to keep (default 256 MiB; EBCACHE_UNLIMITED) */
  ebcache_allocator* allocator; /* default: a heap of its own. The caller may release it at once. */
  uint32_t node_bytes;          /* of every block: a power of two, 4096 to 65536 (default 16384) */
  uint32_t background_reclaim;  /* not 0: a thread makes room before it is needed */
  uint32_t unmovable;           /* not 0: pages without EBCACHE_ALLOC_MOVABLE */
};

/* A cache. `options` may be NULL; so may `source`, for a cache that never reads or writes, and is
 * copied otherwise. `context` goes to every call of the source, and must outlive the cache.
 * ebcache_cache_destroy gives it back. Errors: -E2BIG, -EAGAIN, -EUSERS. */
EBCACHE_API int ebcache_cache_create(const struct ebcache_cache_options* options,
                                     const struct ebcache_source* source, void* context,
                                     ebcache_cache** cache);
/* Frees the cache and its buffers. -EBUSY, and the cache stays, when references are left, or blocks
 * that are dirty: what is not on disk is written first (ebcache_writeback_all), or given up by name
 * (ebcache_give_up_writes). The words say how many there are, name the first few, and have the
 * first error of a write that failed. -EINVAL for the cache of a filesystem. */
EBCACHE_API int ebcache_cache_destroy(ebcache_cache* cache);
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
/* The same, read and validated; one of the callers reads, the others wait, and all get the same
 * error. `check` may be NULL. A buffer whose read fails does not stay in the cache.
 * Errors: those above, -ENXIO, and what the source returned: that of a filesystem -EUCLEAN, -EIO,
 * -EOPNOTSUPP, and -ENOENT (the block is in no chunk). */
EBCACHE_API int ebcache_read(ebcache_cache* cache, uint64_t start,
                             const struct ebcache_check* check, ebcache_buffer** buffer);
/* Makes a buffer that the caller holds uptodate. Errors as ebcache_read but -EEXIST, and -EINVAL
 * for a buffer of another cache; after one from the source the buffer is stale. */
EBCACHE_API int ebcache_read_buffer(ebcache_cache* cache, ebcache_buffer* buffer,
                                    const struct ebcache_check* check);
/* ebcache_read for `count` blocks, none of them twice, as one batch. buffers[i] is NULL where that
 * failed and errors[i], unless `errors` is NULL, says how, as ebcache_read would; 0, or the first
 * error. */
EBCACHE_API int ebcache_read_many(ebcache_cache* cache, const uint64_t* starts, size_t count,
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

/* Another reference to a buffer that the caller holds: the same pointer, to be put once more. NULL
 * for NULL. */
EBCACHE_API ebcache_buffer* ebcache_ref(ebcache_buffer* buffer);
/* Puts a reference. The buffer stays in the cache, until its room is wanted. */
EBCACHE_API void ebcache_put(ebcache_buffer* buffer);
/* Puts a reference to a block that will not be wanted again: it goes at once, or with its last
 * user, or when it was written. */
EBCACHE_API void ebcache_put_stale(ebcache_buffer* buffer);

/* ---- A buffer -------------------------------------------------------------------------------- */
/* `buffer` must not be NULL in this section, where nothing else is said. */

/* What ebcache_buffer_flags may tell. */
enum ebcache_buffer_flag {
  EBCACHE_BUFFER_UPTODATE = 1,
  EBCACHE_BUFFER_DIRTY = 2,
  EBCACHE_BUFFER_WRITEBACK = 4,
  EBCACHE_BUFFER_TREE_REF = 8, /* one of the references is the cache's */
  EBCACHE_BUFFER_STALE = 16,
  EBCACHE_BUFFER_UNMAPPED = 32, /* dummy or clone */
  EBCACHE_BUFFER_WRITE_ERR = 64,
  EBCACHE_BUFFER_READING = 256,
};
/* Logical address, and size, in bytes. */
EBCACHE_API uint64_t ebcache_buffer_start(const ebcache_buffer* buffer);
EBCACHE_API uint32_t ebcache_buffer_length(const ebcache_buffer* buffer);
/* As they were a moment ago: flags (others than those above may be set), and references. */
EBCACHE_API uint32_t ebcache_buffer_flags(const ebcache_buffer* buffer);
EBCACHE_API uint32_t ebcache_buffer_refs(const ebcache_buffer* buffer);
/* The copy, from 1, that it was read from; 0: not read. Sources that have copies set it in `read`.
 * -EINVAL for what is not from 0 to 255. */
EBCACHE_API int ebcache_buffer_mirror(const ebcache_buffer* buffer);
EBCACHE_API int ebcache_buffer_set_mirror(ebcache_buffer* buffer, int mirror);

/* All bytes of the block in one piece; NULL when they are not, and for NULL. */
EBCACHE_API const void* ebcache_data(const ebcache_buffer* buffer);
EBCACHE_API void* ebcache_mutable_data(ebcache_buffer* buffer);
/* Always: the address of the byte at `offset`, and how many from there on lie in one piece. 0 and
 * NULL at the end. */
EBCACHE_API size_t ebcache_piece(const ebcache_buffer* buffer, size_t offset, const void** piece);
EBCACHE_API size_t ebcache_mutable_piece(ebcache_buffer* buffer, size_t offset, void** piece);

/* Copies out of, and into, the block, in one piece or not. -ERANGE, and nothing is copied, when the
 * range leaves it; -EINVAL for NULL. The same errors down to ebcache_set_u64. */
EBCACHE_API int ebcache_copy_out(const ebcache_buffer* buffer, size_t offset, void* to,
                                 size_t length);
EBCACHE_API int ebcache_copy_in(ebcache_buffer* buffer, size_t offset, const void* from,
                                size_t length);
/* From one block to another, or within one, where the ranges may overlap. */
EBCACHE_API int ebcache_copy(ebcache_buffer* to, size_t to_offset, const ebcache_buffer* from,
                             size_t from_offset, size_t length);
EBCACHE_API int ebcache_zero(ebcache_buffer* buffer, size_t offset, size_t length);
/* *result is what memcmp would give. */
EBCACHE_API int ebcache_compare(const ebcache_buffer* buffer, size_t offset, const void* other,
                                size_t length, int* result);
/* Little-endian integers, at any offset. */
EBCACHE_API int ebcache_get_u8(const ebcache_buffer* buffer, size_t offset, uint8_t* value);
EBCACHE_API int ebcache_get_u16(const ebcache_buffer* buffer, size_t offset, uint16_t* value);
EBCACHE_API int ebcache_get_u32(const ebcache_buffer* buffer, size_t offset, uint32_t* value);
EBCACHE_API int ebcache_get_u64(const ebcache_buffer* buffer, size_t offset, uint64_t* value);
EBCACHE_API int ebcache_set_u8(ebcache_buffer* buffer, size_t offset, uint8_t value);
EBCACHE_API int ebcache_set_u16(ebcache_buffer* buffer, size_t offset, uint16_t value);
EBCACHE_API int ebcache_set_u32(ebcache_buffer* buffer, size_t offset, uint32_t value);
EBCACHE_API int ebcache_set_u64(ebcache_buffer* buffer, size_t offset, uint64_t value);

/* ---- Writing --------------------------------------------------------------------------------- */

/* Says that all bytes are in place, as the caller does that filled a new block. -EINVAL while it is
 * being read. This and the next are each one step: what may not be is refused, whatever other
 * threads do at the time. */
EBCACHE_API int ebcache_set_uptodate(ebcache_buffer* buffer);
/* The block must be written: it stays until it was, or is given up. -EINVAL for one that is not
 * uptodate, and for dummies and clones. */
EBCACHE_API int ebcache_set_dirty(ebcache_buffer* buffer);
/* The changes need not be written, as those of a block that COW has replaced. The bytes stay as
 * they are until the buffer goes. A write that is under way goes on, and if it fails the block is
 * dirty. */
EBCACHE_API int ebcache_clear_dirty(ebcache_buffer* buffer);
/* Writes a buffer that the caller holds, if it is dirty, or waits for its writer. After an
 * error it is dirty as before, and EBCACHE_BUFFER_WRITE_ERR: the bytes stay in memory, readers get
 * them, and the next call tries again. Errors: of the source, -ENXIO; -EDEADLK from a callback that
 * would wait for itself (struct ebcache_source). */
EBCACHE_API int ebcache_writeback(ebcache_cache* cache, ebcache_buffer* buffer);
/* Writes all that was dirty when the call began, by address, and waits for what others are writing.
 * 0: all of it is on disk, or was given up. Else the first error, after trying all: so a failure is
 * reported by every call until the block was written or given up. Errors: as ebcache_writeback. */
EBCACHE_API int ebcache_writeback_all(ebcache_cache* cache);
/* The error of the last write of a buffer that is EBCACHE_BUFFER_WRITE_ERR; 0 for others. */
EBCACHE_API int ebcache_write_error(ebcache_cache* cache, ebcache_buffer* buffer);
/* Gives up what is dirty in a buffer, be it that its write failed, after waiting for one under way:
 * it is not uptodate any more, and the next reader gets what is on disk. 1; or 0 where there was
 * nothing to give up. No other thread may use the bytes. Errors: -EDEADLK, as ebcache_writeback. */
EBCACHE_API int ebcache_give_up_write(ebcache_cache* cache, ebcache_buffer* buffer);
/* The same for every buffer of the cache; how many had something to give up. 0 for NULL. */
EBCACHE_API uint64_t ebcache_give_up_writes(ebcache_cache* cache);
/* For a block that was freed and is allocated again at the same address: stale, dirty and the error
 * of an earlier write go, the first `header_bytes` are zeroed, and it is uptodate. Errors: -EINVAL
 * while it is being read or written, and for a buffer of another cache; -ERANGE. */
EBCACHE_API int ebcache_reinit(ebcache_cache* cache, ebcache_buffer* buffer, uint32_t header_bytes);

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

/* ---- Filesystems ----------------------------------------------------------------------------- */

/* A copy of a block that could not be used. */
struct ebcache_mirror_damage {
  size_t size;
  uint64_t logical;
  uint64_t device_id;
  uint64_t physical;
  const char* device;
  const char* reason;
  uint32_t mirror;         /* from 1 */
  uint32_t recovered;      /* not 0: another copy was good */
  uint32_t device_missing; /* not 0: no damage: nothing can be told of this copy */
  uint32_t no_memory;      /* likewise: there was none to read it with */
};

/* The cache under a filesystem, and the filesystem's callbacks. */
struct ebcache_filesystem_options {
  size_t size;
  /* NULL: the defaults. node_bytes must be 0: the filesystem has it. */
  const struct ebcache_cache_options* cache;
  void* context; /* for the two below; must outlive the filesystem */
  ebcache_log_fn* log;
  /* Told of every copy that could not be used, also where another one was good, from any thread
   * while the read is going on. The strings are valid during the call. */
  void (*damage)(void* context, const struct ebcache_mirror_damage* damage);
};

/* Opens image files or block devices, all of one filesystem, for reading. A missing device is no
 * error as long as each block that is read has a copy elsewhere. `options` may be NULL.
 * ebcache_close gives it back. Errors: -E2BIG, -ENOENT, -EACCES, -EUCLEAN, -EIO, -EOPNOTSUPP,
 * -EAGAIN, -EUSERS. Where memory was out for anything that opening has to read it is -ENOMEM, and
 * no older copy of the superblock is tried instead. */
EBCACHE_API int ebcache_open(const char* const* paths, size_t count,
                             const struct ebcache_filesystem_options* options,
                             ebcache_filesystem** filesystem);

/* Whether a device or image file is in use: mounted by btrfs, in any mount namespace and by any of
 * the filesystem's devices, open for one user alone, or read by a loop device of which that is
 * true, divided into partitions of one of which it is, or part of another device. A process that
 * may not open a loop device knows what that reads by its name only, and not whether it is open for
 * one user alone. -EBUSY when it is in use, and ebcache_last_error says by what; 0 otherwise, also
 * when there is no such file. Of a filesystem in use blocks are read from different moments, which
 * looks like damage. */
EBCACHE_API int ebcache_device_use(const char* path);

/* A device of the caller's. */
struct ebcache_device {
  size_t size;
  const char* name; /* for messages; copied */
  uint64_t bytes;
  void* context;
  /* Fills all of `to` with what is at `offset`; called from any thread, inside of `bytes`. Errors
   * as in ebcache_source. What comes out of a read: the number, when no copy of the block, or of
   * the superblock, could be had and all failed with the same; -ENOMEM when one failed with that,
   * and may be good; else -EUCLEAN when one was there, and bad; else -EIO. */
  int (*read)(void* context, uint64_t offset, void* to, size_t length);
  /* May be NULL: called once, when the filesystem is closed. */
  void (*close)(void* context);
};
/* The same, from devices of the caller's; each struct is copied. On an error no device is closed.
 */
EBCACHE_API int ebcache_open_devices(const struct ebcache_device* const* devices, size_t count,
                                     const struct ebcache_filesystem_options* options,
                                     ebcache_filesystem** filesystem);
/* -EBUSY, and it stays open, when references to its blocks are left (of paths, too), or blocks that
 * are dirty: see ebcache_cache_destroy. */
EBCACHE_API int ebcache_close(ebcache_filesystem* filesystem);

/* Its cache: borrowed, until it is closed. NULL for NULL. */
EBCACHE_API ebcache_cache* ebcache_filesystem_cache(ebcache_filesystem* filesystem);

/* What the superblock says, and what was found on opening. */
struct ebcache_filesystem_info {
  size_t size;
  uint8_t fsid[16];
  uint64_t generation;
  uint64_t total_bytes;
  uint64_t devices;         /* that belong to it, */
  uint64_t missing_devices; /*   and that were not given */
  uint32_t node_bytes;
  uint32_t sector_bytes;
  uint32_t checksum_type; /* 0 crc32c, 1 xxhash64, 2 sha256, 3 blake2b */
  uint32_t damaged;       /* not 0: parts of the chunk tree could not be read */
  char label[256];
};
/* Fills in all of it that the caller's struct has room for. Errors: -EINVAL. */
EBCACHE_API int ebcache_filesystem_info(const ebcache_filesystem* filesystem,
                                        struct ebcache_filesystem_info* info);

/* Where one copy of a block lies. */
struct ebcache_place {
  size_t size;
  uint64_t device_id;
  uint64_t physical;
  uint32_t missing; /* not 0: that device was not given */
  uint32_t copies;  /* how many the block has */
};
/* Copy `mirror`, from 1, of the block at `logical`. Errors: -ENOENT (no such copy, no chunk there),
 * -EIO (what would tell its chunk is on a missing device), -EUCLEAN (the block would cross the end
 * of one), -EOPNOTSUPP (raid5/6). */
EBCACHE_API int ebcache_place(const ebcache_filesystem* filesystem, uint64_t logical,
                              uint32_t mirror, struct ebcache_place* place);
/* Reads and validates just that copy, past the cache, into a buffer like that of ebcache_dummy.
 * Errors: those of ebcache_place and of ebcache_read. */
EBCACHE_API int ebcache_read_mirror(ebcache_filesystem* filesystem, uint64_t logical,
                                    uint32_t mirror, const struct ebcache_check* check,
                                    ebcache_buffer** buffer);

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

/* For blocks of `node_bytes`, as a cache has them. ebcache_block_set_free gives it back, after the
 * walks that use it. */
EBCACHE_API int ebcache_block_set_create(uint32_t node_bytes, ebcache_block_set** set);
EBCACHE_API void ebcache_block_set_free(ebcache_block_set* set);
/* How many blocks are in it; 0 for NULL. */
EBCACHE_API uint64_t ebcache_block_set_size(const ebcache_block_set* set);

#ifdef __cplusplus
}
#endif

#endif /* EBCACHE_EBCACHE_H_ */
