/* What the options of a session do. */

#include <errno.h>

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

static int committed_fill(ebcache_filesystem* filesystem) {
  ebcache_tree* tree;
  CHECK_EQUAL(ebcache_tree_open(filesystem, FILES, &tree), 0);
  const int fill = sample_item_fill(tree, 1);
  ebcache_tree_close(tree);
  return fill;
}

static void options_of_sessions(void) {
  struct stage stage;
  ebcache_session* other;
  written_device_init(&stage.device);
  struct ebcache_session_options options = {.size = sizeof options, .undo_file = ""};
  CHECK_EQUAL(written_device_open(&stage.device, &stage.filesystem), 0);
  CHECK_FAILS(ebcache_session_open(stage.filesystem, &options, &other), EINVAL, "undo_file");
  options.undo_file = NULL;
  options.existing_extents = 3;
  CHECK_FAILS(ebcache_session_open(stage.filesystem, &options, &other), EINVAL, "existing");
  options.existing_extents = 0;
  options.rewrite_threads = 1025;
  CHECK_FAILS(ebcache_session_open(stage.filesystem, &options, &other), EINVAL, "rewrite_threads");
  options.rewrite_threads = 0;
  options.size = 1 << 20;
  CHECK_FAILS(ebcache_session_open(stage.filesystem, &options, &other), EINVAL, "size");
  struct {
    struct ebcache_session_options known;
    uint64_t unknown;
  } later = {.known = {.size = sizeof later}, .unknown = 1};
  CHECK_FAILS(ebcache_session_open(stage.filesystem, &later.known, &other), E2BIG, "version");
  options.size = sizeof options;
  options.undo_file = "/nowhere/undo";
  CHECK_FAILS(ebcache_session_open(stage.filesystem, &options, &other), ENOENT, "/nowhere/undo");
  CHECK_EQUAL(ebcache_close(stage.filesystem), 0); /* none of them is left */

  /* With it, what a transaction keeps may be changed. */
  ebcache_transaction* transaction;
  const struct ebcache_key key = {.objectid = 1, .type = 1};
  for (uint32_t change = 0; change < 2; ++change) {
    const struct ebcache_session_options how = {.size = sizeof how,
                                                .leave_neighbours = 1,
                                                .most_unwritten_bytes = 1,
                                                .existing_extents = EBCACHE_EXISTING_KEEP,
                                                .drop_log = 1,
                                                .change_space_trees = change};
    stage_open(&stage, &how);
    CHECK_EQUAL(ebcache_transaction_begin(stage.session, &transaction), 0);
    CHECK_EQUAL(ebcache_transaction_remove(transaction, 2, &key), change ? -ENOENT : -EINVAL);
    CHECK_EQUAL(ebcache_transaction_close(transaction), 0);
    stage_close(&stage);
  }
  written_device_free(&stage.device);
}

/* Reading ahead changes nothing of what a rewrite copies. */
static void threads_of_a_rewrite(void) {
  struct stage stage;
  written_device_init(&stage.device);
  uint64_t copied[2];
  for (uint64_t threads = 0; threads < 2; ++threads) {
    const struct ebcache_session_options options = {.size = sizeof options,
                                                    .rewrite_threads = threads};
    ebcache_transaction* transaction;
    struct ebcache_transaction_counts counts = {.size = sizeof counts};
    struct ebcache_key next;
    stage_open(&stage, &options);
    CHECK_EQUAL(ebcache_transaction_begin(stage.session, &transaction), 0);
    CHECK_EQUAL(ebcache_transaction_rewrite(transaction, FILES, NULL, 1000000, &next), 0);
    CHECK_EQUAL(ebcache_transaction_counts(transaction, &counts), 0);
    copied[threads] = counts.blocks_copied;
    CHECK_EQUAL(ebcache_transaction_commit(transaction, NULL, NULL), 0);
    CHECK_EQUAL(ebcache_transaction_close(transaction), 0);
    stage_close(&stage);
  }
  CHECK_EQUAL(copied[0], copied[1]);
  CHECK(copied[0] > 0);
  written_device_free(&stage.device);
}

/* More than may wait is written before the commit. */
static void what_may_wait_in_memory(void) {
  struct stage stage;
  written_device_init(&stage.device);
  const struct ebcache_session_options options = {.size = sizeof options,
                                                  .most_unwritten_bytes = 1};
  ebcache_transaction* transaction;
  struct ebcache_transaction_counts counts = {.size = sizeof counts};
  stage_open(&stage, &options);
  CHECK_EQUAL(ebcache_transaction_begin(stage.session, &transaction), 0);
  for (int i = 0; i < 600; ++i) {
    const struct sample_item item = make_sample_item(i, 3900, 'w');
    CHECK_EQUAL(ebcache_transaction_insert(transaction, FILES, &item.key, item.data, item.bytes),
                0);
  }
  CHECK_EQUAL(ebcache_transaction_counts(transaction, &counts), 0);
  CHECK(counts.blocks_written_early > 0);
  CHECK_EQUAL(ebcache_transaction_commit(transaction, NULL, NULL), 0);
  CHECK_EQUAL(ebcache_transaction_close(transaction), 0);
  CHECK_EQUAL(committed_fill(stage.filesystem), 'w');
  stage_close(&stage);
  written_device_free(&stage.device);
}

/* What a transaction has done that removes nearly all of some leaves. */
static uint64_t blocks_freed(uint32_t leave_neighbours) {
  struct stage stage;
  const struct ebcache_session_options options = {.size = sizeof options,
                                                  .leave_neighbours = leave_neighbours};
  ebcache_transaction* transaction;
  struct ebcache_transaction_counts counts = {.size = sizeof counts};
  written_device_init(&stage.device);
  stage_open(&stage, &options);
  CHECK_EQUAL(ebcache_transaction_begin(stage.session, &transaction), 0);
  for (int i = 0; i < 100; ++i) {
    const struct sample_item item = make_sample_item(i, 3000, 'w');
    CHECK_EQUAL(ebcache_transaction_insert(transaction, FILES, &item.key, item.data, item.bytes),
                0);
  }
  for (int i = 0; i < 100; ++i) {
    const struct sample_item item = make_sample_item(i, 10, 'w');
    CHECK_EQUAL(ebcache_transaction_replace(transaction, FILES, &item.key, item.data, item.bytes),
                0);
  }
  for (int i = 0; i < 90; ++i) {
    const struct sample_item item = make_sample_item(i, 0, 0);
    CHECK_EQUAL(ebcache_transaction_remove(transaction, FILES, &item.key), 0);
  }
  CHECK_EQUAL(ebcache_transaction_counts(transaction, &counts), 0);
  CHECK_EQUAL(ebcache_transaction_close(transaction), 0);
  stage_close(&stage);
  written_device_free(&stage.device);
  return counts.blocks_freed;
}

static void neighbours(void) { CHECK(blocks_freed(0) > blocks_freed(1) + 2); }

/* The superblocks with a log that leads nowhere. */
static void put_log_root(struct written_device* device) {
  static const uint64_t places[] = {65536, 64 << 20};
  for (size_t i = 0; i < sizeof places / sizeof *places; ++i) {
    unsigned char block[4096];
    written_device_look(device, places[i], block, sizeof block);
    block[96 + 2] = 0x10; /* of log_root: 1 MiB, where nothing is */
    const uint32_t crc = crc32c(block + 32, sizeof block - 32);
    for (int byte = 0; byte < 4; ++byte) block[byte] = (unsigned char)(crc >> (8 * byte));
    written_device_put(device, places[i], block, sizeof block);
  }
}

static void a_log(void) {
  struct stage stage;
  ebcache_transaction* transaction;
  ebcache_session* session;
  const struct ebcache_session_options drop = {.size = sizeof drop, .drop_log = 1};
  written_device_init(&stage.device);
  put_log_root(&stage.device);
  CHECK_EQUAL(written_device_open(&stage.device, &stage.filesystem), 0);
  CHECK_FAILS(ebcache_session_open(stage.filesystem, NULL, &session), EPERM, "log");
  CHECK(session == NULL);
  CHECK_EQUAL(ebcache_session_open(stage.filesystem, &drop, &stage.session), 0);
  CHECK_EQUAL(ebcache_transaction_begin(stage.session, &transaction), 0);
  CHECK_EQUAL(ebcache_transaction_commit(transaction, NULL, NULL), 0);
  CHECK_EQUAL(ebcache_transaction_close(transaction), 0);
  stage_close(&stage);
  stage_open(&stage, NULL);
  stage_close(&stage);
  written_device_free(&stage.device);
}

int main(void) {
  RUN(options_of_sessions);
  RUN(what_may_wait_in_memory);
  RUN(threads_of_a_rewrite);
  RUN(neighbours);
  RUN(a_log);
  return 0;
}
