#include "tests/capi/memory_source.h"

#include <string.h>

#include "tests/capi/check.h"

uint64_t memory_source_word(uint64_t start, size_t offset) {
  return (start + offset) * 0x9e3779b97f4a7c15u;
}

void memory_source_init(struct memory_source* source) {
  memset(source, 0, sizeof *source);
  pthread_mutex_init(&source->mutex, NULL);
  for (size_t block = 0; block < MEMORY_BLOCKS; ++block) {
    for (size_t offset = 0; offset < MEMORY_NODE_BYTES; offset += 8) {
      const uint64_t word = memory_source_word(block * MEMORY_NODE_BYTES, offset);
      memcpy(source->blocks[block] + offset, &word, sizeof word);
    }
  }
}

/* Where the block of a buffer is; NULL beyond the end. */
static unsigned char* block_of(struct memory_source* source, const ebcache_buffer* buffer) {
  const uint64_t block = ebcache_buffer_start(buffer) / MEMORY_NODE_BYTES;
  return block < MEMORY_BLOCKS ? source->blocks[block] : NULL;
}

static int answer(struct memory_source* source, int error) {
  if (error != 0 && source->words != NULL) ebcache_set_error(source->words);
  return error;
}

static int memory_read(void* context, ebcache_buffer* buffer) {
  struct memory_source* source = context;
  pthread_mutex_lock(&source->mutex);
  int error = source->read_error;
  const unsigned char* from = block_of(source, buffer);
  ++source->reads;
  /* Piece by piece, as who reads from a file would do it. */
  for (size_t offset = 0, length; error == 0 && from != NULL; offset += length) {
    void* piece;
    length = ebcache_mutable_piece(buffer, offset, &piece);
    if (length == 0) break;
    memcpy(piece, from + offset, length);
  }
  if (error == 0 && from == NULL) error = -5;
  ebcache_buffer_set_mirror(buffer, 1);
  error = answer(source, error);
  pthread_mutex_unlock(&source->mutex);
  return error;
}

static int memory_validate(void* context, const ebcache_buffer* buffer,
                           const struct ebcache_check* check) {
  struct memory_source* source = context;
  uint64_t first;
  if (ebcache_get_u64(buffer, 0, &first) != 0) return -117;
  pthread_mutex_lock(&source->mutex);
  ++source->validations;
  int error = answer(source, source->validation_error);
  pthread_mutex_unlock(&source->mutex);
  /* A check of the generation is held against the first word. */
  if (error == 0 && check != NULL && (check->bits & EBCACHE_CHECK_GENERATION) != 0 &&
      check->generation != first) {
    ebcache_set_error("not of this generation");
    error = -117;
  }
  return error;
}

static int memory_write(void* context, const ebcache_buffer* buffer) {
  struct memory_source* source = context;
  pthread_mutex_lock(&source->mutex);
  ++source->writes;
  int error = answer(source, source->write_error);
  unsigned char* to = block_of(source, buffer);
  if (error == 0 && to != NULL) error = ebcache_copy_out(buffer, 0, to, MEMORY_NODE_BYTES);
  pthread_mutex_unlock(&source->mutex);
  return error;
}

const struct ebcache_source memory_source_functions = {
    .size = sizeof(struct ebcache_source),
    .read = memory_read,
    .validate = memory_validate,
    .write = memory_write,
};

ebcache_cache* memory_source_cache(struct memory_source* source) {
  memory_source_init(source);
  ebcache_cache* cache;
  CHECK_EQUAL(ebcache_cache_create(NULL, &memory_source_functions, source, &cache), 0);
  return cache;
}
