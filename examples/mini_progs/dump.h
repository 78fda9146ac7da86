/* Dumps the structure of one tree, by the classic functions only. */

#ifndef MINI_PROGS_DUMP_H_
#define MINI_PROGS_DUMP_H_

#include <stdio.h>

#include "classic.h"

struct tree_counts {
  uint64_t items, leaves, nodes;
};

/* Prints every block of the tree and what is in it to `out`, unless that is NULL, and counts. 0, or
 * a negative errno. */
int dump_tree(struct fs_info* fs, const struct ebcache_root* root, FILE* out,
              struct tree_counts* counts);

#endif
