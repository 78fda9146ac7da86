/* The part of ebcache.h that takes items apart: all of c/items_*.h, one style.
 *
 *   ebcache_parse_X(data, bytes, &x)           the item that these bytes are, the whole of it
 *   ebcache_next_X(data, bytes, &position, &x) one entry after the other, of items that have several
 *
 *   size_t position = 0;
 *   struct ebcache_dir_entry entry = {.size = sizeof entry};
 *   int more;
 *   while ((more = ebcache_next_dir_entry(item.data, item.data_bytes, &position, &entry)) == 1) ...
 *   if (more < 0) return fail(ebcache_last_error());
 *
 * `data` and `bytes` are those of struct ebcache_item, or bytes from anywhere: all of them are
 * checked to have the form of the type, and believed no further. The first kind returns 0, the second 1
 * for an entry and 0 at the end. `position` is the library's to move, from 0. Errors of both:
 * -EUCLEAN (the bytes are no such item; the words have the length that it would have), -EINVAL.
 *
 * Names and data in a struct are views of `data`, not terminated by a zero, valid as long as it is. Sizes
 * and addresses are in bytes, times in seconds and nanoseconds since 1970 UTC, generations are numbers of
 * transactions. Thread safety: all of them, from any thread. */

#ifndef EBCACHE_C_ITEMS_H_
#define EBCACHE_C_ITEMS_H_

#include "ebcache/c/items_extent.h"
#include "ebcache/c/items_file.h"
#include "ebcache/c/items_quota.h"
#include "ebcache/c/items_root.h"
#include "ebcache/c/items_space.h"

#endif /* EBCACHE_C_ITEMS_H_ */
