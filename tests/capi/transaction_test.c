/* Transactions: what is changed, refused, told; a filesystem in an image file, as others see it
 * then. */

#include <errno.h>
#include <unistd.h>

#include "tests/capi/check.h"
#include "tests/capi/sample_image.h"
#include "tests/capi/sample_item.h"
#include "tests/capi/written_device.h"

/* A transaction over a device in memory. */
struct stage {
  struct written_device device;
  ebcache_filesystem* filesystem;
  ebcache_session* session;
  ebcache_transaction* transaction;
};

static void stage_begin(struct stage* stage) {
  CHECK_EQUAL(ebcache_transaction_begin(stage->session, &stage->transaction), 0);
}

static void stage_open(struct stage* stage) {
  written_device_init(&stage->device);
  CHECK_EQUAL(written_device_open(&stage->device, &stage->filesystem), 0);
  CHECK_EQUAL(ebcache_session_open(stage->filesystem, NULL, &stage->session), 0);
  stage_begin(stage);
}

static void stage_commit(struct stage* stage) {
  CHECK_EQUAL(ebcache_transaction_commit(stage->transaction, NULL, NULL), 0);
  CHECK_EQUAL(ebcache_transaction_close(stage->transaction), 0);
}

static void stage_close(struct stage* stage) {
  CHECK_EQUAL(ebcache_transaction_close(stage->transaction), 0);
  CHECK_EQUAL(ebcache_session_close(stage->session), 0);
  CHECK_EQUAL(ebcache_close(stage->filesystem), 0);
  CHECK_EQUAL(stage->device.closed, 1);
  written_device_free(&stage->device);
}

static int insert(ebcache_transaction* transaction, int number, size_t bytes, char fill) {
  const struct sample_item item = make_sample_item(number, bytes, fill);
  return ebcache_transaction_insert(transaction, FILES, &item.key, item.data, item.bytes);
}

/* What a tree of the transaction has of an attribute. */
static int fill_of(ebcache_transaction* transaction, int number) {
  ebcache_tree* tree;
  CHECK_EQUAL(ebcache_transaction_tree(transaction, FILES, &tree), 0);
  const int fill = sample_item_fill(tree, number);
  ebcache_tree_close(tree);
  return fill;
}

/* What the last commit has of it. */
static int committed_fill(ebcache_filesystem* filesystem, int number) {
  ebcache_tree* tree;
  CHECK_EQUAL(ebcache_tree_open(filesystem, FILES, &tree), 0);
  const int fill = sample_item_fill(tree, number);
  ebcache_tree_close(tree);
  return fill;
}

static void what_is_committed_in_a_file(void) {
  char path[2048], command[8192];
  snprintf(path, sizeof path, "%s.changed", sample_image());
  snprintf(command, sizeof command, "cp --sparse=always '%s' '%s'", sample_image(), path);
  CHECK_EQUAL(system(command), 0);
  const char* const paths[] = {path};
  const struct ebcache_filesystem_options options = {.size = sizeof options, .writable = 1};
  struct stage stage;
  struct ebcache_filesystem_info info = {.size = sizeof info};
  CHECK_EQUAL(ebcache_open(paths, 1, &options, &stage.filesystem), 0);
  CHECK_EQUAL(ebcache_filesystem_info(stage.filesystem, &info), 0);
  const uint64_t generation = info.generation;
  ebcache_filesystem* other;
  CHECK_FAILS(ebcache_open(paths, 1, &options, &other), EBUSY, "open for writing");
  CHECK_EQUAL(ebcache_session_open(stage.filesystem, NULL, &stage.session), 0);
  stage_begin(&stage);
  CHECK_EQUAL(ebcache_transaction_generation(stage.transaction), generation + 1);
  for (int i = 0; i < 200; ++i) CHECK_EQUAL(insert(stage.transaction, i, 500, 'a'), 0);
  const struct sample_item replaced = make_sample_item(7, 900, 'b');
  CHECK_EQUAL(ebcache_transaction_replace(stage.transaction, FILES, &replaced.key, replaced.data,
                                          replaced.bytes),
              0);
  const struct sample_item removed = make_sample_item(8, 0, 0);
  CHECK_EQUAL(ebcache_transaction_remove(stage.transaction, FILES, &removed.key), 0);
  CHECK_EQUAL(ebcache_transaction_set_label(stage.transaction, "from C"), 0);
  CHECK_EQUAL(committed_fill(stage.filesystem, 6), -ENOENT);
  stage_commit(&stage);
  CHECK_EQUAL(committed_fill(stage.filesystem, 6), 'a');
  CHECK_EQUAL(ebcache_session_close(stage.session), 0);
  CHECK_EQUAL(ebcache_close(stage.filesystem), 0);

  CHECK_EQUAL(ebcache_open(paths, 1, NULL, &stage.filesystem), 0);
  CHECK_EQUAL(ebcache_filesystem_info(stage.filesystem, &info), 0);
  CHECK_EQUAL(info.generation, generation + 1);
  CHECK(strcmp(info.label, "from C") == 0);
  CHECK_EQUAL(committed_fill(stage.filesystem, 7), 'b');
  CHECK_EQUAL(committed_fill(stage.filesystem, 8), -ENOENT);
  CHECK_EQUAL(committed_fill(stage.filesystem, 199), 'a');
  CHECK_EQUAL(ebcache_close(stage.filesystem), 0);
  snprintf(command, sizeof command,
           "PATH=\"$PATH:/usr/sbin:/sbin\" && btrfs check --readonly '%s' >'%s.check' 2>&1 && "
           "! grep -E 'ERROR|mismatch|WARNING: ' '%s.check'",
           path, path, path);
  CHECK_EQUAL(system(command), 0);
  CHECK_EQUAL(unlink(path), 0);
}

/* The transaction goes on after each. */
#define REFUSED(call, number, words)                              \
  do {                                                            \
    CHECK_FAILS(call, number, words);                             \
    CHECK_EQUAL(ebcache_transaction_check(stage.transaction), 0); \
  } while (0)

static void items_that_are_refused(void) {
  struct stage stage;
  stage_open(&stage);
  static const unsigned char bytes[65537];
  const struct sample_item item = make_sample_item(1, 10, 'x');
  const struct sample_item other = make_sample_item(2, 10, 'y');
  uint64_t removed = 77;
  ebcache_transaction* const to = stage.transaction;
  CHECK_EQUAL(insert(to, 1, 10, 'x'), 0);
  REFUSED(insert(to, 1, 10, 'x'), EEXIST, "");
  REFUSED(ebcache_transaction_replace(to, FILES, &other.key, "y", 1), ENOENT, "");
  REFUSED(ebcache_transaction_remove(to, FILES, &other.key), ENOENT, "");
  REFUSED(ebcache_transaction_insert(to, 4711, &item.key, "y", 1), ENOENT, "4711");
  REFUSED(ebcache_transaction_remove(to, 4711, &item.key), ENOENT, "4711");
  REFUSED(ebcache_transaction_remove_range(to, 4711, NULL, NULL, &removed), ENOENT, "4711");
  CHECK_EQUAL(removed, 0);
  REFUSED(ebcache_transaction_insert(to, FILES, &other.key, bytes, 16384), EINVAL, "");
  REFUSED(ebcache_transaction_insert(to, FILES, &other.key, bytes, sizeof bytes), EINVAL, "leaf");
  REFUSED(ebcache_transaction_insert(to, 2, &item.key, "y", 1), EINVAL, "change_space_trees");
  REFUSED(ebcache_transaction_remove_range(to, 3, NULL, NULL, NULL), EINVAL, "change_space_trees");
  const struct ebcache_key root = {.objectid = FILES, .type = 132};
  REFUSED(ebcache_transaction_remove(to, 1, &root), EINVAL, "change_space_trees");
  const struct ebcache_key from = {.objectid = 9}, below = {.objectid = 8};
  CHECK_EQUAL(ebcache_transaction_remove_range(to, FILES, &from, &below, &removed), 0);
  CHECK_EQUAL(removed, 0);
  stage_commit(&stage);
  CHECK_EQUAL(committed_fill(stage.filesystem, 1), 'x');
  stage_begin(&stage);
  stage_close(&stage);
}

static void all_else_that_is_refused(void) {
  struct stage stage;
  stage_open(&stage);
  ebcache_transaction* const to = stage.transaction;
  char label[257];
  memset(label, 'l', sizeof label);
  label[256] = '\0';
  REFUSED(ebcache_transaction_set_label(to, label), EINVAL, "255");
  REFUSED(ebcache_transaction_set_label(to, "a\nb"), EINVAL, "newline");
  REFUSED(ebcache_transaction_create_tree(to, FILES, NULL), EEXIST, "");
  REFUSED(ebcache_transaction_create_tree(to, 0, NULL), EINVAL, "");
  REFUSED(ebcache_transaction_create_tree(to, 3, NULL), EINVAL, "");
  const struct ebcache_new_tree bad = {
      .size = sizeof bad, .root_item = label, .root_item_bytes = 5};
  REFUSED(ebcache_transaction_create_tree(to, 300, &bad), EINVAL, "root_item");
  struct ebcache_key next;
  REFUSED(ebcache_transaction_rewrite(to, FILES, NULL, 0, &next), EINVAL, "most");
  REFUSED(ebcache_transaction_rewrite(to, 4711, NULL, 1, &next), ENOENT, "4711");
  const struct ebcache_data_reference reference = {.size = sizeof reference, .extent = 1 << 20};
  REFUSED(ebcache_transaction_change_reference(to, &reference, INT64_MAX), EINVAL, "");
  struct ebcache_new_chunk wanted = {.size = sizeof wanted, .profile = EBCACHE_PROFILE_DUP};
  REFUSED(ebcache_transaction_make_chunk(to, &wanted, NULL), EINVAL, "");
  wanted.type = EBCACHE_CHUNK_METADATA;
  wanted.profile = EBCACHE_PROFILE_RAID6 + 1;
  REFUSED(ebcache_transaction_make_chunk(to, &wanted, NULL), EINVAL, "profile");
  wanted.profile = EBCACHE_PROFILE_RAID5;
  REFUSED(ebcache_transaction_make_chunk(to, &wanted, NULL), EOPNOTSUPP, "");
  wanted.profile = EBCACHE_PROFILE_RAID1; /* of two devices */
  REFUSED(ebcache_transaction_make_chunk(to, &wanted, NULL), ENOSPC, "devices");
  stage_commit(&stage);
  stage_begin(&stage);
  stage_close(&stage);
}

static int change_once(void* context, const struct ebcache_item* item) {
  (void)item;
  const struct stage* stage = context;
  CHECK_EQUAL(insert(stage->transaction, 900, 10, 'q'), 0);
  return 0;
}

struct changer {
  struct stage* stage;
  int calls;
};

static int change_at_ref(void* context, const struct ebcache_extent_ref* ref) {
  struct changer* changer = context;
  (void)ref;
  ++changer->calls;
  CHECK_EQUAL(insert(changer->stage->transaction, 900 + changer->calls, 10, 'q'), 0);
  return 0;
}

/* Of several references in one item: the item may lie elsewhere once the caller has made a change. */
static void references_of_an_extent_that_changes(void) {
  const struct ebcache_session_options options = {.size = sizeof options, .change_space_trees = 1};
  const struct ebcache_key key = {UINT64_C(1) << 50, 4096, EBCACHE_TYPE_EXTENT_ITEM};
  struct stage stage;
  struct changer changer = {.stage = &stage};
  ebcache_tree* extents;
  written_device_init(&stage.device);
  CHECK_EQUAL(written_device_open(&stage.device, &stage.filesystem), 0);
  CHECK_EQUAL(ebcache_session_open(stage.filesystem, &options, &stage.session), 0);
  stage_begin(&stage);
  /* Two references, of generation 1, to data; by the leaves at 1 and 2 MiB, once each. */
  unsigned char data[24 + 2 * 13] = {2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1};
  for (int ref = 0; ref < 2; ++ref) {
    data[24 + 13 * ref] = EBCACHE_TYPE_SHARED_DATA_REF;
    data[24 + 13 * ref + 3] = (unsigned char)(0x10 * (ref + 1));
    data[24 + 13 * ref + 9] = 1;
  }
  CHECK_EQUAL(
      ebcache_transaction_insert(stage.transaction, EBCACHE_TREE_EXTENT, &key, data, sizeof data),
      0);
  CHECK_EQUAL(ebcache_transaction_tree(stage.transaction, EBCACHE_TREE_EXTENT, &extents), 0);
  CHECK_EQUAL(ebcache_for_each_extent_ref(extents, key.objectid, NULL, change_at_ref, &changer),
              -ESTALE);
  CHECK_EQUAL(changer.calls, 1);
  ebcache_tree_close(extents);
  CHECK_EQUAL(ebcache_transaction_abort(stage.transaction), 0);
  stage_close(&stage);
}

static void trees_of_a_transaction(void) {
  struct stage stage;
  ebcache_tree* tree;
  ebcache_path *path, *other;
  struct ebcache_item item = {.size = sizeof item};
  struct ebcache_root root = {.size = sizeof root};
  stage_open(&stage);
  CHECK_EQUAL(ebcache_transaction_tree(stage.transaction, 4711, &tree), -ENOENT);
  CHECK(tree == NULL);
  CHECK_EQUAL(insert(stage.transaction, 3, 100, 'c'), 0);
  CHECK_EQUAL(fill_of(stage.transaction, 3), 'c');
  CHECK_EQUAL(committed_fill(stage.filesystem, 3), -ENOENT);

  /* From an item of the tree itself. */
  const struct sample_item key = make_sample_item(3, 0, 0);
  CHECK_EQUAL(ebcache_transaction_tree(stage.transaction, FILES, &tree), 0);
  CHECK_EQUAL(ebcache_search(tree, &key.key, EBCACHE_SEARCH_EXACT, &path), 0);
  CHECK_EQUAL(ebcache_path_item(path, &item), 0);
  CHECK_EQUAL(
      ebcache_transaction_replace(stage.transaction, FILES, &key.key, item.data, item.data_bytes),
      0);
  CHECK_EQUAL(fill_of(stage.transaction, 3), 'c');
  CHECK_FAILS(ebcache_search(tree, NULL, EBCACHE_SEARCH_AT_OR_AFTER, &other), ESTALE, "since");
  CHECK(other == NULL);
  CHECK_EQUAL(ebcache_path_item(path, &item), -ESTALE);
  CHECK_EQUAL(ebcache_path_next(path), -ESTALE);
  CHECK_EQUAL(ebcache_path_previous(path), -ESTALE);
  CHECK_EQUAL(ebcache_iterate(tree, NULL, NULL, change_once, &stage), -ESTALE);
  CHECK_EQUAL(ebcache_tree_root(tree, &root), 0);
  ebcache_path_close(path);
  ebcache_tree_close(tree);

  /* Changed by what visits it. */
  const struct ebcache_item_visitor visitor = {.size = sizeof visitor, .item = change_once};
  CHECK_EQUAL(ebcache_transaction_tree(stage.transaction, FILES, &tree), 0);
  CHECK_EQUAL(ebcache_iterate(tree, NULL, NULL, change_once, &stage), -ESTALE);
  ebcache_tree_close(tree);
  const struct sample_item again = make_sample_item(900, 0, 0);
  CHECK_EQUAL(ebcache_transaction_remove(stage.transaction, FILES, &again.key), 0);
  CHECK_EQUAL(ebcache_transaction_tree(stage.transaction, FILES, &tree), 0);
  CHECK_EQUAL(ebcache_iterate_past_damage(tree, NULL, NULL, &visitor, &stage), -ESTALE);
  ebcache_tree_close(tree);

  /* It may outlive the transaction, and be held over its end. */
  CHECK_EQUAL(ebcache_transaction_tree(stage.transaction, FILES, &tree), 0);
  CHECK_EQUAL(ebcache_search(tree, &key.key, EBCACHE_SEARCH_EXACT, &path), 0);
  CHECK_EQUAL(ebcache_transaction_abort(stage.transaction), 0);
  CHECK_EQUAL(ebcache_path_item(path, &item), -ESTALE);
  CHECK_EQUAL(ebcache_transaction_close(stage.transaction), 0);
  stage_begin(&stage);
  CHECK_EQUAL(ebcache_path_next(path), -ESTALE);
  ebcache_path_close(path);
  ebcache_tree_close(tree);
  CHECK_EQUAL(fill_of(stage.transaction, 3), -ENOENT);
  stage_close(&stage);
}

static void ranges_and_rewriting(void) {
  struct stage stage;
  uint64_t removed = 0;
  stage_open(&stage);
  for (int i = 0; i < 100; ++i) CHECK_EQUAL(insert(stage.transaction, i, 1000, 'r'), 0);
  const struct ebcache_key from = {.objectid = 256, .type = 24};
  const struct ebcache_key to = {.objectid = 256, .type = 24, .offset = UINT64_MAX};
  CHECK_EQUAL(ebcache_transaction_remove_range(stage.transaction, FILES, &from, &to, &removed), 0);
  CHECK_EQUAL(removed, 100);
  CHECK_EQUAL(insert(stage.transaction, 1, 1000, 's'), 0);
  stage_commit(&stage);

  stage_begin(&stage);
  struct ebcache_key next;
  int steps = 0, more = ebcache_transaction_rewrite(stage.transaction, FILES, NULL, 8, &next);
  for (; more == 1; ++steps) {
    more = ebcache_transaction_rewrite(stage.transaction, FILES, &next, 8, &next);
  }
  CHECK_EQUAL(more, 0);
  CHECK(steps > 1);
  struct ebcache_transaction_counts counts = {.size = sizeof counts};
  CHECK_EQUAL(ebcache_transaction_counts(stage.transaction, &counts), 0);
  CHECK(counts.blocks_copied > (uint64_t)steps * 8);
  CHECK_EQUAL(counts.blocks_written, 0);
  stage_commit(&stage);
  CHECK_EQUAL(committed_fill(stage.filesystem, 1), 's');
  stage_begin(&stage);
  stage_close(&stage);
}

static void trees_and_chunks_that_are_made(void) {
  struct stage stage;
  ebcache_tree* tree;
  stage_open(&stage);
  const uint64_t free_before = ebcache_session_free_bytes(stage.session);
  CHECK_EQUAL(ebcache_transaction_create_tree(stage.transaction, 300, NULL), 0);
  const struct sample_item item = make_sample_item(1, 10, 'z');
  CHECK_EQUAL(ebcache_transaction_insert(stage.transaction, 300, &item.key, item.data, item.bytes),
              0);
  const struct ebcache_new_chunk wanted = {.size = sizeof wanted,
                                           .type = EBCACHE_CHUNK_METADATA,
                                           .most_bytes = 8 << 20,
                                           .profile = EBCACHE_PROFILE_DUP};
  struct ebcache_chunk chunk = {.size = sizeof chunk};
  CHECK_EQUAL(ebcache_transaction_make_chunk(stage.transaction, &wanted, &chunk), 0);
  CHECK_EQUAL(chunk.length, 8 << 20);
  CHECK_EQUAL(chunk.stripes, 2);
  CHECK_EQUAL(chunk.profile, EBCACHE_PROFILE_DUP);
  CHECK_EQUAL(chunk.type, EBCACHE_CHUNK_METADATA | 1 << 5);
  CHECK(ebcache_session_free_bytes(stage.session) > free_before + (7 << 20));
  struct ebcache_place place = {.size = sizeof place};
  CHECK_EQUAL(ebcache_place(stage.filesystem, chunk.logical, 2, &place), 0);
  CHECK_EQUAL(place.copies, 2);
  stage_commit(&stage);
  CHECK_EQUAL(ebcache_tree_open(stage.filesystem, 300, &tree), 0);
  CHECK_EQUAL(sample_item_fill(tree, 1), 'z');
  ebcache_tree_close(tree);
  stage_begin(&stage);
  stage_close(&stage);
}

/* A reference to an extent that is nowhere: found when the extent tree is told, by the commit. */
static void a_reference_that_cannot_be(void) {
  struct stage stage;
  stage_open(&stage);
  const struct ebcache_data_reference reference = {
      .size = sizeof reference, .extent = 1 << 30, .bytes = 4096, .tree = FILES, .inode = 257};
  CHECK_EQUAL(ebcache_transaction_change_reference(stage.transaction, &reference, 0), 0);
  CHECK_EQUAL(ebcache_transaction_change_reference(stage.transaction, &reference, -1), 0);
  CHECK(ebcache_transaction_commit(stage.transaction, NULL, NULL) < 0);
  CHECK(strstr(ebcache_last_error(), "telling extents") != NULL);
  CHECK_EQUAL(ebcache_transaction_stage(stage.transaction), EBCACHE_STAGE_ABORTED);
  CHECK_EQUAL(ebcache_transaction_abort(stage.transaction), 0);
  CHECK_EQUAL(ebcache_transaction_close(stage.transaction), 0);
  stage_begin(&stage);
  CHECK_EQUAL(insert(stage.transaction, 1, 10, 'n'), 0);
  stage_commit(&stage);
  stage_begin(&stage);
  stage_close(&stage);
}

static void names_of_stages(void) {
  CHECK(strcmp(ebcache_transaction_stage_name(EBCACHE_STAGE_OPEN), "open") == 0);
  CHECK(strcmp(ebcache_transaction_stage_name(EBCACHE_STAGE_FLUSHING), "flushing") == 0);
  CHECK(strcmp(ebcache_transaction_stage_name(EBCACHE_STAGE_UNKNOWN), "unknown") == 0);
  CHECK(strcmp(ebcache_transaction_stage_name(EBCACHE_STAGE_UNKNOWN + 1), "") == 0);
}

int main(void) {
  RUN(what_is_committed_in_a_file);
  RUN(items_that_are_refused);
  RUN(all_else_that_is_refused);
  RUN(trees_of_a_transaction);
  RUN(references_of_an_extent_that_changes);
  RUN(ranges_and_rewriting);
  RUN(trees_and_chunks_that_are_made);
  RUN(a_reference_that_cannot_be);
  RUN(names_of_stages);
  return 0;
}
