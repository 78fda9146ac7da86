/* The trees of a filesystem and what became of each, put together by several threads. */

#ifndef MINI_PROGS_REPORT_H_
#define MINI_PROGS_REPORT_H_

#include "dump.h"

struct tree_report {
  struct ebcache_root root;
  struct tree_counts counts;
  char* text; /* the dump; NULL where only counts are wanted */
  int error;  /* 0, or a negative errno, */
  char* why;  /*   and the words to it */
};

struct report {
  struct tree_report* trees;
  size_t count;
};

/* Lists the trees. 0, or a negative errno. */
int report_list(struct fs_info* fs, struct report* report);
/* Dumps, or only counts, all trees with that many threads. 0, or a negative errno. */
int report_fill(struct fs_info* fs, struct report* report, int threads, int with_text);
void report_free(struct report* report);

#endif
