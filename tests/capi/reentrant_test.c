/* Callbacks of a source that use the cache: what would wait for ever is -EDEADLK, the rest works. */

#include <errno.h>

#include "tests/capi/check.h"

#define NODE 16384

static ebcache_cache* cache;
static uint64_t asks;   /* the block whose callback asks */
static uint64_t wanted; /* for this one */
static int answer;      /* what came of it */
static int calls;

static void ask(uint64_t start) {
  ++calls;
  if (start != asks) return;
  ebcache_buffer* other;
  answer = ebcache_read(cache, wanted, NULL, &other);
  if (answer == 0) ebcache_put(other);
  if (answer == -EDEADLK) CHECK(strstr(ebcache_last_error(), "for ever") != NULL);
}

static int read_block(void* context, ebcache_buffer* buffer) {
  (void)context;
  ask(ebcache_buffer_start(buffer));
  return ebcache_zero(buffer, 0, NODE);
}

static int write_block(void* context, const ebcache_buffer* buffer) {
  (void)context;
  ++calls;
  if (ebcache_buffer_start(buffer) == asks) answer = ebcache_writeback_all(cache);
  return 0;
}

static void make_cache(uint64_t asking, uint64_t for_block) {
  static const struct ebcache_source source = {
      .size = sizeof source, .read = read_block, .write = write_block};
  asks = asking;
  wanted = for_block;
  answer = 1;
  calls = 0;
  CHECK_EQUAL(ebcache_cache_create(NULL, &source, NULL, &cache), 0);
}

static void for_the_block_that_it_reads(void) {
  make_cache(NODE, NODE);
  ebcache_buffer* buffer;
  CHECK_EQUAL(ebcache_read(cache, NODE, NULL, &buffer), 0);
  CHECK_EQUAL(answer, -EDEADLK);
  CHECK_EQUAL(calls, 1);
  ebcache_put(buffer);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

static void for_another_block_of_its_batch(void) {
  make_cache(0, NODE);
  const uint64_t starts[2] = {0, NODE};
  ebcache_buffer* buffers[2];
  CHECK_EQUAL(ebcache_read_many(cache, starts, 2, buffers, NULL), 0);
  CHECK_EQUAL(answer, -EDEADLK);
  CHECK_EQUAL(calls, 2);
  for (int i = 0; i < 2; ++i) ebcache_put(buffers[i]);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

static void for_any_other_block(void) {
  make_cache(0, NODE);
  ebcache_buffer* buffer;
  CHECK_EQUAL(ebcache_read(cache, 0, NULL, &buffer), 0);
  CHECK_EQUAL(answer, 0);
  CHECK_EQUAL(calls, 2);
  ebcache_put(buffer);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

static void for_everything_to_be_written(void) {
  make_cache(NODE, 0);
  ebcache_buffer* buffer;
  CHECK_EQUAL(ebcache_get_or_create(cache, NODE, &buffer), 0);
  CHECK_EQUAL(ebcache_set_uptodate(buffer), 0);
  CHECK_EQUAL(ebcache_set_dirty(buffer), 0);
  CHECK_EQUAL(ebcache_writeback_all(cache), 0);
  CHECK_EQUAL(answer, -EDEADLK);
  CHECK_EQUAL(calls, 1);
  ebcache_put(buffer);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

int main(void) {
  RUN(for_the_block_that_it_reads);
  RUN(for_another_block_of_its_batch);
  RUN(for_any_other_block);
  RUN(for_everything_to_be_written);
  return 0;
}
