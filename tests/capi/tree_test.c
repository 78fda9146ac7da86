/* Trees: listed, searched, iterated and walked, three ways to the same items. */

#include <errno.h>

#include "tests/capi/check.h"
#include "tests/capi/sample_image.h"

static ebcache_filesystem* filesystem;
static ebcache_tree* tree; /* the files */
static struct ebcache_root root;

static void open_all(void) {
  const char* const paths[] = {sample_image()};
  CHECK_EQUAL(ebcache_open(paths, 1, NULL, &filesystem), 0);
  CHECK_EQUAL(ebcache_tree_open(filesystem, 5, &tree), 0);
  root.size = sizeof root;
  CHECK_EQUAL(ebcache_tree_root(tree, &root), 0);
}

static int note_tree(void* context, const struct ebcache_root* told) {
  uint64_t* ids = context;
  CHECK(told->id < 64 || told->id == (uint64_t)-9);
  if (told->id < 64) *ids |= 1ull << told->id;
  if (told->id == 5) CHECK(strcmp(told->name, "FS_TREE") == 0);
  return 0;
}

static int stop_at_once(void* context, const struct ebcache_root* told) {
  (void)told;
  ++*(int*)context;
  return 42;
}

static void all_trees(void) {
  uint64_t ids = 0;
  CHECK_EQUAL(ebcache_for_each_tree(filesystem, note_tree, &ids), 0);
  CHECK((ids & 0xbe) == 0xbe); /* 1 to 5, and 7 */
  int calls = 0;
  CHECK_EQUAL(ebcache_for_each_tree(filesystem, stop_at_once, &calls), 42);
  CHECK_EQUAL(calls, 1);
  ebcache_tree* none;
  CHECK_FAILS(ebcache_tree_open(filesystem, 4711, &none), ENOENT, "4711");
  CHECK(none == NULL);
}

struct seen {
  uint64_t items, inodes, bytes, leaves, nodes, damages;
  struct ebcache_key last;
  int stop_after;
};

static int compare_keys(const struct ebcache_key* a, const struct ebcache_key* b) {
  if (a->objectid != b->objectid) return a->objectid < b->objectid ? -1 : 1;
  if (a->type != b->type) return a->type < b->type ? -1 : 1;
  if (a->offset != b->offset) return a->offset < b->offset ? -1 : 1;
  return 0;
}

static int see_item(void* context, const struct ebcache_item* item) {
  struct seen* seen = context;
  if (seen->items > 0) CHECK(compare_keys(&seen->last, &item->key) < 0);
  seen->last = item->key;
  ++seen->items;
  seen->inodes += item->key.type == 1;
  seen->bytes += item->data_bytes;
  CHECK(item->data != NULL || item->data_bytes == 0);
  return seen->stop_after != 0 && seen->items == (uint64_t)seen->stop_after ? -77 : 0;
}

static int see_block(void* context, const struct ebcache_root* of, const ebcache_buffer* block) {
  struct seen* seen = context;
  CHECK_EQUAL(of->id, 5);
  struct ebcache_header header = {.size = sizeof header};
  CHECK_EQUAL(ebcache_header(block, &header), 0);
  CHECK_EQUAL(header.bytenr, ebcache_buffer_start(block));
  CHECK_EQUAL(header.owner, 5);
  struct ebcache_leaf_slot item = {.size = sizeof item};
  struct ebcache_node_slot child = {.size = sizeof child};
  if (header.level > 0) {
    ++seen->nodes;
    CHECK_EQUAL(ebcache_node_slot(block, header.item_count - 1, &child), 0);
    CHECK(child.bytenr % 4096 == 0 && child.generation > 0);
    CHECK_EQUAL(ebcache_node_slot(block, header.item_count, &child), -ERANGE);
    CHECK_EQUAL(ebcache_leaf_slot(block, 0, &item), -EINVAL);
  } else {
    ++seen->leaves;
    for (uint32_t slot = 0; slot < header.item_count; ++slot) {
      CHECK_EQUAL(ebcache_leaf_slot(block, slot, &item), 0);
      ++seen->items;
      seen->inodes += item.key.type == 1;
      seen->bytes += item.data_bytes;
      CHECK(item.data_offset + item.data_bytes <= ebcache_buffer_length(block));
    }
    CHECK_EQUAL(ebcache_leaf_slot(block, header.item_count, &item), -ERANGE);
    CHECK_EQUAL(ebcache_node_slot(block, 0, &child), -EINVAL);
  }
  return seen->stop_after != 0 && seen->leaves == (uint64_t)seen->stop_after ? -77 : 0;
}

static void see_damage(void* context, const struct ebcache_walk_damage* damage) {
  struct seen* seen = context;
  ++seen->damages;
  CHECK(damage->error < 0 && damage->message[0] != '\0');
}

static const struct ebcache_visitor visitor = {
    .size = sizeof visitor, .block = see_block, .damage = see_damage};

/* How many blocks had been read when the first leaf was visited. */
static int count_reads(void* context, const struct ebcache_root* of, const ebcache_buffer* block) {
  (void)of;
  struct ebcache_header header = {.size = sizeof header};
  CHECK_EQUAL(ebcache_header(block, &header), 0);
  if (header.level != 0) return 0;
  struct ebcache_cache_stats stats = {.size = sizeof stats};
  CHECK_EQUAL(ebcache_cache_stats(ebcache_filesystem_cache(filesystem), &stats), 0);
  *(uint64_t*)context = stats.reads;
  return -1;
}

/* Leaves are read in batches, as large as the caller says. */
static void leaves_come_in_batches(void) {
  ebcache_cache* const cache = ebcache_filesystem_cache(filesystem);
  const struct ebcache_visitor counter = {
      .size = sizeof counter, .block = count_reads, .damage = see_damage};
  uint64_t reads[3];
  const uint32_t batches[3] = {1, 2, 0};
  for (int i = 0; i < 3; ++i) {
    struct ebcache_walk_options options = {.size = sizeof options, .batch = batches[i]};
    ebcache_drop_caches(cache);
    struct ebcache_cache_stats stats = {.size = sizeof stats};
    CHECK_EQUAL(ebcache_cache_stats(cache, &stats), 0);
    CHECK_EQUAL(ebcache_walk(cache, &root, &counter, &reads[i], &options), -1);
    reads[i] -= stats.reads;
  }
  CHECK_EQUAL(reads[1], reads[0] + 1);
  CHECK(reads[2] > reads[1]); /* by default there are many */
}

static void iterating_searching_and_walking_agree(void) {
  struct seen iterated = {0}, walked = {0}, stepped = {0};
  CHECK_EQUAL(ebcache_iterate(tree, NULL, NULL, see_item, &iterated), 0);
  CHECK_EQUAL(iterated.inodes, 601);
  CHECK_EQUAL(ebcache_walk(ebcache_filesystem_cache(filesystem), &root, &visitor, &walked, NULL),
              0);
  CHECK(walked.leaves > 1 && walked.nodes > 0);
  CHECK_EQUAL(walked.items, iterated.items);
  CHECK_EQUAL(walked.bytes, iterated.bytes);

  ebcache_path* path;
  struct ebcache_item item = {.size = sizeof item};
  CHECK_EQUAL(ebcache_search(tree, NULL, EBCACHE_SEARCH_AT_OR_AFTER, &path), 0);
  int error;
  do {
    CHECK_EQUAL(ebcache_path_item(path, &item), 0);
    CHECK_EQUAL(see_item(&stepped, &item), 0);
    ebcache_buffer* leaf = ebcache_path_buffer(path, 0);
    struct ebcache_leaf_slot slot = {.size = sizeof slot};
    CHECK_EQUAL(ebcache_leaf_slot(leaf, ebcache_path_slot(path, 0), &slot), 0);
    CHECK_EQUAL(compare_keys(&slot.key, &item.key), 0);
  } while ((error = ebcache_path_next(path)) == 0);
  CHECK_EQUAL(error, -ENOENT);
  CHECK_EQUAL(stepped.items, iterated.items);
  /* The path stands on the last item still, and the way back has as many steps. */
  CHECK_EQUAL(ebcache_path_item(path, &item), 0);
  CHECK_EQUAL(compare_keys(&item.key, &iterated.last), 0);
  CHECK_EQUAL(ebcache_path_next(path), -ENOENT);
  uint64_t back = 1;
  while ((error = ebcache_path_previous(path)) == 0) ++back;
  CHECK_EQUAL(error, -ENOENT);
  CHECK_EQUAL(back, iterated.items);
  CHECK(ebcache_path_buffer(path, (int)root.level) != NULL);
  CHECK(ebcache_path_buffer(path, (int)root.level + 1) == NULL);
  CHECK(ebcache_path_buffer(path, -1) == NULL && ebcache_path_buffer(path, 99) == NULL);
  CHECK_EQUAL(ebcache_close(filesystem), -EBUSY); /* the path holds its blocks */
  ebcache_path_close(path);
}

static void three_ways_to_search(void) {
  ebcache_path* path;
  struct ebcache_item item = {.size = sizeof item};
  struct ebcache_key key = {.objectid = 256, .type = 1, .offset = 0};
  CHECK_EQUAL(ebcache_search(tree, &key, EBCACHE_SEARCH_EXACT, &path), 0);
  CHECK_EQUAL(ebcache_path_item(path, &item), 0);
  CHECK_EQUAL(item.data_bytes, 160);
  ebcache_path_close(path);
  key.type = 2;
  CHECK_EQUAL(ebcache_search(tree, &key, EBCACHE_SEARCH_EXACT, &path), -ENOENT);
  CHECK(path == NULL);
  CHECK_EQUAL(ebcache_search(tree, &key, EBCACHE_SEARCH_AT_OR_AFTER, &path), 0);
  CHECK_EQUAL(ebcache_path_item(path, &item), 0);
  CHECK(item.key.objectid == 256 && item.key.type > 2);
  ebcache_path_close(path);
  CHECK_EQUAL(ebcache_search(tree, &key, EBCACHE_SEARCH_AT_OR_BEFORE, &path), 0);
  CHECK_EQUAL(ebcache_path_item(path, &item), 0);
  CHECK_EQUAL(item.key.type, 1);
  ebcache_path_close(path);
  key.objectid = UINT64_MAX;
  CHECK_EQUAL(ebcache_search(tree, &key, EBCACHE_SEARCH_AT_OR_AFTER, &path), -ENOENT);
  CHECK_EQUAL(ebcache_search(tree, NULL, EBCACHE_SEARCH_AT_OR_BEFORE, &path), 0);
  ebcache_path_close(path);
  CHECK_EQUAL(ebcache_search(tree, NULL, EBCACHE_SEARCH_EXACT, &path), -EINVAL);
  CHECK_EQUAL(ebcache_search(tree, &key, 3, &path), -EINVAL);
}

static void parts_of_a_tree(void) {
  struct seen seen = {0};
  /* All items of one file: mkfs numbers files as it likes. */
  ebcache_path* path;
  struct ebcache_item item = {.size = sizeof item};
  const struct ebcache_key behind_the_directory = {.objectid = 257};
  CHECK_EQUAL(ebcache_search(tree, &behind_the_directory, EBCACHE_SEARCH_AT_OR_AFTER, &path), 0);
  CHECK_EQUAL(ebcache_path_item(path, &item), 0);
  ebcache_path_close(path);
  const struct ebcache_key to = {.objectid = item.key.objectid, .type = 255, .offset = UINT64_MAX};
  CHECK_EQUAL(ebcache_iterate(tree, &item.key, &to, see_item, &seen), 0);
  CHECK_EQUAL(seen.inodes, 1);
  CHECK_EQUAL(seen.items, 3); /* the inode, its name, its bytes */
  seen = (struct seen){.stop_after = 5};
  CHECK_EQUAL(ebcache_iterate(tree, NULL, NULL, see_item, &seen), -77);
  CHECK_EQUAL(seen.items, 5);
  seen = (struct seen){.stop_after = 2};
  ebcache_cache* cache = ebcache_filesystem_cache(filesystem);
  CHECK_EQUAL(ebcache_walk(cache, &root, &visitor, &seen, NULL), -77);
  CHECK_EQUAL(seen.leaves, 2);
}

static void a_walk_with_a_set_visits_blocks_once(void) {
  ebcache_cache* cache = ebcache_filesystem_cache(filesystem);
  ebcache_block_set* set;
  CHECK_EQUAL(ebcache_block_set_create(12345, &set), -EINVAL);
  CHECK_EQUAL(ebcache_block_set_create(2048, &set), -EINVAL);
  CHECK_EQUAL(ebcache_block_set_create(131072, &set), -EINVAL);
  CHECK_EQUAL(ebcache_block_set_create(65536, &set), 0);
  ebcache_block_set_free(set);
  CHECK_EQUAL(ebcache_block_set_create(16384, &set), 0);
  const struct ebcache_walk_options options = {.size = sizeof options, .visited = set, .batch = 3};
  struct seen first = {0}, second = {0};
  CHECK_EQUAL(ebcache_walk(cache, &root, &visitor, &first, &options), 0);
  CHECK_EQUAL(ebcache_block_set_size(set), first.leaves + first.nodes);
  CHECK_EQUAL(ebcache_walk(cache, &root, &visitor, &second, &options), 0);
  CHECK_EQUAL(second.leaves + second.nodes, 0);
  ebcache_block_set_free(set);
}

static uint64_t cached_buffers(void) {
  struct ebcache_cache_stats stats = {.size = sizeof stats};
  CHECK_EQUAL(ebcache_cache_stats(ebcache_filesystem_cache(filesystem), &stats), 0);
  return stats.cached_buffers;
}

static void a_walk_that_drops_behind_leaves_nothing_behind(void) {
  ebcache_cache* cache = ebcache_filesystem_cache(filesystem);
  const struct ebcache_walk_options options = {.size = sizeof options, .batch = 3, .drop_behind = 1};
  struct seen kept = {0}, dropped = {0};
  ebcache_drop_caches(cache);
  const uint64_t before = cached_buffers();
  CHECK_EQUAL(ebcache_walk(cache, &root, &visitor, &dropped, &options), 0);
  CHECK_EQUAL(cached_buffers(), before);
  CHECK_EQUAL(ebcache_walk(cache, &root, &visitor, &kept, NULL), 0);
  CHECK_EQUAL(dropped.leaves + dropped.nodes, kept.leaves + kept.nodes);
  const uint64_t all = cached_buffers();
  CHECK(all > before);
  /* What was there before it stays. */
  CHECK_EQUAL(ebcache_walk(cache, &root, &visitor, &dropped, &options), 0);
  CHECK_EQUAL(cached_buffers(), all);
}

/* Of a block that nothing has looked at, slots end with its bytes. */
static void slots_of_what_is_no_block(void) {
  ebcache_buffer* block;
  CHECK_EQUAL(ebcache_dummy(ebcache_filesystem_cache(filesystem), 0, &block), 0);
  CHECK_EQUAL(ebcache_zero(block, 0, ebcache_buffer_length(block)), 0);
  const uint32_t length = ebcache_buffer_length(block);
  CHECK_EQUAL(ebcache_set_u32(block, 96, 0xffffffff), 0); /* items */
  struct ebcache_leaf_slot item = {.size = sizeof item};
  const uint32_t slots = (length - 101) / 25;
  CHECK_EQUAL(ebcache_leaf_slot(block, slots - 1, &item), 0);
  CHECK_EQUAL(ebcache_leaf_slot(block, slots, &item), -ERANGE);
  CHECK_EQUAL(ebcache_leaf_slot(block, 0xfffffffe, &item), -ERANGE);
  CHECK_EQUAL(ebcache_set_u8(block, 100, 1), 0); /* level */
  struct ebcache_node_slot child = {.size = sizeof child};
  const uint32_t pointers = (length - 101) / 33;
  CHECK_EQUAL(ebcache_node_slot(block, pointers - 1, &child), 0);
  CHECK_EQUAL(ebcache_node_slot(block, pointers, &child), -ERANGE);
  CHECK_EQUAL(ebcache_node_slot(block, 0xfffffffe, &child), -ERANGE);
  ebcache_put(block);
}

static void a_root_that_is_none(void) {
  ebcache_cache* cache = ebcache_filesystem_cache(filesystem);
  struct ebcache_root wrong = root;
  struct seen seen = {0};
  wrong.bytenr += 4096;
  CHECK_EQUAL(ebcache_walk(cache, &wrong, &visitor, &seen, NULL), -EUCLEAN);
  CHECK_EQUAL(seen.damages, 1);
  ebcache_tree* there;
  CHECK_EQUAL(ebcache_tree_open_root(cache, &wrong, &there), 0);
  CHECK(ebcache_iterate(there, NULL, NULL, see_item, &seen) < 0);
  ebcache_tree_close(there);
  wrong = root;
  CHECK_EQUAL(ebcache_tree_open_root(cache, &wrong, &there), 0);
  struct seen same = {0};
  CHECK_EQUAL(ebcache_iterate(there, NULL, NULL, see_item, &same), 0);
  CHECK_EQUAL(same.inodes, 601);
  ebcache_tree_close(there);
  wrong.level = 8;
  CHECK_EQUAL(ebcache_tree_open_root(cache, &wrong, &there), -EINVAL);
  CHECK_EQUAL(ebcache_walk(cache, &wrong, &visitor, &seen, NULL), -EINVAL);
}

int main(void) {
  open_all();
  RUN(all_trees);
  RUN(leaves_come_in_batches);
  RUN(iterating_searching_and_walking_agree);
  RUN(three_ways_to_search);
  RUN(parts_of_a_tree);
  RUN(a_walk_with_a_set_visits_blocks_once);
  RUN(a_walk_that_drops_behind_leaves_nothing_behind);
  RUN(slots_of_what_is_no_block);
  RUN(a_root_that_is_none);
  ebcache_tree_close(tree);
  CHECK_EQUAL(ebcache_close(filesystem), 0);
  return 0;
}
