/* An allocator of the caller's, in C: aligned_alloc, counted, with a limit. */

#ifndef EBCACHE_TESTS_CAPI_COUNTING_ALLOCATOR_H_
#define EBCACHE_TESTS_CAPI_COUNTING_ALLOCATOR_H_

#include <pthread.h>

#include "ebcache/ebcache.h"

struct counting_allocator {
  pthread_mutex_t mutex; /* guards all below */
  size_t in_use_bytes;
  size_t most_bytes; /* 0: no limit */
  int allocations;
  int frees;
  int trims;
  int destroyed;
  int misalign;   /* not 0: addresses are 64 bytes off */
  uint32_t flags; /* of the last allocation */
};

void counting_allocator_init(struct counting_allocator* allocator);
/* Its functions; the context is the counting_allocator. */
extern const struct ebcache_allocator_ops counting_allocator_ops;

#endif
