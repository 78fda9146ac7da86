/* A part of a program, with a library of its own choice: PLUGIN_HEADER is ebcache.h or ebcache_core.h, PLUGIN(x)
 * gives x a name of this part's own. */

#define _GNU_SOURCE /* dladdr */
#include PLUGIN_HEADER
#include <dlfcn.h>
#include <errno.h>
#include <string.h>

static const uint64_t word = sizeof(PLUGIN_HEADER) * 1000003;
static ebcache_cache* cache;
static ebcache_buffer* held;
static int forgotten;

static int read_block(void* context, ebcache_buffer* buffer) {
  (void)context;
  if (ebcache_buffer_start(buffer) != 16384) {
    ebcache_set_error("there is only one block in " PLUGIN_HEADER);
    return -EIO;
  }
  return ebcache_set_u64(buffer, 8, word);
}

static void forget_block(void* context, const ebcache_buffer* buffer, void* user) {
  (void)context;
  (void)buffer;
  (void)user;
  ++forgotten;
}

/* Where the functions that this part calls are. */
const char* PLUGIN(library)(void) {
  int (*create)(const struct ebcache_cache_options*, const struct ebcache_source*, void*,
                ebcache_cache**) = ebcache_cache_create;
  Dl_info found;
  void* address;
  memcpy(&address, &create, sizeof address);
  return dladdr(address, &found) != 0 ? found.dli_fname : "nowhere";
}

int PLUGIN(begin)(void) {
  const struct ebcache_source source = {
      .size = sizeof source, .read = read_block, .forget = forget_block};
  const struct ebcache_cache_options options = {.size = sizeof options, .user_bytes = 8};
  if (ebcache_cache_create(&options, &source, NULL, &cache) != 0) return 1;
  return ebcache_read(cache, 16384, NULL, &held) != 0 ? 2 : 0;
}

int PLUGIN(end)(void) {
  uint64_t met = 0;
  ebcache_buffer* none;
  if (ebcache_get_u64(held, 8, &met) != 0 || met != word) return 3;
  if (ebcache_read(cache, 32768, NULL, &none) != -EIO) return 4;
  if (strstr(ebcache_last_error(), PLUGIN_HEADER) == NULL) return 5;
  if (ebcache_cache_destroy(cache) != -EBUSY) return 6;
  ebcache_put(held);
  if (ebcache_cache_destroy(cache) != 0) return 7;
  return forgotten > 0 ? 0 : 8;
}
