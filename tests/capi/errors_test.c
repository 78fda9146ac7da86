/* Every number of the list in ebcache.h, the words to it, and NULLs. */

#include <errno.h>
#include <limits.h>

#include "tests/capi/check.h"
#include "tests/capi/memory_source.h"

#define NODE MEMORY_NODE_BYTES

static struct memory_source source;

static ebcache_cache* make_cache(void) { return memory_source_cache(&source); }

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
  /* Others come out as they are. */
  static const int others[] = {EPERM, E2BIG, EXDEV, EROFS, EFBIG, ESTALE, 4095};
  for (size_t i = 0; i < sizeof others / sizeof *others; ++i) {
    source.read_error = -others[i];
    CHECK_EQUAL(ebcache_read(cache, NODE, NULL, &buffer), -others[i]);
    int error;
    const uint64_t start = NODE;
    CHECK_EQUAL(ebcache_read_many(cache, &start, 1, &buffer, &error), -others[i]);
    CHECK_EQUAL(error, -others[i]);
  }
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
  const uint32_t failed = EBCACHE_BUFFER_WRITE_ERR | EBCACHE_BUFFER_DIRTY | EBCACHE_BUFFER_UPTODATE;
  CHECK_EQUAL(ebcache_buffer_flags(buffer) & failed, failed);
  CHECK_FAILS(ebcache_write_error(cache, buffer), EACCES, "block 16384: read-only");
  /* The bytes are there for who reads, and cannot go. */
  CHECK_EQUAL(ebcache_read_buffer(cache, buffer, NULL), 0);
  ebcache_put(buffer);
  CHECK_EQUAL(ebcache_drop_caches(cache), 0);
  CHECK_FAILS(ebcache_cache_destroy(cache), EBUSY,
              "1 block is not written: 16384; the last write of 16384 failed: block 16384");
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
  CHECK_FAILS(ebcache_cache_destroy(cache), EBUSY,
              "2 blocks are not written: 16384, 32768; the last write of 16384 failed: ");
  for (uint64_t i = 9; i > 4; --i) {
    CHECK_EQUAL(ebcache_read(cache, i * NODE, NULL, &other), 0);
    CHECK_EQUAL(ebcache_set_dirty(other), 0);
    ebcache_put(other);
  }
  CHECK_FAILS(ebcache_cache_destroy(cache), EBUSY,
              "7 blocks are not written: 16384, 32768, 81920, 98304, and 3 more; "
              "the last write of 16384 failed: ");
  CHECK_EQUAL(ebcache_give_up_writes(cache), 7);
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
  const uint64_t starts[] = {5 * NODE, NODE + 4096};
  ebcache_buffer* buffers[2];
  int errors[2];
  CHECK_FAILS(ebcache_read_many(cache, starts, 2, buffers, errors), EEXIST, "overlap");
  CHECK_EQUAL(errors[0], 0);
  CHECK_EQUAL(errors[1], -EEXIST);
  ebcache_put(buffers[0]);
  ebcache_put(buffer);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

/* What holds a cache back: how many buffers, and which. */
static void references_that_are_left(void) {
  ebcache_cache* cache = make_cache();
  ebcache_buffer* buffers[7];
  for (uint64_t i = 0; i < 6; ++i) {
    CHECK_EQUAL(ebcache_read(cache, (i + 2) * NODE, NULL, &buffers[i]), 0);
  }
  CHECK_EQUAL(ebcache_dummy(cache, NODE, &buffers[6]), 0);
  (void)ebcache_ref(buffers[0]);
  CHECK_FAILS(ebcache_cache_destroy(cache), EBUSY,
              "references to 7 buffers are left: a dummy or clone of block 16384 (1), "
              "block 32768 (2), block 49152 (1), block 65536 (1), and 3 more");
  ebcache_put(buffers[0]);
  for (int i = 1; i < 7; ++i) ebcache_put(buffers[i]);
  CHECK_FAILS(ebcache_cache_destroy(cache), EBUSY,
              "references to 1 buffer are left: block 32768 (1)");
  ebcache_put(buffers[0]);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

/* A buffer of one cache, given to functions of another. */
static void buffers_of_another_cache(void) {
  ebcache_cache* other;
  ebcache_cache* cache = make_cache();
  CHECK_EQUAL(ebcache_cache_create(NULL, &memory_source_functions, &source, &other), 0);
  ebcache_buffer *dirty, *fresh;
  CHECK_EQUAL(ebcache_read(cache, NODE, NULL, &dirty), 0);
  CHECK_EQUAL(ebcache_set_dirty(dirty), 0);
  CHECK_EQUAL(ebcache_get_or_create(cache, 2 * NODE, &fresh), 0);
  const int reads = source.reads;
  CHECK_FAILS(ebcache_writeback(other, dirty), EINVAL, "another cache");
  CHECK_FAILS(ebcache_read_buffer(other, fresh, NULL), EINVAL, "another cache");
  CHECK_FAILS(ebcache_reinit(other, dirty, 101), EINVAL, "another cache");
  CHECK_EQUAL(source.writes, 0);
  CHECK_EQUAL(source.reads, reads);
  CHECK((ebcache_buffer_flags(dirty) & EBCACHE_BUFFER_DIRTY) != 0);
  CHECK_EQUAL(ebcache_writeback(cache, dirty), 0);
  CHECK_FAILS(ebcache_buffer_set_mirror(dirty, 257), EINVAL, "mirror");
  CHECK_EQUAL(ebcache_buffer_set_mirror(dirty, -1), -EINVAL);
  CHECK_EQUAL(ebcache_buffer_mirror(dirty), 1);
  CHECK_EQUAL(ebcache_buffer_set_mirror(dirty, 0), 0);
  CHECK_EQUAL(ebcache_buffer_set_mirror(dirty, 255), 0);
  CHECK_EQUAL(ebcache_buffer_mirror(dirty), 255);
  ebcache_put(dirty);
  ebcache_put(fresh);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
  CHECK_EQUAL(ebcache_cache_destroy(other), 0);
}

/* A source that asks the library for things between its words and its error. */
struct talker {
  ebcache_cache* below; /* whose source has words of its own; may be NULL */
  const char* words;
  int error;
};

static int talk(void* context, ebcache_buffer* buffer) {
  const struct talker* talker = context;
  ebcache_buffer* other;
  if (talker->words != NULL) ebcache_set_error(talker->words);
  CHECK_EQUAL(ebcache_copy_out(buffer, 1 << 30, &other, 8), -ERANGE);
  if (talker->below != NULL) CHECK(ebcache_read(talker->below, 0, NULL, &other) < 0);
  return talker->error;
}

static void words_of_a_callback_that_asks_for_more(void) {
  const struct ebcache_source talking = {.size = sizeof talking, .read = talk};
  struct talker inner = {.words = "the inner words", .error = -EPERM};
  struct talker outer = {.words = "the outer words", .error = -E2BIG};
  ebcache_cache* cache;
  ebcache_buffer* buffer;
  CHECK_EQUAL(ebcache_cache_create(NULL, &talking, &inner, &outer.below), 0);
  CHECK_EQUAL(ebcache_cache_create(NULL, &talking, &outer, &cache), 0);
  CHECK_FAILS(ebcache_read(cache, 0, NULL, &buffer), E2BIG, "block 0: the outer words");
  outer.words = NULL; /* those of the inner one are not its own */
  CHECK_FAILS(ebcache_read(cache, 0, NULL, &buffer), E2BIG, "block 0: read returned -7");
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
  CHECK_EQUAL(ebcache_cache_destroy(outer.below), 0);
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

static void nothing_where_a_cache_or_a_buffer_must_be(void) {
  struct ebcache_cache_stats stats = {.size = sizeof stats};
  ebcache_buffer* buffer;
  int order;
  uint8_t byte;
  CHECK_FAILS(ebcache_cache_create(NULL, NULL, NULL, NULL), EINVAL, "cache is NULL");
  CHECK_EQUAL(ebcache_cache_destroy(NULL), 0);
  CHECK_EQUAL(ebcache_cache_node_bytes(NULL), 0);
  CHECK(ebcache_find(NULL, 0) == NULL);
  CHECK(ebcache_first_at_or_after(NULL, 0) == NULL);
  CHECK(ebcache_next_dirty(NULL, 0) == NULL);
  CHECK_FAILS(ebcache_get_or_create(NULL, 0, &buffer), EINVAL, "cache is NULL");
  CHECK_FAILS(ebcache_read(NULL, 0, NULL, &buffer), EINVAL, "cache is NULL");
  CHECK_FAILS(ebcache_read(NULL, 0, NULL, NULL), EINVAL, "buffer is NULL");
  CHECK_FAILS(ebcache_read_buffer(NULL, NULL, NULL), EINVAL, "cache is NULL");
  CHECK_FAILS(ebcache_read_many(NULL, NULL, 1, NULL, NULL), EINVAL, "buffers is NULL");
  CHECK_FAILS(ebcache_dummy(NULL, 0, &buffer), EINVAL, "cache is NULL");
  CHECK_FAILS(ebcache_clone(NULL, NULL, &buffer), EINVAL, "cache is NULL");
  CHECK(ebcache_data(NULL) == NULL && ebcache_mutable_data(NULL) == NULL);
  CHECK_EQUAL(ebcache_piece(NULL, 0, NULL), 0);
  CHECK_FAILS(ebcache_copy_out(NULL, 0, &byte, 1), EINVAL, "buffer is NULL");
  CHECK_FAILS(ebcache_copy_in(NULL, 0, &byte, 1), EINVAL, "buffer is NULL");
  CHECK_FAILS(ebcache_copy(NULL, 0, NULL, 0, 1), EINVAL, "to is NULL");
  CHECK_FAILS(ebcache_zero(NULL, 0, 1), EINVAL, "buffer is NULL");
  CHECK_FAILS(ebcache_compare(NULL, 0, &byte, 1, &order), EINVAL, "buffer is NULL");
  CHECK_FAILS(ebcache_get_u8(NULL, 0, &byte), EINVAL, "buffer is NULL");
  CHECK_FAILS(ebcache_set_u8(NULL, 0, 1), EINVAL, "buffer is NULL");
  CHECK_FAILS(ebcache_set_uptodate(NULL), EINVAL, "buffer is NULL");
  CHECK_FAILS(ebcache_set_dirty(NULL), EINVAL, "buffer is NULL");
  CHECK_FAILS(ebcache_clear_dirty(NULL), EINVAL, "buffer is NULL");
  CHECK_FAILS(ebcache_writeback(NULL, NULL), EINVAL, "cache is NULL");
  CHECK_FAILS(ebcache_writeback_all(NULL), EINVAL, "cache is NULL");
  CHECK_FAILS(ebcache_reinit(NULL, NULL, 0), EINVAL, "cache is NULL");
  CHECK_EQUAL(ebcache_drop_caches(NULL), 0);
  CHECK_EQUAL(ebcache_shrink(NULL, 1), 0);
  CHECK_FAILS(ebcache_set_budget(NULL, 1), EINVAL, "cache is NULL");
  CHECK_FAILS(ebcache_cache_stats(NULL, &stats), EINVAL, "cache is NULL");
  CHECK_FAILS(ebcache_pins(NULL, NULL), EINVAL, "cache is NULL");
  CHECK_FAILS(ebcache_write_error(NULL, NULL), EINVAL, "cache is NULL");
  CHECK_FAILS(ebcache_give_up_write(NULL, NULL), EINVAL, "cache is NULL");
  CHECK_EQUAL(ebcache_give_up_writes(NULL), 0);
}

static void nothing_where_a_filesystem_or_a_tree_must_be(void) {
  struct ebcache_root root = {.size = sizeof root};
  ebcache_buffer* buffer;
  ebcache_tree* tree;
  ebcache_path* path;
  ebcache_filesystem* filesystem;
  const char* const no_path[] = {NULL};
  CHECK_FAILS(ebcache_open(NULL, 0, NULL, &filesystem), EINVAL, "paths is NULL");
  CHECK_FAILS(ebcache_open(no_path, 1, NULL, &filesystem), EINVAL, "paths[0] is NULL");
  CHECK_FAILS(ebcache_open_devices(NULL, 1, NULL, &filesystem), EINVAL, "devices is NULL");
  CHECK_EQUAL(ebcache_close(NULL), 0);
  CHECK(ebcache_filesystem_cache(NULL) == NULL);
  CHECK_FAILS(ebcache_filesystem_info(NULL, NULL), EINVAL, "filesystem is NULL");
  CHECK_FAILS(ebcache_place(NULL, 0, 1, NULL), EINVAL, "filesystem is NULL");
  CHECK_FAILS(ebcache_read_mirror(NULL, 0, 1, NULL, &buffer), EINVAL, "filesystem is NULL");
  CHECK_FAILS(ebcache_header(NULL, NULL), EINVAL, "buffer is NULL");
  CHECK_FAILS(ebcache_leaf_slot(NULL, 0, NULL), EINVAL, "leaf is NULL");
  CHECK_FAILS(ebcache_node_slot(NULL, 0, NULL), EINVAL, "node is NULL");
  CHECK_FAILS(ebcache_for_each_tree(NULL, NULL, NULL), EINVAL, "filesystem is NULL");
  CHECK_FAILS(ebcache_tree_open(NULL, 5, &tree), EINVAL, "filesystem is NULL");
  CHECK_FAILS(ebcache_tree_open_root(NULL, &root, &tree), EINVAL, "cache is NULL");
  CHECK_FAILS(ebcache_tree_root(NULL, &root), EINVAL, "tree is NULL");
  ebcache_tree_close(NULL);
  CHECK_FAILS(ebcache_search(NULL, NULL, 1, &path), EINVAL, "tree is NULL");
  ebcache_path_close(NULL);
  CHECK_FAILS(ebcache_path_next(NULL), EINVAL, "path is NULL");
  CHECK_FAILS(ebcache_path_previous(NULL), EINVAL, "path is NULL");
  CHECK_FAILS(ebcache_path_item(NULL, NULL), EINVAL, "path is NULL");
  CHECK(ebcache_path_buffer(NULL, 0) == NULL);
  CHECK_EQUAL(ebcache_path_slot(NULL, 0), 0);
  CHECK_FAILS(ebcache_iterate(NULL, NULL, NULL, NULL, NULL), EINVAL, "tree is NULL");
  CHECK_FAILS(ebcache_walk(NULL, &root, NULL, NULL, NULL), EINVAL, "cache is NULL");
  CHECK_FAILS(ebcache_block_set_create(16384, NULL), EINVAL, "set is NULL");
  CHECK_EQUAL(ebcache_block_set_size(NULL), 0);
  ebcache_block_set_free(NULL);
}

/* The other arguments of those that have more than one. */
static void nothing_beside_a_cache(void) {
  ebcache_buffer* buffer;
  int order;
  uint8_t byte;
  ebcache_cache* cache = make_cache();
  CHECK_EQUAL(ebcache_read(cache, 0, NULL, &buffer), 0);
  const uint64_t start = 0;
  CHECK_FAILS(ebcache_get_or_create(cache, 0, NULL), EINVAL, "buffer is NULL");
  CHECK_FAILS(ebcache_read_buffer(cache, NULL, NULL), EINVAL, "buffer is NULL");
  CHECK_FAILS(ebcache_read_many(cache, NULL, 1, &buffer, NULL), EINVAL, "starts is NULL");
  CHECK_EQUAL(ebcache_read_many(cache, &start, 1, &buffer, NULL), 0);
  CHECK_FAILS(ebcache_dummy(cache, 0, NULL), EINVAL, "dummy is NULL");
  CHECK_FAILS(ebcache_clone(cache, buffer, NULL), EINVAL, "clone is NULL");
  ebcache_buffer* clone;
  CHECK_FAILS(ebcache_clone(cache, NULL, &clone), EINVAL, "buffer is NULL");
  CHECK_FAILS(ebcache_copy_out(buffer, 0, NULL, 1), EINVAL, "to is NULL");
  CHECK_FAILS(ebcache_copy_in(buffer, 0, NULL, 1), EINVAL, "from is NULL");
  CHECK_FAILS(ebcache_copy(buffer, 0, NULL, 0, 1), EINVAL, "from is NULL");
  CHECK_FAILS(ebcache_compare(buffer, 0, NULL, 1, &order), EINVAL, "other is NULL");
  CHECK_FAILS(ebcache_compare(buffer, 0, &byte, 1, NULL), EINVAL, "result is NULL");
  CHECK_FAILS(ebcache_get_u8(buffer, 0, NULL), EINVAL, "value is NULL");
  CHECK_FAILS(ebcache_writeback(cache, NULL), EINVAL, "buffer is NULL");
  CHECK_FAILS(ebcache_reinit(cache, NULL, 0), EINVAL, "buffer is NULL");
  CHECK_FAILS(ebcache_cache_stats(cache, NULL), EINVAL, "stats is NULL");
  CHECK_FAILS(ebcache_pins(cache, NULL), EINVAL, "pins is NULL");
  ebcache_put(buffer);
  ebcache_put(buffer);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

static void nothing_beside_a_root(void) {
  struct ebcache_root root = {.size = sizeof root};
  ebcache_buffer* buffer;
  ebcache_tree* tree;
  const char* const no_path[] = {NULL};
  ebcache_cache* cache = make_cache();
  CHECK_EQUAL(ebcache_read(cache, 0, NULL, &buffer), 0);
  CHECK_FAILS(ebcache_open(no_path, 1, NULL, NULL), EINVAL, "filesystem is NULL");
  CHECK_FAILS(ebcache_header(buffer, NULL), EINVAL, "header is NULL");
  CHECK_FAILS(ebcache_tree_open(NULL, 5, NULL), EINVAL, "tree is NULL");
  CHECK_FAILS(ebcache_tree_open_root(cache, NULL, &tree), EINVAL, "root is NULL");
  CHECK_FAILS(ebcache_walk(cache, NULL, NULL, NULL, NULL), EINVAL, "root is NULL");
  CHECK_FAILS(ebcache_walk(cache, &root, NULL, NULL, NULL), EINVAL, "visitor is NULL");
  const struct ebcache_visitor blind = {.size = sizeof blind};
  CHECK_FAILS(ebcache_walk(cache, &root, &blind, NULL, NULL), EINVAL, "visitor->block is NULL");
  root.size = 0;
  CHECK_FAILS(ebcache_walk(cache, &root, &blind, NULL, NULL), EINVAL, "root: a struct without");
  CHECK_FAILS(ebcache_iterate_past_damage(NULL, NULL, NULL, NULL, NULL), EINVAL, "tree is NULL");
  ebcache_put(buffer);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

static void nothing_where_an_allocator_or_a_piece_must_be(void) {
  const struct ebcache_allocator_ops none = {.size = sizeof none};
  ebcache_allocator* allocator;
  CHECK_FAILS(ebcache_allocator_create(NULL, NULL), EINVAL, "allocator is NULL");
  CHECK_FAILS(ebcache_allocator_create_custom(NULL, NULL, NULL, &allocator), EINVAL, "ops is NULL");
  CHECK_FAILS(ebcache_allocator_create_custom(&none, NULL, NULL, &allocator), EINVAL,
              "ops->allocate is NULL");
  CHECK_FAILS(ebcache_allocator_stats(NULL, NULL), EINVAL, "allocator is NULL");
  CHECK_FAILS(ebcache_buffer_set_mirror(NULL, 1), EINVAL, "buffer is NULL");
  const void* piece = &piece;
  void* mutable_piece = &mutable_piece;
  CHECK_EQUAL(ebcache_piece(NULL, 0, &piece), 0);
  CHECK(piece == NULL);
  CHECK_EQUAL(ebcache_mutable_piece(NULL, 0, &mutable_piece), 0);
  CHECK(mutable_piece == NULL);
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
  RUN(references_that_are_left);
  RUN(buffers_of_another_cache);
  RUN(words_of_a_callback_that_asks_for_more);
  RUN(options_out_of_range);
  RUN(nothing_where_a_cache_or_a_buffer_must_be);
  RUN(nothing_where_a_filesystem_or_a_tree_must_be);
  RUN(nothing_beside_a_cache);
  RUN(nothing_beside_a_root);
  RUN(nothing_where_an_allocator_or_a_piece_must_be);
  RUN(words_and_versions);
  return 0;
}
