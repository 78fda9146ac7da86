/* The cache of mini_scrub as many tools have it: a red-black tree (tsearch is one) and a list, one lock,
 * nothing is let go before the end. To be held against blocks_ebcache.c. */

#include <errno.h>
#include <pthread.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blocks.h"

struct plain_block {
  struct block block; /* first: what the tree compares */
  unsigned char* bytes;
  uint32_t references;
  int dirty;
};

struct block_cache {
  struct image_file image;
  struct block_counts counts;
  pthread_mutex_t mutex; /* guards tree and list */
  void* tree;
  struct block* list;
};

static _Thread_local const char* last_error = "";
const char* blocks_error(void) { return last_error; }

static int by_address(const void* left, const void* right) {
  const struct block* const a = left;
  const struct block* const b = right;
  return a->address < b->address ? -1 : a->address > b->address;
}

int blocks_open(const char* path, uint64_t budget, uint32_t first_copy, int writable, int readahead,
                struct block_cache** result) {
  (void)budget;
  (void)readahead;
  struct block_cache* const cache = calloc(1, sizeof *cache);
  if (cache == NULL) return -ENOMEM;
  pthread_mutex_init(&cache->mutex, NULL);
  const int error = image_open(path, first_copy, writable, &cache->image);
  if (error != 0) free(cache);
  *result = error == 0 ? cache : NULL;
  return error;
}

static void nothing(void* node) { (void)node; }

int blocks_close(struct block_cache* cache, struct block_counts* counts) {
  int error = 0;
  tdestroy(cache->tree, nothing);
  while (cache->list != NULL) {
    struct plain_block* const plain = (struct plain_block*)cache->list;
    cache->list = plain->block.next;
    if (plain->dirty) {
      ++cache->counts.repairs;
      const int failed = image_write(&cache->image, plain->block.address, plain->bytes);
      if (error == 0) error = failed;
    }
    free_notes(plain->block.notes);
    free(plain->bytes);
    free(plain);
    ++cache->counts.deaths;
  }
  close(cache->image.file);
  if (counts != NULL) *counts = cache->counts;
  free(cache);
  return error;
}

static int matches(const struct block* block, const struct slot* entry) {
  if (entry->generation == 0 || block->data->header.generation == entry->generation) return 1;
  last_error = "it is of another generation";
  return 0;
}

static struct block* find(struct block_cache* cache, const struct slot* entry) {
  const struct block wanted = {.address = entry->address};
  pthread_mutex_lock(&cache->mutex);
  struct block** const found = tfind(&wanted, &cache->tree, by_address);
  struct block* const block = found != NULL ? *found : NULL;
  if (block != NULL) ++((struct plain_block*)block)->references;
  pthread_mutex_unlock(&cache->mutex);
  return block;
}

/* Into the tree, unless another thread was first. */
static struct block* enter(struct block_cache* cache, struct plain_block* plain) {
  pthread_mutex_lock(&cache->mutex);
  struct block** const at = tsearch(plain, &cache->tree, by_address);
  struct block* const block = at != NULL ? *at : NULL;
  if (block == &plain->block) {
    plain->block.next = cache->list;
    cache->list = &plain->block;
    ++cache->counts.births;
  }
  if (block != NULL) ++((struct plain_block*)block)->references;
  pthread_mutex_unlock(&cache->mutex);
  if (block != &plain->block) {
    free(plain->bytes);
    free(plain);
  }
  return block;
}

static int read_absent(struct block_cache* cache, const struct slot* const* entries, size_t count,
                       struct block*** places) {
  struct block_request* const requests = calloc(count, sizeof *requests);
  if (requests == NULL) return -ENOMEM;
  int first = 0;
  size_t ready = 0;
  for (; ready < count; ++ready) {
    requests[ready] = (struct block_request){.address = entries[ready]->address,
                                             .generation = entries[ready]->generation,
                                             .to = malloc(BLOCK_BYTES)};
    if (requests[ready].to == NULL) break;
  }
  if (ready < count) first = -ENOMEM;
  image_read(&cache->image, requests, ready, &cache->counts);
  for (size_t i = 0; i < ready; ++i) {
    struct plain_block* const plain =
        requests[i].error == 0 ? calloc(1, sizeof(struct plain_block)) : NULL;
    if (plain == NULL) {
      free(requests[i].to);
      last_error = requests[i].why;
      if (first == 0) first = requests[i].error != 0 ? requests[i].error : -ENOMEM;
      continue;
    }
    plain->bytes = requests[i].to;
    plain->block.data = (const struct block_view*)requests[i].to;
    plain->block.address = requests[i].address;
    plain->block.copy = requests[i].copy;
    plain->block.handle = plain;
    *places[i] = enter(cache, plain);
  }
  free(requests);
  return first;
}

int blocks_read_many(struct block_cache* cache, const struct slot* entries, size_t count,
                     struct block** blocks) {
  const struct slot** const absent = calloc(count, sizeof *absent);
  struct block*** const places = calloc(count, sizeof *places);
  int error = absent == NULL || places == NULL ? -ENOMEM : 0;
  size_t missing = 0;
  for (size_t i = 0; i < count; ++i) blocks[i] = NULL;
  for (size_t i = 0; error == 0 && i < count; ++i) {
    blocks[i] = find(cache, &entries[i]);
    if (blocks[i] == NULL) {
      absent[missing] = &entries[i];
      places[missing++] = &blocks[i];
    } else if (!matches(blocks[i], &entries[i])) {
      blocks_put(cache, blocks[i]);
      blocks[i] = NULL;
      error = -EUCLEAN;
    }
  }
  if (missing != 0) {
    const int failed = read_absent(cache, absent, missing, places);
    if (error == 0) error = failed;
  }
  free(absent);
  free(places);
  return error;
}

int blocks_read(struct block_cache* cache, const struct slot* entry, struct block** block) {
  return blocks_read_many(cache, entry, 1, block);
}

/* It has no readahead: what is read early would be read by the same thread. */
void blocks_ask(struct block_cache* cache, const struct slot* entries, size_t count) {
  (void)cache;
  (void)entries;
  (void)count;
}

void blocks_help(struct block_cache* cache) { (void)cache; }

int blocks_reread(struct block_cache* cache, struct block* block, const struct slot* entry) {
  struct plain_block* const plain = block->handle;
  struct block_request request = {.address = block->address,
                                  .generation = entry->generation,
                                  .bad_copy = block->copy,
                                  .to = plain->bytes};
  image_read(&cache->image, &request, 1, &cache->counts);
  if (request.error == 0) block->copy = request.copy;
  last_error = request.error != 0 ? request.why : last_error;
  return request.error;
}

int blocks_repair(struct block_cache* cache, struct block* block) {
  (void)cache;
  ((struct plain_block*)block->handle)->dirty = 1;
  return 0;
}

void blocks_put(struct block_cache* cache, struct block* block) {
  pthread_mutex_lock(&cache->mutex);
  --((struct plain_block*)block->handle)->references;
  pthread_mutex_unlock(&cache->mutex);
}

void blocks_put_last(struct block_cache* cache, struct block* block) { blocks_put(cache, block); }
