#include "report.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static int add_tree(void* context, const struct ebcache_root* root) {
  struct report* report = context;
  struct tree_report* trees = realloc(report->trees, (report->count + 1) * sizeof *trees);
  if (trees == NULL) return -ENOMEM;
  report->trees = trees;
  report->trees[report->count++] = (struct tree_report){.root = *root};
  return 0;
}

int report_list(struct fs_info* fs, struct report* report) {
  return ebcache_for_each_tree(fs->filesystem, add_tree, report);
}

struct work {
  struct fs_info* fs;
  struct report* report;
  int with_text;
  atomic_size_t next; /* the first tree that no thread has taken yet */
};

static int dump_to_text(struct work* work, struct tree_report* tree) {
  size_t bytes;
  FILE* out = open_memstream(&tree->text, &bytes);
  if (out == NULL) return -errno;
  const int error = dump_tree(work->fs, &tree->root, out, &tree->counts);
  return fclose(out) == 0 || error != 0 ? error : -errno;
}

static void* work_on_trees(void* argument) {
  struct work* work = argument;
  for (;;) {
    const size_t next = atomic_fetch_add(&work->next, 1);
    if (next >= work->report->count) return NULL;
    struct tree_report* tree = &work->report->trees[next];
    tree->error = work->with_text ? dump_to_text(work, tree)
                                  : dump_tree(work->fs, &tree->root, NULL, &tree->counts);
    /* The words are this thread's: main has its own. */
    if (tree->error != 0) tree->why = strdup(ebcache_last_error());
  }
}

int report_fill(struct fs_info* fs, struct report* report, int threads, int with_text) {
  struct work work = {.fs = fs, .report = report, .with_text = with_text};
  pthread_t others[64];
  int started = 0;
  while (started < threads - 1 && started < 64 &&
         pthread_create(&others[started], NULL, work_on_trees, &work) == 0) {
    ++started;
  }
  work_on_trees(&work);
  for (int i = 0; i < started; ++i) pthread_join(others[i], NULL);
  for (size_t i = 0; i < report->count; ++i) {
    if (report->trees[i].error != 0) return report->trees[i].error;
  }
  return 0;
}

void report_free(struct report* report) {
  for (size_t i = 0; i < report->count; ++i) {
    free(report->trees[i].text);
    free(report->trees[i].why);
  }
  free(report->trees);
}
