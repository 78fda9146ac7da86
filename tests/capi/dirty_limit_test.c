/* The dirty limit: told once as it is reached, from within which all can be written; and the budget, which
 * dirty blocks may exceed, holds again once they were. */

#include <errno.h>

#include "tests/capi/check.h"
#include "tests/capi/memory_source.h"

#define NODE MEMORY_NODE_BYTES

struct writer {
  struct memory_source memory; /* first: the context of its functions */
  ebcache_cache* cache;
  int told, writes_all;
  uint64_t bytes;
  int nested; /* calls of it inside of itself */
};

static struct writer writer;

static void note_limit(void* context, uint64_t dirty_bytes) {
  struct writer* const me = context;
  CHECK_EQUAL(me->nested++, 0);
  ++me->told;
  me->bytes = dirty_bytes;
  if (me->writes_all) CHECK_EQUAL(ebcache_writeback_all(me->cache), 0);
  ebcache_set_error("words of no error");
  --me->nested;
}

static void open_cache(uint64_t limit, uint64_t budget) {
  struct ebcache_source source = memory_source_functions;
  source.dirty_limit = note_limit;
  const struct ebcache_cache_options options = {.size = sizeof options,
                                                .node_bytes = NODE,
                                                .budget_bytes = budget,
                                                .dirty_limit_bytes = limit};
  writer.told = writer.writes_all = 0;
  memory_source_init(&writer.memory);
  CHECK_EQUAL(ebcache_cache_create(&options, &source, &writer, &writer.cache), 0);
}

static void dirty(uint64_t block) {
  ebcache_buffer* buffer;
  CHECK_EQUAL(ebcache_read(writer.cache, block * NODE, NULL, &buffer), 0);
  CHECK_EQUAL(ebcache_set_dirty(buffer), 0);
  ebcache_put(buffer);
}

static struct ebcache_cache_stats stats(void) {
  struct ebcache_cache_stats now = {.size = sizeof now};
  CHECK_EQUAL(ebcache_cache_stats(writer.cache, &now), 0);
  return now;
}

static void close_cache(void) {
  CHECK_EQUAL(ebcache_writeback_all(writer.cache), 0);
  CHECK_EQUAL(ebcache_cache_destroy(writer.cache), 0);
}

static void told_once_until_less_is_dirty(void) {
  open_cache(4 * NODE - 100, EBCACHE_UNLIMITED); /* rounded up: 4 blocks */
  for (uint64_t block = 0; block < 3; ++block) dirty(block);
  dirty(2); /* as before */
  CHECK_EQUAL(writer.told, 0);
  dirty(3);
  CHECK_EQUAL(writer.told, 1);
  CHECK_EQUAL(writer.bytes, 4 * NODE);
  for (uint64_t block = 4; block < 10; ++block) dirty(block);
  CHECK_EQUAL(writer.told, 1);
  ebcache_buffer* buffer = ebcache_find(writer.cache, 5 * NODE);
  CHECK_EQUAL(ebcache_writeback(writer.cache, buffer), 0);
  ebcache_put(buffer);
  dirty(5); /* 9 were, which is no less than 4 */
  CHECK_EQUAL(writer.told, 1);
  CHECK_EQUAL(ebcache_writeback_all(writer.cache), 0);
  for (uint64_t block = 0; block < 4; ++block) dirty(block);
  CHECK_EQUAL(writer.told, 2);
  /* What is given up, or cleaned, is no more dirty than what was written. */
  CHECK_EQUAL(ebcache_give_up_writes(writer.cache), 4);
  for (uint64_t block = 0; block < 4; ++block) dirty(block);
  CHECK_EQUAL(writer.told, 3);
  buffer = ebcache_find(writer.cache, 0);
  CHECK_EQUAL(ebcache_clear_dirty(buffer), 0);
  CHECK_EQUAL(ebcache_set_dirty(buffer), 0);
  ebcache_put(buffer);
  CHECK_EQUAL(writer.told, 4);
  close_cache();
}

static void a_write_that_fails_takes_nothing_off(void) {
  open_cache(2 * NODE, EBCACHE_UNLIMITED);
  dirty(0);
  dirty(1);
  CHECK_EQUAL(writer.told, 1);
  writer.memory.write_error = -EIO;
  CHECK_EQUAL(ebcache_writeback_all(writer.cache), -EIO);
  dirty(2);
  CHECK_EQUAL(writer.told, 1);
  writer.memory.write_error = 0;
  close_cache();
}

static void written_from_within_and_back_under_the_budget(void) {
  open_cache(16 * NODE, 4 * NODE);
  for (uint64_t block = 0; block < 15; ++block) dirty(block);
  CHECK_EQUAL(writer.told, 0);
  CHECK_EQUAL(stats().cached_bytes, 15 * NODE); /* they cannot go */
  CHECK(stats().over_budget_creates > 0);
  writer.writes_all = 1;
  dirty(15);
  CHECK_EQUAL(writer.told, 1);
  CHECK_EQUAL(stats().dirty_buffers, 0);
  CHECK(stats().cached_bytes <= 5 * NODE); /* of which one was held */
  CHECK_EQUAL(writer.memory.writes, 16);
  for (uint64_t block = 16; block < 48; ++block) dirty(block);
  CHECK_EQUAL(writer.told, 3);
  ebcache_buffer* buffer;
  CHECK_EQUAL(ebcache_read(writer.cache, 50 * NODE, NULL, &buffer), 0);
  ebcache_put(buffer);
  CHECK(stats().cached_bytes <= 4 * NODE);
  close_cache();
}

static void without_a_limit_none_is_told(void) {
  open_cache(0, EBCACHE_UNLIMITED);
  for (uint64_t block = 0; block < 40; ++block) dirty(block);
  CHECK_EQUAL(writer.told, 0);
  close_cache();
  /* A limit and none to tell it. */
  const struct ebcache_cache_options options = {
      .size = sizeof options, .node_bytes = NODE, .dirty_limit_bytes = NODE};
  CHECK_EQUAL(
      ebcache_cache_create(&options, &memory_source_functions, &writer.memory, &writer.cache), 0);
  dirty(0);
  close_cache();
}

int main(void) {
  RUN(told_once_until_less_is_dirty);
  RUN(a_write_that_fails_takes_nothing_off);
  RUN(written_from_within_and_back_under_the_budget);
  RUN(without_a_limit_none_is_told);
  return 0;
}
