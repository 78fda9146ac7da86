/* Previews, and what of a transaction concerns the filesystem as a whole: dropped trees, other forms of
 * telling of space, another UUID. */

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/capi/check.h"
#include "tests/capi/sample_image.h"
#include "tests/capi/sample_item.h"
#include "tests/capi/written_device.h"

static const struct ebcache_filesystem_options for_writing = {.size = sizeof for_writing,
                                                              .writable = 1};

static int insert(ebcache_transaction* transaction, int number, char fill) {
  const struct sample_item item = make_sample_item(number, 100, fill);
  return ebcache_transaction_insert(transaction, FILES, &item.key, item.data, item.bytes);
}

/* A commit that inserts an attribute. */
static void change(ebcache_filesystem* filesystem, int number, char fill) {
  ebcache_session* session;
  ebcache_transaction* transaction;
  CHECK_EQUAL(ebcache_session_open(filesystem, NULL, &session), 0);
  CHECK_EQUAL(ebcache_transaction_begin(session, &transaction), 0);
  CHECK_EQUAL(insert(transaction, number, fill), 0);
  CHECK_EQUAL(ebcache_transaction_commit(transaction, NULL, NULL), 0);
  CHECK_EQUAL(ebcache_transaction_close(transaction), 0);
  CHECK_EQUAL(ebcache_session_close(session), 0);
}

/* -ENOENT: it has none. */
static int fill_of(ebcache_filesystem* filesystem, int number) {
  ebcache_tree* tree;
  CHECK_EQUAL(ebcache_tree_open(filesystem, FILES, &tree), 0);
  const int fill = sample_item_fill(tree, number);
  ebcache_tree_close(tree);
  return fill;
}

static int fill_on(struct written_device* device, int number) {
  ebcache_filesystem* filesystem;
  CHECK_EQUAL(written_device_open(device, &filesystem), 0);
  const int fill = fill_of(filesystem, number);
  CHECK_EQUAL(ebcache_close(filesystem), 0);
  return fill;
}

static ebcache_preview* preview_of(struct written_device* device,
                                   const struct ebcache_preview_options* options) {
  const struct ebcache_device functions = written_device_functions(device);
  const struct ebcache_device* const devices[] = {&functions};
  ebcache_preview* preview;
  CHECK_EQUAL(ebcache_preview_open_devices(devices, 1, options, &preview), 0);
  return preview;
}

static ebcache_filesystem* filesystem_of(ebcache_preview* preview) {
  ebcache_filesystem* filesystem;
  CHECK_EQUAL(ebcache_preview_filesystem(preview, &for_writing, &filesystem), 0);
  return filesystem;
}

static void what_is_thrown_away_was_never_there(void) {
  struct written_device device;
  written_device_init(&device);
  ebcache_preview* const preview = preview_of(&device, NULL);
  CHECK_EQUAL(ebcache_preview_changed_bytes(preview), 0);
  ebcache_filesystem* filesystem = filesystem_of(preview);
  change(filesystem, 1, 'p');
  CHECK_EQUAL(fill_of(filesystem, 1), 'p');
  ebcache_filesystem* second;
  CHECK_FAILS(ebcache_preview_filesystem(preview, &for_writing, &second), EPERM, "open");
  CHECK_EQUAL(ebcache_preview_apply(preview), -EPERM);
  CHECK_FAILS(ebcache_preview_close(preview), EBUSY, "filesystems");
  CHECK_EQUAL(ebcache_close(filesystem), 0);
  CHECK(ebcache_preview_changed_bytes(preview) > 0);
  CHECK_EQUAL(device.writes, 0);
  /* What it has by now can be opened again. */
  filesystem = filesystem_of(preview);
  CHECK_EQUAL(fill_of(filesystem, 1), 'p');
  CHECK_EQUAL(ebcache_close(filesystem), 0);
  CHECK_EQUAL(ebcache_preview_close(preview), 0);
  CHECK_EQUAL(device.writes, 0);
  CHECK_EQUAL(fill_on(&device, 1), -ENOENT);
  written_device_free(&device);
}

static void what_is_applied_is_there(void) {
  char file[2048];
  snprintf(file, sizeof file, "%s.preview", sample_image());
  const struct ebcache_preview_options in_file = {.size = sizeof in_file, .file = file};
  struct written_device device;
  written_device_init(&device);
  ebcache_preview* const preview = preview_of(&device, &in_file);
  CHECK(access(file, F_OK) != 0);
  ebcache_filesystem* const filesystem = filesystem_of(preview);
  change(filesystem, 1, 'a');
  change(filesystem, 2, 'b');
  CHECK_EQUAL(ebcache_close(filesystem), 0);
  CHECK_EQUAL(ebcache_preview_apply(preview), 0);
  CHECK(device.flushes > 0);
  CHECK_EQUAL(ebcache_preview_apply(preview), -EPERM);
  CHECK_EQUAL(ebcache_preview_close(preview), 0);
  CHECK_EQUAL(fill_on(&device, 1), 'a');
  CHECK_EQUAL(fill_on(&device, 2), 'b');
  written_device_free(&device);
}

static void what_cannot_be_applied(void) {
  struct written_device device;
  written_device_init(&device);
  const struct ebcache_preview_options to_look = {.size = sizeof to_look, .not_applicable = 1};
  ebcache_preview* preview = preview_of(&device, &to_look);
  ebcache_filesystem* filesystem = filesystem_of(preview);
  change(filesystem, 1, 'p');
  CHECK_EQUAL(ebcache_close(filesystem), 0);
  CHECK_EQUAL(ebcache_preview_apply(preview), -EPERM);
  CHECK_EQUAL(ebcache_preview_close(preview), 0);
  CHECK_EQUAL(device.writes, 0);
  /* Something else was quicker. */
  preview = preview_of(&device, NULL);
  filesystem = filesystem_of(preview);
  change(filesystem, 1, 'p');
  CHECK_EQUAL(ebcache_close(filesystem), 0);
  ebcache_filesystem* other;
  CHECK_EQUAL(written_device_open(&device, &other), 0);
  change(other, 2, 'o');
  CHECK_EQUAL(ebcache_close(other), 0);
  CHECK_EQUAL(ebcache_preview_apply(preview), -EPERM);
  CHECK_EQUAL(ebcache_preview_close(preview), 0);
  CHECK_EQUAL(fill_on(&device, 1), -ENOENT);
  CHECK_EQUAL(fill_on(&device, 2), 'o');
  written_device_free(&device);
}

static void misuse_of_previews(void) {
  ebcache_preview* preview;
  const char* const paths[] = {"/nowhere/disk"};
  CHECK_EQUAL(ebcache_preview_open(paths, 1, NULL, &preview), -ENOENT);
  CHECK(preview == NULL);
  CHECK_FAILS(ebcache_preview_open(NULL, 1, NULL, &preview), EINVAL, "paths");
  CHECK_FAILS(ebcache_preview_open(paths, 1, NULL, NULL), EINVAL, "preview");
  struct ebcache_preview_options wrong = {.size = sizeof wrong, .file = ""};
  CHECK_FAILS(ebcache_preview_open(paths, 1, &wrong, &preview), EINVAL, "file");
  wrong.size = 3;
  CHECK_FAILS(ebcache_preview_open(paths, 1, &wrong, &preview), EINVAL, "options");
  CHECK_EQUAL(ebcache_preview_close(NULL), 0);
  CHECK_EQUAL(ebcache_preview_changed_bytes(NULL), 0);
  CHECK_FAILS(ebcache_preview_apply(NULL), EINVAL, "preview");
  ebcache_filesystem* filesystem;
  CHECK_FAILS(ebcache_preview_filesystem(NULL, NULL, &filesystem), EINVAL, "preview");
}

/* ---- Of the filesystem as a whole ------------------------------------------------------------ */

static void forms_trees_and_uuids(void) {
  struct written_device device;
  ebcache_filesystem* filesystem;
  ebcache_session* session;
  ebcache_transaction* transaction;
  written_device_init(&device);
  CHECK_EQUAL(written_device_open(&device, &filesystem), 0);
  CHECK_EQUAL(ebcache_session_open(filesystem, NULL, &session), 0);
  CHECK_EQUAL(ebcache_transaction_begin(session, &transaction), 0);
  const uint32_t free_space = EBCACHE_FREE_SPACE_TREE, groups = EBCACHE_BLOCK_GROUP_TREE;
  CHECK_FAILS(ebcache_transaction_set_space_form(transaction, 3, 1), EINVAL, "form");
  CHECK_EQUAL(ebcache_transaction_set_space_form(transaction, free_space, 1), 0);
  CHECK_EQUAL(ebcache_transaction_set_space_form(transaction, groups, 1), 1);
  CHECK_FAILS(ebcache_transaction_set_space_form(transaction, free_space, 0), EINVAL,
              "block group tree");
  CHECK_EQUAL(ebcache_transaction_check(transaction), 0);
  CHECK_EQUAL(ebcache_transaction_set_space_form(transaction, groups, 0), 1);
  CHECK_EQUAL(ebcache_transaction_set_space_form(transaction, free_space, 0), 1);
  CHECK_EQUAL(ebcache_transaction_set_space_form(transaction, free_space, 0), 0);
  CHECK_EQUAL(ebcache_transaction_create_tree(transaction, 300, NULL), 0);
  CHECK_EQUAL(ebcache_transaction_drop_tree(transaction, 300), 0);
  CHECK_EQUAL(ebcache_transaction_drop_tree(transaction, 300), -ENOENT);
  CHECK_EQUAL(ebcache_transaction_drop_tree(transaction, 1), -EINVAL);
  CHECK_FAILS(ebcache_transaction_set_fsid(transaction, NULL), EINVAL, "fsid");
  static const unsigned char zeroes[16];
  CHECK_EQUAL(ebcache_transaction_set_fsid(transaction, zeroes), -EINVAL);
  CHECK_EQUAL(ebcache_transaction_set_fsid(transaction, "sixteen bytes it"), 0);
  CHECK_EQUAL(ebcache_transaction_commit(transaction, NULL, NULL), 0);
  CHECK_EQUAL(ebcache_transaction_close(transaction), 0);
  CHECK_EQUAL(ebcache_session_close(session), 0);
  CHECK_EQUAL(ebcache_close(filesystem), 0);
  struct ebcache_filesystem_info info = {.size = sizeof info};
  CHECK_EQUAL(written_device_open(&device, &filesystem), 0);
  CHECK_EQUAL(ebcache_filesystem_info(filesystem, &info), 0);
  CHECK(memcmp(info.fsid, "sixteen bytes it", 16) == 0);
  change(filesystem, 1, 'x');
  CHECK_EQUAL(ebcache_close(filesystem), 0);
  written_device_free(&device);
}

static void commits_without_progress(void) {
  struct written_device device;
  ebcache_filesystem* filesystem;
  ebcache_session* session;
  ebcache_transaction* transaction;
  written_device_init(&device);
  CHECK_EQUAL(written_device_open(&device, &filesystem), 0);
  struct ebcache_session_options options = {.size = sizeof options,
                                            .most_commits_without_progress = 1};
  CHECK_EQUAL(ebcache_session_open(filesystem, &options, &session), 0);
  for (int commit = 0; commit < 2; ++commit) {
    CHECK_EQUAL(ebcache_transaction_begin(session, &transaction), 0);
    CHECK_EQUAL(ebcache_transaction_set_label(transaction, commit == 0 ? "one" : "two"), 0);
    CHECK_EQUAL(ebcache_transaction_commit(transaction, NULL, NULL), commit == 0 ? 0 : -EPERM);
    if (commit == 0) CHECK_EQUAL(ebcache_transaction_close(transaction), 0);
  }
  /* It is as it was, and comes further now. */
  CHECK_EQUAL(ebcache_transaction_check(transaction), 0);
  CHECK_EQUAL(insert(transaction, 1, 'x'), 0);
  CHECK_EQUAL(ebcache_transaction_commit(transaction, NULL, NULL), 0);
  CHECK_EQUAL(ebcache_transaction_close(transaction), 0);
  CHECK_EQUAL(ebcache_session_close(session), 0);
  options.most_commits_without_progress = (uint64_t)1 << 32;
  CHECK_FAILS(ebcache_session_open(filesystem, &options, &session), EINVAL, "progress");
  options.most_commits_without_progress = EBCACHE_UNLIMITED;
  CHECK_EQUAL(ebcache_session_open(filesystem, &options, &session), 0);
  CHECK_EQUAL(ebcache_session_close(session), 0);
  CHECK_EQUAL(ebcache_close(filesystem), 0);
  written_device_free(&device);
}

int main(void) {
  RUN(what_is_thrown_away_was_never_there);
  RUN(what_is_applied_is_there);
  RUN(what_cannot_be_applied);
  RUN(misuse_of_previews);
  RUN(forms_trees_and_uuids);
  RUN(commits_without_progress);
  return 0;
}
