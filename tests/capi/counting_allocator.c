#include "tests/capi/counting_allocator.h"

#include <stdlib.h>
#include <string.h>

void counting_allocator_init(struct counting_allocator* allocator) {
  memset(allocator, 0, sizeof *allocator);
  pthread_mutex_init(&allocator->mutex, NULL);
}

static void* counting_allocate(void* context, size_t bytes, size_t alignment, uint32_t flags) {
  struct counting_allocator* allocator = context;
  pthread_mutex_lock(&allocator->mutex);
  allocator->flags = flags;
  char* address = NULL;
  if (allocator->most_bytes == 0 || allocator->in_use_bytes + bytes <= allocator->most_bytes) {
    address = aligned_alloc(alignment, bytes + alignment);
    if (address != NULL && allocator->misalign) address += 64;
    allocator->in_use_bytes += bytes;
    ++allocator->allocations;
  }
  pthread_mutex_unlock(&allocator->mutex);
  return address;
}

static void counting_free(void* context, void* address, size_t bytes) {
  struct counting_allocator* allocator = context;
  pthread_mutex_lock(&allocator->mutex);
  allocator->in_use_bytes -= bytes;
  ++allocator->frees;
  free(allocator->misalign ? (char*)address - 64 : address);
  pthread_mutex_unlock(&allocator->mutex);
}

static size_t counting_trim(void* context) {
  ++((struct counting_allocator*)context)->trims;
  return 4096;
}

static void counting_destroy(void* context) { ++((struct counting_allocator*)context)->destroyed; }

const struct ebcache_allocator_ops counting_allocator_ops = {
    .size = sizeof(struct ebcache_allocator_ops),
    .allocate = counting_allocate,
    .free = counting_free,
    .trim = counting_trim,
    .destroy = counting_destroy,
};
