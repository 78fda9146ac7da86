/* An item that may be added to the tree of files by itself: an extended attribute of the top
 * directory. */

#ifndef EBCACHE_TESTS_CAPI_SAMPLE_ITEM_H_
#define EBCACHE_TESTS_CAPI_SAMPLE_ITEM_H_

#include "ebcache/ebcache.h"

#define FILES 5 /* the tree of the top-level subvolume */

struct sample_item {
  struct ebcache_key key;
  unsigned char data[4096];
  size_t bytes;
};

/* Attribute `number`, with a value of so many bytes, at most 4000, all of them `fill`. */
struct sample_item make_sample_item(int number, size_t value_bytes, char fill);

/* The first byte of the value of attribute `number` as the tree has it; -ENOENT where there is none;
 * another error. Gives everything back. */
int sample_item_fill(const ebcache_tree* tree, int number);

#endif
