/* A device of the caller's that can be written: an image, and beside it the pages that were written
 * over it. It fails when told to. */

#ifndef EBCACHE_TESTS_CAPI_WRITTEN_DEVICE_H_
#define EBCACHE_TESTS_CAPI_WRITTEN_DEVICE_H_

#include <pthread.h>

#include "ebcache/ebcache.h"

struct written_device {
  pthread_mutex_t mutex; /* of all that calls change; not held while `during` is called */
  const unsigned char* base;
  unsigned long length;
  unsigned char** pages; /* of 4096 bytes; NULL: as in the image */
  int reads, writes, flushes, closed;
  /* Calls from this one on fail, counted from 1; 0: none. */
  int reads_fail_from, writes_fail_from, flushes_fail_from;
  uint64_t fails_at; /* writes at this offset fail; 0: none */
  int failure;       /* the number */
  /* Called by each write and flush, if not NULL. */
  void (*during)(void* context);
  void* during_context;
};

/* The sample image, nothing written. */
void written_device_init(struct written_device* device);
void written_device_free(struct written_device* device);
/* As it is handed to the library. */
struct ebcache_device written_device_functions(struct written_device* device);
/* Opened for writing. */
int written_device_open(struct written_device* device, ebcache_filesystem** filesystem);
/* What is there now. */
void written_device_look(const struct written_device* device, uint64_t offset, void* to,
                         size_t length);
/* Puts whole pages there. */
void written_device_put(struct written_device* device, uint64_t offset, const void* from,
                        size_t length);

#endif
