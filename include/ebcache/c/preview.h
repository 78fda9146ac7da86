/* The part of ebcache.h that is about previews: changes that go to a copy beside the devices, to be looked
 * at, and then applied or thrown away.
 *
 *   ebcache_preview_open(devices, 1, NULL, &preview);
 *   ebcache_preview_filesystem(preview, &writable, &fs);
 *   ...                                   sessions, transactions, what there is
 *   ebcache_close(fs);
 *   error = ebcache_preview_apply(preview);        or not
 *   ebcache_preview_close(preview);                throws away what was not applied
 *
 * What is written is kept in memory or in a file, in blocks of 4096 bytes; all else is read from the
 * devices, which must not change meanwhile. A preview belongs to one thread at a time. */

#ifndef EBCACHE_C_PREVIEW_H_
#define EBCACHE_C_PREVIEW_H_

#include <stddef.h>
#include <stdint.h>

#include "ebcache/c/filesystem.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ebcache_preview ebcache_preview;

/* Where a preview keeps what is written, and what for. */
struct ebcache_preview_options {
  size_t size;
  /* A new file for it, which has no name any more when the call returns; that of a second device has
   * ".2" behind its name, and so on. Copied. NULL: it is kept in memory. */
  const char* file;
  /* Not 0: only to be looked at, and never applied. Sessions then use space as they would on the
   * devices; else they overwrite nothing that the devices' state reaches, and need room for all. */
  uint64_t not_applicable;
};

/* Opens the devices for reading. `options` may be NULL. ebcache_preview_close gives it back. Errors: those
 * of ebcache_open, -EBUSY (a device is in use), -EEXIST (a file is there). */
EBCACHE_API int ebcache_preview_open(const char* const* paths, size_t count,
                                     const struct ebcache_preview_options* options,
                                     ebcache_preview** preview);
/* The same with devices of the caller's, with `write` and `flush`; each struct is copied. On an error no
 * device is closed. */
EBCACHE_API int ebcache_preview_open_devices(const struct ebcache_device* const* devices,
                                             size_t count,
                                             const struct ebcache_preview_options* options,
                                             ebcache_preview** preview);
/* -EBUSY, and it stays open: filesystems of it are open. Throws away what was not applied. */
EBCACHE_API int ebcache_preview_close(ebcache_preview* preview);

/* A filesystem over what the preview has by now, to be closed before it (ebcache_close). One may be open
 * for writing at a time: -EPERM. Other errors: those of ebcache_open. */
EBCACHE_API int ebcache_preview_filesystem(ebcache_preview* preview,
                                           const struct ebcache_filesystem_options* options,
                                           ebcache_filesystem** filesystem);
/* What was written, of all devices, whether or not with other bytes; 0 for NULL. */
EBCACHE_API uint64_t ebcache_preview_changed_bytes(const ebcache_preview* preview);
/* Writes to the devices what the preview has: a crash at any moment leaves the state that there was, or
 * the preview's. 0: it is over, and all is durable. Errors, and nothing was written: -EPERM (a filesystem
 * of it is open for writing, a device was changed since it began, it is not applicable, or was applied),
 * -EBUSY (a device is in use), -EINVAL (a device has become smaller). Others are those of the devices;
 * the words say whether superblocks were written by then ("not applied", "not applied to all devices"),
 * and it may be called again. */
EBCACHE_API int ebcache_preview_apply(ebcache_preview* preview);

#ifdef __cplusplus
}
#endif

#endif /* EBCACHE_C_PREVIEW_H_ */
