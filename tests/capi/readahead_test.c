/* Readahead over a source of the caller's: what it asks of it, in which batches and on which threads; and
 * sets of blocks. */

#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "tests/capi/check.h"
#include "tests/capi/sample_image.h"

enum { NODE = 16384, BLOCKS = 256 };

/* Blocks whose first word is their address. Guarded by its mutex. */
struct disk {
  pthread_mutex_t mutex;
  pthread_t asker;
  int calls, blocks, most_together;
  int by_others;     /* of the blocks: those that were read on another thread than the asker's */
  int without_check; /* likewise: of which nothing was expected */
  uint64_t bad;      /* the address of one that cannot be read; 0: none */
};

static void read_many(void* context, struct ebcache_block_read* reads, size_t count) {
  struct disk* const disk = context;
  pthread_mutex_lock(&disk->mutex);
  ++disk->calls;
  disk->blocks += (int)count;
  if ((int)count > disk->most_together) disk->most_together = (int)count;
  if (!pthread_equal(pthread_self(), disk->asker)) disk->by_others += (int)count;
  for (size_t i = 0; i < count; ++i) {
    const uint64_t start = ebcache_buffer_start(reads[i].buffer);
    reads[i].error = start == disk->bad && start != 0 ? -EIO : 0;
    if (reads[i].check == NULL || reads[i].check->bits == 0) ++disk->without_check;
    CHECK_EQUAL(ebcache_set_u64(reads[i].buffer, 0, start), 0);
  }
  pthread_mutex_unlock(&disk->mutex);
}

/* A count, while threads may read. */
static int counted(struct disk* disk, const int* count) {
  pthread_mutex_lock(&disk->mutex);
  const int now = *count;
  pthread_mutex_unlock(&disk->mutex);
  return now;
}

static ebcache_cache* cache_over(struct disk* disk) {
  const struct ebcache_source source = {.size = sizeof source, .read_many = read_many};
  memset(disk, 0, sizeof *disk);
  pthread_mutex_init(&disk->mutex, NULL);
  disk->asker = pthread_self();
  ebcache_cache* cache;
  CHECK_EQUAL(ebcache_cache_create(NULL, &source, disk, &cache), 0);
  return cache;
}

static struct ebcache_readahead_stats stats_of(const ebcache_readahead* readahead) {
  struct ebcache_readahead_stats stats = {.size = sizeof stats};
  CHECK_EQUAL(ebcache_readahead_stats(readahead, &stats), 0);
  return stats;
}

static void await_blocks(const ebcache_readahead* readahead, uint64_t blocks) {
  while (stats_of(readahead).blocks_read < blocks) sched_yield();
}

static void without_threads_it_reads_when_it_is_told_to(void) {
  struct disk disk;
  ebcache_cache* const cache = cache_over(&disk);
  const struct ebcache_readahead_options options = {
      .size = sizeof options, .threads = EBCACHE_NO_THREADS, .batch = 32, .most_waiting = 100};
  ebcache_readahead* readahead;
  CHECK_EQUAL(ebcache_readahead_create(cache, &options, &readahead), 0);
  const struct ebcache_check check = {
      .size = sizeof check, .bits = EBCACHE_CHECK_GENERATION, .generation = 7};
  for (uint64_t i = 0; i < 100; ++i) {
    CHECK_EQUAL(ebcache_readahead_ask(readahead, i * NODE, &check), 1);
  }
  CHECK_EQUAL(ebcache_readahead_ask(readahead, 100 * NODE, &check), 0); /* no room */
  CHECK_EQUAL(ebcache_readahead_flush(readahead), 0);
  CHECK_EQUAL(stats_of(readahead).waiting, 100);
  CHECK_EQUAL(disk.blocks, 0); /* no thread has looked */
  int batches = 0;
  while (ebcache_readahead_read_some(readahead) == 1) ++batches;
  CHECK_EQUAL(batches, 4);
  CHECK_EQUAL(disk.blocks, 100);
  CHECK_EQUAL(disk.calls, 4); /* each batch is one */
  CHECK_EQUAL(disk.by_others, 0);
  CHECK_EQUAL(disk.without_check, 0);
  CHECK_EQUAL(stats_of(readahead).blocks_read, 100);
  /* What is there is not asked for again, even where there is no room for more. */
  for (uint64_t i = 0; i < 100; ++i) {
    CHECK_EQUAL(ebcache_may_be_cached(cache, i * NODE), 1);
    CHECK_EQUAL(ebcache_readahead_ask(readahead, i * NODE, &check), 1);
  }
  CHECK_EQUAL(stats_of(readahead).waiting, 0);
  CHECK_EQUAL(ebcache_may_be_cached(cache, 100 * NODE), 0);
  ebcache_readahead_destroy(readahead);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

static void many_at_once(void) {
  struct disk disk;
  ebcache_cache* const cache = cache_over(&disk);
  const struct ebcache_readahead_options options = {
      .size = sizeof options, .threads = EBCACHE_NO_THREADS, .most_waiting = 20};
  ebcache_readahead* readahead;
  CHECK_EQUAL(ebcache_readahead_create(cache, &options, &readahead), 0);
  uint64_t starts[32];
  const struct ebcache_check* checks[32];
  const struct ebcache_check check = {.size = sizeof check};
  for (size_t i = 0; i < 32; ++i) {
    starts[i] = i * NODE;
    checks[i] = i % 2 == 0 ? &check : NULL;
  }
  ebcache_buffer* buffer;
  CHECK_EQUAL(ebcache_read(cache, starts[3], NULL, &buffer), 0);
  ebcache_put(buffer);
  size_t asked;
  CHECK_EQUAL(ebcache_readahead_ask_many(readahead, starts, checks, 32, &asked), 0);
  CHECK_EQUAL(asked, 21); /* 20 that wait, and one that is there */
  CHECK_EQUAL(stats_of(readahead).waiting, 20);
  CHECK_EQUAL(ebcache_readahead_ask_many(readahead, starts, NULL, 32, &asked), 0);
  CHECK_EQUAL(asked, 0);
  CHECK_EQUAL(ebcache_readahead_forget(readahead), 0);
  CHECK_EQUAL(stats_of(readahead).waiting, 0);
  CHECK_EQUAL(ebcache_readahead_read_some(readahead), 0);
  CHECK_EQUAL(ebcache_readahead_ask_many(readahead, starts, NULL, 4, NULL), 0);
  CHECK_EQUAL(ebcache_readahead_read_some(readahead), 1);
  CHECK_EQUAL(disk.blocks, 4); /* with the one that was read before */
  ebcache_readahead_destroy(readahead);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

static void threads_read_through_the_callbacks(void) {
  struct disk disk;
  ebcache_cache* const cache = cache_over(&disk);
  const struct ebcache_readahead_options options = {
      .size = sizeof options, .threads = 2, .batch = 8};
  ebcache_readahead* readahead;
  CHECK_EQUAL(ebcache_readahead_create(cache, &options, &readahead), 0);
  disk.bad = 5 * NODE;
  for (uint64_t i = 0; i < BLOCKS + 3; ++i) {
    CHECK_EQUAL(ebcache_readahead_ask(readahead, i * NODE, NULL), 1);
  }
  CHECK_EQUAL(ebcache_readahead_flush(readahead), 0);
  await_blocks(readahead, BLOCKS + 3);
  CHECK_EQUAL(counted(&disk, &disk.by_others), BLOCKS + 3);
  const int most_together = counted(&disk, &disk.most_together);
  CHECK(most_together > 1 && most_together <= 8);
  /* The reader that comes for the bad one hears of it; the others are there. */
  ebcache_buffer* buffer;
  CHECK_FAILS(ebcache_read(cache, disk.bad, NULL, &buffer), EIO, "read_many returned");
  for (uint64_t i = 0; i < BLOCKS + 3; ++i) {
    if (i * NODE == disk.bad) continue;
    uint64_t word;
    buffer = ebcache_find(cache, i * NODE);
    CHECK(buffer != NULL);
    CHECK_EQUAL(ebcache_get_u64(buffer, 0, &word), 0);
    CHECK_EQUAL(word, i * NODE);
    ebcache_put(buffer);
  }
  CHECK_FAILS(ebcache_cache_destroy(cache), EBUSY, "readahead");
  CHECK_FAILS(ebcache_cache_destroy_forced(cache, NULL, NULL), EBUSY, "readahead");
  ebcache_readahead_destroy(readahead);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

/* A readahead goes with what it has not begun. */
static void gone_with_what_waits(void) {
  struct disk disk;
  ebcache_cache* const cache = cache_over(&disk);
  for (int round = 0; round < 20; ++round) {
    ebcache_readahead* readahead;
    CHECK_EQUAL(ebcache_readahead_create(cache, NULL, &readahead), 0);
    for (uint64_t i = 0; i < 100; ++i) (void)ebcache_readahead_ask(readahead, i * NODE, NULL);
    ebcache_readahead_destroy(readahead);
    ebcache_drop_caches(cache);
  }
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

static void mistakes(void) {
  struct disk disk;
  ebcache_cache* const cache = cache_over(&disk);
  struct ebcache_readahead_options options = {.size = sizeof options, .threads = 1025};
  ebcache_readahead* readahead;
  CHECK_FAILS(ebcache_readahead_create(cache, &options, &readahead), EINVAL, "1024");
  CHECK(readahead == NULL);
  options.threads = 1;
  options.batch = 65537;
  CHECK_FAILS(ebcache_readahead_create(cache, &options, &readahead), EINVAL, "65536");
  CHECK_FAILS(ebcache_readahead_create(NULL, NULL, &readahead), EINVAL, "cache is NULL");
  CHECK_FAILS(ebcache_readahead_create(cache, NULL, NULL), EINVAL, "readahead is NULL");
  CHECK_FAILS(ebcache_readahead_ask(NULL, 0, NULL), EINVAL, "readahead is NULL");
  CHECK_FAILS(ebcache_readahead_ask_many(NULL, NULL, NULL, 1, NULL), EINVAL, "NULL");
  CHECK_FAILS(ebcache_readahead_flush(NULL), EINVAL, "NULL");
  CHECK_FAILS(ebcache_readahead_forget(NULL), EINVAL, "NULL");
  CHECK_FAILS(ebcache_readahead_read_some(NULL), EINVAL, "NULL");
  CHECK_FAILS(ebcache_readahead_stats(NULL, NULL), EINVAL, "NULL");
  CHECK_EQUAL(ebcache_may_be_cached(NULL, 0), 0);
  ebcache_readahead_destroy(NULL);
  options.batch = 0;
  CHECK_EQUAL(ebcache_readahead_create(cache, &options, &readahead), 0);
  const struct ebcache_check check = {.size = sizeof check, .bits = 64};
  CHECK_FAILS(ebcache_readahead_ask(readahead, 0, &check), EINVAL, "unknown bit");
  CHECK_FAILS(ebcache_readahead_ask_many(readahead, NULL, NULL, 1, NULL), EINVAL, "starts");
  CHECK_EQUAL(ebcache_readahead_ask_many(readahead, NULL, NULL, 0, NULL), 0);
  /* An address at which no block can be: told to the reader that comes for it. */
  CHECK_EQUAL(ebcache_readahead_ask(readahead, 1, NULL), 1);
  CHECK_EQUAL(ebcache_readahead_flush(readahead), 0);
  ebcache_readahead_destroy(readahead);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

static void sets(void) {
  ebcache_block_set* set;
  CHECK_EQUAL(ebcache_block_set_create(4096, &set), 0);
  CHECK_EQUAL(ebcache_block_set_contains(set, 8192), 0);
  CHECK_EQUAL(ebcache_block_set_insert(set, 8192), 1);
  CHECK_EQUAL(ebcache_block_set_insert(set, 8192), 0);
  CHECK_EQUAL(ebcache_block_set_insert(set, 8193), 1); /* no multiple, and another one */
  CHECK_EQUAL(ebcache_block_set_contains(set, 8192), 1);
  CHECK_EQUAL(ebcache_block_set_contains(set, 8193), 1);
  CHECK_EQUAL(ebcache_block_set_contains(set, 4096), 0);
  CHECK_EQUAL(ebcache_block_set_contains(set, UINT64_MAX), 0);
  CHECK_EQUAL(ebcache_block_set_size(set), 2);
  CHECK_FAILS(ebcache_block_set_insert(NULL, 0), EINVAL, "set is NULL");
  CHECK_EQUAL(ebcache_block_set_contains(NULL, 0), 0);
  ebcache_block_set_free(set);
}

/* ---- Walks with it ----------------------------------------------------------------------------- */

struct walked {
  uint64_t blocks[512];
  size_t count;
  pthread_t thread;
};

static int note_block(void* context, const struct ebcache_root* root, const ebcache_buffer* block) {
  struct walked* const walked = context;
  (void)root;
  CHECK(pthread_equal(walked->thread, pthread_self()));
  CHECK(walked->count < 512);
  walked->blocks[walked->count++] = ebcache_buffer_start(block);
  return 0;
}

static void one_tree_by_several_threads(void) {
  const char* const paths[] = {sample_image()};
  ebcache_filesystem* filesystem;
  CHECK_EQUAL(ebcache_open(paths, 1, NULL, &filesystem), 0);
  ebcache_cache* const cache = ebcache_filesystem_cache(filesystem);
  ebcache_tree* tree;
  CHECK_EQUAL(ebcache_tree_open(filesystem, 5, &tree), 0);
  struct ebcache_root root = {.size = sizeof root};
  CHECK_EQUAL(ebcache_tree_root(tree, &root), 0);
  ebcache_tree_close(tree);
  const struct ebcache_visitor visitor = {.size = sizeof visitor, .block = note_block};
  static struct walked alone, together;
  alone.thread = together.thread = pthread_self();
  CHECK_EQUAL(ebcache_walk(cache, &root, &visitor, &alone, NULL), 0);
  ebcache_drop_caches(cache);
  ebcache_readahead* readahead;
  const struct ebcache_readahead_options threads = {
      .size = sizeof threads, .threads = 3, .batch = 2};
  CHECK_EQUAL(ebcache_readahead_create(cache, &threads, &readahead), 0);
  struct ebcache_walk_options options = {
      .size = sizeof options, .batch = 2, .readahead = readahead, .ahead = 8};
  CHECK_EQUAL(ebcache_walk(cache, &root, &visitor, &together, &options), 0);
  CHECK(alone.count > 10);
  CHECK_EQUAL(together.count, alone.count);
  CHECK(memcmp(together.blocks, alone.blocks, alone.count * sizeof alone.blocks[0]) == 0);
  CHECK_FAILS(ebcache_close(filesystem), EBUSY, "readahead");
  options.ahead = 65537;
  CHECK_FAILS(ebcache_walk(cache, &root, &visitor, &together, &options), EINVAL, "ahead");
  struct disk disk;
  ebcache_cache* const other = cache_over(&disk);
  options.ahead = 8;
  CHECK_FAILS(ebcache_walk(other, &root, &visitor, &together, &options), EINVAL, "another cache");
  ebcache_readahead_destroy(readahead);
  /* Without threads what the walk asked for still waits when it is over. */
  const struct ebcache_readahead_options none = {.size = sizeof none,
                                                 .threads = EBCACHE_NO_THREADS};
  CHECK_EQUAL(ebcache_readahead_create(cache, &none, &readahead), 0);
  ebcache_drop_caches(cache);
  together.count = 0;
  options.readahead = readahead;
  CHECK_EQUAL(ebcache_walk(cache, &root, &visitor, &together, &options), 0);
  CHECK_EQUAL(together.count, alone.count);
  CHECK(stats_of(readahead).waiting > 0);
  ebcache_readahead_destroy(readahead);
  CHECK_EQUAL(ebcache_cache_destroy(other), 0);
  CHECK_EQUAL(ebcache_close(filesystem), 0);
}

int main(void) {
  RUN(without_threads_it_reads_when_it_is_told_to);
  RUN(many_at_once);
  RUN(threads_read_through_the_callbacks);
  RUN(gone_with_what_waits);
  RUN(mistakes);
  RUN(sets);
  RUN(one_tree_by_several_threads);
  return 0;
}
