/* What ports of other caches need: bytes of their own with each buffer, batches with what is expected,
 * other copies, new buffers that say so, and an end whatever is left. */

#include <errno.h>

#include "tests/capi/check.h"
#include "tests/capi/memory_source.h"

#define NODE MEMORY_NODE_BYTES
#define KEPT 24

/* ---- Bytes of the caller's ------------------------------------------------------------------- */

struct kept {
  uint64_t start;
  uint64_t births;
};

static struct memory_source source;
static uint64_t forgotten;
static uint64_t forgotten_sum;

static void forget(void* context, const ebcache_buffer* buffer, void* user) {
  const struct kept* const kept = user;
  CHECK(context == &source);
  ++forgotten;
  forgotten_sum += kept->start;
  if (kept->births != 0) CHECK_EQUAL(kept->start, ebcache_buffer_start(buffer));
  if (kept->births != 0) CHECK(ebcache_data(buffer) != NULL);
}

static ebcache_cache* cache_with_user_bytes(void) {
  struct ebcache_source functions = memory_source_functions;
  functions.forget = forget;
  memory_source_init(&source);
  forgotten = 0;
  forgotten_sum = 0;
  const struct ebcache_cache_options options = {.size = sizeof options, .user_bytes = KEPT};
  ebcache_cache* cache;
  CHECK_EQUAL(ebcache_cache_create(&options, &functions, &source, &cache), 0);
  return cache;
}

static ebcache_buffer* read_block(ebcache_cache* cache, uint64_t start) {
  ebcache_buffer* buffer;
  CHECK_EQUAL(ebcache_read(cache, start, NULL, &buffer), 0);
  return buffer;
}

static void user_bytes_live_as_long_as_the_buffer(void) {
  ebcache_cache* const cache = cache_with_user_bytes();
  ebcache_buffer* const buffer = read_block(cache, 3 * NODE);
  static const unsigned char zeroes[KEPT];
  CHECK(memcmp(ebcache_user(buffer), zeroes, KEPT) == 0);
  struct kept* const kept = ebcache_user(buffer);
  *kept = (struct kept){3 * NODE, 1};
  ebcache_put(buffer);
  ebcache_buffer* const again = ebcache_find(cache, 3 * NODE);
  CHECK(ebcache_user(again) == kept);
  CHECK_EQUAL(kept->births, 1);
  CHECK_EQUAL(ebcache_reread(cache, again, NULL), 0);
  CHECK_EQUAL(kept->births, 1);
  ebcache_put(again);
  CHECK_EQUAL(forgotten, 0);
  CHECK_EQUAL(ebcache_drop_caches(cache), 1);
  CHECK_EQUAL(forgotten, 1);
  CHECK_EQUAL(forgotten_sum, 3 * NODE);
  ebcache_buffer* const reborn = read_block(cache, 3 * NODE);
  CHECK(memcmp(ebcache_user(reborn), zeroes, KEPT) == 0);
  ebcache_put(reborn);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
  CHECK_EQUAL(forgotten, 2);
}

static void no_user_bytes_no_forgetting(void) {
  struct ebcache_source functions = memory_source_functions;
  functions.forget = forget;
  memory_source_init(&source);
  forgotten = 0;
  ebcache_cache* cache;
  CHECK_EQUAL(ebcache_cache_create(NULL, &functions, &source, &cache), 0);
  ebcache_buffer* const buffer = read_block(cache, 0);
  CHECK(ebcache_user(buffer) == NULL);
  CHECK(ebcache_user(NULL) == NULL);
  ebcache_put_stale(buffer);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
  CHECK_EQUAL(forgotten, 0);
  const struct ebcache_cache_options options = {.size = sizeof options, .user_bytes = 4097};
  CHECK_FAILS(ebcache_cache_create(&options, NULL, NULL, &cache), EINVAL, "user_bytes");
}

static void every_birth_is_forgotten_once(void) {
  ebcache_cache* const cache = cache_with_user_bytes();
  uint64_t births = 0, sum = 0;
  for (uint64_t round = 0; round < 4000; ++round) {
    const uint64_t start = (round * 7 % MEMORY_BLOCKS) * NODE;
    ebcache_buffer* const buffer = read_block(cache, start);
    struct kept* const kept = ebcache_user(buffer);
    if (kept->births == 0) {
      *kept = (struct kept){start, 1};
      ++births;
      sum += start;
    }
    switch (round % 4) {
      case 0:
        ebcache_put_stale(buffer);
        break;
      case 1:
        ebcache_put_nocache(buffer);
        break;
      case 2:
        ebcache_put(buffer);
        ebcache_drop_caches(cache);
        break;
      default:
        ebcache_put(buffer);
        ebcache_shrink(cache, NODE);
    }
    CHECK_EQUAL(forgotten, births);
  }
  CHECK_EQUAL(births, 4000);
  CHECK_EQUAL(forgotten_sum, sum);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

/* ---- Batches, and what is expected ----------------------------------------------------------- */

static size_t batches, largest_batch;
static int last_bad_mirror;

static void read_many(void* context, struct ebcache_block_read* reads, size_t count) {
  struct memory_source* const memory = context;
  ++batches;
  if (count > largest_batch) largest_batch = count;
  for (size_t i = 0; i < count; ++i) {
    const uint64_t start = ebcache_buffer_start(reads[i].buffer);
    CHECK_EQUAL(reads[i].error, -EIO);
    last_bad_mirror = reads[i].bad_mirror;
    if (start == 7 * NODE) continue; /* not answered */
    if (start == 8 * NODE) {
      reads[i].error = -EUCLEAN;
      reads[i].message = "eight is no number";
      continue;
    }
    reads[i].error =
        ebcache_copy_in(reads[i].buffer, 0, memory->blocks[start / NODE], MEMORY_NODE_BYTES);
    /* Its copies differ in what its reader expects of them. */
    uint64_t generation = 0;
    if (reads[i].check != NULL && (reads[i].check->bits & EBCACHE_CHECK_GENERATION) != 0) {
      generation = reads[i].check->generation;
      CHECK_EQUAL(ebcache_set_u64(reads[i].buffer, 0, generation), 0);
    }
    ebcache_buffer_set_mirror(reads[i].buffer, generation == 5 ? 2 : 1);
  }
}

static ebcache_cache* cache_of_batches(void) {
  struct ebcache_source functions = memory_source_functions;
  functions.read = NULL;
  functions.read_many = read_many;
  memory_source_init(&source);
  batches = largest_batch = 0;
  ebcache_cache* cache;
  CHECK_EQUAL(ebcache_cache_create(NULL, &functions, &source, &cache), 0);
  return cache;
}

static void batches_reach_the_source_with_what_is_expected(void) {
  ebcache_cache* const cache = cache_of_batches();
  const struct ebcache_check five = {
      .size = sizeof five, .bits = EBCACHE_CHECK_GENERATION, .generation = 5};
  const struct ebcache_check* checks[10] = {NULL, &five, NULL, &five};
  uint64_t starts[10];
  ebcache_buffer* buffers[10];
  int errors[10];
  for (size_t i = 0; i < 10; ++i) starts[i] = i * NODE;
  CHECK_FAILS(ebcache_read_many_checked(cache, starts, checks, 10, buffers, errors), EIO,
              "block 114688");
  CHECK_EQUAL(batches, 1);
  CHECK_EQUAL(largest_batch, 10);
  for (size_t i = 0; i < 10; ++i) {
    CHECK_EQUAL(errors[i], i == 7 ? -EIO : i == 8 ? -EUCLEAN : 0);
    CHECK((buffers[i] != NULL) == (errors[i] == 0));
    if (buffers[i] == NULL) continue;
    CHECK_EQUAL(ebcache_buffer_mirror(buffers[i]), checks[i] != NULL ? 2 : 1);
    ebcache_put(buffers[i]);
  }
  ebcache_buffer* buffer;
  CHECK_FAILS(ebcache_read(cache, 8 * NODE, NULL, &buffer), EUCLEAN, "eight is no number");
  CHECK_EQUAL(last_bad_mirror, 0);
  /* A check that cannot be is refused before anything is read. */
  struct ebcache_check wrong = five;
  wrong.generation = 0;
  checks[9] = &wrong;
  batches = 0;
  CHECK_FAILS(ebcache_read_many_checked(cache, starts, checks, 10, buffers, errors), EINVAL,
              "generation 0");
  CHECK_EQUAL(batches, 0);
  for (size_t i = 0; i < 10; ++i) {
    CHECK(buffers[i] == NULL);
    CHECK_EQUAL(errors[i], -EINVAL);
  }
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

/* A block that is there and is not what a reader expects stays: it may be what others do. */
static void a_check_that_fails_leaves_a_cached_block(void) {
  ebcache_cache* const cache = memory_source_cache(&source);
  ebcache_put(read_block(cache, NODE));
  const struct ebcache_check wrong = {
      .size = sizeof wrong, .bits = EBCACHE_CHECK_GENERATION, .generation = 1};
  ebcache_buffer* buffer;
  CHECK_FAILS(ebcache_read(cache, NODE, &wrong, &buffer), EUCLEAN, "generation");
  CHECK(buffer == NULL);
  buffer = ebcache_find(cache, NODE);
  CHECK(buffer != NULL && (ebcache_buffer_flags(buffer) & EBCACHE_BUFFER_UPTODATE) != 0);
  ebcache_put(buffer);
  CHECK_EQUAL(source.reads, 1);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

/* ---- Other copies ---------------------------------------------------------------------------- */

static void bytes_that_are_not_good(void) {
  ebcache_cache* const cache = cache_of_batches();
  ebcache_buffer* const buffer = read_block(cache, NODE);
  CHECK_EQUAL(ebcache_reread(cache, buffer, NULL), 0);
  CHECK_EQUAL(last_bad_mirror, 1);
  CHECK_EQUAL(batches, 2);
  CHECK_EQUAL(ebcache_clear_uptodate(buffer), 0);
  CHECK_EQUAL(ebcache_buffer_flags(buffer) & EBCACHE_BUFFER_UPTODATE, 0);
  CHECK_FAILS(ebcache_set_dirty(buffer), EINVAL, "uptodate");
  CHECK_EQUAL(ebcache_read_buffer(cache, buffer, NULL), 0);
  CHECK_EQUAL(last_bad_mirror, 0);
  CHECK_EQUAL(ebcache_set_dirty(buffer), 0);
  CHECK_FAILS(ebcache_clear_uptodate(buffer), EINVAL, "dirty");
  CHECK_FAILS(ebcache_reread(cache, buffer, NULL), EINVAL, "newer");
  CHECK_EQUAL(batches, 3);
  CHECK_EQUAL(ebcache_writeback(cache, buffer), 0);
  CHECK_EQUAL(ebcache_reread(cache, buffer, NULL), 0);
  ebcache_put(buffer);
  CHECK_FAILS(ebcache_reread(NULL, NULL, NULL), EINVAL, "cache");
  CHECK_FAILS(ebcache_reread(cache, NULL, NULL), EINVAL, "buffer");
  CHECK_FAILS(ebcache_clear_uptodate(NULL), EINVAL, "buffer");
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

/* ---- New buffers, private ones, puts --------------------------------------------------------- */

static void new_buffers_say_so(void) {
  ebcache_cache* const cache = memory_source_cache(&source);
  ebcache_buffer* buffer;
  int created = 7;
  CHECK_EQUAL(ebcache_get_or_create_with(cache, NODE, EBCACHE_CREATE_ZEROED, &buffer, &created), 0);
  CHECK_EQUAL(created, 1);
  CHECK_EQUAL(ebcache_set_dirty(buffer), 0);
  uint64_t word = 1;
  CHECK_EQUAL(ebcache_get_u64(buffer, NODE - 8, &word), 0);
  CHECK_EQUAL(word, 0);
  ebcache_buffer* again;
  CHECK_EQUAL(ebcache_get_or_create_with(cache, NODE, 0, &again, &created), 0);
  CHECK_EQUAL(created, 0);
  CHECK(again == buffer);
  ebcache_put(again);
  CHECK_EQUAL(ebcache_writeback(cache, buffer), 0);
  ebcache_put(buffer);
  CHECK_EQUAL(ebcache_get_or_create_with(cache, 2 * NODE, 0, &buffer, NULL), 0);
  CHECK_FAILS(ebcache_set_dirty(buffer), EINVAL, "uptodate");
  ebcache_put(buffer);
  created = 7;
  CHECK_FAILS(ebcache_get_or_create_with(cache, 3 * NODE, 2, &buffer, &created), EINVAL, "flag");
  CHECK_EQUAL(created, 0);
  CHECK(buffer == NULL);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

static void private_buffers_of_other_sizes(void) {
  ebcache_cache* const cache = memory_source_cache(&source);
  ebcache_buffer* super;
  CHECK_EQUAL(ebcache_private(cache, 65536, 4096, &super), 0);
  CHECK_EQUAL(ebcache_buffer_length(super), 4096);
  CHECK_EQUAL(ebcache_set_u64(super, 4088, 1), 0);
  CHECK_EQUAL(ebcache_set_u64(super, 4089, 1), -ERANGE);
  ebcache_put(super);
  CHECK_FAILS(ebcache_private(cache, 0, 0, &super), EINVAL, "bytes");
  CHECK_FAILS(ebcache_private(cache, 0, 32768, &super), EINVAL, "16384");
  CHECK(super == NULL);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

static void a_put_that_keeps_nothing(void) {
  ebcache_cache* const cache = memory_source_cache(&source);
  ebcache_buffer* const buffer = read_block(cache, NODE);
  ebcache_buffer* const other = ebcache_ref(buffer);
  ebcache_put_nocache(buffer);
  CHECK_EQUAL(ebcache_buffer_flags(other) & EBCACHE_BUFFER_STALE, 0);
  ebcache_put_nocache(other);
  CHECK(ebcache_find(cache, NODE) == NULL);
  ebcache_put_nocache(NULL);
  struct ebcache_cache_stats stats = {.size = sizeof stats};
  CHECK_EQUAL(ebcache_cache_stats(cache, &stats), 0);
  CHECK_EQUAL(stats.nocache_frees, 1);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

/* ---- The end, whatever is left --------------------------------------------------------------- */

struct tally {
  uint64_t buffers, references, dirty;
};

static void count(void* context, uint64_t start, uint32_t references, uint32_t flags) {
  struct tally* const tally = context;
  CHECK_EQUAL(start % NODE, 0);
  ++tally->buffers;
  tally->references += references;
  if ((flags & EBCACHE_BUFFER_DIRTY) != 0) ++tally->dirty;
}

static void an_end_with_references_left(void) {
  ebcache_cache* const cache = cache_with_user_bytes();
  ebcache_buffer* const one = read_block(cache, NODE);
  ebcache_ref(one);
  ebcache_buffer* const two = read_block(cache, 2 * NODE);
  CHECK_EQUAL(ebcache_set_dirty(two), 0);
  ebcache_put(two);
  ebcache_put(read_block(cache, 3 * NODE));
  struct tally held = {0, 0, 0};
  CHECK_EQUAL(ebcache_for_each_held(cache, count, &held), 1);
  CHECK_EQUAL(held.references, 2);
  CHECK_EQUAL(ebcache_for_each_held(cache, NULL, NULL), 1);
  CHECK_EQUAL(ebcache_for_each_held(NULL, count, &held), 0);
  CHECK_FAILS(ebcache_cache_destroy(cache), EBUSY, "16384");
  struct tally told = {0, 0, 0};
  CHECK_EQUAL(ebcache_cache_destroy_forced(cache, count, &told), 0);
  CHECK_EQUAL(told.buffers, 2);
  CHECK_EQUAL(told.references, 2);
  CHECK_EQUAL(told.dirty, 1);
  CHECK_EQUAL(forgotten, 3);
  CHECK_EQUAL(ebcache_cache_destroy_forced(NULL, count, &told), 0);
}

int main(void) {
  RUN(user_bytes_live_as_long_as_the_buffer);
  RUN(no_user_bytes_no_forgetting);
  RUN(every_birth_is_forgotten_once);
  RUN(batches_reach_the_source_with_what_is_expected);
  RUN(a_check_that_fails_leaves_a_cached_block);
  RUN(bytes_that_are_not_good);
  RUN(new_buffers_say_so);
  RUN(private_buffers_of_other_sizes);
  RUN(a_put_that_keeps_nothing);
  RUN(an_end_with_references_left);
  return 0;
}
