/* Sessions: which are refused, what callers may do wrong with their handles, views, the way back. */

#include <errno.h>
#include <unistd.h>

#include "tests/capi/check.h"
#include "tests/capi/sample_image.h"
#include "tests/capi/sample_item.h"
#include "tests/capi/written_device.h"

/* A session over a device in memory. */
struct stage {
  struct written_device device;
  ebcache_filesystem* filesystem;
  ebcache_session* session;
};

static void stage_open(struct stage* stage, const struct ebcache_session_options* options) {
  CHECK_EQUAL(written_device_open(&stage->device, &stage->filesystem), 0);
  CHECK_EQUAL(ebcache_session_open(stage->filesystem, options, &stage->session), 0);
}

static void stage_close(struct stage* stage) {
  CHECK_EQUAL(ebcache_session_close(stage->session), 0);
  CHECK_EQUAL(ebcache_close(stage->filesystem), 0);
}

/* One transaction: attribute 1 with that value. */
static void put(ebcache_session* session, char fill) {
  const struct sample_item item = make_sample_item(1, 100, fill);
  ebcache_transaction* transaction;
  CHECK_EQUAL(ebcache_transaction_begin(session, &transaction), 0);
  int error = ebcache_transaction_replace(transaction, FILES, &item.key, item.data, item.bytes);
  if (error == -ENOENT) {
    error = ebcache_transaction_insert(transaction, FILES, &item.key, item.data, item.bytes);
  }
  CHECK_EQUAL(error, 0);
  CHECK_EQUAL(ebcache_transaction_commit(transaction, NULL, NULL), 0);
  CHECK_EQUAL(ebcache_transaction_close(transaction), 0);
}

static int committed_fill(ebcache_filesystem* filesystem) {
  ebcache_tree* tree;
  CHECK_EQUAL(ebcache_tree_open(filesystem, FILES, &tree), 0);
  const int fill = sample_item_fill(tree, 1);
  ebcache_tree_close(tree);
  return fill;
}

static const char* undo_path(void) {
  static char path[2048];
  snprintf(path, sizeof path, "%s.undo", sample_image());
  return path;
}

static void what_cannot_be_opened(void) {
  struct written_device device;
  ebcache_filesystem* filesystem;
  ebcache_session* session;
  const char* const paths[] = {sample_image()};
  CHECK_EQUAL(ebcache_open(paths, 1, NULL, &filesystem), 0);
  CHECK_FAILS(ebcache_session_open(filesystem, NULL, &session), EACCES, "reading only");
  CHECK(session == NULL);
  CHECK_EQUAL(ebcache_close(filesystem), 0);

  written_device_init(&device);
  struct ebcache_device functions = written_device_functions(&device);
  const struct ebcache_device* const devices[] = {&functions};
  const struct ebcache_filesystem_options writable = {.size = sizeof writable, .writable = 1};
  functions.flush = NULL;
  CHECK_FAILS(ebcache_open_devices(devices, 1, &writable, &filesystem), EINVAL,
              "devices[0]->flush is NULL");
  CHECK_EQUAL(ebcache_open_devices(devices, 1, NULL, &filesystem), 0); /* for reading it will do */
  CHECK_EQUAL(ebcache_close(filesystem), 0);
  functions = written_device_functions(&device);
  functions.write = NULL;
  CHECK_FAILS(ebcache_open_devices(devices, 1, &writable, &filesystem), EINVAL,
              "devices[0]->write is NULL");
  /* A caller of an earlier header has neither. */
  functions = written_device_functions(&device);
  functions.size = offsetof(struct ebcache_device, write);
  CHECK_EQUAL(ebcache_open_devices(devices, 1, &writable, &filesystem), -EINVAL);
  CHECK_EQUAL(ebcache_open_devices(devices, 1, NULL, &filesystem), 0);
  CHECK_EQUAL(ebcache_close(filesystem), 0);
  CHECK_EQUAL(device.closed, 2);
  written_device_free(&device);
}

static void what_is_over_or_taken(void) {
  struct stage stage;
  ebcache_session* other;
  ebcache_transaction *first, *second;
  ebcache_view* view;
  ebcache_tree* tree;
  written_device_init(&stage.device);
  stage_open(&stage, NULL);
  CHECK_FAILS(ebcache_session_open(stage.filesystem, NULL, &other), EBUSY, "another session");
  CHECK_FAILS(ebcache_close(stage.filesystem), EBUSY, "session");
  CHECK_EQUAL(ebcache_transaction_begin(stage.session, &first), 0);
  CHECK_FAILS(ebcache_transaction_begin(stage.session, &second), EBUSY, "another transaction");
  CHECK(second == NULL);
  CHECK_FAILS(ebcache_session_settle(stage.session), EBUSY, "transaction");
  CHECK_FAILS(ebcache_session_close(stage.session), EBUSY, "transactions");
  CHECK_FAILS(ebcache_close(stage.filesystem), EBUSY, "session");

  CHECK_EQUAL(ebcache_transaction_set_label(first, "one"), 0);
  CHECK_EQUAL(ebcache_transaction_commit(first, NULL, NULL), 0);
  CHECK_EQUAL(ebcache_transaction_stage(first), EBCACHE_STAGE_COMMITTED);
  CHECK_FAILS(ebcache_transaction_commit(first, NULL, NULL), EINVAL, "committed");
  CHECK_FAILS(ebcache_transaction_abort(first), EINVAL, "committed");
  CHECK_FAILS(ebcache_transaction_set_label(first, "two"), EINVAL, "committed");
  CHECK_FAILS(ebcache_transaction_tree(first, FILES, &tree), EINVAL, "committed");
  CHECK_FAILS(ebcache_transaction_check(first), EINVAL, "committed");
  /* Its handle is left, and that of the next one beside it. */
  CHECK_EQUAL(ebcache_transaction_begin(stage.session, &second), 0);
  CHECK_EQUAL(ebcache_transaction_abort(second), 0);
  CHECK_EQUAL(ebcache_transaction_abort(second), 0);
  CHECK_FAILS(ebcache_transaction_commit(second, NULL, NULL), EINVAL, "aborted");
  CHECK_EQUAL(ebcache_transaction_close(second), 0);
  CHECK_FAILS(ebcache_session_close(stage.session), EBUSY, "transactions");
  CHECK_EQUAL(ebcache_transaction_close(first), 0);

  CHECK_EQUAL(ebcache_view_open(stage.session, &view), 0);
  CHECK_FAILS(ebcache_session_close(stage.session), EBUSY, "views");
  ebcache_view_close(view);
  stage_close(&stage);
  CHECK_EQUAL(written_device_open(&stage.device, &stage.filesystem), 0);
  struct ebcache_filesystem_info info = {.size = sizeof info};
  CHECK_EQUAL(ebcache_filesystem_info(stage.filesystem, &info), 0);
  CHECK(strcmp(info.label, "one") == 0);
  CHECK_EQUAL(ebcache_close(stage.filesystem), 0);
  written_device_free(&stage.device);
}

static void nothing_where_something_must_be(void) {
  ebcache_session* session;
  ebcache_transaction* transaction;
  ebcache_view* view;
  ebcache_tree* tree;
  struct ebcache_key key = {0};
  struct ebcache_transaction_counts counts = {.size = sizeof counts};
  const struct ebcache_new_chunk wanted = {.size = sizeof wanted};
  const struct ebcache_data_reference reference = {.size = sizeof reference};
  CHECK_FAILS(ebcache_session_open(NULL, NULL, &session), EINVAL, "filesystem is NULL");
  CHECK_FAILS(ebcache_session_settle(NULL), EINVAL, "session is NULL");
  CHECK_FAILS(ebcache_view_open(NULL, &view), EINVAL, "session is NULL");
  CHECK_FAILS(ebcache_view_tree(NULL, 5, &tree), EINVAL, "view is NULL");
  CHECK_FAILS(ebcache_transaction_begin(NULL, &transaction), EINVAL, "session is NULL");
  CHECK_FAILS(ebcache_transaction_commit(NULL, NULL, NULL), EINVAL, "transaction is NULL");
  CHECK_FAILS(ebcache_transaction_abort(NULL), EINVAL, "transaction is NULL");
  CHECK_FAILS(ebcache_transaction_check(NULL), EINVAL, "transaction is NULL");
  CHECK_FAILS(ebcache_transaction_counts(NULL, &counts), EINVAL, "transaction is NULL");
  CHECK_FAILS(ebcache_transaction_tree(NULL, 5, &tree), EINVAL, "transaction is NULL");
  CHECK_FAILS(ebcache_transaction_insert(NULL, 5, &key, "", 0), EINVAL, "transaction is NULL");
  CHECK_FAILS(ebcache_transaction_insert(NULL, 5, NULL, "", 0), EINVAL, "key is NULL");
  CHECK_FAILS(ebcache_transaction_replace(NULL, 5, &key, NULL, 1), EINVAL, "data is NULL");
  CHECK_FAILS(ebcache_transaction_remove(NULL, 5, NULL), EINVAL, "key is NULL");
  CHECK_FAILS(ebcache_transaction_remove_range(NULL, 5, NULL, NULL, NULL), EINVAL, "transaction");
  CHECK_FAILS(ebcache_transaction_change_reference(NULL, NULL, 1), EINVAL, "reference is NULL");
  CHECK_FAILS(ebcache_transaction_change_reference(NULL, &reference, 1), EINVAL, "transaction");
  CHECK_FAILS(ebcache_transaction_create_tree(NULL, 300, NULL), EINVAL, "transaction is NULL");
  CHECK_FAILS(ebcache_transaction_rewrite(NULL, 5, NULL, 1, NULL), EINVAL, "next is NULL");
  CHECK_FAILS(ebcache_transaction_rewrite(NULL, 5, NULL, 1, &key), EINVAL, "transaction is NULL");
  CHECK_FAILS(ebcache_transaction_make_chunk(NULL, NULL, NULL), EINVAL, "wanted is NULL");
  CHECK_FAILS(ebcache_transaction_make_chunk(NULL, &wanted, NULL), EINVAL, "transaction is NULL");
  CHECK_FAILS(ebcache_transaction_set_label(NULL, "x"), EINVAL, "transaction is NULL");
  CHECK_FAILS(ebcache_undo(NULL, 1, "x"), EINVAL, "paths is NULL");
  CHECK_FAILS(ebcache_undo_devices(NULL, 1, "x"), EINVAL, "devices is NULL");
  CHECK_FAILS(ebcache_undo_devices(NULL, 1, NULL), EINVAL, "undo_file is NULL");
  CHECK_EQUAL(ebcache_session_close(NULL), 0);
  CHECK_EQUAL(ebcache_transaction_close(NULL), 0);
  ebcache_view_close(NULL);
  CHECK_EQUAL(ebcache_view_generation(NULL), 0);
  CHECK_EQUAL(ebcache_transaction_generation(NULL), 0);
  CHECK_EQUAL(ebcache_session_free_bytes(NULL), 0);
  CHECK_EQUAL(ebcache_transaction_stage(NULL), EBCACHE_STAGE_ABORTED);
}

/* What the functions of caches may do with blocks of a filesystem that is being changed. */
static void blocks_are_the_transactions(void) {
  struct stage stage;
  ebcache_transaction* transaction;
  written_device_init(&stage.device);
  stage_open(&stage, NULL);
  ebcache_cache* cache = ebcache_filesystem_cache(stage.filesystem);
  CHECK_EQUAL(ebcache_transaction_begin(stage.session, &transaction), 0);
  const struct sample_item item = make_sample_item(1, 100, 'm');
  CHECK_EQUAL(ebcache_transaction_insert(transaction, FILES, &item.key, item.data, item.bytes), 0);
  ebcache_buffer* dirty = ebcache_next_dirty(cache, 0);
  CHECK(dirty != NULL);
  CHECK_EQUAL(ebcache_give_up_writes(cache), 0);
  CHECK_FAILS(ebcache_give_up_write(cache, dirty), EBUSY, "session");
  CHECK_FAILS(ebcache_reinit(cache, dirty, 101), EBUSY, "session");
  CHECK_FAILS(ebcache_writeback(cache, dirty), EACCES, "transactions");
  CHECK_FAILS(ebcache_writeback_all(cache), EACCES, "transactions");
  CHECK_EQUAL(stage.device.writes, 0);
  /* This one knows no cache. What it does to the block is noticed. */
  CHECK_EQUAL(ebcache_clear_dirty(dirty), 0);
  CHECK_FAILS(ebcache_transaction_commit(transaction, NULL, NULL), ECANCELED, "something else");
  CHECK_EQUAL(ebcache_transaction_stage(transaction), EBCACHE_STAGE_ABORTED);
  CHECK_EQUAL(stage.device.writes, 0);
  ebcache_put(dirty);
  CHECK_EQUAL(ebcache_transaction_close(transaction), 0);
  put(stage.session, 'n');
  stage_close(&stage);
  written_device_free(&stage.device);
}

static void views(void) {
  struct stage stage;
  ebcache_view *old, *newer;
  ebcache_tree* tree;
  written_device_init(&stage.device);
  stage_open(&stage, NULL);
  put(stage.session, 'a');
  CHECK_EQUAL(ebcache_view_open(stage.session, &old), 0);
  CHECK_EQUAL(ebcache_view_tree(old, 4711, &tree), -ENOENT);
  for (char fill = 'b'; fill < 'k'; ++fill) put(stage.session, fill);
  CHECK_EQUAL(ebcache_view_open(stage.session, &newer), 0);
  CHECK_EQUAL(ebcache_view_generation(newer), ebcache_view_generation(old) + 9);
  ebcache_drop_caches(ebcache_filesystem_cache(stage.filesystem));
  CHECK_EQUAL(ebcache_view_tree(old, FILES, &tree), 0);
  CHECK_EQUAL(sample_item_fill(tree, 1), 'a');
  ebcache_tree_close(tree);
  CHECK_EQUAL(ebcache_view_tree(newer, FILES, &tree), 0);
  CHECK_EQUAL(sample_item_fill(tree, 1), 'j');
  ebcache_view_close(newer);
  ebcache_view_close(old);
  ebcache_tree_close(tree);
  stage_close(&stage);
  written_device_free(&stage.device);
}

static void the_way_back(void) {
  struct stage stage;
  unsigned char before[4096], after[4096];
  const struct ebcache_session_options options = {.size = sizeof options, .undo_file = undo_path()};
  ebcache_session* other;
  written_device_init(&stage.device);
  const struct ebcache_device functions = written_device_functions(&stage.device);
  const struct ebcache_device* const devices[] = {&functions};
  struct ebcache_device mute = functions;
  const struct ebcache_device* const without[] = {&mute};
  mute.flush = NULL;
  CHECK_FAILS(ebcache_undo_devices(without, 1, undo_path()), EINVAL, "devices[0]->flush is NULL");
  written_device_look(&stage.device, 65536, before, sizeof before);
  CHECK_FAILS(ebcache_undo_devices(devices, 1, undo_path()), ENOENT, undo_path());
  stage_open(&stage, &options);
  put(stage.session, 'u');
  stage_close(&stage);
  CHECK_EQUAL(access(undo_path(), F_OK), 0);
  CHECK_EQUAL(written_device_open(&stage.device, &stage.filesystem), 0);
  CHECK_EQUAL(committed_fill(stage.filesystem), 'u');
  CHECK_FAILS(ebcache_session_open(stage.filesystem, &options, &other), EEXIST, "undo");
  CHECK_EQUAL(ebcache_close(stage.filesystem), 0);
  CHECK_EQUAL(ebcache_undo_devices(devices, 1, undo_path()), 0);
  CHECK_EQUAL(stage.device.closed, 2); /* by the filesystems alone */
  CHECK_EQUAL(access(undo_path(), F_OK), -1);
  written_device_look(&stage.device, 65536, after, sizeof after);
  CHECK(memcmp(before, after, sizeof after) == 0);

  /* Settled, there is no way back; nor where something else has written since. */
  stage_open(&stage, &options);
  put(stage.session, 'v');
  CHECK_EQUAL(ebcache_session_settle(stage.session), 0);
  CHECK_EQUAL(access(undo_path(), F_OK), -1);
  CHECK_EQUAL(ebcache_session_settle(stage.session), 0);
  stage_close(&stage);
  stage_open(&stage, &options);
  put(stage.session, 'w');
  stage_close(&stage);
  stage_open(&stage, NULL);
  put(stage.session, 'x');
  stage_close(&stage);
  CHECK_FAILS(ebcache_undo_devices(devices, 1, undo_path()), EPERM, "something else");
  CHECK_FAILS(ebcache_undo_devices(devices, 0, undo_path()), EINVAL, "more devices");
  CHECK_EQUAL(unlink(undo_path()), 0);
  written_device_free(&stage.device);
}

static void the_way_back_of_a_file(void) {
  struct stage stage;
  char path[2048], command[8192];
  const struct ebcache_session_options options = {.size = sizeof options, .undo_file = undo_path()};
  const struct ebcache_filesystem_options writable = {.size = sizeof writable, .writable = 1};
  snprintf(path, sizeof path, "%s.undone", sample_image());
  snprintf(command, sizeof command, "cp --sparse=always '%s' '%s'", sample_image(), path);
  CHECK_EQUAL(system(command), 0);
  const char* const paths[] = {path};
  CHECK_EQUAL(ebcache_open(paths, 1, &writable, &stage.filesystem), 0);
  CHECK_EQUAL(ebcache_session_open(stage.filesystem, &options, &stage.session), 0);
  put(stage.session, 'y');
  CHECK_FAILS(ebcache_undo(paths, 1, undo_path()), EBUSY, "open for writing");
  stage_close(&stage);
  CHECK_EQUAL(ebcache_undo(paths, 1, undo_path()), 0);
  CHECK_FAILS(ebcache_undo(paths, 1, undo_path()), ENOENT, undo_path());
  CHECK_EQUAL(ebcache_open(paths, 1, NULL, &stage.filesystem), 0);
  CHECK_EQUAL(committed_fill(stage.filesystem), -ENOENT);
  CHECK_EQUAL(ebcache_close(stage.filesystem), 0);
  CHECK_EQUAL(unlink(path), 0);
}

/* Every function of the session, from a callback of its device. */
struct nested {
  ebcache_session* session;
  ebcache_transaction* transaction;
  int calls;
};

static void call_all(void* context) {
  struct nested* nested = context;
  ebcache_transaction* const in = nested->transaction;
  ebcache_transaction* other;
  ebcache_tree* tree;
  const struct sample_item item = make_sample_item(2, 10, 'z');
  if (in == NULL || ++nested->calls > 3) return;
  CHECK_FAILS(ebcache_transaction_insert(in, FILES, &item.key, item.data, item.bytes), EBUSY,
              "under way");
  CHECK_EQUAL(ebcache_transaction_set_label(in, "x"), -EBUSY);
  CHECK_EQUAL(ebcache_transaction_commit(in, NULL, NULL), -EBUSY);
  CHECK_EQUAL(ebcache_transaction_abort(in), -EBUSY);
  CHECK_EQUAL(ebcache_transaction_tree(in, FILES, &tree), -EBUSY);
  CHECK_EQUAL(ebcache_transaction_close(in), -EBUSY);
  CHECK_EQUAL(ebcache_transaction_begin(nested->session, &other), -EBUSY);
  CHECK_EQUAL(ebcache_session_settle(nested->session), -EBUSY);
  CHECK_EQUAL(ebcache_session_close(nested->session), -EBUSY);
  CHECK(ebcache_transaction_stage(in) > EBCACHE_STAGE_OPEN);
}

static void calls_from_callbacks(void) {
  struct stage stage;
  struct nested nested = {0};
  written_device_init(&stage.device);
  stage.device.during = call_all;
  stage.device.during_context = &nested;
  stage_open(&stage, NULL);
  nested.session = stage.session;
  CHECK_EQUAL(ebcache_transaction_begin(stage.session, &nested.transaction), 0);
  const struct sample_item item = make_sample_item(1, 10, 'o');
  CHECK_EQUAL(
      ebcache_transaction_insert(nested.transaction, FILES, &item.key, item.data, item.bytes), 0);
  CHECK_EQUAL(ebcache_transaction_commit(nested.transaction, NULL, NULL), 0);
  CHECK(nested.calls > 0);
  CHECK_EQUAL(ebcache_transaction_close(nested.transaction), 0);
  nested.transaction = NULL;
  CHECK_EQUAL(committed_fill(stage.filesystem), 'o');
  stage_close(&stage);
  written_device_free(&stage.device);
}

int main(void) {
  RUN(what_cannot_be_opened);
  RUN(what_is_over_or_taken);
  RUN(nothing_where_something_must_be);
  RUN(blocks_are_the_transactions);
  RUN(views);
  RUN(the_way_back);
  RUN(the_way_back_of_a_file);
  RUN(calls_from_callbacks);
  return 0;
}
