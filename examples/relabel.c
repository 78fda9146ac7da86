/* Gives a filesystem another label, and its top directory another time of modification, in one
 * transaction: both happen, or neither.
 *
 *   relabel [--undo=FILE] LABEL SECONDS DEVICE...
 *
 * With --undo a file is left by which ebcache_undo brings the state before it back. */

#include <ebcache/ebcache.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILES = 5, TOP_DIRECTORY = 256, INODE_ITEM = 1, INODE_BYTES = 160, MTIME = 136 };

/* Puts the time into the item of the top directory's inode. Of the format as it lies on disk. */
static int set_time(ebcache_transaction* transaction, uint64_t seconds) {
  const struct ebcache_key key = {.objectid = TOP_DIRECTORY, .type = INODE_ITEM};
  struct ebcache_item item = {.size = sizeof item};
  unsigned char inode[INODE_BYTES];
  ebcache_tree* tree;
  ebcache_path* path = NULL;
  int error = ebcache_transaction_tree(transaction, FILES, &tree);
  if (error == 0) error = ebcache_search(tree, &key, EBCACHE_SEARCH_EXACT, &path);
  if (error == 0) error = ebcache_path_item(path, &item);
  if (error == 0 && item.data_bytes != sizeof inode) {
    ebcache_set_error("the top directory has no inode");
    error = -EUCLEAN;
  }
  if (error == 0) {
    memcpy(inode, item.data, sizeof inode);
    for (int byte = 0; byte < 8; ++byte) inode[MTIME + byte] = (unsigned char)(seconds >> 8 * byte);
    error = ebcache_transaction_replace(transaction, FILES, &key, inode, sizeof inode);
  }
  ebcache_path_close(path);
  ebcache_tree_close(tree);
  return error;
}

/* A superblock that was not written: the others do, and the next commit writes it. */
static void warn(void* context, const struct ebcache_superblock_failure* failure) {
  (void)context;
  fprintf(stderr, "relabel: %s: superblock at %llu: %s\n", failure->device,
          (unsigned long long)failure->offset, failure->message);
}

static int change(ebcache_session* session, const char* label, uint64_t seconds) {
  ebcache_transaction* transaction;
  int error = ebcache_transaction_begin(session, &transaction);
  if (error == 0) error = ebcache_transaction_set_label(transaction, label);
  if (error == 0) error = set_time(transaction, seconds);
  if (error == 0) error = ebcache_transaction_commit(transaction, warn, NULL);
  const int closed = ebcache_transaction_close(transaction); /* aborts what is not committed */
  return error != 0 ? error : closed;
}

static int fail(void) {
  fprintf(stderr, "relabel: %s\n", ebcache_last_error());
  return 1;
}

int main(int argc, char** argv) {
  const struct ebcache_filesystem_options writable = {.size = sizeof writable, .writable = 1};
  struct ebcache_session_options options = {.size = sizeof options};
  ebcache_filesystem* filesystem;
  ebcache_session* session;
  if (argc > 1 && strncmp(argv[1], "--undo=", 7) == 0) {
    options.undo_file = argv[1] + 7;
    --argc;
    ++argv;
  }
  if (argc < 4) {
    fprintf(stderr, "relabel [--undo=FILE] LABEL SECONDS DEVICE...\n");
    return 2;
  }
  const char* const* devices = (const char* const*)argv + 3;
  if (ebcache_open(devices, (size_t)argc - 3, &writable, &filesystem) != 0) return fail();
  int result = 0;
  if (ebcache_session_open(filesystem, &options, &session) != 0) result = fail();
  if (result == 0 && change(session, argv[1], strtoull(argv[2], NULL, 10)) != 0) result = fail();
  if (ebcache_session_close(session) != 0 || ebcache_close(filesystem) != 0) result = fail();
  return result;
}
