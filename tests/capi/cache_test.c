/* Standalone caches: finding, making, reading, writing, and what holds memory. */

#include <errno.h>

#include "tests/capi/check.h"
#include "tests/capi/memory_source.h"

#define NODE MEMORY_NODE_BYTES

static struct memory_source source;

static ebcache_cache* make_cache(void) {
  ebcache_cache* const cache = memory_source_cache(&source);
  CHECK_EQUAL(ebcache_cache_node_bytes(cache), NODE);
  return cache;
}

static struct ebcache_cache_stats stats_of(ebcache_cache* cache) {
  struct ebcache_cache_stats stats = {.size = sizeof stats};
  CHECK_EQUAL(ebcache_cache_stats(cache, &stats), 0);
  return stats;
}

static uint64_t pins_of(ebcache_cache* cache, int verdict) {
  struct ebcache_pins pins = {.size = sizeof pins};
  CHECK_EQUAL(ebcache_pins(cache, &pins), 0);
  return pins.buffers[verdict];
}

static ebcache_buffer* read_block(ebcache_cache* cache, uint64_t start) {
  ebcache_buffer* buffer;
  CHECK_EQUAL(ebcache_read(cache, start, NULL, &buffer), 0);
  CHECK(buffer != NULL);
  return buffer;
}

static void a_block_is_read_once_and_found_again(void) {
  ebcache_cache* cache = make_cache();
  CHECK(ebcache_find(cache, NODE) == NULL);
  ebcache_buffer* buffer = read_block(cache, NODE);
  uint64_t word;
  CHECK_EQUAL(ebcache_get_u64(buffer, 8, &word), 0);
  CHECK_EQUAL(word, memory_source_word(NODE, 8));
  CHECK_EQUAL(ebcache_buffer_start(buffer), NODE);
  CHECK_EQUAL(ebcache_buffer_length(buffer), NODE);
  CHECK_EQUAL(ebcache_buffer_mirror(buffer), 1);
  CHECK_EQUAL(ebcache_buffer_refs(buffer), 2);
  ebcache_buffer* again = ebcache_find(cache, NODE);
  CHECK(again == buffer);
  CHECK_EQUAL(ebcache_buffer_refs(buffer), 3);
  ebcache_put(again);
  ebcache_put(buffer);
  ebcache_put(read_block(cache, NODE));
  CHECK_EQUAL(source.reads, 1);
  CHECK_EQUAL(stats_of(cache).reads, 1);
  CHECK_EQUAL(stats_of(cache).cached_bytes, NODE);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

static void a_made_buffer_is_read_by_hand(void) {
  ebcache_cache* cache = make_cache();
  ebcache_buffer* buffer;
  CHECK_EQUAL(ebcache_get_or_create(cache, 0, &buffer), 0);
  CHECK((ebcache_buffer_flags(buffer) & EBCACHE_BUFFER_UPTODATE) == 0);
  CHECK_EQUAL(ebcache_read_buffer(cache, buffer, NULL), 0);
  CHECK((ebcache_buffer_flags(buffer) & EBCACHE_BUFFER_UPTODATE) != 0);
  CHECK_EQUAL(ebcache_read_buffer(cache, buffer, NULL), 0);
  CHECK_EQUAL(source.reads, 1);
  ebcache_put(buffer);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

static void a_check_is_held_against_every_reader(void) {
  ebcache_cache* cache = make_cache();
  struct ebcache_check check = {
      .size = sizeof check, .bits = EBCACHE_CHECK_GENERATION, .generation = 1};
  ebcache_buffer* buffer = (ebcache_buffer*)&check;
  CHECK_FAILS(ebcache_read(cache, NODE, &check, &buffer), EUCLEAN, "not of this generation");
  CHECK(buffer == NULL);
  check.generation = memory_source_word(NODE, 0);
  CHECK_EQUAL(ebcache_read(cache, NODE, &check, &buffer), 0);
  ebcache_put(buffer);
  check.generation = 1;
  CHECK_FAILS(ebcache_read(cache, NODE, &check, &buffer), EUCLEAN, "block 16384");
  check.bits = 0;
  CHECK_EQUAL(ebcache_read(cache, NODE, &check, &buffer), 0);
  ebcache_put(buffer);
  CHECK(source.validations >= 4);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

static void many_are_read_as_one(void) {
  ebcache_cache* cache = make_cache();
  const uint64_t starts[] = {0, 3 * NODE, MEMORY_BLOCKS * (uint64_t)NODE, 5 * NODE, 7};
  ebcache_buffer* buffers[5];
  int errors[5];
  CHECK_FAILS(ebcache_read_many(cache, starts, 5, buffers, errors), EIO, "1048576");
  for (int i = 0; i < 5; ++i) {
    CHECK_EQUAL(errors[i], i == 2 ? -EIO : i == 4 ? -EINVAL : 0);
    CHECK((buffers[i] != NULL) == (errors[i] == 0));
    ebcache_put(buffers[i]);
  }
  /* The same without errors one by one. */
  CHECK_FAILS(ebcache_read_many(cache, starts, 5, buffers, NULL), EIO, "1048576");
  for (int i = 0; i < 5; ++i) {
    CHECK((buffers[i] == NULL) == (i == 2 || i == 4));
    ebcache_put(buffers[i]);
  }
  CHECK_EQUAL(ebcache_read_many(cache, starts, 2, buffers, NULL), 0);
  ebcache_put(buffers[0]);
  ebcache_put(buffers[1]);
  CHECK_EQUAL(ebcache_read_many(cache, NULL, 0, NULL, NULL), 0);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

static void a_stale_buffer_goes_with_its_last_user(void) {
  ebcache_cache* cache = make_cache();
  ebcache_buffer* buffer = read_block(cache, NODE);
  CHECK(ebcache_ref(buffer) == buffer);
  ebcache_put_stale(buffer);
  CHECK((ebcache_buffer_flags(buffer) & EBCACHE_BUFFER_STALE) != 0);
  CHECK_EQUAL(stats_of(cache).cached_buffers, 1);
  ebcache_put(buffer);
  CHECK_EQUAL(stats_of(cache).cached_buffers, 0);
  CHECK_EQUAL(stats_of(cache).stale_frees, 1);
  CHECK(ebcache_ref(NULL) == NULL);
  ebcache_put(NULL);
  ebcache_put_stale(NULL);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

static void dummies_and_clones_are_nobody_elses(void) {
  ebcache_cache* cache = make_cache();
  ebcache_buffer* original = read_block(cache, NODE);
  ebcache_buffer *dummy, *clone;
  CHECK_EQUAL(ebcache_dummy(cache, NODE, &dummy), 0);
  CHECK_EQUAL(ebcache_clone(cache, original, &clone), 0);
  uint64_t word;
  CHECK_EQUAL(ebcache_get_u64(dummy, 0, &word), 0);
  CHECK_EQUAL(word, 0);
  CHECK_EQUAL(ebcache_set_u64(clone, 0, 5), 0);
  CHECK_EQUAL(ebcache_get_u64(clone, 8, &word), 0);
  CHECK_EQUAL(word, memory_source_word(NODE, 8));
  CHECK_EQUAL(ebcache_get_u64(original, 0, &word), 0);
  CHECK_EQUAL(word, memory_source_word(NODE, 0));
  CHECK_EQUAL(stats_of(cache).private_buffers, 2);
  CHECK_EQUAL(pins_of(cache, EBCACHE_VERDICT_UNMAPPED), 2);
  CHECK_EQUAL(ebcache_set_dirty(clone), -EINVAL);
  CHECK_EQUAL(ebcache_cache_destroy(cache), -EBUSY);
  ebcache_put(dummy);
  ebcache_put(clone);
  CHECK_EQUAL(stats_of(cache).private_buffers, 0);
  ebcache_put(original);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

static void what_is_dirty_stays_until_written(void) {
  ebcache_cache* cache = make_cache();
  for (uint64_t block = 2; block < 5; ++block) {
    ebcache_buffer* buffer = read_block(cache, block * NODE);
    CHECK_EQUAL(ebcache_set_u32(buffer, 100, (uint32_t)block), 0);
    CHECK_EQUAL(ebcache_set_dirty(buffer), 0);
    ebcache_put(buffer);
  }
  CHECK_EQUAL(stats_of(cache).dirty_buffers, 3);
  CHECK_EQUAL(ebcache_drop_caches(cache), 0);
  CHECK_EQUAL(pins_of(cache, EBCACHE_VERDICT_DIRTY), 3);
  ebcache_buffer* dirty = ebcache_next_dirty(cache, 2 * NODE + 1);
  CHECK_EQUAL(ebcache_buffer_start(dirty), 3 * NODE);
  CHECK_EQUAL(ebcache_writeback(cache, dirty), 0);
  CHECK_EQUAL(source.writes, 1);
  CHECK_EQUAL(source.blocks[3][100], 3);
  ebcache_put(dirty);
  dirty = ebcache_next_dirty(cache, 0);
  CHECK_EQUAL(ebcache_clear_dirty(dirty), 0);
  ebcache_put(dirty);
  CHECK_EQUAL(ebcache_writeback_all(cache), 0);
  CHECK_EQUAL(source.writes, 2);
  CHECK_EQUAL(source.blocks[4][100], 4);
  CHECK(ebcache_next_dirty(cache, 0) == NULL);
  CHECK_EQUAL(ebcache_drop_caches(cache), 3);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

static void a_new_block_is_filled_and_written(void) {
  ebcache_cache* cache = make_cache();
  ebcache_buffer* buffer;
  CHECK_EQUAL(ebcache_get_or_create(cache, 9 * NODE, &buffer), 0);
  CHECK_EQUAL(ebcache_zero(buffer, 0, NODE), 0);
  CHECK_EQUAL(ebcache_copy_in(buffer, 1000, "ebcache", 8), 0);
  CHECK_EQUAL(ebcache_set_dirty(buffer), -EINVAL);
  CHECK_EQUAL(ebcache_set_uptodate(buffer), 0);
  CHECK_EQUAL(ebcache_set_dirty(buffer), 0);
  ebcache_put_stale(buffer); /* freed by COW, and written all the same */
  CHECK_EQUAL(ebcache_writeback_all(cache), 0);
  CHECK_EQUAL(strcmp((char*)source.blocks[9] + 1000, "ebcache"), 0);
  CHECK_EQUAL(stats_of(cache).cached_buffers, 0);
  CHECK_EQUAL(source.reads, 0);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

static void a_freed_block_that_is_allocated_again(void) {
  ebcache_cache* cache = make_cache();
  ebcache_buffer* buffer = read_block(cache, NODE);
  CHECK_EQUAL(ebcache_set_dirty(buffer), 0);
  CHECK_EQUAL(ebcache_reinit(cache, buffer, 101), 0);
  CHECK_EQUAL(stats_of(cache).dirty_buffers, 0);
  uint8_t byte;
  CHECK_EQUAL(ebcache_get_u8(buffer, 100, &byte), 0);
  CHECK_EQUAL(byte, 0);
  CHECK_EQUAL(ebcache_compare(buffer, 104, source.blocks[1] + 104, 8, &(int){1}), 0);
  CHECK_FAILS(ebcache_reinit(cache, buffer, NODE + 1), ERANGE, "16384");
  ebcache_put(buffer);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

static void memory_is_given_back(void) {
  ebcache_cache* cache = make_cache();
  for (uint64_t block = 0; block < 40; ++block) ebcache_put(read_block(cache, block * NODE));
  CHECK_EQUAL(stats_of(cache).cached_buffers, 40);
  CHECK(ebcache_shrink(cache, 5 * NODE) >= 5 * NODE);
  CHECK_EQUAL(stats_of(cache).cached_buffers, 35);
  CHECK_EQUAL(ebcache_set_budget(cache, 20 * NODE), 0);
  CHECK_EQUAL(stats_of(cache).cached_buffers, 20);
  for (uint64_t block = 0; block < 40; ++block) ebcache_put(read_block(cache, block * NODE));
  CHECK(stats_of(cache).cached_buffers <= 20);
  CHECK_EQUAL(ebcache_set_budget(cache, EBCACHE_UNLIMITED), 0);
  for (uint64_t block = 0; block < 40; ++block) ebcache_put(read_block(cache, block * NODE));
  CHECK_EQUAL(stats_of(cache).cached_buffers, 40);
  ebcache_buffer* first = ebcache_first_at_or_after(cache, 12 * NODE + 1);
  CHECK_EQUAL(ebcache_buffer_start(first), 13 * NODE);
  CHECK_EQUAL(pins_of(cache, EBCACHE_VERDICT_IN_USE), 1);
  CHECK_EQUAL(pins_of(cache, EBCACHE_VERDICT_ELIGIBLE), 39);
  CHECK_EQUAL(ebcache_drop_caches(cache), 39);
  ebcache_put(first);
  CHECK_EQUAL(ebcache_drop_caches(cache), 1);
  CHECK(ebcache_first_at_or_after(cache, 0) == NULL);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

static void the_options_count(void) {
  for (uint32_t background = 0; background < 2; ++background) {
    ebcache_cache* cache;
    const struct ebcache_cache_options options = {.size = sizeof options,
                                                  .node_bytes = 4096,
                                                  .budget_bytes = 16 * 4096,
                                                  .background_reclaim = background,
                                                  .unmovable = 1};
    CHECK_EQUAL(ebcache_cache_create(&options, NULL, NULL, &cache), 0);
    for (uint64_t block = 0; block < 100; ++block) {
      ebcache_buffer* buffer;
      CHECK_EQUAL(ebcache_get_or_create(cache, block * 4096, &buffer), 0);
      CHECK_EQUAL(ebcache_buffer_length(buffer), 4096);
      ebcache_put(buffer);
    }
    CHECK(stats_of(cache).cached_buffers <= 16);
    /* With a thread of the cache's own this count may be late: a buffer is gone before it is one of
     * those that went. */
    if (background == 0) CHECK_EQUAL(stats_of(cache).reclaimed, 84);
    CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
  }
}

int main(void) {
  RUN(a_block_is_read_once_and_found_again);
  RUN(a_made_buffer_is_read_by_hand);
  RUN(a_check_is_held_against_every_reader);
  RUN(many_are_read_as_one);
  RUN(a_stale_buffer_goes_with_its_last_user);
  RUN(dummies_and_clones_are_nobody_elses);
  RUN(what_is_dirty_stays_until_written);
  RUN(a_new_block_is_filled_and_written);
  RUN(a_freed_block_that_is_allocated_again);
  RUN(memory_is_given_back);
  RUN(the_options_count);
  return 0;
}
