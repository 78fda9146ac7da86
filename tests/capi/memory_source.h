/* A block source of the caller's, in C: blocks in memory, whose IO a test counts and fails. */

#ifndef EBCACHE_TESTS_CAPI_MEMORY_SOURCE_H_
#define EBCACHE_TESTS_CAPI_MEMORY_SOURCE_H_

#include <pthread.h>

#include "ebcache/ebcache.h"

#define MEMORY_BLOCKS 64
#define MEMORY_NODE_BYTES 16384

struct memory_source {
  pthread_mutex_t mutex; /* guards all below */
  unsigned char blocks[MEMORY_BLOCKS][MEMORY_NODE_BYTES];
  int reads;
  int writes;
  int validations;
  int read_error;       /* what reading returns */
  int write_error;      /* likewise */
  int validation_error; /* likewise */
  const char* words;    /* said with it */
};

/* Every block is filled with words made of its address. */
void memory_source_init(struct memory_source* source);
/* A cache on it, begun anew; the test ends where there is none to be had. */
ebcache_cache* memory_source_cache(struct memory_source* source);
uint64_t memory_source_word(uint64_t start, size_t offset);
/* Its functions; the context is the memory_source. */
extern const struct ebcache_source memory_source_functions;

#endif
