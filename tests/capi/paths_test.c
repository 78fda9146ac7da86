/* From paths to inodes and back: in an image, to which a directory, a file with two names and a subvolume are
 * added by transactions. */

#include <errno.h>

#include "tests/capi/check.h"
#include "tests/capi/written_device.h"

/* Beyond the inode numbers that mkfs.btrfs takes over from the files of its host. */
#define DIRECTORY (UINT64_C(1) << 50)
#define FILE_INODE (DIRECTORY + 1)
#define LOST (DIRECTORY + 2)
#define ROUND (DIRECTORY + 3)
#define SUBVOLUME 300
#define IN_ITSELF 301
#define SOME_FILE 0 /* to be like one of the image's */

static struct written_device device;
static ebcache_filesystem* filesystem;

static uint32_t hash_from(uint32_t crc, const char* name) {
  for (; *name != '\0'; ++name) {
    crc ^= (unsigned char)*name;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0x82f63b78u & (0u - (crc & 1)));
  }
  return crc;
}

static void put(unsigned char* to, uint64_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) to[i] = (unsigned char)(value >> (8 * i));
}

static void insert(ebcache_transaction* in, uint64_t tree, struct ebcache_key key, const void* data,
                   size_t bytes) {
  CHECK_EQUAL(ebcache_transaction_insert(in, tree, &key, data, bytes), 0);
}

/* (directory, DIR_ITEM, hash of the name). */
static void insert_entry(ebcache_transaction* in, uint64_t tree, uint64_t directory,
                         const char* name, struct ebcache_key location, uint8_t type) {
  unsigned char data[64] = {0};
  const size_t length = strlen(name);
  put(data, location.objectid, 8);
  data[8] = location.type;
  put(data + 9, location.offset, 8);
  put(data + 27, length, 2);
  data[29] = type;
  memcpy(data + 30, name, length);
  const struct ebcache_key key = {directory, hash_from(0xfffffffeu, name), EBCACHE_TYPE_DIR_ITEM};
  insert(in, tree, key, data, 30 + length);
}

static void insert_name(ebcache_transaction* in, uint64_t tree, uint64_t inode, uint64_t directory,
                        const char* name) {
  unsigned char data[64] = {0};
  put(data, 2, 8);
  put(data + 8, strlen(name), 2);
  memcpy(data + 10, name, strlen(name));
  const struct ebcache_key key = {inode, directory, EBCACHE_TYPE_INODE_REF};
  insert(in, tree, key, data, 10 + strlen(name));
}

static void insert_extended_name(ebcache_transaction* in, uint64_t inode, uint64_t directory,
                                 const char* name) {
  unsigned char data[64] = {0};
  put(data, directory, 8);
  put(data + 8, 3, 8);
  put(data + 16, strlen(name), 2);
  memcpy(data + 18, name, strlen(name));
  const struct ebcache_key key = {inode, hash_from((uint32_t)directory, name),
                                  EBCACHE_TYPE_INODE_EXTREF};
  insert(in, EBCACHE_TREE_FS, key, data, 18 + strlen(name));
}

/* As that of the top directory is, or of a file. */
static void insert_inode(ebcache_transaction* in, uint64_t tree, uint64_t inode, uint64_t like) {
  unsigned char data[160];
  ebcache_tree* files;
  ebcache_path* path;
  struct ebcache_item item = {.size = sizeof item};
  struct ebcache_inode_place file = {.size = sizeof file};
  CHECK_EQUAL(ebcache_find_inode(filesystem, EBCACHE_TREE_FS, "file-1", &file), 0);
  const struct ebcache_key from = {like != SOME_FILE ? like : file.inode, 0,
                                   EBCACHE_TYPE_INODE_ITEM};
  CHECK_EQUAL(ebcache_tree_open(filesystem, EBCACHE_TREE_FS, &files), 0);
  CHECK_EQUAL(ebcache_search(files, &from, EBCACHE_SEARCH_EXACT, &path), 0);
  CHECK_EQUAL(ebcache_path_item(path, &item), 0);
  memcpy(data, item.data, sizeof data);
  ebcache_path_close(path);
  ebcache_tree_close(files);
  insert(in, tree, (struct ebcache_key){inode, 0, EBCACHE_TYPE_INODE_ITEM}, data, sizeof data);
}

static void insert_root_ref(ebcache_transaction* in, uint8_t type, uint64_t from, uint64_t to) {
  unsigned char data[64] = {0};
  put(data, DIRECTORY, 8);
  put(data + 8, 4, 8);
  put(data + 16, 3, 2);
  memcpy(data + 18, "sub", 3);
  insert(in, EBCACHE_TREE_ROOT, (struct ebcache_key){from, to, type}, data, 21);
}

static void add_files(ebcache_transaction* in) {
  const uint64_t fs = EBCACHE_TREE_FS;
  insert_inode(in, fs, DIRECTORY, 256);
  insert_name(in, fs, DIRECTORY, 256, "d");
  insert_entry(in, fs, 256, "d", (struct ebcache_key){DIRECTORY, 0, EBCACHE_TYPE_INODE_ITEM}, 2);
  insert_inode(in, fs, FILE_INODE, SOME_FILE);
  insert_name(in, fs, FILE_INODE, DIRECTORY, "one");
  insert_extended_name(in, FILE_INODE, 256, "two");
  insert_entry(in, fs, DIRECTORY, "one",
               (struct ebcache_key){FILE_INODE, 0, EBCACHE_TYPE_INODE_ITEM}, 1);
  insert_entry(in, fs, 256, "two", (struct ebcache_key){FILE_INODE, 0, EBCACHE_TYPE_INODE_ITEM}, 1);
  /* In a directory that is not there; and a directory inside of itself. */
  insert_inode(in, fs, LOST, SOME_FILE);
  insert_name(in, fs, LOST, 5000, "lost");
  insert_inode(in, fs, ROUND, 256);
  insert_name(in, fs, ROUND, ROUND, "round");
  insert_inode(in, fs, ROUND + 1, SOME_FILE);
  insert_name(in, fs, ROUND + 1, ROUND, "inside");
}

static void add_subvolume(ebcache_transaction* in) {
  const struct ebcache_key root = {SUBVOLUME, UINT64_MAX, EBCACHE_TYPE_ROOT_ITEM};
  CHECK_EQUAL(ebcache_transaction_create_tree(in, SUBVOLUME, NULL), 0);
  insert_entry(in, EBCACHE_TREE_FS, DIRECTORY, "sub", root, 2);
  insert_root_ref(in, EBCACHE_TYPE_ROOT_REF, EBCACHE_TREE_FS, SUBVOLUME);
  insert_root_ref(in, EBCACHE_TYPE_ROOT_BACKREF, SUBVOLUME, EBCACHE_TREE_FS);
  insert_inode(in, SUBVOLUME, 256, 256);
  insert_inode(in, SUBVOLUME, 257, SOME_FILE);
  insert_name(in, SUBVOLUME, 257, 256, "inner");
  insert_entry(in, SUBVOLUME, 256, "inner", (struct ebcache_key){257, 0, EBCACHE_TYPE_INODE_ITEM},
               1);
  CHECK_EQUAL(ebcache_transaction_create_tree(in, IN_ITSELF, NULL), 0);
  insert_inode(in, IN_ITSELF, DIRECTORY, 256);
  insert_name(in, IN_ITSELF, DIRECTORY, 256, "d");
  insert_root_ref(in, EBCACHE_TYPE_ROOT_BACKREF, IN_ITSELF, IN_ITSELF);
  /* As a snapshot has it of a subvolume inside of the original. */
  insert_entry(in, SUBVOLUME, 256, "sub", root, 2);
}

static void make_image(void) {
  ebcache_session* session;
  ebcache_transaction* transaction;
  const struct ebcache_session_options options = {.size = sizeof options, .change_space_trees = 1};
  written_device_init(&device);
  CHECK_EQUAL(written_device_open(&device, &filesystem), 0);
  CHECK_EQUAL(ebcache_session_open(filesystem, &options, &session), 0);
  CHECK_EQUAL(ebcache_transaction_begin(session, &transaction), 0);
  add_files(transaction);
  add_subvolume(transaction);
  CHECK_EQUAL(ebcache_transaction_commit(transaction, NULL, NULL), 0);
  CHECK_EQUAL(ebcache_transaction_close(transaction), 0);
  CHECK_EQUAL(ebcache_session_close(session), 0);
}

static struct ebcache_inode_place find(const char* path) {
  struct ebcache_inode_place place = {.size = sizeof place};
  CHECK_EQUAL(ebcache_find_inode(filesystem, EBCACHE_TREE_FS, path, &place), 0);
  return place;
}

static void expect_place(const char* path, uint64_t tree, uint64_t inode, uint32_t type) {
  const struct ebcache_inode_place place = find(path);
  CHECK_EQUAL(place.tree, tree);
  CHECK_EQUAL(place.inode, inode);
  CHECK_EQUAL(place.type, type);
}

static void down(void) {
  expect_place("", 5, 256, EBCACHE_FILE_DIRECTORY);
  expect_place("/", 5, 256, EBCACHE_FILE_DIRECTORY);
  expect_place("d", 5, DIRECTORY, EBCACHE_FILE_DIRECTORY);
  expect_place("//d//one/", 5, FILE_INODE, EBCACHE_FILE_REGULAR);
  expect_place("/two", 5, FILE_INODE, EBCACHE_FILE_REGULAR);
  expect_place("/d/sub", SUBVOLUME, 256, EBCACHE_FILE_DIRECTORY);
  expect_place("/d/sub/inner", SUBVOLUME, 257, EBCACHE_FILE_REGULAR);
  struct ebcache_inode_place place = {.size = sizeof place};
  static const char* const none[] = {"/nothing",   "/d/nothing", "/two/below",
                                     "/d/sub/sub", "/.",         "/d/.."};
  for (size_t i = 0; i < sizeof none / sizeof *none; ++i) {
    CHECK_FAILS(ebcache_find_inode(filesystem, 5, none[i], &place), ENOENT, "has no entry");
  }
  CHECK_FAILS(ebcache_find_inode(filesystem, 4711, "/", &place), ENOENT, "4711");
  CHECK_EQUAL(ebcache_find_inode(filesystem, SUBVOLUME, "inner", &place), 0);
  CHECK_EQUAL(place.inode, 257);
  for (int i = 0; i < 600; i += 37) {
    char path[32];
    snprintf(path, sizeof path, "/file-%d", i);
    CHECK(find(path).inode > 256);
  }
}

struct told {
  int calls, stop;
  char text[200];
};

static int tell(void* context, const char* path, size_t bytes) {
  struct told* const told = context;
  CHECK_EQUAL(strlen(path), bytes);
  CHECK(strlen(told->text) + bytes + 2 < sizeof told->text);
  strcat(strcat(told->text, path), "\n");
  ++told->calls;
  return told->stop;
}

static void expect_paths(uint64_t tree, uint64_t inode, const char* paths) {
  struct told told = {0};
  CHECK_EQUAL(ebcache_for_each_path(filesystem, tree, inode, tell, &told), 0);
  if (strcmp(told.text, paths) != 0) fprintf(stderr, "told of:\n%s", told.text);
  CHECK(strcmp(told.text, paths) == 0);
}

static void up(void) {
  struct told told = {0};
  expect_paths(5, 256, "/\n");
  expect_paths(5, DIRECTORY, "/d\n");
  expect_paths(5, FILE_INODE, "/d/one\n/two\n");
  expect_paths(SUBVOLUME, 257, "/inner\n");
  told.stop = -ECHILD;
  CHECK_EQUAL(ebcache_for_each_path(filesystem, 5, FILE_INODE, tell, &told), -ECHILD);
  CHECK_EQUAL(told.calls, 1);
  CHECK_FAILS(ebcache_for_each_path(filesystem, 5, 4711, tell, &told), ENOENT, "has no name");
  CHECK_FAILS(ebcache_for_each_path(filesystem, 4711, 256, tell, &told), ENOENT, "4711");
  CHECK_FAILS(ebcache_for_each_path(filesystem, 5, LOST, tell, &told), EUCLEAN, "5000");
  CHECK_FAILS(ebcache_for_each_path(filesystem, 5, ROUND + 1, tell, &told), EUCLEAN, "round");
  CHECK_EQUAL(told.calls, 1);
}

static void subvolumes(void) {
  struct told told = {0};
  CHECK_EQUAL(ebcache_subvolume_path(filesystem, 5, tell, &told), 0);
  CHECK_EQUAL(ebcache_subvolume_path(filesystem, SUBVOLUME, tell, &told), 0);
  CHECK(strcmp(told.text, "/\n/d/sub\n") == 0);
  CHECK_FAILS(ebcache_subvolume_path(filesystem, 4711, tell, &told), ENOENT, "no directory");
  CHECK_FAILS(ebcache_subvolume_path(filesystem, IN_ITSELF, tell, &told), EUCLEAN, "itself");
}

static void mistakes(void) {
  struct ebcache_inode_place place = {.size = sizeof place};
  CHECK_FAILS(ebcache_find_inode(NULL, 5, "/", &place), EINVAL, "filesystem is NULL");
  CHECK_FAILS(ebcache_find_inode(filesystem, 5, NULL, &place), EINVAL, "path is NULL");
  CHECK_FAILS(ebcache_find_inode(filesystem, 5, "/", NULL), EINVAL, "place is NULL");
  CHECK_FAILS(ebcache_for_each_path(NULL, 5, 256, tell, NULL), EINVAL, "filesystem is NULL");
  CHECK_FAILS(ebcache_for_each_path(filesystem, 5, 256, NULL, NULL), EINVAL, "tell is NULL");
  CHECK_FAILS(ebcache_subvolume_path(filesystem, 5, NULL, NULL), EINVAL, "tell is NULL");
  CHECK_FAILS(ebcache_subvolume_path(NULL, 5, tell, NULL), EINVAL, "filesystem is NULL");
}

int main(void) {
  make_image();
  RUN(down);
  RUN(up);
  RUN(subvolumes);
  RUN(mistakes);
  CHECK_EQUAL(ebcache_close(filesystem), 0);
  written_device_free(&device);
  return 0;
}
