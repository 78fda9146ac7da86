#include "dump.h"

#include <inttypes.h>

struct dump {
  struct fs_info* fs;
  const struct ebcache_root* root;
  FILE* out;
  struct tree_counts* counts;
};

static int dump_block(struct dump* dump, struct extent_buffer* eb);

static void dump_header(const struct dump* dump, const struct extent_buffer* eb,
                        const struct ebcache_header* header) {
  if (dump->out == NULL) return;
  fprintf(dump->out, "%s %" PRIu64 " level %u items %u generation %" PRIu64 " owner %" PRIu64 "\n",
          header->level == 0 ? "leaf" : "node", ebcache_buffer_start(eb), header->level,
          header->item_count, header->generation, header->owner);
}

static void dump_leaf(const struct dump* dump, const struct extent_buffer* leaf,
                      uint32_t item_count) {
  if (dump->out == NULL) return;
  for (uint32_t slot = 0; slot < item_count; ++slot) {
    const struct ebcache_leaf_slot item = leaf_item(leaf, slot);
    fprintf(dump->out, "\titem %u key (%" PRIu64 " %u %" PRIu64 ") offset %u size %u\n", slot,
            item.key.objectid, item.key.type, item.key.offset, item.data_offset, item.data_bytes);
  }
}

/* Below 0, 0 or above, as a is before b, equal or behind it. */
static int compare_keys(const struct ebcache_key* a, const struct ebcache_key* b) {
  if (a->objectid != b->objectid) return a->objectid < b->objectid ? -1 : 1;
  if (a->type != b->type) return a->type < b->type ? -1 : 1;
  if (a->offset != b->offset) return a->offset < b->offset ? -1 : 1;
  return 0;
}

/* Deleting a subvolume goes through it in key order and keeps its place, drop_progress, in a node on
 * drop_level. What is before that place may be gone already and is not asked for; the nodes that
 * lead to it, and all that is behind it, are still there. */
static uint32_t first_child_left(const struct dump* dump, const struct extent_buffer* node,
                                 const struct ebcache_header* header) {
  const struct ebcache_root* root = dump->root;
  if (root->drop_level == 0 || header->level < root->drop_level) return 0;
  uint32_t slot = 0;
  while (slot < header->item_count) {
    const struct ebcache_node_slot child = node_child(node, slot);
    const int order = compare_keys(&child.key, &root->drop_progress);
    if (order > 0 || (order == 0 && header->level == root->drop_level)) break;
    ++slot;
  }
  /* Above drop_level, the last child that begins at or before the place leads to it. */
  return header->level > root->drop_level && slot > 0 ? slot - 1 : slot;
}

static int dump_node(struct dump* dump, const struct extent_buffer* node,
                     const struct ebcache_header* header) {
  const uint32_t first = first_child_left(dump, node, header);
  for (uint32_t slot = 0; slot < header->item_count; ++slot) {
    const struct ebcache_node_slot child = node_child(node, slot);
    if (dump->out != NULL) {
      fprintf(dump->out,
              "\tkey (%" PRIu64 " %u %" PRIu64 ") block %" PRIu64 " generation %" PRIu64 "\n",
              child.key.objectid, child.key.type, child.key.offset, child.bytenr, child.generation);
    }
  }
  for (uint32_t slot = first; slot < header->item_count; ++slot) {
    const struct ebcache_node_slot child = node_child(node, slot);
    /* A level that must fall: no knot in the tree is followed for ever. The owner is not asked for:
     * snapshots share blocks. */
    struct extent_buffer* eb =
        read_tree_block(dump->fs, child.bytenr, 0, child.generation, (int)header->level - 1);
    if (eb == NULL) return -errno;
    const int error = dump_block(dump, eb);
    free_extent_buffer(eb);
    if (error != 0) return error;
  }
  return 0;
}

static int dump_block(struct dump* dump, struct extent_buffer* eb) {
  const struct ebcache_header header = tree_header(eb);
  dump_header(dump, eb, &header);
  if (header.level > 0) {
    ++dump->counts->nodes;
    return dump_node(dump, eb, &header);
  }
  ++dump->counts->leaves;
  dump->counts->items += header.item_count;
  dump_leaf(dump, eb, header.item_count);
  return 0;
}

int dump_tree(struct fs_info* fs, const struct ebcache_root* root, FILE* out,
              struct tree_counts* counts) {
  struct dump dump = {.fs = fs, .root = root, .out = out, .counts = counts};
  struct extent_buffer* eb =
      read_tree_block(fs, root->bytenr, 0, root->generation, (int)root->level);
  if (eb == NULL) return -errno;
  const int error = dump_block(&dump, eb);
  free_extent_buffer(eb);
  return error;
}
