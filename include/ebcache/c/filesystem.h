/* The part of ebcache.h that is about filesystems: devices, copies, what is damaged. */

#ifndef EBCACHE_C_FILESYSTEM_H_
#define EBCACHE_C_FILESYSTEM_H_

#include <stddef.h>
#include <stdint.h>

#include "ebcache/c/base.h"
#include "ebcache/c/cache.h"

#ifdef __cplusplus
extern "C" {
#endif

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
  uint32_t repaired; /* not 0: and was written over this one, where that is open for writing */
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
  /* Not 0: for writing. Sessions may be opened over it (transaction.h), which are all that writes
   * blocks: ebcache_writeback answers -EACCES as it does for others. And readers replace bad copies
   * of blocks where another copy is good. */
  uint32_t writable;
};

/* Opens image files or block devices, all of one filesystem. A missing device is no error as long
 * as each block that is read has a copy elsewhere. `options` may be NULL. ebcache_close gives it
 * back. Errors: -E2BIG, -ENOENT, -EACCES, -EUCLEAN, -EIO, -EOPNOTSUPP, -EAGAIN, -EUSERS; for
 * writing also -EBUSY (a device is in use, as ebcache_device_use has it, or open for writing
 * elsewhere) and -EPERM (seeds; a change of all blocks that was begun and not ended). Where memory
 * was out for anything that opening has to read it is -ENOMEM, and no older copy of the superblock
 * is tried instead. */
EBCACHE_API int ebcache_open(const char* const* paths, size_t count,
                             const struct ebcache_filesystem_options* options,
                             ebcache_filesystem** filesystem);

/* Whether a device or image file is in use: mounted by btrfs, in any mount namespace and by any of
 * the filesystem's devices, open for one user alone, or read by a loop device of which that is
 * true, divided into partitions of one of which it is, or part of another device; a loop device is
 * also when one is that reads the same, or the device that it reads. A process that may not open a
 * loop device knows what that reads by its name only, and not whether it is open for
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
  /* For writing both are wanted, else both may be NULL. `write` takes all of `from`, inside of
   * `bytes`: reads find it from then on, and a crash may leave any part of it. `flush`, 0: all that
   * had been taken when it was called is durable. On an error of `flush` all that was taken since
   * the last one that returned 0 counts as not written. Called from any thread, also beside each
   * other. What comes out of an error of `write`: -EIO, or -ENOMEM for that; of `flush` the number.
   */
  int (*write)(void* context, uint64_t offset, const void* from, size_t length);
  int (*flush)(void* context);
};
/* The same, from devices of the caller's; each struct is copied. On an error no device is closed.
 * -EINVAL, for writing: a device without `write` or `flush`. No other program is kept from the
 * devices but by the caller. */
EBCACHE_API int ebcache_open_devices(const struct ebcache_device* const* devices, size_t count,
                                     const struct ebcache_filesystem_options* options,
                                     ebcache_filesystem** filesystem);
/* -EBUSY, and it stays open, when a session or readahead over it is left, references to its blocks
 * (of paths, too), or blocks that are dirty: see ebcache_cache_destroy. */
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

#ifdef __cplusplus
}
#endif

#endif /* EBCACHE_C_FILESYSTEM_H_ */
