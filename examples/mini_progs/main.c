/* mini_dump: prints the structure of every tree of a btrfs filesystem. */

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report.h"

enum exit_code { GOOD = 0, DAMAGE = 1, CANNOT_TELL = 2 };

struct options {
  int threads;
  int counts_only;
  int force;
};

static const char usage_text[] =
    "usage: mini_dump [--counts] [--threads=N] [--force] DEVICE...\n"
    "\n"
    "    Prints the structure of every tree; of subvolumes that are being deleted what is left.\n"
    "\n"
    "    --counts     only items, leaves and nodes of each tree\n"
    "    --threads=N  from 1 to 64\n"
    "    --force      read devices that are mounted, too\n"
    "\n"
    "    Exit code: 0 all trees were read; 1 some are damaged; 2 cannot tell: the filesystem cannot\n"
    "    be opened, is mounted, or has blocks that cannot be read because a device is missing or\n"
    "    memory is short; or the result cannot be written, or the command line is wrong.\n";

static int complain(const char* why) {
  fprintf(stderr, "mini_dump: %s\n", why);
  return CANNOT_TELL;
}

/* Of what the library returned for a block or for the trees: what was found is bad, or it could not
 * be found out. Damage is the worse news. */
static int judge(int error, int so_far) {
  if (error == 0 || so_far == DAMAGE) return so_far;
  return error == -EUCLEAN || error == -ENOENT || error == -ERANGE ? DAMAGE : CANNOT_TELL;
}

static void print(const struct tree_report* tree, int counts_only) {
  if (counts_only) {
    printf("%s %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", tree->root.name, tree->counts.items,
           tree->counts.leaves, tree->counts.nodes);
  } else {
    printf("tree %s\n%s", tree->root.name, tree->text);
  }
}

/* Trees that could be read are printed, whatever became of others. */
static int run(struct fs_info* fs, const struct options* options) {
  struct report report = {0};
  const int listed = report_list(fs, &report);
  if (listed != 0) complain(ebcache_last_error());
  int result = judge(listed, GOOD);
  report_fill(fs, &report, options->threads, !options->counts_only);
  for (size_t i = 0; i < report.count; ++i) {
    const struct tree_report* tree = &report.trees[i];
    if (tree->error == 0) {
      print(tree, options->counts_only);
    } else {
      complain(tree->why != NULL ? tree->why : "no memory");
      result = judge(tree->error, result);
    }
  }
  report_free(&report);
  return result;
}

/* Whether all devices may be read. One that is mounted is written past its page cache, which keeps
 * what was there before: that is dropped, where it is clean. */
static int check_use(const char* const* devices, size_t count, int force) {
  for (size_t i = 0; i < count; ++i) {
    if (ebcache_device_use(devices[i]) == 0) continue;
    complain(ebcache_last_error());
    if (!force) return CANNOT_TELL;
    const int fd = open(devices[i], O_RDONLY);
    if (fd < 0) continue; /* opening it for good will say why */
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
  }
  return GOOD;
}

static int work(const struct options* options, const char* const* devices, size_t count) {
  if (check_use(devices, count, options->force) != GOOD) return CANNOT_TELL;
  struct fs_info fs;
  if (open_fs(&fs, devices, count) != 0) return complain(ebcache_last_error());
  const int result = run(&fs, options);
  if (close_fs(&fs) != 0) return complain(ebcache_last_error());
  return result;
}

/* What was printed has arrived, or it is said why not. */
static int finish(int result) {
  if (fflush(stdout) == 0 && !ferror(stdout)) return result;
  fprintf(stderr, "mini_dump: cannot write the result: %s\n", strerror(errno));
  return CANNOT_TELL;
}

int main(int argc, char** argv) {
  struct options options = {.threads = 1};
  int at = 1;
  for (; at < argc && strncmp(argv[at], "--", 2) == 0; ++at) {
    if (strcmp(argv[at], "--help") == 0) {
      fputs(usage_text, stdout);
      return finish(GOOD);
    }
    if (strcmp(argv[at], "--counts") == 0) {
      options.counts_only = 1;
    } else if (strcmp(argv[at], "--force") == 0) {
      options.force = 1;
    } else if (strncmp(argv[at], "--threads=", 10) == 0) {
      options.threads = atoi(argv[at] + 10);
      if (options.threads < 1 || options.threads > 64) return complain("--threads is 1 to 64");
    } else {
      return complain("unknown option (try mini_dump --help)");
    }
  }
  if (at == argc) return complain("no device given (try mini_dump --help)");
  return finish(work(&options, (const char* const*)argv + at, (size_t)(argc - at)));
}
