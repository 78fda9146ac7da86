/* ebcache.h: the C face of ebcache. C11, and C++ as well; the only header that a C program
 * includes, and all that it includes itself is in ebcache/c/, by subject.
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
 *   -EBUSY       references are left, or readahead, or blocks that are not written
 *   -ENXIO       the cache has no source to read from or to write to
 *   -EOPNOTSUPP  a feature of the filesystem that this library cannot read
 *   -EAGAIN      the system gives no thread
 *   -EUSERS      the allocator has 255 caches already: another one needs an allocator of its own
 *   -EDEADLK     a callback asks for a block that cannot be had before the callback returns
 *   -EPERM, -ECANCELED, -ENOSPC, -ESTALE, -ENOTRECOVERABLE  changes of a filesystem: transaction.h
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
 * THREADS: everything may be called from any thread at any time, but: paths, block sets, sessions
 * and transactions belong to one thread at a time, and no thread may use a handle while, or after, it is given back. The
 * bytes of a buffer may be read by all its holders; a holder that writes sees to it that no other
 * reads or writes them meanwhile. Callbacks are called with no lock held. */

#ifndef EBCACHE_EBCACHE_H_
#define EBCACHE_EBCACHE_H_

#include "ebcache/c/allocator.h"
#include "ebcache/c/base.h"
#include "ebcache/c/block_set.h"
#include "ebcache/c/buffer.h"
#include "ebcache/c/cache.h"
#include "ebcache/c/filesystem.h"
#include "ebcache/c/format.h"
#include "ebcache/c/items.h"
#include "ebcache/c/paths.h"
#include "ebcache/c/preview.h"
#include "ebcache/c/readahead.h"
#include "ebcache/c/transaction.h"
#include "ebcache/c/tree.h"

#endif /* EBCACHE_EBCACHE_H_ */
