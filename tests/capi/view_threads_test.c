/* Readers in threads of their own beside a transaction: each view shows one commit, whole. */

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "tests/capi/check.h"
#include "tests/capi/sample_item.h"
#include "tests/capi/written_device.h"

enum { COMMITS = 25, READERS = 2, ATTRIBUTES = 40 };

struct shared {
  ebcache_session* session;
  atomic_int done; /* says when to stop, and guards nothing */
  atomic_int looks;
};

/* All attributes are of one commit, twice. */
static void look(ebcache_view* view) {
  int first = 0;
  for (int round = 0; round < 2; ++round) {
    ebcache_tree* tree;
    CHECK_EQUAL(ebcache_view_tree(view, FILES, &tree), 0);
    for (int i = 0; i < ATTRIBUTES; ++i) {
      const int fill = sample_item_fill(tree, i);
      if (first == 0) first = fill;
      CHECK_EQUAL(fill, first);
    }
    ebcache_tree_close(tree);
  }
}

static void* read_on(void* context) {
  struct shared* shared = context;
  int last = 0;
  while (!last) {
    ebcache_view* view;
    last = atomic_load(&shared->done);
    CHECK_EQUAL(ebcache_view_open(shared->session, &view), 0);
    look(view);
    ebcache_view_close(view);
    atomic_fetch_add(&shared->looks, 1);
  }
  return NULL;
}

static void commit(ebcache_session* session, int number) {
  ebcache_transaction* transaction;
  CHECK_EQUAL(ebcache_transaction_begin(session, &transaction), 0);
  for (int i = 0; i < ATTRIBUTES; ++i) {
    const struct sample_item item = make_sample_item(i, 1000, (char)('a' + number));
    CHECK_EQUAL((number == 0 ? ebcache_transaction_insert : ebcache_transaction_replace)(
                    transaction, FILES, &item.key, item.data, item.bytes),
                0);
  }
  CHECK_EQUAL(ebcache_transaction_commit(transaction, NULL, NULL), 0);
  CHECK_EQUAL(ebcache_transaction_close(transaction), 0);
}

int main(void) {
  struct written_device device;
  struct shared shared = {0};
  ebcache_filesystem* filesystem;
  pthread_t threads[READERS];
  written_device_init(&device);
  CHECK_EQUAL(written_device_open(&device, &filesystem), 0);
  CHECK_EQUAL(ebcache_session_open(filesystem, NULL, &shared.session), 0);
  commit(shared.session, 0);
  for (int i = 0; i < READERS; ++i) {
    CHECK_EQUAL(pthread_create(&threads[i], NULL, read_on, &shared), 0);
  }
  for (int number = 1; number < COMMITS; ++number) commit(shared.session, number);
  atomic_store(&shared.done, 1);
  for (int i = 0; i < READERS; ++i) CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
  CHECK(atomic_load(&shared.looks) >= READERS);
  CHECK_EQUAL(ebcache_session_close(shared.session), 0);
  CHECK_EQUAL(ebcache_close(filesystem), 0);
  written_device_free(&device);
  return 0;
}
