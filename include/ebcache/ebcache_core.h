/* ebcache_core.h: the C face of libebcache-core: caches with a source of the caller's, buffers, and where
 * pages come from. C11, and C++ as well. A program that is to open filesystems includes ebcache.h, which
 * has all of this, and links libebcache in place of libebcache-core.
 *
 *   static int read_block(void *context, ebcache_buffer *buffer); // fills it: struct ebcache_source
 *
 *   const struct ebcache_source source = {.size = sizeof source, .read = read_block};
 *   ebcache_cache *cache;
 *   if (ebcache_cache_create(NULL, &source, context, &cache) != 0) return fail(ebcache_last_error());
 *   ebcache_buffer *block;
 *   if (ebcache_read(cache, 16384, NULL, &block) == 0) ebcache_put(block);
 *   ebcache_cache_destroy(cache);
 *
 * HANDLES are opaque. What a function hands out through its last argument belongs to the caller, which
 * gives it back by the function named there; a handle called "borrowed" is not given back. Giving back
 * NULL does nothing. Handing out fails by setting the argument to NULL.
 *
 * REFERENCES: an ebcache_buffer pointer that is not borrowed is one reference to the buffer. Each is put
 * exactly once, from any thread; the bytes stay where they are until then. All must be put before their
 * cache goes.
 *
 * ERRORS: a function that returns int returns 0 (or what it says), or a negative errno, and then
 * ebcache_last_error() says in words what was wrong. Each may return -EINVAL and -ENOMEM; what else it
 * may return is said with it. What a callback of the caller's returns below 0 comes out of the function
 * that called it as it is, with the words that the callback left by ebcache_set_error. A reference that
 * is put twice, where no other thread holds the buffer, aborts with a message on stderr; otherwise the
 * library prints nothing, and ends no process. No C++ exception leaves it; none may enter it from a
 * callback.
 *
 * STRUCTS that a caller fills begin with their size, so that later versions can add members; every member
 * left zero has its default. In structs that the library fills the caller sets the size as well, and gets
 * as much as fits.
 *
 * THREADS: everything may be called from any thread at any time, but no thread may use a handle while, or
 * after, it is given back. The bytes of a buffer may be read by all its holders; a holder that writes
 * sees to it that no other reads or writes them meanwhile. Callbacks are called with no lock held. */

#ifndef EBCACHE_EBCACHE_CORE_H_
#define EBCACHE_EBCACHE_CORE_H_

#include "ebcache/c/allocator.h"
#include "ebcache/c/base.h"
#include "ebcache/c/block_set.h"
#include "ebcache/c/buffer.h"
#include "ebcache/c/cache.h"
#include "ebcache/c/readahead.h"

#endif /* EBCACHE_EBCACHE_CORE_H_ */
