/* mini_scrub: walks the tree of an image, finds copies that are no good, and puts good ones over them.
 *
 *   mini_scrub make IMAGE LEAVES       an image with a tree of so many leaves
 *   mini_scrub damage IMAGE EVERY      damages one copy of every EVERY-th block
 *   mini_scrub scan IMAGE              tells what is damaged
 *   mini_scrub repair IMAGE            mends it
 *
 *   --budget=BYTES    blocks to keep in memory (0, the default: all)
 *   --readahead       a second thread reads leaves ahead of the walk, which lends a hand
 *   --forgetful       lets each leaf go with its last use
 *   --first-copy=N    asks copy N first, 1 or 2: the other one is read only where that is no good
 *
 * Exit code: 0 all copies that were read are good; 1 some were not; 2 it cannot be done. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blocks.h"

struct scrub {
  struct block_cache* cache;
  int repair;
  int forgetful;
  int readahead;
  uint32_t first_copy;
  uint64_t blocks, items, sum, bad_order, lost;
  const struct block* next_node; /* the one whose leaves are wanted after these; held by the walk */
};

static int out_of_order(const struct block_view* block) {
  for (uint32_t i = 1; i < block->header.count; ++i) {
    if (block->entries[i - 1].key >= block->entries[i].key) return 1;
  }
  return 0;
}

static void note(struct block* block, const char* text) {
  struct note* const made = malloc(sizeof *made);
  if (made == NULL) return; /* it is a remark, no more */
  *made = (struct note){block->notes, text};
  block->notes = made;
}

/* What no checksum tells: the entries themselves. Another copy may have them right. */
static int look_inside(struct scrub* scrub, struct block* block, const struct slot* entry) {
  if (block->visits == 0 && block->copy != scrub->first_copy) {
    note(block, "a copy was passed over");
    if (scrub->repair) return blocks_repair(scrub->cache, block);
  }
  if (!out_of_order(block->data)) return 0;
  ++scrub->bad_order;
  const int error = blocks_reread(scrub->cache, block, entry);
  if (error != 0) return error;
  if (out_of_order(block->data)) return -EUCLEAN;
  note(block, "its entries were out of order in one copy");
  return scrub->repair ? blocks_repair(scrub->cache, block) : 0;
}

static void complain(struct scrub* scrub, uint64_t address, const char* why) {
  ++scrub->lost;
  fprintf(stderr, "block %llu: lost: %s\n", (unsigned long long)address, why);
}

static void use_leaf(struct scrub* scrub, struct block* block) {
  const struct block_view* const leaf = block->data;
  scrub->items += leaf->header.count;
  for (uint32_t i = 0; i < leaf->header.count; ++i) {
    scrub->sum += leaf->entries[i].key ^ leaf->entries[i].address;
  }
}

/* That the leaves of a node will be wanted soon. Nothing where there is no node, or no readahead. */
static void ask_for_leaves(struct scrub* scrub, const struct block* node) {
  if (!scrub->readahead || node == NULL || node->data->header.level != 1) return;
  blocks_ask(scrub->cache, node->data->entries, node->data->header.count);
}

static void walk(struct scrub* scrub, struct block* block);

static void walk_children(struct scrub* scrub, const struct block* node) {
  struct block* children[MOST_ENTRIES];
  const uint32_t count = node->data->header.count;
  const struct slot* const entries = node->data->entries;
  /* About half of what was asked for is read here, the rest meanwhile by the other thread; which goes
   * on to the next node's leaves while these are used. */
  if (scrub->readahead) blocks_help(scrub->cache);
  (void)blocks_read_many(scrub->cache, entries, count, children); /* each says how it went */
  ask_for_leaves(scrub, node->data->header.level == 1 ? scrub->next_node : children[0]);
  for (uint32_t i = 0; i < count; ++i) {
    if (children[i] == NULL) {
      complain(scrub, entries[i].address, "no copy is good");
      continue;
    }
    if (node->data->header.level == 2) scrub->next_node = i + 1 < count ? children[i + 1] : NULL;
    if (look_inside(scrub, children[i], &entries[i]) != 0) {
      complain(scrub, entries[i].address, blocks_error());
    } else {
      walk(scrub, children[i]);
    }
    if (scrub->forgetful && children[i]->data->header.level == 0) {
      blocks_put_last(scrub->cache, children[i]);
    } else {
      blocks_put(scrub->cache, children[i]);
    }
  }
}

static void walk(struct scrub* scrub, struct block* block) {
  ++scrub->blocks;
  ++block->visits;
  if (block->data->header.level == 0) {
    use_leaf(scrub, block);
  } else {
    walk_children(scrub, block);
  }
}

/* ---- The program ------------------------------------------------------------------------------- */

static int scan_tree(struct scrub* scrub, const struct slot* root_entry) {
  struct block* root;
  int error = blocks_read(scrub->cache, root_entry, &root);
  if (error == 0) error = look_inside(scrub, root, root_entry);
  if (error != 0) return error;
  ask_for_leaves(scrub, root);
  walk(scrub, root);
  blocks_put(scrub->cache, root);
  return 0;
}

static int scan(struct scrub* scrub, const char* path, uint64_t budget) {
  int error =
      blocks_open(path, budget, scrub->first_copy, scrub->repair, scrub->readahead, &scrub->cache);
  if (error != 0) {
    fprintf(stderr, "%s: cannot be opened: %s\n", path, strerror(-error));
    return 2;
  }
  const struct slot first = {0, 0, 0};
  struct block* super;
  error = blocks_read(scrub->cache, &first, &super);
  if (error == 0) {
    const struct slot root = super->data->super.root;
    blocks_put(scrub->cache, super);
    error = scan_tree(scrub, &root);
  }
  if (error != 0) fprintf(stderr, "%s: %s\n", path, blocks_error());
  struct block_counts counts;
  const int closed = blocks_close(scrub->cache, &counts);
  if (closed != 0) fprintf(stderr, "%s: not all is written: %s\n", path, strerror(-closed));
  printf("blocks %llu, items %llu, sum %llx\n", (unsigned long long)scrub->blocks,
         (unsigned long long)scrub->items, (unsigned long long)scrub->sum);
  printf("copies passed over %llu, out of order %llu, lost %llu, repaired %llu\n",
         (unsigned long long)counts.passed, (unsigned long long)scrub->bad_order,
         (unsigned long long)scrub->lost, (unsigned long long)counts.repairs);
  printf("reads %llu of %llu blocks; structs made %llu, forgotten %llu\n",
         (unsigned long long)counts.reads, (unsigned long long)counts.blocks,
         (unsigned long long)counts.births, (unsigned long long)counts.deaths);
  if (error != 0 || closed != 0) return 2;
  return scrub->lost != 0 || counts.passed != 0 || scrub->bad_order != 0;
}

static int usage(void) {
  fprintf(stderr,
          "mini_scrub make IMAGE LEAVES | damage IMAGE EVERY |\n"
          "           scan IMAGE | repair IMAGE  [--budget=BYTES] [--readahead] [--forgetful]\n"
          "           [--first-copy=1|2]\n");
  return 2;
}

int main(int argc, char** argv) {
  if (argc < 3) return usage();
  const char* const what = argv[1];
  if (strcmp(what, "make") == 0 || strcmp(what, "damage") == 0) {
    if (argc != 4) return usage();
    const uint64_t number = strtoull(argv[3], NULL, 10);
    const int error =
        strcmp(what, "make") == 0 ? make_image(argv[2], number) : damage_image(argv[2], number);
    if (error != 0) fprintf(stderr, "%s: %s\n", argv[2], strerror(-error));
    return error != 0 ? 2 : 0;
  }
  struct scrub scrub = {.repair = strcmp(what, "repair") == 0, .first_copy = 1};
  if (!scrub.repair && strcmp(what, "scan") != 0) return usage();
  uint64_t budget = 0;
  for (int i = 3; i < argc; ++i) {
    if (strncmp(argv[i], "--budget=", 9) == 0) {
      budget = strtoull(argv[i] + 9, NULL, 10);
    } else if (strcmp(argv[i], "--readahead") == 0) {
      scrub.readahead = 1;
    } else if (strcmp(argv[i], "--first-copy=1") == 0 || strcmp(argv[i], "--first-copy=2") == 0) {
      scrub.first_copy = (uint32_t)(argv[i][13] - '0');
    } else if (strcmp(argv[i], "--forgetful") == 0) {
      scrub.forgetful = 1;
    } else {
      return usage();
    }
  }
  return scan(&scrub, argv[2], budget);
}
