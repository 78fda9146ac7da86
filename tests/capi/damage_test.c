/* Trees with blocks that cannot be had: what goes on beside them, and what is answered. */

#include <errno.h>

#include "tests/capi/check.h"
#include "tests/capi/sample_image.h"

#define NODE 16384

/* The image in memory, as a device on which copies of one block are bad. */
struct tape {
  unsigned char* bytes;
  unsigned long length;
  uint64_t bad[2]; /* physical addresses of the copies; 0: none */
  int result;      /* what reading them returns; 0: a byte of them is another one */
};

static struct tape tape;

static int tape_read(void* context, uint64_t offset, void* to, size_t length) {
  const struct tape* from = context;
  memcpy(to, from->bytes + offset, length);
  for (int i = 0; i < 2; ++i) {
    if (from->bad[i] == 0 || from->bad[i] + NODE <= offset || from->bad[i] >= offset + length) {
      continue;
    }
    if (from->result != 0) return from->result;
    const uint64_t flipped = from->bad[i] + 500;
    if (flipped >= offset && flipped < offset + length) {
      ((unsigned char*)to)[flipped - offset] ^= 1;
    }
  }
  return 0;
}

static ebcache_filesystem* open_tape(void) {
  const struct ebcache_device device = {.size = sizeof device,
                                        .name = "tape",
                                        .bytes = tape.length,
                                        .context = &tape,
                                        .read = tape_read};
  const struct ebcache_device* const devices[] = {&device};
  ebcache_filesystem* filesystem;
  CHECK_EQUAL(ebcache_open_devices(devices, 1, NULL, &filesystem), 0);
  return filesystem;
}

/* What is in a tree, and in its third leaf. */
struct content {
  uint64_t items;
  uint64_t leaves;
  uint64_t third; /* its address, */
  uint64_t third_items;
  struct ebcache_key first, last; /* and the keys of its first and last item */
  uint64_t gaps;
  struct ebcache_gap gap;
  uint64_t items_before_gap;
  struct ebcache_key before; /* that of the last item told of */
  uint64_t damages;
  int error;
};

static int compare_keys(const struct ebcache_key* a, const struct ebcache_key* b) {
  if (a->objectid != b->objectid) return a->objectid < b->objectid ? -1 : 1;
  if (a->type != b->type) return a->type < b->type ? -1 : 1;
  if (a->offset != b->offset) return a->offset < b->offset ? -1 : 1;
  return 0;
}

static int see_block(void* context, const struct ebcache_root* root, const ebcache_buffer* block) {
  struct content* content = context;
  struct ebcache_header header = {.size = sizeof header};
  struct ebcache_leaf_slot slot = {.size = sizeof slot};
  (void)root;
  CHECK_EQUAL(ebcache_header(block, &header), 0);
  if (header.level != 0) return 0;
  content->items += header.item_count;
  if (++content->leaves != 3) return 0;
  content->third = header.bytenr;
  content->third_items = header.item_count;
  CHECK_EQUAL(ebcache_leaf_slot(block, 0, &slot), 0);
  content->first = slot.key;
  CHECK_EQUAL(ebcache_leaf_slot(block, header.item_count - 1, &slot), 0);
  content->last = slot.key;
  return 0;
}

static void see_damage(void* context, const struct ebcache_walk_damage* damage) {
  struct content* content = context;
  ++content->damages;
  content->error = damage->error;
}

static int see_item(void* context, const struct ebcache_item* item) {
  struct content* content = context;
  if (content->items > 0) CHECK(compare_keys(&content->before, &item->key) < 0);
  content->before = item->key;
  ++content->items;
  return 0;
}

static void see_gap(void* context, const struct ebcache_gap* gap) {
  struct content* content = context;
  ++content->gaps;
  content->gap = *gap;
  content->items_before_gap = content->items;
  CHECK_EQUAL(gap->size, sizeof *gap);
  CHECK(strstr(gap->message, "tape") != NULL);
}

static const struct ebcache_visitor blocks = {
    .size = sizeof blocks, .block = see_block, .damage = see_damage};
static const struct ebcache_item_visitor items = {
    .size = sizeof items, .item = see_item, .gap = see_gap};

static struct ebcache_root root_of(ebcache_filesystem* filesystem, uint64_t id) {
  struct ebcache_root root = {.size = sizeof root};
  ebcache_tree* tree;
  CHECK_EQUAL(ebcache_tree_open(filesystem, id, &tree), 0);
  CHECK_EQUAL(ebcache_tree_root(tree, &root), 0);
  ebcache_tree_close(tree);
  return root;
}

/* The content of the files' tree while all of it is good. Its third leaf is bad from then on. */
static struct content look_and_spoil(void) {
  struct content content = {0};
  tape.bad[0] = tape.bad[1] = 0;
  ebcache_filesystem* filesystem = open_tape();
  const struct ebcache_root root = root_of(filesystem, 5);
  CHECK_EQUAL(ebcache_walk(ebcache_filesystem_cache(filesystem), &root, &blocks, &content, NULL),
              0);
  CHECK(content.leaves > 4);
  for (uint32_t i = 0; i < 2; ++i) {
    struct ebcache_place place = {.size = sizeof place};
    CHECK_EQUAL(ebcache_place(filesystem, content.third, i + 1, &place), 0);
    tape.bad[i] = place.physical;
  }
  CHECK_EQUAL(ebcache_close(filesystem), 0);
  return content;
}

static void iteration_goes_on_behind_a_bad_leaf(void) {
  tape.result = 0;
  const struct content good = look_and_spoil();
  ebcache_filesystem* filesystem = open_tape();
  ebcache_tree* tree;
  CHECK_EQUAL(ebcache_tree_open(filesystem, 5, &tree), 0);
  struct content seen = {0};
  CHECK_FAILS(ebcache_iterate(tree, NULL, NULL, see_item, &seen), EUCLEAN, "tape");
  const uint64_t before = seen.items;
  CHECK(before > 0 && before < good.items - good.third_items);

  seen = (struct content){0};
  CHECK_FAILS(ebcache_iterate_past_damage(tree, NULL, NULL, &items, &seen), EUCLEAN, "tape");
  CHECK_EQUAL(seen.items, good.items - good.third_items);
  CHECK_EQUAL(seen.gaps, 1);
  CHECK_EQUAL(seen.items_before_gap, before);
  CHECK_EQUAL(seen.gap.logical, good.third);
  CHECK_EQUAL(seen.gap.error, -EUCLEAN);
  CHECK_EQUAL(seen.gap.tree, 5);
  CHECK_EQUAL(seen.gap.level, 0);
  CHECK(compare_keys(&seen.gap.from, &good.first) == 0);
  CHECK(compare_keys(&seen.gap.to, &good.last) >= 0);

  /* Without a function for it, and behind it: only what is asked for counts. */
  const struct ebcache_item_visitor deaf = {.size = sizeof deaf, .item = see_item};
  seen = (struct content){0};
  CHECK_EQUAL(ebcache_iterate_past_damage(tree, NULL, NULL, &deaf, &seen), -EUCLEAN);
  CHECK_EQUAL(seen.items, good.items - good.third_items);
  struct ebcache_key behind = seen.before; /* the last of all */
  seen = (struct content){0};
  CHECK_EQUAL(ebcache_iterate_past_damage(tree, &behind, NULL, &items, &seen), 0);
  CHECK_EQUAL(seen.items, 1);
  CHECK_EQUAL(seen.gaps, 0);
  ebcache_tree_close(tree);
  CHECK_EQUAL(ebcache_close(filesystem), 0);
}

/* A device that fails says nothing of the filesystem, and its number is what comes out. */
static void a_device_that_fails_is_no_damage(void) {
  tape.result = 0;
  const struct content good = look_and_spoil();
  ebcache_filesystem* filesystem = open_tape();
  ebcache_cache* cache = ebcache_filesystem_cache(filesystem);
  const struct ebcache_root root = root_of(filesystem, 5);
  struct content seen = {0};
  CHECK_EQUAL(ebcache_walk(cache, &root, &blocks, &seen, NULL), -EUCLEAN);
  CHECK_EQUAL(seen.error, -EUCLEAN);
  static const int numbers[] = {-EIO,   -EXDEV,  -ENOMEM, -EPERM,      -EAGAIN, -EBUSY,
                                -ENXIO, -EACCES, -EINVAL, -EOPNOTSUPP, -ENOENT, -ERANGE};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; ++i) {
    tape.result = numbers[i];
    (void)ebcache_drop_caches(cache);
    ebcache_buffer* buffer;
    CHECK_FAILS(ebcache_read(cache, good.third, NULL, &buffer), -numbers[i], "read returned");
    seen = (struct content){0};
    CHECK_EQUAL(ebcache_walk(cache, &root, &blocks, &seen, NULL), numbers[i]);
    CHECK_EQUAL(seen.damages, 1);
    CHECK_EQUAL(seen.error, numbers[i]);
    CHECK_EQUAL(seen.items, good.items - good.third_items);
  }
  /* What the device calls bad is, by whatever number. */
  static const int bad[] = {-EUCLEAN, -EBADMSG, -EILSEQ};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
    tape.result = bad[i];
    (void)ebcache_drop_caches(cache);
    ebcache_buffer* buffer;
    CHECK_FAILS(ebcache_read(cache, good.third, NULL, &buffer), -bad[i], "read returned");
    seen = (struct content){0};
    CHECK_EQUAL(ebcache_walk(cache, &root, &blocks, &seen, NULL), -EUCLEAN);
    CHECK_EQUAL(seen.error, bad[i]);
  }
  CHECK_EQUAL(ebcache_close(filesystem), 0);
}

/* ---- Trees of a source of the caller's ------------------------------------------------------- */

static int source_result;
static int nested_result; /* of a walk that a callback made over the block that it reads */
static struct content nested;
static ebcache_cache* source_cache;

static int read_or_fail(void* context, ebcache_buffer* buffer) {
  (void)context;
  if (source_result == 1) {
    const struct ebcache_root root = {
        .size = sizeof root, .id = 5, .bytenr = ebcache_buffer_start(buffer)};
    nested_result = ebcache_walk(source_cache, &root, &blocks, &nested, NULL);
    return -EIO;
  }
  ebcache_set_error("the tape is elsewhere");
  return source_result;
}

static int pass_item(void* context, const struct ebcache_item* item) {
  (void)context;
  (void)item;
  return 0;
}

static void see_any_gap(void* context, const struct ebcache_gap* gap) {
  ((struct content*)context)->error = gap->error;
}

/* What one block that cannot be had comes to, by every way over a tree. */
static void expect_of_all_walks(ebcache_cache* cache, int number) {
  static const struct ebcache_item_visitor past = {
      .size = sizeof past, .item = pass_item, .gap = see_any_gap};
  const struct ebcache_root root = {.size = sizeof root, .id = 5, .bytenr = 64 * NODE};
  struct content seen = {0};
  ebcache_buffer* buffer;
  ebcache_tree* tree;
  CHECK_EQUAL(ebcache_read(cache, root.bytenr, NULL, &buffer), number);
  CHECK_EQUAL(ebcache_walk(cache, &root, &blocks, &seen, NULL), number);
  CHECK_EQUAL(seen.error, number);
  CHECK_EQUAL(ebcache_tree_open_root(cache, &root, &tree), 0);
  CHECK_EQUAL(ebcache_iterate(tree, NULL, NULL, see_item, &seen), number);
  seen.error = 0;
  CHECK_EQUAL(ebcache_iterate_past_damage(tree, NULL, NULL, &past, &seen), number);
  CHECK_EQUAL(seen.error, number);
  ebcache_tree_close(tree);
}

static void the_number_of_a_source_is_that_of_the_walk(void) {
  static const int numbers[] = {-EIO,    -ENOMEM, -ETIMEDOUT,  -EAGAIN, -EBUSY, -EACCES, -EPERM,
                                -EINVAL, -ENXIO,  -EOPNOTSUPP, -EEXIST, -EINTR, -ENOENT};
  static const struct ebcache_source source = {.size = sizeof source, .read = read_or_fail};
  CHECK_EQUAL(ebcache_cache_create(NULL, &source, NULL, &source_cache), 0);
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; ++i) {
    source_result = numbers[i];
    expect_of_all_walks(source_cache, numbers[i]);
  }
  source_result = -EUCLEAN;
  expect_of_all_walks(source_cache, -EUCLEAN);

  /* A wait without end is refused, and no damage either. */
  source_result = 1;
  nested = (struct content){0};
  ebcache_buffer* buffer;
  CHECK_EQUAL(ebcache_read(source_cache, 64 * NODE, NULL, &buffer), -EIO);
  CHECK_EQUAL(nested.error, -EDEADLK);
  CHECK_EQUAL(nested_result, -EDEADLK);
  CHECK_EQUAL(ebcache_cache_destroy(source_cache), 0);

  CHECK_EQUAL(ebcache_cache_create(NULL, NULL, NULL, &source_cache), 0);
  expect_of_all_walks(source_cache, -ENXIO);
  /* Where no block can be, as the library itself finds, is damage of what points there. */
  const struct ebcache_root nowhere = {.size = sizeof nowhere, .id = 5, .bytenr = 1};
  struct content seen = {0};
  CHECK_EQUAL(ebcache_walk(source_cache, &nowhere, &blocks, &seen, NULL), -EUCLEAN);
  CHECK_EQUAL(ebcache_cache_destroy(source_cache), 0);
}

/* ---- Deleted subvolumes -------------------------------------------------------------------- */

static int note_deleted(void* context, const struct ebcache_root* root) {
  uint64_t* ids = context;
  if (root->deleted && root->id < 64) *ids |= 1ull << root->id;
  return 0;
}

/* Where in the block at `logical` the reference count of the root item of tree 5 is. */
static uint32_t find_refs(ebcache_filesystem* filesystem, uint64_t* logical) {
  const struct ebcache_key key = {.objectid = 5, .type = 132};
  ebcache_tree* trees;
  ebcache_path* path;
  struct ebcache_leaf_slot slot = {.size = sizeof slot};
  CHECK_EQUAL(ebcache_tree_open(filesystem, 1, &trees), 0);
  CHECK_EQUAL(ebcache_search(trees, &key, EBCACHE_SEARCH_EXACT, &path), 0);
  ebcache_buffer* leaf = ebcache_path_buffer(path, 0);
  *logical = ebcache_buffer_start(leaf);
  CHECK_EQUAL(ebcache_leaf_slot(leaf, ebcache_path_slot(path, 0), &slot), 0);
  ebcache_path_close(path);
  ebcache_tree_close(trees);
  return slot.data_offset + 216;
}

static void deleted_subvolumes_are_told_apart(void) {
  tape.bad[0] = tape.bad[1] = 0;
  ebcache_filesystem* filesystem = open_tape();
  uint64_t deleted = 0;
  CHECK_EQUAL(ebcache_for_each_tree(filesystem, note_deleted, &deleted), 0);
  CHECK_EQUAL(deleted, 0);
  uint64_t logical;
  const uint32_t refs = find_refs(filesystem, &logical);
  for (uint32_t i = 0; i < 2; ++i) {
    struct ebcache_place place = {.size = sizeof place};
    CHECK_EQUAL(ebcache_place(filesystem, logical, i + 1, &place), 0);
    unsigned char* const block = tape.bytes + place.physical;
    CHECK_EQUAL(block[refs], 1);
    block[refs] = 0;
    const uint32_t crc = crc32c(block + 32, NODE - 32);
    for (int byte = 0; byte < 4; ++byte) block[byte] = (unsigned char)(crc >> (8 * byte));
  }
  CHECK_EQUAL(ebcache_close(filesystem), 0);

  filesystem = open_tape();
  CHECK_EQUAL(ebcache_for_each_tree(filesystem, note_deleted, &deleted), 0);
  CHECK_EQUAL(deleted, 1ull << 5);
  struct ebcache_root root = root_of(filesystem, 5);
  CHECK_EQUAL(root.deleted, 1);
  ebcache_tree* tree;
  ebcache_cache* cache = ebcache_filesystem_cache(filesystem);
  CHECK_EQUAL(ebcache_tree_open_root(cache, &root, &tree), 0);
  root.deleted = 77;
  CHECK_EQUAL(ebcache_tree_root(tree, &root), 0);
  CHECK_EQUAL(root.deleted, 1);
  ebcache_tree_close(tree);
  /* A caller of an earlier header knows nothing of it, and its trees are not deleted. */
  root.size = offsetof(struct ebcache_root, deleted);
  CHECK_EQUAL(ebcache_tree_open_root(cache, &root, &tree), 0);
  root.size = sizeof root;
  CHECK_EQUAL(ebcache_tree_root(tree, &root), 0);
  CHECK_EQUAL(root.deleted, 0);
  ebcache_tree_close(tree);
  CHECK_EQUAL(ebcache_close(filesystem), 0);
}

int main(void) {
  tape.bytes = sample_image_bytes(&tape.length);
  RUN(iteration_goes_on_behind_a_bad_leaf);
  RUN(a_device_that_fails_is_no_damage);
  RUN(the_number_of_a_source_is_that_of_the_walk);
  RUN(deleted_subvolumes_are_told_apart);
  return 0;
}
