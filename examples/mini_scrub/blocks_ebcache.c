/* The cache of mini_scrub by ebcache: the struct of a block is what the program keeps with its buffer,
 * so that there is no index beside the cache's. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "blocks.h"
#include "ebcache/ebcache_core.h"

#define MOST_AT_ONCE 512

struct block_cache {
  ebcache_cache* cache;
  ebcache_readahead* readahead; /* NULL: none */
  struct image_file image;
  struct block_counts counts; /* from any thread: atomically */
};

const char* blocks_error(void) { return ebcache_last_error(); }

/* ---- What the cache asks of the program -------------------------------------------------------- */

static struct block* block_of(const ebcache_buffer* buffer) { return ebcache_user(buffer); }

/* One reader fills a buffer, so it is also the one that fills in the struct. */
static void read_many(void* context, struct ebcache_block_read* reads, size_t count) {
  struct block_cache* const cache = context;
  struct block_request few[16];
  struct block_request* const requests =
      count <= 16 ? few : malloc(count * sizeof(struct block_request));
  if (requests == NULL) {
    for (size_t i = 0; i < count; ++i) reads[i].error = -ENOMEM;
    return;
  }
  for (size_t i = 0; i < count; ++i) {
    const struct ebcache_check* const check = reads[i].check;
    const int knows = check != NULL && (check->bits & EBCACHE_CHECK_GENERATION) != 0;
    requests[i] = (struct block_request){
        .address = ebcache_buffer_start(reads[i].buffer),
        .generation = knows ? check->generation : 0,
        .bad_copy = (uint32_t)reads[i].bad_mirror,
        .to = ebcache_mutable_data(reads[i].buffer),
    };
  }
  image_read(&cache->image, requests, count, &cache->counts);
  for (size_t i = 0; i < count; ++i) {
    reads[i].error = requests[i].error;
    reads[i].message = requests[i].why;
    if (requests[i].error != 0) continue;
    ebcache_buffer_set_mirror(reads[i].buffer, (int)requests[i].copy);
    struct block* const block = block_of(reads[i].buffer);
    if (block->handle == NULL) __atomic_fetch_add(&cache->counts.births, 1, __ATOMIC_RELAXED);
    block->handle = reads[i].buffer;
    block->data = ebcache_data(reads[i].buffer);
    block->address = requests[i].address;
    block->copy = requests[i].copy;
  }
  if (requests != few) free(requests);
}

static int validate(void* context, const ebcache_buffer* buffer,
                    const struct ebcache_check* check) {
  (void)context;
  const struct block_view* const block = ebcache_data(buffer);
  if (check == NULL || (check->bits & EBCACHE_CHECK_GENERATION) == 0) return 0;
  if (check->generation == block->header.generation) return 0;
  ebcache_set_error("it is of another generation");
  return -EUCLEAN;
}

static int write_block(void* context, const ebcache_buffer* buffer) {
  struct block_cache* const cache = context;
  __atomic_fetch_add(&cache->counts.repairs, 1, __ATOMIC_RELAXED);
  return image_write(&cache->image, ebcache_buffer_start(buffer), ebcache_data(buffer));
}

static void forget(void* context, const ebcache_buffer* buffer, void* user) {
  struct block_cache* const cache = context;
  struct block* const block = user;
  (void)buffer;
  if (block->handle == NULL) return; /* was never read */
  free_notes(block->notes);
  __atomic_fetch_add(&cache->counts.deaths, 1, __ATOMIC_RELAXED);
}

/* ---- What the program asks of the cache -------------------------------------------------------- */

static const struct ebcache_readahead_options read_ahead = {
    .size = sizeof read_ahead, .threads = 1, .most_waiting = 2 * MOST_ENTRIES};

int blocks_open(const char* path, uint64_t budget, uint32_t first_copy, int writable, int readahead,
                struct block_cache** result) {
  static const struct ebcache_source source = {
      .size = sizeof source,
      .validate = validate,
      .write = write_block,
      .read_many = read_many,
      .forget = forget,
  };
  struct block_cache* const cache = calloc(1, sizeof *cache);
  if (cache == NULL) return -ENOMEM;
  /* Pages as large as a block, from one arena: each block in one piece, and memory that the system touches by
   * huge pages, where it has such. */
  const struct ebcache_allocator_options pages = {
      .size = sizeof pages, .kind = EBCACHE_ALLOCATOR_ORDER0, .page_bytes = BLOCK_BYTES};
  ebcache_allocator* allocator = NULL;
  int error = ebcache_allocator_create(&pages, &allocator);
  const struct ebcache_cache_options options = {
      .size = sizeof options,
      .allocator = allocator,
      .budget_bytes = budget != 0 ? budget : EBCACHE_UNLIMITED,
      .node_bytes = BLOCK_BYTES,
      .user_bytes = sizeof(struct block),
  };
  if (error == 0) error = image_open(path, first_copy, writable, &cache->image);
  if (error == 0) {
    error = ebcache_cache_create(&options, &source, cache, &cache->cache);
    if (error == 0 && readahead) {
      error = ebcache_readahead_create(cache->cache, &read_ahead, &cache->readahead);
      if (error != 0) (void)ebcache_cache_destroy(cache->cache);
    }
    if (error != 0) close(cache->image.file);
  }
  ebcache_allocator_release(allocator); /* the cache keeps it */
  if (error != 0) free(cache);
  *result = error == 0 ? cache : NULL;
  return error;
}

static void tell_of_lost(void* context, uint64_t start, uint32_t references, uint32_t flags) {
  (void)context;
  fprintf(stderr, "block %llu: %u references are left%s\n", (unsigned long long)start, references,
          (flags & EBCACHE_BUFFER_DIRTY) != 0 ? ", and it is not written" : "");
}

int blocks_close(struct block_cache* cache, struct block_counts* counts) {
  ebcache_readahead_destroy(cache->readahead);
  const int error = ebcache_writeback_all(cache->cache);
  if (ebcache_cache_destroy(cache->cache) != 0) {
    ebcache_cache_destroy_forced(cache->cache, tell_of_lost, NULL);
  }
  close(cache->image.file);
  if (counts != NULL) *counts = cache->counts;
  free(cache);
  return error;
}

static struct ebcache_check check_of(const struct slot* entry) {
  struct ebcache_check check = {.size = sizeof check};
  if (entry->generation != 0) {
    check.bits = EBCACHE_CHECK_GENERATION;
    check.generation = entry->generation;
  }
  return check;
}

int blocks_read(struct block_cache* cache, const struct slot* entry, struct block** block) {
  const struct ebcache_check check = check_of(entry);
  ebcache_buffer* buffer;
  const int error = ebcache_read(cache->cache, entry->address, &check, &buffer);
  *block = error == 0 ? block_of(buffer) : NULL;
  return error;
}

int blocks_read_many(struct block_cache* cache, const struct slot* entries, size_t count,
                     struct block** blocks) {
  int first = 0;
  for (size_t from = 0; from < count; from += MOST_AT_ONCE) {
    uint64_t starts[MOST_AT_ONCE];
    struct ebcache_check checks[MOST_AT_ONCE];
    const struct ebcache_check* pointers[MOST_AT_ONCE];
    ebcache_buffer* buffers[MOST_AT_ONCE];
    const size_t some = count - from < MOST_AT_ONCE ? count - from : MOST_AT_ONCE;
    for (size_t i = 0; i < some; ++i) {
      starts[i] = entries[from + i].address;
      checks[i] = check_of(&entries[from + i]);
      pointers[i] = &checks[i];
    }
    const int error =
        ebcache_read_many_checked(cache->cache, starts, pointers, some, buffers, NULL);
    for (size_t i = 0; i < some; ++i) {
      blocks[from + i] = buffers[i] != NULL ? block_of(buffers[i]) : NULL;
    }
    if (first == 0) first = error;
  }
  return first;
}

void blocks_ask(struct block_cache* cache, const struct slot* entries, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    const struct ebcache_check check = check_of(&entries[i]);
    if (ebcache_readahead_ask(cache->readahead, entries[i].address, &check) != 1) break;
  }
  (void)ebcache_readahead_flush(cache->readahead);
}

void blocks_help(struct block_cache* cache) {
  while (ebcache_readahead_read_some(cache->readahead) == 1) continue;
}

int blocks_reread(struct block_cache* cache, struct block* block, const struct slot* entry) {
  const struct ebcache_check check = check_of(entry);
  return ebcache_reread(cache->cache, block->handle, &check);
}

int blocks_repair(struct block_cache* cache, struct block* block) {
  (void)cache;
  return ebcache_set_dirty(block->handle);
}

void blocks_put(struct block_cache* cache, struct block* block) {
  (void)cache;
  ebcache_put(block->handle);
}

void blocks_put_last(struct block_cache* cache, struct block* block) {
  (void)cache;
  ebcache_put_nocache(block->handle);
}
