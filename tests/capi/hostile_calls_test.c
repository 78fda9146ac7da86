/* Transactions of whatever a caller may hand in: nothing ends the process, what is committed can be
 * opened again, and what is not leaves the state before it. */

#include <errno.h>

#include "tests/capi/check.h"
#include "tests/capi/sample_item.h"
#include "tests/capi/written_device.h"

enum { SEEDS = 40, CALLS = 150 };

struct stage {
  struct written_device device;
  ebcache_filesystem* filesystem;
  ebcache_session* session;
  ebcache_transaction* transaction;
  uint64_t random;
  int sane; /* nothing that no leaf may have: more is committed */
  int committed, refused, ended;
};

static uint64_t next(struct stage* stage) {
  stage->random = stage->random * 6364136223846793005u + 1442695040888963407u;
  return stage->random >> 33;
}

static int insert_sample(ebcache_transaction* transaction, int which) {
  const struct sample_item item = make_sample_item(which, 500, 'h');
  return ebcache_transaction_insert(transaction, FILES, &item.key, item.data, item.bytes);
}

/* Now and then at the ends of what there is. */
static uint64_t number(struct stage* stage) {
  static const uint64_t some[] = {0,    1,       5,        256,        257,
                                  4096, 1 << 20, 30408704, 1ull << 63, UINT64_MAX};
  const uint64_t which = next(stage);
  if (which % 3 == 0) return next(stage) % 600;
  return some[which / 3 % (sizeof some / sizeof *some)];
}

static struct ebcache_key key(struct stage* stage) {
  static const uint8_t types[] = {0, 1, 12, 24, 84, 96, 108, 132, 168, 169, 192, 198, 228, 255};
  const struct ebcache_key made = {.objectid = number(stage),
                                   .type = types[next(stage) % sizeof types],
                                   .offset = number(stage)};
  return made;
}

static uint64_t tree(struct stage* stage) {
  static const uint64_t trees[] = {0, 1, 2, 3, 4, 5, 5, 5, 5, 7, 9, 10, 300, 300, UINT64_MAX};
  return trees[next(stage) % (sizeof trees / sizeof *trees)];
}

static int change_items(struct stage* stage) {
  static unsigned char bytes[65536];
  const struct ebcache_key at = key(stage), to = key(stage);
  ebcache_transaction* const in = stage->transaction;
  const size_t length = next(stage) % 4 == 0 ? next(stage) % 70000 : next(stage) % 300;
  if (stage->sane) {
    const struct sample_item item = make_sample_item((int)next(stage) % 100, length % 4000, 'h');
    return next(stage) % 3 == 0
               ? ebcache_transaction_remove(in, FILES, &item.key)
               : ebcache_transaction_replace(in, FILES, &item.key, item.data, item.bytes);
  }
  for (size_t i = 0; i < 300; ++i) bytes[i] = (unsigned char)next(stage);
  switch (next(stage) % 4) {
    case 0:
      return ebcache_transaction_replace(in, tree(stage), &at, bytes, length % sizeof bytes);
    case 1:
      return ebcache_transaction_remove(in, tree(stage), &at);
    case 2:
      return ebcache_transaction_remove_range(in, tree(stage), &at, &to, NULL);
    default:
      return ebcache_transaction_insert(in, tree(stage), &at, bytes, length % sizeof bytes);
  }
}

static int change_else(struct stage* stage) {
  ebcache_transaction* const in = stage->transaction;
  struct ebcache_key at = key(stage);
  const struct ebcache_data_reference reference = {.size = sizeof reference,
                                                   .extent = number(stage),
                                                   .bytes = number(stage),
                                                   .tree = tree(stage),
                                                   .inode = number(stage),
                                                   .offset = number(stage)};
  const struct ebcache_new_chunk wanted = {.size = sizeof wanted,
                                           .type = next(stage) % 9,
                                           .most_bytes = number(stage),
                                           .profile = (uint32_t)next(stage) % 10};
  const struct ebcache_new_tree how = {.size = sizeof how, .key_offset = number(stage)};
  switch (next(stage) % 5) {
    case 0: /* rarely: it ends most transactions when they are committed */
      if (next(stage) % 40 != 0) return 0;
      return ebcache_transaction_change_reference(in, &reference, (int64_t)number(stage) - 3);
    case 1:
      return ebcache_transaction_make_chunk(in, &wanted, NULL);
    case 2:
      return ebcache_transaction_create_tree(in, next(stage) % 2 ? 300 : tree(stage), &how);
    case 3:
      return ebcache_transaction_rewrite(in, tree(stage), &at, number(stage), &at);
    default:
      return insert_sample(in, (int)next(stage) % 100);
  }
}

/* One more change. Which errors end it is the library's to say. */
static int go_on(struct stage* stage) {
  const int result = next(stage) % 2 ? change_items(stage) : change_else(stage);
  CHECK(result <= 1);
  if (result < 0) {
    CHECK(ebcache_last_error()[0] != '\0');
    ++stage->refused;
  }
  const int check = ebcache_transaction_check(stage->transaction);
  CHECK(check == 0 || check == -ECANCELED);
  return check == 0;
}

static void run(struct stage* stage, uint64_t seed) {
  unsigned char before[4096], after[4096];
  const struct ebcache_session_options options = {.size = sizeof options,
                                                  .change_space_trees = seed % 4 == 0,
                                                  .most_unwritten_bytes = seed % 3};
  written_device_init(&stage->device);
  stage->random = seed;
  stage->sane = seed % 2 == 0;
  written_device_look(&stage->device, 65536, before, sizeof before);
  CHECK_EQUAL(written_device_open(&stage->device, &stage->filesystem), 0);
  CHECK_EQUAL(ebcache_session_open(stage->filesystem, &options, &stage->session), 0);
  CHECK_EQUAL(ebcache_transaction_begin(stage->session, &stage->transaction), 0);
  int calls = 0;
  const int most = (int)(next(stage) % CALLS);
  while (calls < most && go_on(stage)) ++calls;
  const int committed = ebcache_transaction_commit(stage->transaction, NULL, NULL) == 0;
  stage->committed += committed;
  stage->ended += !committed;
  CHECK_EQUAL(ebcache_transaction_close(stage->transaction), 0);
  CHECK_EQUAL(ebcache_session_close(stage->session), 0);
  CHECK_EQUAL(ebcache_close(stage->filesystem), 0);
  written_device_look(&stage->device, 65536, after, sizeof after);
  CHECK((memcmp(before, after, sizeof after) == 0) == !committed);
  if (options.change_space_trees == 0 || !committed) {
    CHECK_EQUAL(written_device_open(&stage->device, &stage->filesystem), 0);
    CHECK_EQUAL(ebcache_session_open(stage->filesystem, NULL, &stage->session), 0);
    CHECK_EQUAL(ebcache_session_close(stage->session), 0);
    CHECK_EQUAL(ebcache_close(stage->filesystem), 0);
  }
  written_device_free(&stage->device);
}

/* By hand: hostile_calls_test 1000, for so many seeds. */
int main(int argc, char** argv) {
  struct stage stage = {0};
  const int seeds = argc > 1 ? atoi(argv[1]) : SEEDS;
  for (int seed = 1; seed <= seeds; ++seed) {
    fprintf(stderr, "[ run ] seed %d\n", seed);
    run(&stage, (uint64_t)seed);
  }
  fprintf(stderr, "%d committed, %d ended by an error, %d changes refused\n", stage.committed,
          stage.ended, stage.refused);
  CHECK(stage.committed > 10 && stage.ended > 10 && stage.refused > 100);
  return 0;
}
