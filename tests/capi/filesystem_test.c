/* Filesystems: opened from files and from devices in C, described, read copy by copy. */

#include <errno.h>

#include "tests/capi/check.h"
#include "tests/capi/sample_image.h"

/* A device of the caller's: an image in memory, parts of which cannot be read. */
struct memory_device {
  const unsigned char* bytes;
  unsigned long length;
  uint64_t bad_from, bad_to; /* reads of these fail */
  uint64_t flipped;          /* this byte is another one; 0: none */
  int fails_from, fails_to;  /* reads of these numbers, from 1, return `failure` */
  int failure;
  int reads;
  uint64_t furthest; /* end of what was read of blocks */
  int closed;
};

static int device_read(void* context, uint64_t offset, void* to, size_t length) {
  struct memory_device* device = context;
  ++device->reads;
  if (device->reads >= device->fails_from && device->reads < device->fails_to) {
    ebcache_set_error("not just now");
    return device->failure;
  }
  CHECK(offset + length <= device->length);
  const int is_superblock = offset == 65536 || offset == 64 << 20;
  if (!is_superblock && device->furthest < offset + length) device->furthest = offset + length;
  if (offset < device->bad_to && offset + length > device->bad_from) {
    ebcache_set_error("scratched");
    return -EIO;
  }
  memcpy(to, device->bytes + offset, length);
  if (device->flipped >= offset && device->flipped < offset + length) {
    ((unsigned char*)to)[device->flipped - offset] ^= 1;
  }
  return 0;
}

static void device_close(void* context) { ++((struct memory_device*)context)->closed; }

static struct memory_device sample_device(void) {
  struct memory_device device = {0};
  device.bytes = sample_image_bytes(&device.length);
  return device;
}

/* What the library says beside its results. */
struct told {
  int messages[2]; /* by level */
  int damages;
  uint64_t logical;
  uint32_t mirror;
  uint32_t recovered;
  uint32_t no_memory;
  char reason[200];
  char message[400];
};

static void tell_message(void* context, int level, const char* message) {
  struct told* told = context;
  ++told->messages[level];
  snprintf(told->message, sizeof told->message, "%s", message);
}

static void tell_damage(void* context, const struct ebcache_mirror_damage* damage) {
  struct told* told = context;
  ++told->damages;
  told->logical = damage->logical;
  told->mirror = damage->mirror;
  told->recovered = damage->recovered;
  told->no_memory = damage->no_memory;
  snprintf(told->reason, sizeof told->reason, "%s", damage->reason);
  CHECK(strcmp(damage->device, "tape") == 0);
  CHECK(damage->size == sizeof *damage);
}

static int open_device(struct memory_device* memory, struct told* told,
                       ebcache_filesystem** filesystem) {
  const struct ebcache_device device = {.size = sizeof device,
                                        .name = "tape",
                                        .bytes = memory->length,
                                        .context = memory,
                                        .read = device_read,
                                        .close = device_close};
  const struct ebcache_device* const devices[] = {&device};
  const struct ebcache_cache_options cache = {.size = sizeof cache, .budget_bytes = 1 << 20};
  const struct ebcache_filesystem_options options = {.size = sizeof options,
                                                     .cache = &cache,
                                                     .context = told,
                                                     .log = tell_message,
                                                     .damage = tell_damage};
  return ebcache_open_devices(devices, 1, &options, filesystem);
}

static uint64_t root_of(ebcache_filesystem* filesystem, uint64_t id) {
  ebcache_tree* tree;
  struct ebcache_root root = {.size = sizeof root};
  CHECK_EQUAL(ebcache_tree_open(filesystem, id, &tree), 0);
  CHECK_EQUAL(ebcache_tree_root(tree, &root), 0);
  CHECK_EQUAL(root.id, id);
  ebcache_tree_close(tree);
  return root.bytenr;
}

static void an_image_file(void) {
  const char* const paths[] = {sample_image()};
  ebcache_filesystem* filesystem;
  CHECK_EQUAL(ebcache_open(paths, 1, NULL, &filesystem), 0);
  struct ebcache_filesystem_info info = {.size = sizeof info};
  CHECK_EQUAL(ebcache_filesystem_info(filesystem, &info), 0);
  CHECK(strcmp(info.label, "capi") == 0);
  CHECK_EQUAL(info.node_bytes, 16384);
  CHECK_EQUAL(info.sector_bytes, 4096);
  CHECK_EQUAL(info.devices, 1);
  CHECK_EQUAL(info.missing_devices, 0);
  CHECK_EQUAL(info.checksum_type, 0);
  CHECK_EQUAL(info.damaged, 0);
  CHECK(info.generation > 0 && info.total_bytes > 0);

  ebcache_cache* cache = ebcache_filesystem_cache(filesystem);
  CHECK_FAILS(ebcache_cache_destroy(cache), EINVAL, "filesystem");
  ebcache_buffer* block;
  const struct ebcache_check check = {.size = sizeof check,
                                      .bits = EBCACHE_CHECK_OWNER | EBCACHE_CHECK_LEVEL,
                                      .owner = 5,
                                      .level = 1};
  CHECK_EQUAL(ebcache_read(cache, root_of(filesystem, 5), &check, &block), 0);
  CHECK_EQUAL(ebcache_set_dirty(block), 0);
  CHECK_EQUAL(ebcache_writeback(cache, block), -EACCES);
  CHECK_EQUAL(ebcache_close(filesystem), -EBUSY);
  ebcache_put_stale(block);
  /* What was changed is not lost without a word. */
  CHECK_FAILS(ebcache_close(filesystem), EBUSY, "the volume is open read-only");
  CHECK_EQUAL(ebcache_give_up_writes(cache), 1);
  CHECK_EQUAL(ebcache_close(filesystem), 0);
}

static int pass_item(void* context, const struct ebcache_item* item) {
  (void)item;
  ++*(int*)context;
  return 0;
}

static const struct ebcache_item_visitor every_item = {.size = sizeof every_item,
                                                       .item = pass_item};

/* Of a device that is shorter than its superblock says the callback is asked for what it has: it
 * checks that itself. */
static void a_device_is_not_read_beyond_its_end(void) {
  for (size_t cut = 1; cut < 12; ++cut) {
    struct memory_device memory = sample_device();
    memory.length = memory.length / 12 * cut + cut;
    struct told told = {0};
    ebcache_filesystem* filesystem;
    if (open_device(&memory, &told, &filesystem) != 0) continue;
    ebcache_tree* tree;
    if (ebcache_tree_open(filesystem, 5, &tree) == 0) {
      (void)ebcache_iterate_past_damage(tree, NULL, NULL, &every_item, &(int){0});
      ebcache_tree_close(tree);
    }
    CHECK_EQUAL(ebcache_close(filesystem), 0);
  }
}

/* Nor where the end is in the middle of what is read. */
static void a_device_that_ends_within_a_block(void) {
  struct memory_device memory = sample_device();
  struct told told = {0};
  ebcache_filesystem* filesystem;
  for (int cut = 0; cut < 2; ++cut) {
    memory.length = cut ? (unsigned long)memory.furthest - 100 : memory.length;
    CHECK_EQUAL(open_device(&memory, &told, &filesystem), 0);
    ebcache_tree* tree;
    if (ebcache_tree_open(filesystem, 5, &tree) == 0) {
      (void)ebcache_iterate_past_damage(tree, NULL, NULL, &every_item, &(int){0});
      ebcache_tree_close(tree);
    }
    CHECK_EQUAL(ebcache_close(filesystem), 0);
  }
}

/* An error on the way loses the path, and each function says so. */
static void a_path_that_is_lost(void) {
  struct memory_device memory = sample_device();
  struct told told = {0};
  ebcache_filesystem* filesystem;
  CHECK_EQUAL(open_device(&memory, &told, &filesystem), 0);
  ebcache_tree* tree;
  ebcache_path* path;
  CHECK_EQUAL(ebcache_tree_open(filesystem, 5, &tree), 0);
  CHECK_EQUAL(ebcache_search(tree, NULL, EBCACHE_SEARCH_AT_OR_AFTER, &path), 0);
  memory.failure = -EIO;
  memory.fails_from = memory.reads + 1;
  memory.fails_to = 1 << 30;
  int error = 0;
  while (error == 0) error = ebcache_path_next(path);
  CHECK(error != -ENOENT);
  struct ebcache_item item = {.size = sizeof item};
  CHECK_FAILS(ebcache_path_next(path), EINVAL, "was lost");
  CHECK_FAILS(ebcache_path_previous(path), EINVAL, "was lost");
  CHECK_FAILS(ebcache_path_item(path, &item), EINVAL, "was lost");
  ebcache_path_close(path);
  ebcache_tree_close(tree);
  CHECK_EQUAL(ebcache_close(filesystem), 0);
}

static void a_change_that_was_interrupted(void) {
  struct memory_device memory = sample_device();
  unsigned char* const bytes = malloc(memory.length);
  CHECK(bytes != NULL);
  memcpy(bytes, memory.bytes, memory.length);
  unsigned char* const superblock = bytes + 65536;
  superblock[56 + 4] |= 1 << 6; /* bit 38 of the flags: to or from the block group tree */
  const uint32_t crc = crc32c(superblock + 32, 4096 - 32);
  for (int byte = 0; byte < 4; ++byte) superblock[byte] = (unsigned char)(crc >> (8 * byte));
  memory.bytes = bytes;
  struct told told = {0};
  ebcache_filesystem* filesystem;
  CHECK_EQUAL(open_device(&memory, &told, &filesystem), 0);
  CHECK(strstr(told.message, "block group tree was interrupted") != NULL);
  CHECK_EQUAL(ebcache_close(filesystem), 0);
  free(bytes);
}

static void what_cannot_be_opened(void) {
  ebcache_filesystem* filesystem;
  const char* const nowhere[] = {"/nowhere/disk.img"};
  CHECK_FAILS(ebcache_open(nowhere, 1, NULL, &filesystem), ENOENT, "/nowhere/disk.img");
  CHECK(filesystem == NULL);
  const char* const directory[] = {"/"};
  CHECK_EQUAL(ebcache_open(directory, 1, NULL, &filesystem), -EINVAL);
  CHECK_EQUAL(ebcache_open(nowhere, 0, NULL, &filesystem), -EINVAL);
  const char* const program[] = {"/proc/self/exe"};
  CHECK(ebcache_open(program, 1, NULL, &filesystem) < 0);
  const struct ebcache_cache_options cache = {.size = sizeof cache, .node_bytes = 16384};
  const struct ebcache_filesystem_options options = {.size = sizeof options, .cache = &cache};
  const char* const paths[] = {sample_image()};
  CHECK_FAILS(ebcache_open(paths, 1, &options, &filesystem), EINVAL, "node_bytes");

  struct told told = {0};
  struct memory_device memory = sample_device();
  memory.bad_to = memory.length;
  CHECK_FAILS(open_device(&memory, &told, &filesystem), EIO, "tape");
  CHECK_EQUAL(memory.closed, 0);
  const struct ebcache_device mute = {.size = sizeof mute, .bytes = 1 << 20};
  const struct ebcache_device* const devices[] = {&mute};
  CHECK_EQUAL(ebcache_open_devices(devices, 1, NULL, &filesystem), -EINVAL);
}

static void a_device_in_c(void) {
  struct told told = {0};
  struct memory_device memory = sample_device();
  ebcache_filesystem* filesystem;
  CHECK_EQUAL(open_device(&memory, &told, &filesystem), 0);
  CHECK(memory.reads > 0);
  CHECK_EQUAL(told.messages[0] + told.messages[1] + told.damages, 0);
  CHECK_EQUAL(memory.closed, 0);
  CHECK_EQUAL(ebcache_close(filesystem), 0);
  CHECK_EQUAL(memory.closed, 1);
}

static int count_tree(void* context, const struct ebcache_root* root) {
  (void)root;
  ++*(int*)context;
  return 0;
}

/* The image, with a second superblock that is older and good. Not to be freed. */
static const unsigned char* with_an_older_superblock(unsigned long length) {
  static unsigned char* bytes;
  unsigned long all;
  const unsigned char* const image = sample_image_bytes(&all);
  if (bytes != NULL) return bytes;
  bytes = malloc(length);
  CHECK(bytes != NULL);
  memcpy(bytes, image, length);
  unsigned char* const older = bytes + (64 << 20);
  uint64_t generation;
  memcpy(&generation, older + 72, sizeof generation);
  --generation;
  memcpy(older + 72, &generation, sizeof generation);
  const uint32_t crc = crc32c(older + 32, 4096 - 32);
  for (int byte = 0; byte < 4; ++byte) older[byte] = (unsigned char)(crc >> (8 * byte));
  return bytes;
}

/* Some reads of opening, or all: the newest filesystem, whole, or -ENOMEM. The same call succeeds
 * later. */
static void memory_that_is_out_while_a_filesystem_is_opened(void) {
  static const int widths[] = {1, 2, 3, 1000000};
  struct told told = {0};
  struct memory_device memory = sample_device();
  memory.bytes = with_an_older_superblock(memory.length);
  ebcache_filesystem* filesystem;
  struct ebcache_filesystem_info info = {.size = sizeof info};
  int all = 0;
  CHECK_EQUAL(open_device(&memory, &told, &filesystem), 0);
  CHECK_EQUAL(ebcache_filesystem_info(filesystem, &info), 0);
  CHECK_EQUAL(ebcache_for_each_tree(filesystem, count_tree, &all), 0);
  CHECK_EQUAL(ebcache_close(filesystem), 0);
  CHECK(strstr(told.message, "superblock at 67108864: generation") != NULL); /* it is a good one */
  const uint64_t generation = info.generation;
  memory.failure = -ENOMEM;
  for (size_t i = 0; i < sizeof widths / sizeof *widths; ++i) {
    int refused = 0;
    for (int first = 1;; ++first) {
      memory.reads = 0;
      memory.fails_from = first;
      memory.fails_to = first + widths[i];
      const int result = open_device(&memory, &told, &filesystem);
      const int failed = memory.reads >= first;
      memory.fails_to = 0;
      if (result == 0) {
        int trees = 0;
        CHECK_EQUAL(ebcache_filesystem_info(filesystem, &info), 0);
        CHECK_EQUAL(info.generation, generation);
        CHECK_EQUAL(info.damaged, 0);
        CHECK_EQUAL(ebcache_for_each_tree(filesystem, count_tree, &trees), 0);
        CHECK_EQUAL(trees, all);
        CHECK_EQUAL(ebcache_close(filesystem), 0);
      } else {
        ++refused;
        CHECK_EQUAL(result, -ENOMEM);
        CHECK(strstr(ebcache_last_error(), "not just now") != NULL);
        CHECK(filesystem == NULL);
      }
      if (!failed) break;
    }
    CHECK(refused >= 2);
  }
}

/* A device that always fails: by its number, whatever that may mean elsewhere. */
static void the_number_of_a_device_is_that_of_the_opening(void) {
  static const int numbers[] = {-EIO,    -ENOMEM, -ETIMEDOUT,  -EAGAIN, -EBUSY,   -EACCES, -EPERM,
                                -EINVAL, -ENXIO,  -EOPNOTSUPP, -EINTR,  -EUCLEAN, -ENOENT};
  struct told told = {0};
  struct memory_device memory = sample_device();
  ebcache_filesystem* filesystem;
  memory.fails_to = 1000000;
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; ++i) {
    memory.failure = numbers[i];
    CHECK_FAILS(open_device(&memory, &told, &filesystem), -numbers[i], "not just now");
  }
}

/* Told of as a copy that could not be used, and of which nothing is known. */
static void a_copy_without_memory_is_no_bad_one(void) {
  struct told told = {0};
  struct memory_device memory = sample_device();
  ebcache_filesystem* filesystem;
  CHECK_EQUAL(open_device(&memory, &told, &filesystem), 0);
  ebcache_cache* cache = ebcache_filesystem_cache(filesystem);
  const uint64_t root = root_of(filesystem, 5);
  CHECK_EQUAL(told.damages, 0);
  memory.failure = -ENOMEM;
  for (int copies = 1; copies <= 2; ++copies) {
    ebcache_buffer* buffer;
    (void)ebcache_drop_caches(cache);
    told.damages = 0;
    memory.reads = 0;
    memory.fails_from = 1;
    memory.fails_to = 1 + copies;
    CHECK_EQUAL(ebcache_read(cache, root, NULL, &buffer), copies == 1 ? 0 : -ENOMEM);
    ebcache_put(buffer);
    CHECK_EQUAL(told.damages, copies);
    CHECK_EQUAL(told.recovered, copies == 1);
    CHECK_EQUAL(told.no_memory, 1);
  }
  CHECK_EQUAL(ebcache_close(filesystem), 0);
}

static void a_bad_copy_and_a_good_one(void) {
  struct told told = {0};
  struct memory_device memory = sample_device();
  ebcache_filesystem* filesystem;
  CHECK_EQUAL(open_device(&memory, &told, &filesystem), 0);
  const uint64_t root = root_of(filesystem, 5);
  struct ebcache_place place[2] = {{.size = sizeof *place}, {.size = sizeof *place}};
  CHECK_EQUAL(ebcache_place(filesystem, root, 1, &place[0]), 0);
  CHECK_EQUAL(ebcache_place(filesystem, root, 2, &place[1]), 0);
  CHECK_EQUAL(place[0].copies, 2);
  CHECK_EQUAL(place[0].missing, 0);
  CHECK(place[0].physical != place[1].physical);

  ebcache_cache* cache = ebcache_filesystem_cache(filesystem);
  (void)ebcache_drop_caches(cache);
  ebcache_buffer *block, *copy;
  /* Whichever copy a reader starts with is damaged: see which, then damage that one. */
  CHECK_EQUAL(ebcache_read(cache, root, NULL, &block), 0);
  const int mirror = ebcache_buffer_mirror(block);
  ebcache_put_stale(block);
  memory.flipped = place[mirror - 1].physical + 5000;
  CHECK_EQUAL(ebcache_read(cache, root, NULL, &block), 0);
  CHECK_EQUAL(ebcache_buffer_mirror(block), 3 - mirror);
  CHECK_EQUAL(told.damages, 1);
  CHECK_EQUAL(told.messages[EBCACHE_LOG_WARNING], 1);
  CHECK(strstr(told.reason, "checksum") != NULL && strstr(told.message, "tape") != NULL);
  CHECK_EQUAL(told.logical, root);
  CHECK_EQUAL(told.mirror, mirror);
  CHECK(told.recovered);

  CHECK_FAILS(ebcache_read_mirror(filesystem, root, (uint32_t)mirror, NULL, &copy), EUCLEAN,
              "checksum");
  CHECK(copy == NULL);
  CHECK_EQUAL(ebcache_read_mirror(filesystem, root, (uint32_t)(3 - mirror), NULL, &copy), 0);
  CHECK((ebcache_buffer_flags(copy) & EBCACHE_BUFFER_UNMAPPED) != 0);
  CHECK_EQUAL(ebcache_buffer_mirror(copy), 3 - mirror);
  unsigned char bytes[16384];
  int order = 1;
  CHECK_EQUAL(ebcache_copy_out(copy, 0, bytes, sizeof bytes), 0);
  CHECK_EQUAL(ebcache_compare(block, 0, bytes, sizeof bytes, &order), 0);
  CHECK_EQUAL(order, 0);
  ebcache_put(copy);
  ebcache_put_stale(block);

  /* No copy left: one damaged, one that cannot be read. */
  memory.bad_from = place[2 - mirror].physical;
  memory.bad_to = memory.bad_from + 16384;
  CHECK_FAILS(ebcache_read(cache, root, NULL, &block), EUCLEAN, "scratched");
  CHECK_EQUAL(told.messages[EBCACHE_LOG_ERROR], 2);
  CHECK_FAILS(ebcache_read_mirror(filesystem, root, (uint32_t)(3 - mirror), NULL, &copy), EIO,
              "scratched");
  CHECK_EQUAL(ebcache_read_mirror(filesystem, root, 3, NULL, &copy), -ENOENT);
  CHECK_EQUAL(ebcache_read_mirror(filesystem, root, 0, NULL, &copy), -ENOENT);
  CHECK_EQUAL(ebcache_place(filesystem, UINT64_MAX / 2 & ~4095ull, 1, &place[0]), -ENOENT);
  CHECK_EQUAL(ebcache_close(filesystem), 0);
}

static void a_device_that_is_not_in_use(void) {
  CHECK_EQUAL(ebcache_device_use(NULL), -EINVAL);
  CHECK_EQUAL(ebcache_device_use("nowhere/disk.img"), 0);
  CHECK_EQUAL(ebcache_device_use("/dev/null"), 0);
}

int main(void) {
  RUN(an_image_file);
  RUN(a_device_that_is_not_in_use);
  RUN(a_device_is_not_read_beyond_its_end);
  RUN(a_device_that_ends_within_a_block);
  RUN(a_path_that_is_lost);
  RUN(a_change_that_was_interrupted);
  RUN(what_cannot_be_opened);
  RUN(a_device_in_c);
  RUN(memory_that_is_out_while_a_filesystem_is_opened);
  RUN(the_number_of_a_device_is_that_of_the_opening);
  RUN(a_copy_without_memory_is_no_bad_one);
  RUN(a_bad_copy_and_a_good_one);
  return 0;
}
