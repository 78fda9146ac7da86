/* The part of ebcache.h that all others need: versions, handles, errors. */

#ifndef EBCACHE_C_BASE_H_
#define EBCACHE_C_BASE_H_

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

typedef struct ebcache_allocator ebcache_allocator;     /* where pages come from */
typedef struct ebcache_cache ebcache_cache;             /* buffers by logical address */
typedef struct ebcache_buffer ebcache_buffer;           /* a reference to one block in memory */
typedef struct ebcache_filesystem ebcache_filesystem;   /* devices, cache and trees together */
typedef struct ebcache_tree ebcache_tree;               /* a tree, for searching */
typedef struct ebcache_path ebcache_path;               /* a place in a tree */
typedef struct ebcache_block_set ebcache_block_set;     /* blocks that walks have met */
typedef struct ebcache_readahead ebcache_readahead;     /* reads before readers come */
typedef struct ebcache_session ebcache_session;         /* a filesystem that is being changed */
typedef struct ebcache_transaction ebcache_transaction; /* changes that happen together */
typedef struct ebcache_view ebcache_view;               /* a commit, held for readers */

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

#ifdef __cplusplus
}
#endif

#endif /* EBCACHE_C_BASE_H_ */
