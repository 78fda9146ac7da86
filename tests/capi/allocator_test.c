/* The library's allocators by their options, and one written in C. */

#include <errno.h>

#include "tests/capi/check.h"
#include "tests/capi/counting_allocator.h"
#include "tests/capi/memory_source.h"
#include "tests/capi/sample_image.h"

#define NODE MEMORY_NODE_BYTES

static struct memory_source source;

/* Reads all blocks twice through a cache on `allocator`, and looks at the bytes. */
static void use(ebcache_allocator* allocator) {
  memory_source_init(&source);
  const struct ebcache_cache_options options = {
      .size = sizeof options, .allocator = allocator, .budget_bytes = 16 * NODE};
  ebcache_cache* cache;
  CHECK_EQUAL(ebcache_cache_create(&options, &memory_source_functions, &source, &cache), 0);
  for (int round = 0; round < 2; ++round) {
    for (uint64_t block = 0; block < MEMORY_BLOCKS; ++block) {
      ebcache_buffer* buffer;
      CHECK_EQUAL(ebcache_read(cache, block * NODE, NULL, &buffer), 0);
      int order = 1;
      CHECK_EQUAL(ebcache_compare(buffer, 0, source.blocks[block], NODE, &order), 0);
      CHECK_EQUAL(order, 0);
      ebcache_put(buffer);
    }
  }
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

static void every_kind_of_allocator(void) {
  for (uint32_t kind = EBCACHE_ALLOCATOR_HEAP; kind <= EBCACHE_ALLOCATOR_MOVABLE; ++kind) {
    for (uint64_t page_bytes = 4096; page_bytes <= 65536; page_bytes *= 4) {
      const struct ebcache_allocator_options options = {.size = sizeof options,
                                                        .kind = kind,
                                                        .page_bytes = page_bytes,
                                                        .arena_bytes = 64 << 20,
                                                        .defragment = 1,
                                                        .max_windows = 10};
      ebcache_allocator* allocator;
      CHECK_EQUAL(ebcache_allocator_create(&options, &allocator), 0);
      use(allocator);
      struct ebcache_allocator_stats stats = {.size = sizeof stats};
      CHECK_EQUAL(ebcache_allocator_stats(allocator, &stats), 0);
      CHECK_EQUAL(stats.page_bytes, page_bytes);
      CHECK(stats.allocated_folios > 0);
      CHECK_EQUAL(stats.allocated_folios, stats.freed_folios);
      CHECK_EQUAL(stats.in_use_bytes, 0);
      CHECK_EQUAL(stats.arena_bytes, kind == EBCACHE_ALLOCATOR_HEAP ? 0 : 64 << 20);
      (void)ebcache_allocator_trim(allocator);
      ebcache_allocator_release(allocator);
    }
  }
}

static void the_defaults_and_a_limit(void) {
  ebcache_allocator* allocator;
  CHECK_EQUAL(ebcache_allocator_create(NULL, &allocator), 0);
  use(allocator);
  ebcache_allocator_release(allocator);
  const struct ebcache_allocator_options options = {.size = sizeof options, .max_bytes = 4096};
  CHECK_EQUAL(ebcache_allocator_create(&options, &allocator), 0);
  const struct ebcache_cache_options cache_options = {.size = sizeof cache_options,
                                                      .allocator = allocator};
  ebcache_cache* cache;
  CHECK_EQUAL(ebcache_cache_create(&cache_options, NULL, NULL, &cache), 0);
  ebcache_allocator_release(allocator);
  ebcache_buffer* buffer;
  CHECK_FAILS(ebcache_get_or_create(cache, 0, &buffer), ENOMEM, "4096");
  CHECK(buffer == NULL);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

static void options_out_of_range(void) {
  ebcache_allocator* allocator;
  struct ebcache_allocator_options options = {.size = sizeof options, .kind = 5};
  CHECK_FAILS(ebcache_allocator_create(&options, &allocator), EINVAL, "kind");
  options.kind = 0;
  options.page_bytes = 8192;
  CHECK_FAILS(ebcache_allocator_create(&options, &allocator), EINVAL, "page_bytes");
  options.page_bytes = 0;
  options.kind = EBCACHE_ALLOCATOR_MOVABLE;
  options.arena_bytes = 4096;
  CHECK_FAILS(ebcache_allocator_create(&options, &allocator), EINVAL, "arena_bytes");
  options.arena_bytes = UINT64_MAX << 30;
  CHECK_FAILS(ebcache_allocator_create(&options, &allocator), EINVAL, "arena_bytes");
  CHECK(allocator == NULL);
  CHECK_EQUAL(ebcache_allocator_create(NULL, NULL), -EINVAL);
  CHECK_EQUAL(ebcache_allocator_stats(NULL, NULL), -EINVAL);
  CHECK_EQUAL(ebcache_allocator_trim(NULL), 0);
  ebcache_allocator_release(NULL);
}

static void memory_of_the_callers(void) {
  struct counting_allocator memory;
  counting_allocator_init(&memory);
  ebcache_allocator* allocator;
  CHECK_EQUAL(ebcache_allocator_create_custom(&counting_allocator_ops, &memory, NULL, &allocator),
              0);
  use(allocator);
  CHECK(memory.allocations > MEMORY_BLOCKS);
  CHECK_EQUAL(memory.allocations, memory.frees);
  CHECK_EQUAL(memory.in_use_bytes, 0);
  CHECK_EQUAL(memory.flags, EBCACHE_ALLOC_MOVABLE);
  CHECK_EQUAL(ebcache_allocator_trim(allocator), 4096);
  CHECK_EQUAL(memory.trims, 1);
  CHECK_EQUAL(memory.destroyed, 0);
  ebcache_allocator_release(allocator);
  CHECK_EQUAL(memory.destroyed, 1);
}

static void memory_of_the_callers_that_runs_out(void) {
  struct counting_allocator memory;
  counting_allocator_init(&memory);
  memory.most_bytes = 4 * NODE;
  ebcache_allocator* allocator;
  CHECK_EQUAL(ebcache_allocator_create_custom(&counting_allocator_ops, &memory, NULL, &allocator),
              0);
  use(allocator); /* idle buffers make room */
  const struct ebcache_cache_options options = {.size = sizeof options, .allocator = allocator};
  ebcache_cache* cache;
  CHECK_EQUAL(ebcache_cache_create(&options, NULL, NULL, &cache), 0);
  ebcache_allocator_release(allocator); /* the cache has it still */
  CHECK_EQUAL(memory.destroyed, 0);
  ebcache_buffer *held[4], *more;
  for (uint64_t i = 0; i < 4; ++i) {
    CHECK_EQUAL(ebcache_get_or_create(cache, i * NODE, &held[i]), 0);
  }
  CHECK_FAILS(ebcache_get_or_create(cache, 4 * NODE, &more), ENOMEM, "block 65536");
  for (uint64_t i = 0; i < 4; ++i) ebcache_put(held[i]);
  CHECK_EQUAL(ebcache_get_or_create(cache, 4 * NODE, &more), 0);
  ebcache_put(more);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
  CHECK_EQUAL(memory.destroyed, 1);
  CHECK_EQUAL(memory.in_use_bytes, 0);
}

static void memory_of_the_callers_that_is_not_aligned(void) {
  struct counting_allocator memory;
  counting_allocator_init(&memory);
  memory.misalign = 1;
  ebcache_allocator* allocator;
  CHECK_EQUAL(ebcache_allocator_create_custom(&counting_allocator_ops, &memory, NULL, &allocator),
              0);
  const struct ebcache_cache_options options = {.size = sizeof options, .allocator = allocator};
  ebcache_cache* cache;
  CHECK_EQUAL(ebcache_cache_create(&options, NULL, NULL, &cache), 0);
  ebcache_buffer* buffer;
  CHECK_EQUAL(ebcache_get_or_create(cache, 0, &buffer), -ENOMEM);
  CHECK_EQUAL(memory.allocations, memory.frees);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
  ebcache_allocator_release(allocator);
}

static void functions_that_are_missing(void) {
  struct counting_allocator memory;
  counting_allocator_init(&memory);
  ebcache_allocator* allocator;
  struct ebcache_allocator_ops ops = counting_allocator_ops;
  ops.free = NULL;
  CHECK_EQUAL(ebcache_allocator_create_custom(&ops, &memory, NULL, &allocator), -EINVAL);
  ops = counting_allocator_ops;
  ops.allocate = NULL;
  CHECK_EQUAL(ebcache_allocator_create_custom(&ops, &memory, NULL, &allocator), -EINVAL);
  CHECK_EQUAL(ebcache_allocator_create_custom(NULL, &memory, NULL, &allocator), -EINVAL);
  const struct ebcache_allocator_options other = {.size = sizeof other, .kind = 1};
  CHECK_EQUAL(ebcache_allocator_create_custom(&counting_allocator_ops, &memory, &other, &allocator),
              -EINVAL);
  const struct ebcache_allocator_options odd = {.size = sizeof odd, .page_bytes = 12288};
  CHECK_EQUAL(ebcache_allocator_create_custom(&counting_allocator_ops, &memory, &odd, &allocator),
              -EINVAL);
  CHECK_EQUAL(memory.destroyed, 0);
  ops = counting_allocator_ops;
  ops.trim = NULL;
  ops.destroy = NULL;
  CHECK_EQUAL(ebcache_allocator_create_custom(&ops, &memory, NULL, &allocator), 0);
  CHECK_EQUAL(ebcache_allocator_trim(allocator), 0);
  ebcache_allocator_release(allocator);
}

/* An allocator knows 255 caches at a time; that of a filesystem is one of them. */
static void one_cache_too_many(void) {
  enum { MOST = 255 };
  ebcache_allocator* allocator;
  CHECK_EQUAL(ebcache_allocator_create(NULL, &allocator), 0);
  const struct ebcache_cache_options options = {.size = sizeof options, .allocator = allocator};
  ebcache_cache* caches[MOST];
  for (int i = 0; i < MOST; ++i) {
    CHECK_EQUAL(ebcache_cache_create(&options, NULL, NULL, &caches[i]), 0);
  }
  ebcache_cache* one_more = caches[0];
  CHECK_FAILS(ebcache_cache_create(&options, NULL, NULL, &one_more), EUSERS, "255");
  CHECK(one_more == NULL);
  const char* const paths[] = {sample_image()};
  const struct ebcache_filesystem_options open_options = {.size = sizeof open_options,
                                                          .cache = &options};
  ebcache_filesystem* filesystem;
  CHECK_FAILS(ebcache_open(paths, 1, &open_options, &filesystem), EUSERS, "255");
  CHECK(filesystem == NULL);

  CHECK_EQUAL(ebcache_cache_destroy(caches[7]), 0);
  CHECK_EQUAL(ebcache_open(paths, 1, &open_options, &filesystem), 0);
  CHECK_FAILS(ebcache_cache_create(&options, NULL, NULL, &one_more), EUSERS, "255");
  CHECK_EQUAL(ebcache_close(filesystem), 0);
  CHECK_EQUAL(ebcache_cache_create(&options, NULL, NULL, &caches[7]), 0);
  ebcache_buffer* buffer;
  CHECK_EQUAL(ebcache_get_or_create(caches[7], 0, &buffer), 0);
  ebcache_put(buffer);
  for (int i = 0; i < MOST; ++i) CHECK_EQUAL(ebcache_cache_destroy(caches[i]), 0);
  ebcache_allocator_release(allocator);
}

int main(void) {
  RUN(every_kind_of_allocator);
  RUN(the_defaults_and_a_limit);
  RUN(options_out_of_range);
  RUN(memory_of_the_callers);
  RUN(memory_of_the_callers_that_runs_out);
  RUN(memory_of_the_callers_that_is_not_aligned);
  RUN(functions_that_are_missing);
  RUN(one_cache_too_many);
  return 0;
}
