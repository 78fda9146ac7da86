/* mini_dump: prints the structure of every tree of a btrfs filesystem. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

static int usage(void) {
  fprintf(stderr, "usage: mini_dump [--counts] [--threads=N] DEVICE...\n");
  return 2;
}

static int complain(const char* why) {
  fprintf(stderr, "mini_dump: %s\n", why);
  return 1;
}

static void print(const struct report* report, int counts_only) {
  for (size_t i = 0; i < report->count; ++i) {
    const struct tree_report* tree = &report->trees[i];
    if (counts_only) {
      printf("%s %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", tree->root.name, tree->counts.items,
             tree->counts.leaves, tree->counts.nodes);
    } else {
      printf("tree %s\n%s", tree->root.name, tree->text);
    }
  }
}

static int run(struct fs_info* fs, int threads, int counts_only) {
  struct report report = {0};
  int result = 0;
  if (report_list(fs, &report) != 0) {
    result = complain(ebcache_last_error());
  } else if (report_fill(fs, &report, threads, !counts_only) != 0) {
    for (size_t i = 0; i < report.count; ++i) {
      const struct tree_report* tree = &report.trees[i];
      if (tree->error != 0) result = complain(tree->why != NULL ? tree->why : "no memory");
    }
  } else {
    print(&report, counts_only);
    if (fflush(stdout) != 0) result = complain("cannot write the result");
  }
  report_free(&report);
  return result;
}

int main(int argc, char** argv) {
  int threads = 1;
  int counts_only = 0;
  int at = 1;
  for (; at < argc && strncmp(argv[at], "--", 2) == 0; ++at) {
    if (strcmp(argv[at], "--counts") == 0) {
      counts_only = 1;
    } else if (strncmp(argv[at], "--threads=", 10) == 0) {
      threads = atoi(argv[at] + 10);
      if (threads < 1 || threads > 64) return usage();
    } else {
      return usage();
    }
  }
  if (at == argc) return usage();
  struct fs_info fs;
  if (open_fs(&fs, (const char* const*)argv + at, (size_t)(argc - at)) != 0) {
    return complain(ebcache_last_error());
  }
  const int result = run(&fs, threads, counts_only);
  if (close_fs(&fs) != 0) return complain(ebcache_last_error());
  return result;
}
