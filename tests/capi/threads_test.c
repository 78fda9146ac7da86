/* The C face from several threads at once, for the thread sanitizer above all. */

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "tests/capi/check.h"
#include "tests/capi/counting_allocator.h"
#include "tests/capi/memory_source.h"

#define NODE MEMORY_NODE_BYTES
#define THREADS 4
#define ROUNDS 2000

static struct memory_source source;
static struct counting_allocator memory;
static ebcache_cache* cache;

static uint32_t next_random(uint32_t* state) {
  *state = *state * 1664525u + 1013904223u;
  return *state >> 8;
}

static void check_bytes(const ebcache_buffer* buffer) {
  uint64_t word;
  CHECK_EQUAL(ebcache_get_u64(buffer, 4096, &word), 0);
  CHECK_EQUAL(word, memory_source_word(ebcache_buffer_start(buffer), 4096));
}

static void* read_and_drop(void* argument) {
  uint32_t random = *(const uint32_t*)argument;
  for (int round = 0; round < ROUNDS; ++round) {
    const uint64_t start = next_random(&random) % MEMORY_BLOCKS * NODE;
    ebcache_buffer* buffer = ebcache_find(cache, start);
    if (buffer != NULL) {
      if ((ebcache_buffer_flags(buffer) & EBCACHE_BUFFER_UPTODATE) != 0) check_bytes(buffer);
      ebcache_put(buffer);
      continue;
    }
    CHECK_EQUAL(ebcache_read(cache, start, NULL, &buffer), 0);
    check_bytes(buffer);
    switch (next_random(&random) % 8) {
      case 0:
        ebcache_put_stale(ebcache_ref(buffer));
        break;
      case 1:
        (void)ebcache_shrink(cache, 4 * NODE);
        break;
      case 2: {
        struct ebcache_pins pins = {.size = sizeof pins};
        CHECK_EQUAL(ebcache_pins(cache, &pins), 0);
        break;
      }
      case 3: {
        ebcache_buffer* clone;
        CHECK_EQUAL(ebcache_clone(cache, buffer, &clone), 0);
        check_bytes(clone);
        ebcache_put(clone);
        break;
      }
    }
    ebcache_put(buffer);
  }
  return NULL;
}

static void run_threads(void* (*work)(void*)) {
  pthread_t threads[THREADS];
  uint32_t seeds[THREADS];
  for (uint32_t i = 0; i < THREADS; ++i) {
    seeds[i] = i + 1;
    CHECK_EQUAL(pthread_create(&threads[i], NULL, work, &seeds[i]), 0);
  }
  for (int i = 0; i < THREADS; ++i) CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
}

static void readers_on_a_source_and_an_allocator_in_c(void) {
  memory_source_init(&source);
  counting_allocator_init(&memory);
  ebcache_allocator* allocator;
  CHECK_EQUAL(ebcache_allocator_create_custom(&counting_allocator_ops, &memory, NULL, &allocator),
              0);
  const struct ebcache_cache_options options = {.size = sizeof options,
                                                .allocator = allocator,
                                                .budget_bytes = 24 * NODE,
                                                .background_reclaim = 1};
  CHECK_EQUAL(ebcache_cache_create(&options, &memory_source_functions, &source, &cache), 0);
  ebcache_allocator_release(allocator);
  run_threads(read_and_drop);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
  CHECK_EQUAL(memory.in_use_bytes, 0);
  CHECK_EQUAL(memory.destroyed, 1);
}

static pthread_barrier_t barrier;
static atomic_int failed;

/* All ask for one block whose read fails. Whoever reads, each thread has the words of its own. */
static void* read_what_fails(void* argument) {
  for (int round = 0; round < 50; ++round) {
    char mine[32];
    snprintf(mine, sizeof mine, "thread %u", *(const uint32_t*)argument);
    ebcache_set_error(mine);
    pthread_barrier_wait(&barrier);
    CHECK(strcmp(ebcache_last_error(), mine) == 0);
    ebcache_buffer* buffer;
    CHECK_FAILS(ebcache_read(cache, NODE, NULL, &buffer), EXDEV, "block 16384: torn");
    atomic_fetch_add(&failed, 1);
    pthread_barrier_wait(&barrier);
  }
  return NULL;
}

static void an_error_is_everybodys_who_waited(void) {
  memory_source_init(&source);
  source.read_error = -EXDEV;
  source.words = "torn";
  CHECK_EQUAL(ebcache_cache_create(NULL, &memory_source_functions, &source, &cache), 0);
  pthread_barrier_init(&barrier, NULL, THREADS);
  run_threads(read_what_fails);
  pthread_barrier_destroy(&barrier);
  CHECK_EQUAL(atomic_load(&failed), THREADS * 50);
  struct ebcache_cache_stats stats = {.size = sizeof stats};
  CHECK_EQUAL(ebcache_cache_stats(cache, &stats), 0);
  CHECK_EQUAL(stats.cached_buffers, 0);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

static void* write_own_blocks(void* argument) {
  const uint64_t first = (*(const uint32_t*)argument - 1) * (MEMORY_BLOCKS / THREADS);
  for (uint64_t round = 0; round < 200; ++round) {
    const uint64_t start = (first + round % (MEMORY_BLOCKS / THREADS)) * NODE;
    ebcache_buffer* buffer;
    CHECK_EQUAL(ebcache_read(cache, start, NULL, &buffer), 0);
    CHECK_EQUAL(ebcache_set_u64(buffer, 64, round), 0);
    CHECK_EQUAL(ebcache_set_dirty(buffer), 0);
    CHECK_EQUAL(ebcache_writeback(cache, buffer), 0);
    ebcache_put(buffer);
    if (round % 16 == 0) (void)ebcache_drop_caches(cache);
  }
  return NULL;
}

static void writers(void) {
  memory_source_init(&source);
  CHECK_EQUAL(ebcache_cache_create(NULL, &memory_source_functions, &source, &cache), 0);
  run_threads(write_own_blocks);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
  for (int block = 0; block < MEMORY_BLOCKS; ++block) {
    uint64_t round;
    memcpy(&round, source.blocks[block] + 64, sizeof round);
    CHECK(round >= 184 && round < 200);
  }
}

static ebcache_buffer* shared;
static atomic_int done;

static void* write_again_and_again(void* argument) {
  (void)argument;
  while (!atomic_load(&done)) {
    CHECK_EQUAL(ebcache_set_dirty(shared), 0);
    CHECK_EQUAL(ebcache_writeback(cache, shared), 0);
  }
  return NULL;
}

static void* read_new_blocks(void* argument) {
  (void)argument;
  for (uint64_t round = 0; !atomic_load(&done); ++round) {
    ebcache_buffer* buffer;
    CHECK_EQUAL(ebcache_read(cache, round % MEMORY_BLOCKS * NODE, NULL, &buffer), 0);
    ebcache_put_stale(buffer);
  }
  return NULL;
}

/* What may not be while others read or write is refused, in the same step in which it is looked at:
 * a look before the step would let some through, which abort. */
static void steps_that_may_not_be(void) {
  memory_source_init(&source);
  CHECK_EQUAL(ebcache_cache_create(NULL, &memory_source_functions, &source, &cache), 0);
  CHECK_EQUAL(ebcache_read(cache, NODE, NULL, &shared), 0);
  atomic_store(&done, 0);
  pthread_t writer, reader;
  CHECK_EQUAL(pthread_create(&writer, NULL, write_again_and_again, NULL), 0);
  for (int round = 0; round < 100000; ++round) {
    const int error = ebcache_reinit(cache, shared, 0);
    CHECK(error == 0 || error == -EINVAL);
  }
  atomic_store(&done, 1);
  CHECK_EQUAL(pthread_join(writer, NULL), 0);
  ebcache_put_stale(shared);

  atomic_store(&done, 0);
  CHECK_EQUAL(pthread_create(&reader, NULL, read_new_blocks, NULL), 0);
  for (uint64_t round = 0; round < 30000; ++round) {
    ebcache_buffer* buffer;
    CHECK_EQUAL(ebcache_get_or_create(cache, round % MEMORY_BLOCKS * NODE, &buffer), 0);
    const int error = ebcache_set_uptodate(buffer);
    CHECK(error == 0 || error == -EINVAL);
    ebcache_put_stale(buffer);
  }
  atomic_store(&done, 1);
  CHECK_EQUAL(pthread_join(reader, NULL), 0);
  CHECK_EQUAL(ebcache_writeback_all(cache), 0);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

/* What the header says of a source: `validate` may be called for one block by several readers at
 * once, and beside its write. Each call waits for the other: were there only one at a time, this
 * would not end. */

static pthread_barrier_t inside;
static atomic_int meet; /* whether calls of `validate` wait */

static int validate_together(void* context, const ebcache_buffer* buffer,
                             const struct ebcache_check* check) {
  (void)context;
  (void)buffer;
  (void)check;
  if (atomic_load(&meet)) pthread_barrier_wait(&inside);
  return 0;
}

static int read_zeroes(void* context, ebcache_buffer* buffer) {
  (void)context;
  return ebcache_zero(buffer, 0, NODE);
}

static int write_together(void* context, const ebcache_buffer* buffer) {
  (void)context;
  (void)buffer;
  pthread_barrier_wait(&inside);
  return 0;
}

static void* read_with_a_check(void* argument) {
  const struct ebcache_check check = {.size = sizeof check, .bits = EBCACHE_CHECK_LEVEL};
  ebcache_buffer* buffer;
  (void)argument;
  CHECK_EQUAL(ebcache_read(cache, NODE, &check, &buffer), 0);
  ebcache_put(buffer);
  return NULL;
}

static void one_block_is_validated_by_several(void) {
  static const struct ebcache_source together = {.size = sizeof together,
                                                 .read = read_zeroes,
                                                 .validate = validate_together,
                                                 .write = write_together};
  ebcache_buffer* buffer;
  pthread_t reader;
  CHECK_EQUAL(ebcache_cache_create(NULL, &together, NULL, &cache), 0);
  CHECK_EQUAL(ebcache_read(cache, NODE, NULL, &buffer), 0);
  CHECK_EQUAL(ebcache_set_dirty(buffer), 0);
  atomic_store(&meet, 1);
  pthread_barrier_init(&inside, NULL, THREADS);
  run_threads(read_with_a_check);
  pthread_barrier_destroy(&inside);

  pthread_barrier_init(&inside, NULL, 2);
  CHECK_EQUAL(pthread_create(&reader, NULL, read_with_a_check, NULL), 0);
  CHECK_EQUAL(ebcache_writeback(cache, buffer), 0);
  CHECK_EQUAL(pthread_join(reader, NULL), 0);
  pthread_barrier_destroy(&inside);
  ebcache_put(buffer);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

int main(void) {
  RUN(readers_on_a_source_and_an_allocator_in_c);
  RUN(an_error_is_everybodys_who_waited);
  RUN(writers);
  RUN(steps_that_may_not_be);
  RUN(one_block_is_validated_by_several);
  return 0;
}
