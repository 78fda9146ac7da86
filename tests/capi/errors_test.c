/* Every number of the list in ebcache.h, the words to it, NULLs, and structs that grow. */

#include <errno.h>
#include <limits.h>

#include "tests/capi/check.h"
#include "tests/capi/memory_source.h"

#define NODE MEMORY_NODE_BYTES

static struct memory_source source;

static ebcache_cache* make_cache(void) {
  memory_source_init(&source);
  ebcache_cache* cache;
  CHECK_EQUAL(ebcache_cache_create(NULL, &memory_source_functions, &source, &cache), 0);
  return cache;
}

static void what_the_source_returns_comes_out(void) {
  static const int listed[] = {EINVAL, ENOMEM, ENOENT, EEXIST, ERANGE,     EUCLEAN,
                               EIO,    EACCES, EBUSY,  ENXIO,  EOPNOTSUPP, EAGAIN};
  ebcache_cache* cache = make_cache();
  ebcache_buffer* buffer;
  for (size_t i = 0; i < sizeof listed / sizeof *listed; ++i) {
    source.read_error = -listed[i];
    CHECK_FAILS(ebcache_read(cache, NODE, NULL, &buffer), listed[i], "block 16384: read returned");
    CHECK(buffer == NULL);
    CHECK(ebcache_find(cache, NODE) == NULL);
  }
  source.read_error = -EXDEV;
  CHECK_FAILS(ebcache_read(cache, NODE, NULL, &buffer), EIO, "-18");
  source.read_error = -EROFS;
  CHECK_EQUAL(ebcache_read(cache, NODE, NULL, &buffer), -EACCES);
  source.read_error = 7; /* no errno at all */
  CHECK_EQUAL(ebcache_read(cache, NODE, NULL, &buffer), -EIO);
  source.read_error = INT_MIN;
  CHECK_EQUAL(ebcache_read(cache, NODE, NULL, &buffer), -EIO);
  source.words = "the tape has snapped";
  source.read_error = -EIO;
  CHECK_FAILS(ebcache_read(cache, NODE, NULL, &buffer), EIO, "block 16384: the tape has snapped");
  source.read_error = 0;
  source.validation_error = -EUCLEAN;
  CHECK_FAILS(ebcache_read(cache, NODE, NULL, &buffer), EUCLEAN, "snapped");
  source.validation_error = 0;
  /* Words of an earlier error are not those of this one. */
  source.words = NULL;
  source.read_error = -EIO;
  CHECK_FAILS(ebcache_read(cache, NODE, NULL, &buffer), EIO, "read returned");
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

static void a_write_that_fails(void) {
  ebcache_cache* cache = make_cache();
  ebcache_buffer* buffer;
  CHECK_EQUAL(ebcache_read(cache, NODE, NULL, &buffer), 0);
  CHECK_EQUAL(ebcache_set_dirty(buffer), 0);
  source.write_error = -EACCES;
  source.words = "read-only";
  CHECK_FAILS(ebcache_writeback_all(cache), EACCES, "block 16384: read-only");
  const uint32_t failed =
      EBCACHE_BUFFER_WRITE_ERR | EBCACHE_BUFFER_DIRTY | EBCACHE_BUFFER_UPTODATE;
  CHECK_EQUAL(ebcache_buffer_flags(buffer) & failed, failed);
  CHECK_FAILS(ebcache_write_error(cache, buffer), EACCES, "block 16384: read-only");
  /* The bytes are there for who reads, and cannot go. */
  CHECK_EQUAL(ebcache_read_buffer(cache, buffer, NULL), 0);
  ebcache_put(buffer);
  CHECK_EQUAL(ebcache_drop_caches(cache), 0);
  CHECK_FAILS(ebcache_cache_destroy(cache), EBUSY, "16384, of which the last write failed: block");
  /* It is told every time, and can be tried again, until it has succeeded. */
  CHECK_FAILS(ebcache_writeback_all(cache), EACCES, "read-only");
  buffer = ebcache_next_dirty(cache, 0);
  CHECK_FAILS(ebcache_writeback(cache, buffer), EACCES, "read-only");
  CHECK_EQUAL(ebcache_set_dirty(buffer), 0);
  source.write_error = 0;
  CHECK_EQUAL(ebcache_writeback_all(cache), 0);
  CHECK_EQUAL(ebcache_buffer_flags(buffer) & failed, EBCACHE_BUFFER_UPTODATE);
  CHECK_EQUAL(ebcache_write_error(cache, buffer), 0);
  ebcache_put_stale(buffer);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

static void what_cannot_be_written_is_given_up_by_name(void) {
  ebcache_cache* cache = make_cache();
  ebcache_buffer *buffer, *other;
  uint64_t was, is;
  CHECK_EQUAL(ebcache_read(cache, NODE, NULL, &buffer), 0);
  CHECK_EQUAL(ebcache_get_u64(buffer, 0, &was), 0);
  CHECK_EQUAL(ebcache_set_u64(buffer, 0, was + 1), 0);
  CHECK_EQUAL(ebcache_set_dirty(buffer), 0);
  source.write_error = -EIO;
  CHECK_EQUAL(ebcache_writeback(cache, buffer), -EIO);
  CHECK_EQUAL(ebcache_give_up_write(cache, buffer), 1);
  CHECK_EQUAL(ebcache_give_up_write(cache, buffer), 0);
  CHECK_EQUAL(ebcache_buffer_flags(buffer) & EBCACHE_BUFFER_UPTODATE, 0);
  CHECK_EQUAL(ebcache_set_dirty(buffer), -EINVAL);
  CHECK_EQUAL(ebcache_writeback_all(cache), 0);
  CHECK_EQUAL(ebcache_read_buffer(cache, buffer, NULL), 0);
  CHECK_EQUAL(ebcache_get_u64(buffer, 0, &is), 0);
  CHECK_EQUAL(is, was);
  CHECK_EQUAL(ebcache_set_dirty(buffer), 0);
  CHECK_EQUAL(ebcache_read(cache, 2 * NODE, NULL, &other), 0);
  CHECK_EQUAL(ebcache_set_dirty(other), 0);
  ebcache_put(buffer);
  ebcache_put(other);
  CHECK_FAILS(ebcache_writeback_all(cache), EIO, "block 16384");
  CHECK_FAILS(ebcache_cache_destroy(cache), EBUSY, "2 of 2");
  CHECK_EQUAL(ebcache_give_up_writes(cache), 2);
  CHECK_EQUAL(ebcache_give_up_writes(NULL), 0);
  CHECK_EQUAL(ebcache_give_up_write(cache, NULL), -EINVAL);
  CHECK_EQUAL(ebcache_write_error(NULL, NULL), -EINVAL);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
  source.write_error = 0;
}

static void a_cache_without_a_source(void) {
  const struct ebcache_source nothing = {.size = sizeof nothing};
  for (int with = 0; with < 2; ++with) {
    ebcache_cache* cache;
    CHECK_EQUAL(ebcache_cache_create(NULL, with ? &nothing : NULL, NULL, &cache), 0);
    ebcache_buffer* buffer;
    CHECK_FAILS(ebcache_read(cache, NODE, NULL, &buffer), ENXIO, "source");
    CHECK_EQUAL(ebcache_get_or_create(cache, NODE, &buffer), 0);
    CHECK_EQUAL(ebcache_set_uptodate(buffer), 0);
    CHECK_EQUAL(ebcache_set_dirty(buffer), 0);
    CHECK_FAILS(ebcache_writeback(cache, buffer), ENXIO, "source");
    CHECK_EQUAL(ebcache_give_up_write(cache, buffer), 1);
    ebcache_put_stale(buffer);
    CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
  }
}

static void blocks_where_none_can_be(void) {
  ebcache_cache* cache = make_cache();
  ebcache_buffer *buffer, *other;
  CHECK_FAILS(ebcache_get_or_create(cache, 100, &buffer), EINVAL, "100");
  CHECK_EQUAL(ebcache_read(cache, UINT64_MAX - 4095, NULL, &buffer), -EINVAL);
  CHECK_EQUAL(ebcache_get_or_create(cache, NODE, &buffer), 0);
  CHECK_FAILS(ebcache_get_or_create(cache, NODE + 4096, &other), EEXIST, "overlap");
  CHECK_EQUAL(ebcache_read(cache, NODE + 8192, NULL, &other), -EEXIST);
  CHECK_FAILS(ebcache_cache_destroy(cache), EBUSY, "references");
  ebcache_put(buffer);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

static void options_out_of_range(void) {
  ebcache_cache* cache;
  struct ebcache_cache_options options = {.size = sizeof options, .node_bytes = 5000};
  CHECK_FAILS(ebcache_cache_create(&options, NULL, NULL, &cache), EINVAL, "node_bytes");
  options.node_bytes = 131072;
  CHECK_EQUAL(ebcache_cache_create(&options, NULL, NULL, &cache), -EINVAL);
  CHECK(cache == NULL);
  CHECK_EQUAL(ebcache_cache_create(NULL, NULL, NULL, &cache), 0);
  CHECK_FAILS(ebcache_set_budget(cache, 0), EINVAL, "EBCACHE_UNLIMITED");
  struct ebcache_check check = {.size = sizeof check, .bits = 16};
  ebcache_buffer* buffer;
  CHECK_FAILS(ebcache_read(cache, 0, &check, &buffer), EINVAL, "bit");
  check.bits = EBCACHE_CHECK_LEVEL;
  check.level = 8;
  CHECK_FAILS(ebcache_read(cache, 0, &check, &buffer), EINVAL, "level");
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

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

static void nothing_where_something_must_be(void) {
  struct ebcache_cache_stats stats = {.size = sizeof stats};
  struct ebcache_root root = {.size = sizeof root};
  ebcache_buffer* buffer;
  ebcache_tree* tree;
  ebcache_path* path;
  ebcache_filesystem* filesystem;
  const char* const no_path[] = {NULL};
  int order;
  uint8_t byte;
  CHECK_EQUAL(ebcache_cache_create(NULL, NULL, NULL, NULL), -EINVAL);
  CHECK_EQUAL(ebcache_cache_destroy(NULL), 0);
  CHECK_EQUAL(ebcache_cache_node_bytes(NULL), 0);
  CHECK(ebcache_find(NULL, 0) == NULL);
  CHECK(ebcache_first_at_or_after(NULL, 0) == NULL);
  CHECK(ebcache_next_dirty(NULL, 0) == NULL);
  CHECK_EQUAL(ebcache_get_or_create(NULL, 0, &buffer), -EINVAL);
  CHECK_EQUAL(ebcache_read(NULL, 0, NULL, &buffer), -EINVAL);
  CHECK_EQUAL(ebcache_read(NULL, 0, NULL, NULL), -EINVAL);
  CHECK_EQUAL(ebcache_read_buffer(NULL, NULL, NULL), -EINVAL);
  CHECK_EQUAL(ebcache_read_many(NULL, NULL, 1, NULL, NULL), -EINVAL);
  CHECK_EQUAL(ebcache_dummy(NULL, 0, &buffer), -EINVAL);
  CHECK_EQUAL(ebcache_clone(NULL, NULL, &buffer), -EINVAL);
  CHECK(ebcache_data(NULL) == NULL && ebcache_mutable_data(NULL) == NULL);
  CHECK_EQUAL(ebcache_piece(NULL, 0, NULL), 0);
  CHECK_EQUAL(ebcache_copy_out(NULL, 0, &byte, 1), -EINVAL);
  CHECK_EQUAL(ebcache_copy_in(NULL, 0, &byte, 1), -EINVAL);
  CHECK_EQUAL(ebcache_copy(NULL, 0, NULL, 0, 1), -EINVAL);
  CHECK_EQUAL(ebcache_zero(NULL, 0, 1), -EINVAL);
  CHECK_EQUAL(ebcache_compare(NULL, 0, &byte, 1, &order), -EINVAL);
  CHECK_EQUAL(ebcache_get_u8(NULL, 0, &byte), -EINVAL);
  CHECK_EQUAL(ebcache_set_u8(NULL, 0, 1), -EINVAL);
  CHECK_EQUAL(ebcache_set_uptodate(NULL), -EINVAL);
  CHECK_EQUAL(ebcache_set_dirty(NULL), -EINVAL);
  CHECK_EQUAL(ebcache_clear_dirty(NULL), -EINVAL);
  CHECK_EQUAL(ebcache_writeback(NULL, NULL), -EINVAL);
  CHECK_EQUAL(ebcache_writeback_all(NULL), -EINVAL);
  CHECK_EQUAL(ebcache_reinit(NULL, NULL, 0), -EINVAL);
  CHECK_EQUAL(ebcache_drop_caches(NULL), 0);
  CHECK_EQUAL(ebcache_shrink(NULL, 1), 0);
  CHECK_EQUAL(ebcache_set_budget(NULL, 1), -EINVAL);
  CHECK_EQUAL(ebcache_cache_stats(NULL, &stats), -EINVAL);
  CHECK_EQUAL(ebcache_pins(NULL, NULL), -EINVAL);
  CHECK_EQUAL(ebcache_open(NULL, 0, NULL, &filesystem), -EINVAL);
  CHECK_EQUAL(ebcache_open(no_path, 1, NULL, &filesystem), -EINVAL);
  CHECK_EQUAL(ebcache_open_devices(NULL, 1, NULL, &filesystem), -EINVAL);
  CHECK_EQUAL(ebcache_close(NULL), 0);
  CHECK(ebcache_filesystem_cache(NULL) == NULL);
  CHECK_EQUAL(ebcache_filesystem_info(NULL, NULL), -EINVAL);
  CHECK_EQUAL(ebcache_place(NULL, 0, 1, NULL), -EINVAL);
  CHECK_EQUAL(ebcache_read_mirror(NULL, 0, 1, NULL, &buffer), -EINVAL);
  CHECK_EQUAL(ebcache_header(NULL, NULL), -EINVAL);
  CHECK_EQUAL(ebcache_leaf_slot(NULL, 0, NULL), -EINVAL);
  CHECK_EQUAL(ebcache_node_slot(NULL, 0, NULL), -EINVAL);
  CHECK_EQUAL(ebcache_for_each_tree(NULL, NULL, NULL), -EINVAL);
  CHECK_EQUAL(ebcache_tree_open(NULL, 5, &tree), -EINVAL);
  CHECK_EQUAL(ebcache_tree_open_root(NULL, &root, &tree), -EINVAL);
  CHECK_EQUAL(ebcache_tree_root(NULL, &root), -EINVAL);
  ebcache_tree_close(NULL);
  CHECK_EQUAL(ebcache_search(NULL, NULL, 1, &path), -EINVAL);
  ebcache_path_close(NULL);
  CHECK_EQUAL(ebcache_path_next(NULL), -EINVAL);
  CHECK_EQUAL(ebcache_path_previous(NULL), -EINVAL);
  CHECK_EQUAL(ebcache_path_item(NULL, NULL), -EINVAL);
  CHECK(ebcache_path_buffer(NULL, 0) == NULL);
  CHECK_EQUAL(ebcache_path_slot(NULL, 0), 0);
  CHECK_EQUAL(ebcache_iterate(NULL, NULL, NULL, NULL, NULL), -EINVAL);
  CHECK_EQUAL(ebcache_walk(NULL, &root, NULL, NULL, NULL), -EINVAL);
  CHECK_EQUAL(ebcache_block_set_create(16384, NULL), -EINVAL);
  CHECK_EQUAL(ebcache_block_set_size(NULL), 0);
  ebcache_block_set_free(NULL);
}

static void words_and_versions(void) {
  ebcache_set_error("mine");
  CHECK(strcmp(ebcache_last_error(), "mine") == 0);
  ebcache_set_error(NULL);
  CHECK(strcmp(ebcache_last_error(), "") == 0);
  char tape[10000];
  memset(tape, 'x', sizeof tape);
  tape[sizeof tape - 1] = '\0';
  ebcache_set_error(tape);
  CHECK(strlen(ebcache_last_error()) > 1000 && strlen(ebcache_last_error()) < 9999);
  CHECK(strcmp(ebcache_version(), "0.1.0") == 0);
  CHECK_EQUAL(ebcache_abi_version(), EBCACHE_ABI_VERSION);
  CHECK(strcmp(ebcache_verdict_name(EBCACHE_VERDICT_IN_USE), "in use") == 0);
  CHECK(strcmp(ebcache_verdict_name(EBCACHE_VERDICTS), "") == 0);
}

int main(void) {
  RUN(what_the_source_returns_comes_out);
  RUN(a_write_that_fails);
  RUN(what_cannot_be_written_is_given_up_by_name);
  RUN(a_cache_without_a_source);
  RUN(blocks_where_none_can_be);
  RUN(options_out_of_range);
  RUN(structs_of_other_versions);
  RUN(nothing_where_something_must_be);
  RUN(words_and_versions);
  return 0;
}
