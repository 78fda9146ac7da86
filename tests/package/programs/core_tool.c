/* A tool over libebcache-core: a source in memory, blocks read, changed and written, a thread in the
 * background. Prints what it met; with an argument, whether mimalloc is in the process, and whose malloc
 * it has. */

#include <ebcache/ebcache_core.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS = 64, NODE = 16384 };

struct image {
  unsigned char bytes[BLOCKS][NODE];
  int reads, writes, forgotten;
};

static int read_block(void* context, ebcache_buffer* buffer) {
  struct image* image = context;
  const uint64_t number = ebcache_buffer_start(buffer) / NODE;
  if (number >= BLOCKS) {
    ebcache_set_error("the image ends here");
    return -EIO;
  }
  ++image->reads;
  return ebcache_copy_in(buffer, 0, image->bytes[number], NODE);
}

static int write_block(void* context, const ebcache_buffer* buffer) {
  struct image* image = context;
  ++image->writes;
  return ebcache_copy_out(buffer, 0, image->bytes[ebcache_buffer_start(buffer) / NODE], NODE);
}

static void forget_block(void* context, const ebcache_buffer* buffer, void* user) {
  struct image* image = context;
  (void)buffer;
  (void)user;
  ++image->forgotten;
}

static int fail(const char* what) {
  fprintf(stderr, "%s: %s\n", what, ebcache_last_error());
  return 1;
}

static int change_blocks(ebcache_cache* cache) {
  for (uint64_t i = 0; i < BLOCKS; ++i) {
    ebcache_buffer* block;
    if (ebcache_read(cache, i * NODE, NULL, &block) != 0) return fail("read");
    if (ebcache_set_u64(block, 8, i + 1) != 0 || ebcache_set_dirty(block) != 0) return fail("change");
    ebcache_put(block);
  }
  return ebcache_writeback_all(cache) != 0 ? fail("writeback") : 0;
}

static void print_heap(void) {
  char line[4096];
  int mapped = 0;
  FILE* maps = fopen("/proc/self/maps", "r");
  while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
    mapped |= strstr(line, "libmimalloc") != NULL;
  }
  if (maps != NULL) fclose(maps);
  printf("mimalloc in the process: %s\n", mapped ? "yes" : "no");
}

int main(int argc, char** argv) {
  static struct image image;
  const struct ebcache_source source = {.size = sizeof source,
                                        .read = read_block,
                                        .write = write_block,
                                        .forget = forget_block};
  const struct ebcache_cache_options options = {.size = sizeof options,
                                                .budget_bytes = 16 * NODE,
                                                .background_reclaim = 1,
                                                .user_bytes = 16};
  ebcache_cache* cache;
  ebcache_buffer* block;
  if (ebcache_cache_create(&options, &source, &image, &cache) != 0) return fail("create");
  if (change_blocks(cache) != 0) return 1;
  printf("beyond the end: %d, %s\n", ebcache_read(cache, BLOCKS * NODE, NULL, &block),
         ebcache_last_error());
  if (argc > 1) print_heap();
  if (ebcache_cache_destroy(cache) != 0) return fail("destroy");
  printf("reads %d, writes %d, last %d\n", image.reads, image.writes, image.bytes[BLOCKS - 1][8]);
  /* A buffer was made for the read that failed as well. */
  printf("forgotten %s\n", image.forgotten == BLOCKS + 1 ? "as made" : "not as made");
  (void)argv;
  return 0;
}
