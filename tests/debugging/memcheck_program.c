/* A correct program, and with an argument one that is not: what memcheck says of the two.
 *
 *   memcheck_program             reads, writes and drops blocks; nothing is wrong with it
 *   memcheck_program used-after  looks at a buffer that it has put, of a cache that keeps none */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ebcache/ebcache.h"

enum { NODE = 16384, BLOCKS = 64 };

static int read_block(void* context, ebcache_buffer* buffer) {
  (void)context;
  memset(ebcache_mutable_data(buffer), (int)(ebcache_buffer_start(buffer) / NODE), NODE);
  return 0;
}

static int write_block(void* context, const ebcache_buffer* buffer) {
  (void)context;
  (void)buffer;
  return 0;
}

static ebcache_cache* open_cache(uint64_t budget_bytes) {
  const struct ebcache_source source = {
      .size = sizeof source, .read = read_block, .write = write_block};
  const struct ebcache_cache_options options = {
      .size = sizeof options, .budget_bytes = budget_bytes, .user_bytes = 64};
  ebcache_cache* cache;
  if (ebcache_cache_create(&options, &source, NULL, &cache) != 0) exit(2);
  return cache;
}

static const unsigned char* use_blocks(ebcache_cache* cache) {
  const unsigned char* first = NULL;
  for (uint64_t block = 0; block < BLOCKS; ++block) {
    ebcache_buffer* buffer;
    if (ebcache_read(cache, block * NODE, NULL, &buffer) != 0) exit(2);
    const unsigned char* const bytes = ebcache_data(buffer);
    if (first == NULL) first = bytes;
    if (bytes[100] != block || ebcache_set_dirty(buffer) != 0) exit(2);
    memset(ebcache_user(buffer), 7, 64);
    ebcache_put(buffer);
  }
  if (ebcache_writeback_all(cache) != 0) exit(2);
  return first;
}

int main(int argc, char** argv) {
  /* A budget of one byte: what is clean goes when another block comes. */
  ebcache_cache* const kept = open_cache(EBCACHE_UNLIMITED);
  ebcache_cache* const forgetful = open_cache(1);
  use_blocks(kept);
  const unsigned char* const gone = use_blocks(forgetful);
  int wrong = 0;
  if (argc > 1 && strcmp(argv[1], "used-after") == 0) {
    wrong = *(const volatile unsigned char*)(gone + 100);
  }
  ebcache_drop_caches(kept);
  if (ebcache_cache_destroy(kept) != 0 || ebcache_cache_destroy(forgetful) != 0) return 2;
  printf("done %d\n", wrong >= 0);
  return 0;
}
