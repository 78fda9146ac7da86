/* Structs: those of other versions of the header, sizes that none has, checks for what no block is.
 */

#include <errno.h>

#include "tests/capi/check.h"
#include "tests/capi/memory_source.h"

#define NODE MEMORY_NODE_BYTES

static struct memory_source source;

static ebcache_cache* make_cache(void) { return memory_source_cache(&source); }

/* What a caller built against another version of the header hands over. */
static void structs_of_other_versions(void) {
  ebcache_cache* cache;
  struct {
    struct ebcache_cache_options known;
    uint64_t unknown;
  } later = {.known = {.size = sizeof later, .node_bytes = 4096}};
  CHECK_EQUAL(ebcache_cache_create(&later.known, NULL, NULL, &cache), 0);
  CHECK_EQUAL(ebcache_cache_node_bytes(cache), 4096);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
  later.unknown = 1;
  CHECK_FAILS(ebcache_cache_create(&later.known, NULL, NULL, &cache), E2BIG, "version");

  /* Earlier: budget_bytes is all that it knows, and what lies behind is not looked at. */
  struct ebcache_cache_options earlier = {.size = offsetof(struct ebcache_cache_options, allocator),
                                          .node_bytes = 12345};
  CHECK_EQUAL(ebcache_cache_create(&earlier, NULL, NULL, &cache), 0);
  CHECK_EQUAL(ebcache_cache_node_bytes(cache), 16384);

  struct ebcache_cache_stats stats = {.size = offsetof(struct ebcache_cache_stats, private_buffers),
                                      .private_buffers = 77};
  CHECK_EQUAL(ebcache_cache_stats(cache, &stats), 0);
  CHECK_EQUAL(stats.private_buffers, 77);
  struct {
    struct ebcache_pins known;
    uint64_t unknown;
  } pins = {.known = {.size = sizeof pins}, .unknown = 77};
  CHECK_EQUAL(ebcache_pins(cache, &pins.known), 0);
  CHECK_EQUAL(pins.unknown, 0);
  CHECK_EQUAL(pins.known.size, sizeof pins);

  stats.size = 0;
  CHECK_FAILS(ebcache_cache_stats(cache, &stats), EINVAL, "size");
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
  earlier.size = sizeof(size_t);
  CHECK_FAILS(ebcache_cache_create(&earlier, NULL, NULL, &cache), EINVAL, "size");
}

/* Sizes of structs that were never set: what lies behind is not read, and not zeroed. */
static void structs_of_no_version(void) {
  static const size_t sizes[] = {4097, 0x5555555555555555u, (size_t)1 << 46, SIZE_MAX};
  ebcache_cache* cache = make_cache();
  ebcache_buffer* buffer;
  struct {
    union {
      struct ebcache_cache_options options;
      struct ebcache_cache_stats stats;
      struct ebcache_check check;
      struct ebcache_pins pins;
      size_t size;
      unsigned char room[4096];
    };
    unsigned char behind[16];
  } any;
  unsigned char as_it_was[sizeof any.behind];
  memset(as_it_was, 77, sizeof as_it_was);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
    ebcache_cache* other;
    memset(&any, 0, sizeof any);
    memset(any.behind, 77, sizeof any.behind);
    any.size = sizes[i];
    CHECK_FAILS(ebcache_cache_stats(cache, &any.stats), EINVAL, "stats: no struct has this size");
    CHECK_FAILS(ebcache_pins(cache, &any.pins), EINVAL, "pins: no struct has this size");
    CHECK_FAILS(ebcache_read(cache, NODE, &any.check, &buffer), EINVAL, "check: no struct");
    CHECK_FAILS(ebcache_cache_create(&any.options, NULL, NULL, &other), EINVAL, "no struct");
    CHECK_EQUAL(any.size, sizes[i]);
    CHECK(memcmp(any.behind, as_it_was, sizeof as_it_was) == 0);
  }
  /* The largest there can be. */
  memset(any.room, 77, sizeof any.room);
  any.size = sizeof any.room;
  CHECK_EQUAL(ebcache_cache_stats(cache, &any.stats), 0);
  CHECK_EQUAL(any.room[sizeof any.room - 1], 0);
  CHECK(memcmp(any.behind, as_it_was, sizeof as_it_was) == 0);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

/* No block is of generation 0, nor of tree 0: to ask for that is no way to ask for nothing. A level
 * and a key of zero there are. */
static void checks_for_zero(void) {
  ebcache_cache* cache = make_cache();
  ebcache_buffer* buffer;
  struct ebcache_check check = {.size = sizeof check, .bits = EBCACHE_CHECK_GENERATION};
  CHECK_FAILS(ebcache_read(cache, NODE, &check, &buffer), EINVAL, "generation 0");
  CHECK(buffer == NULL);
  check.bits = EBCACHE_CHECK_OWNER;
  CHECK_FAILS(ebcache_read(cache, NODE, &check, &buffer), EINVAL, "tree 0");
  check.bits = EBCACHE_CHECK_OWNER | EBCACHE_CHECK_GENERATION;
  check.owner = 5;
  CHECK_FAILS(ebcache_read(cache, NODE, &check, &buffer), EINVAL, "generation 0");
  CHECK_EQUAL(source.reads, 0);
  check.bits = EBCACHE_CHECK_LEVEL | EBCACHE_CHECK_FIRST_KEY;
  CHECK_EQUAL(ebcache_read(cache, NODE, &check, &buffer), 0);
  ebcache_put(buffer);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

int main(void) {
  RUN(structs_of_other_versions);
  RUN(structs_of_no_version);
  RUN(checks_for_zero);
  return 0;
}
