/* Transactions over a device of the caller's that fails: what comes out, and what is left. */

#include <errno.h>

#include "tests/capi/check.h"
#include "tests/capi/sample_item.h"
#include "tests/capi/written_device.h"

struct stage {
  struct written_device device;
  ebcache_filesystem* filesystem;
  ebcache_session* session;
  ebcache_transaction* transaction;
};

static void stage_open(struct stage* stage) {
  written_device_init(&stage->device);
  CHECK_EQUAL(written_device_open(&stage->device, &stage->filesystem), 0);
  CHECK_EQUAL(ebcache_session_open(stage->filesystem, NULL, &stage->session), 0);
  CHECK_EQUAL(ebcache_transaction_begin(stage->session, &stage->transaction), 0);
}

static int insert(struct stage* stage) {
  const struct sample_item item = make_sample_item(1, 100, 'f');
  return ebcache_transaction_insert(stage->transaction, FILES, &item.key, item.data, item.bytes);
}

static void stage_close(struct stage* stage) {
  CHECK_EQUAL(ebcache_transaction_close(stage->transaction), 0);
  CHECK_EQUAL(ebcache_session_close(stage->session), 0);
  CHECK_EQUAL(ebcache_close(stage->filesystem), 0);
  written_device_free(&stage->device);
}

/* The next transaction of the session works. */
static void expect_to_go_on(struct stage* stage) {
  ebcache_tree* tree;
  stage->device.reads_fail_from = 0;
  stage->device.writes_fail_from = 0;
  stage->device.flushes_fail_from = 0;
  CHECK_EQUAL(ebcache_transaction_close(stage->transaction), 0);
  CHECK_EQUAL(ebcache_transaction_begin(stage->session, &stage->transaction), 0);
  CHECK_EQUAL(insert(stage), 0);
  CHECK_EQUAL(ebcache_transaction_commit(stage->transaction, NULL, NULL), 0);
  CHECK_EQUAL(ebcache_tree_open(stage->filesystem, FILES, &tree), 0);
  CHECK_EQUAL(sample_item_fill(tree, 1), 'f');
  ebcache_tree_close(tree);
}

static const int numbers[] = {-EIO,    -ENOMEM, -ETIMEDOUT, -EBUSY,   -EINVAL, -ENXIO,
                              -ENOENT, -EEXIST, -ENOSPC,    -EUCLEAN, -ESTALE};

static void blocks_that_are_not_written(void) {
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; ++i) {
    struct stage stage;
    stage_open(&stage);
    CHECK_EQUAL(insert(&stage), 0);
    stage.device.writes_fail_from = 1;
    stage.device.failure = numbers[i];
    const int result = ebcache_transaction_commit(stage.transaction, NULL, NULL);
    CHECK_EQUAL(result, numbers[i] == -ENOMEM ? -ENOMEM : -EIO);
    CHECK(strstr(ebcache_last_error(), "writing blocks") != NULL);
    CHECK(strstr(ebcache_last_error(), "not this time") != NULL);
    CHECK_EQUAL(ebcache_transaction_stage(stage.transaction), EBCACHE_STAGE_ABORTED);
    CHECK_EQUAL(ebcache_transaction_check(stage.transaction), -EINVAL);
    expect_to_go_on(&stage);
    stage_close(&stage);
  }
}

static void flushes_that_fail(void) {
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; ++i) {
    struct stage stage;
    stage_open(&stage);
    CHECK_EQUAL(insert(&stage), 0);
    stage.device.flushes_fail_from = 1;
    stage.device.failure = numbers[i];
    CHECK_FAILS(ebcache_transaction_commit(stage.transaction, NULL, NULL), -numbers[i],
                "not this time");
    CHECK(strstr(ebcache_last_error(), "flushing") != NULL);
    CHECK_EQUAL(ebcache_transaction_stage(stage.transaction), EBCACHE_STAGE_ABORTED);
    expect_to_go_on(&stage);
    stage_close(&stage);
  }
}

/* Numbers that are those of refusals, too: here they are none. */
static void reads_in_the_middle_of_a_change(void) {
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; ++i) {
    struct stage stage;
    stage_open(&stage);
    ebcache_drop_caches(ebcache_filesystem_cache(stage.filesystem));
    stage.device.failure = numbers[i];
    stage.device.reads_fail_from = stage.device.reads + 1;
    CHECK_FAILS(insert(&stage), -numbers[i], "not this time");
    CHECK_FAILS(ebcache_transaction_check(stage.transaction), ECANCELED, "not this time");
    CHECK_FAILS(insert(&stage), ECANCELED, "earlier");
    CHECK_FAILS(ebcache_transaction_commit(stage.transaction, NULL, NULL), ECANCELED, "earlier");
    CHECK_EQUAL(ebcache_transaction_stage(stage.transaction), EBCACHE_STAGE_OPEN);
    CHECK_EQUAL(ebcache_transaction_abort(stage.transaction), 0);
    expect_to_go_on(&stage);
    stage_close(&stage);
  }
}

/* The flush behind the first superblock: it may be there, or not. */
static void superblocks_that_may_be_there(void) {
  struct stage stage;
  ebcache_transaction* next;
  stage_open(&stage);
  CHECK_EQUAL(insert(&stage), 0);
  stage.device.flushes_fail_from = 2;
  stage.device.failure = -EIO;
  CHECK_FAILS(ebcache_transaction_commit(stage.transaction, NULL, NULL), EIO, "not known");
  CHECK_EQUAL(ebcache_transaction_stage(stage.transaction), EBCACHE_STAGE_UNKNOWN);
  CHECK_FAILS(ebcache_transaction_abort(stage.transaction), EINVAL, "not known");
  CHECK_EQUAL(ebcache_transaction_check(stage.transaction), -EINVAL);
  stage.device.flushes_fail_from = 0;
  CHECK_FAILS(ebcache_transaction_begin(stage.session, &next), ENOTRECOVERABLE, "opened again");
  CHECK(next == NULL);
  stage_close(&stage);
}

struct told {
  int failures;
  uint64_t offset;
  int error;
  char device[32];
  char message[200];
};

static void tell(void* context, const struct ebcache_superblock_failure* failure) {
  struct told* told = context;
  CHECK_EQUAL(failure->size, sizeof *failure);
  ++told->failures;
  told->offset = failure->offset;
  told->error = failure->error;
  snprintf(told->device, sizeof told->device, "%s", failure->device);
  snprintf(told->message, sizeof told->message, "%s", failure->message);
}

static void a_mirror_that_is_not_written(void) {
  struct stage stage;
  struct told told = {0};
  stage_open(&stage);
  CHECK_EQUAL(insert(&stage), 0);
  stage.device.fails_at = 64 << 20;
  stage.device.failure = -ETIMEDOUT;
  CHECK_EQUAL(ebcache_transaction_commit(stage.transaction, tell, &told), 0);
  CHECK_EQUAL(ebcache_transaction_stage(stage.transaction), EBCACHE_STAGE_COMMITTED);
  CHECK_EQUAL(told.failures, 1);
  CHECK_EQUAL(told.offset, 64 << 20);
  CHECK_EQUAL(told.error, -ETIMEDOUT);
  CHECK(strcmp(told.device, "a slate") == 0);
  CHECK(strcmp(told.message, "not this time") == 0);
  stage_close(&stage);
}

static void no_room(void) {
  struct stage stage;
  stage_open(&stage);
  const struct ebcache_new_chunk wanted = {
      .size = sizeof wanted, .type = EBCACHE_CHUNK_DATA, .profile = EBCACHE_PROFILE_SINGLE};
  int made = 0, error;
  while ((error = ebcache_transaction_make_chunk(stage.transaction, &wanted, NULL)) == 0) ++made;
  CHECK_FAILS(error, ENOSPC, "room");
  CHECK(made > 0);
  CHECK_EQUAL(ebcache_transaction_check(stage.transaction), 0);
  /* Then blocks run out of it. */
  for (int i = 0; error == -ENOSPC && i < 1000000; ++i) {
    const struct sample_item item = make_sample_item(i, 4000, 'r');
    error = ebcache_transaction_insert(stage.transaction, FILES, &item.key, item.data, item.bytes);
    if (error == 0) error = -ENOSPC;
    if (ebcache_transaction_check(stage.transaction) != 0) break;
  }
  CHECK_EQUAL(error, -ENOSPC);
  CHECK_FAILS(ebcache_transaction_check(stage.transaction), ECANCELED, "no room");
  CHECK_EQUAL(ebcache_transaction_abort(stage.transaction), 0);
  expect_to_go_on(&stage);
  stage_close(&stage);
}

int main(void) {
  RUN(blocks_that_are_not_written);
  RUN(flushes_that_fail);
  RUN(reads_in_the_middle_of_a_change);
  RUN(superblocks_that_may_be_there);
  RUN(a_mirror_that_is_not_written);
  RUN(no_room);
  return 0;
}
