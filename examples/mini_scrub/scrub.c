/* mini_scrub: walks the tree of an image, finds copies that are no good, and puts good ones over them.
 *
 *   mini_scrub make IMAGE LEAVES       an image with a tree of so many leaves
 *   mini_scrub damage IMAGE EVERY      damages one copy of every EVERY-th block
 *   mini_scrub scan IMAGE              tells what is damaged
 *   mini_scrub repair IMAGE            mends it
 *
 *   --budget=BYTES    blocks to keep in memory (0, the default: all)
 *   --readahead       a second thread reads every second node's leaves ahead of the walk
 *   --forgetful       lets each leaf go with its last use
 *   --first-copy=N    asks copy N first, 1 or 2: the other one is read only where that is no good
 *
 * Exit code: 0 all copies that were read are good; 1 some were not; 2 it cannot be done. */

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blocks.h"

#define MOST_READ_AHEAD 8 /* nodes whose children are read ahead of the walk */

struct scrub {
  struct block_cache* cache;
  int repair;
  int forgetful;
  int readahead;
  uint32_t first_copy;
  uint64_t blocks, items, sum, bad_order, lost;
  /* The thread that reads ahead may go so many nodes further. */
  sem_t ahead;
  uint64_t nodes_met; /* by that thread */
  int stop;
  /* Held by the walk while it has the bytes of a node changed, and by the other thread while it reads
   * them: the cache keeps blocks alive, and no one's bytes apart. */
  pthread_mutex_t nodes;
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
  pthread_mutex_lock(&scrub->nodes);
  const int error = blocks_reread(scrub->cache, block, entry);
  pthread_mutex_unlock(&scrub->nodes);
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

static void walk(struct scrub* scrub, struct block* block);

static void walk_children(struct scrub* scrub, const struct block* node) {
  struct block* children[MOST_ENTRIES];
  const uint32_t count = node->data->header.count;
  const struct slot* const entries = node->data->entries;
  if (scrub->readahead && node->data->header.level == 1) sem_post(&scrub->ahead);
  (void)blocks_read_many(scrub->cache, entries, count, children); /* each says how it went */
  for (uint32_t i = 0; i < count; ++i) {
    if (children[i] == NULL) {
      complain(scrub, entries[i].address, "no copy is good");
      continue;
    }
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

/* ---- Reading ahead ----------------------------------------------------------------------------- */

/* Copies what a node leads to: nothing where that cannot be. Not in one's own stack: trees are deep. */
static struct slot* slots_of(struct scrub* scrub, const struct block* block, uint32_t* count) {
  pthread_mutex_lock(&scrub->nodes);
  *count = block->data->header.level == 0 ? 0 : block->data->header.count;
  struct slot* const slots = malloc((*count + 1) * sizeof *slots);
  if (slots != NULL) memcpy(slots, block->data->entries, *count * sizeof *slots);
  pthread_mutex_unlock(&scrub->nodes);
  return slots;
}

static void read_leaves_ahead(struct scrub* scrub, const struct slot* slots, uint32_t count) {
  struct block* leaves[MOST_ENTRIES];
  sem_wait(&scrub->ahead);
  /* The walk reads the others itself, at the same time. */
  const int ours = scrub->nodes_met++ % 2 == 1;
  if (!ours || __atomic_load_n(&scrub->stop, __ATOMIC_RELAXED)) return;
  (void)blocks_read_many(scrub->cache, slots, count, leaves); /* the walk will say what failed */
  for (uint32_t i = 0; i < count; ++i) {
    if (leaves[i] != NULL) blocks_put(scrub->cache, leaves[i]);
  }
}

static void read_ahead(struct scrub* scrub, const struct slot* slot, uint32_t level) {
  struct block* block;
  uint32_t count;
  if (level == 0 || blocks_read(scrub->cache, slot, &block) != 0) return;
  struct slot* const slots = slots_of(scrub, block, &count);
  blocks_put(scrub->cache, block);
  if (slots != NULL && level == 1) read_leaves_ahead(scrub, slots, count);
  for (uint32_t i = 0; slots != NULL && level > 1 && i < count; ++i) {
    read_ahead(scrub, &slots[i], level - 1);
  }
  free(slots);
}

struct reader {
  struct scrub* scrub;
  struct slot root;
  uint32_t level;
};

static void* read_ahead_thread(void* argument) {
  struct reader* const reader = argument;
  read_ahead(reader->scrub, &reader->root, reader->level);
  return NULL;
}

/* ---- The program ------------------------------------------------------------------------------- */

static int scan_tree(struct scrub* scrub, const struct slot* root_entry) {
  struct block* root;
  pthread_mutex_init(&scrub->nodes, NULL);
  int error = blocks_read(scrub->cache, root_entry, &root);
  if (error == 0) error = look_inside(scrub, root, root_entry);
  if (error != 0) return error;
  pthread_t thread;
  struct reader reader = {scrub, *root_entry, root->data->header.level};
  sem_init(&scrub->ahead, 0, MOST_READ_AHEAD);
  if (scrub->readahead && pthread_create(&thread, NULL, read_ahead_thread, &reader) != 0) {
    scrub->readahead = 0;
  }
  walk(scrub, root);
  if (scrub->readahead) {
    __atomic_store_n(&scrub->stop, 1, __ATOMIC_RELAXED);
    for (uint32_t i = 0; i < MOST_ENTRIES * MOST_READ_AHEAD; ++i) sem_post(&scrub->ahead);
    pthread_join(thread, NULL);
  }
  sem_destroy(&scrub->ahead);
  blocks_put(scrub->cache, root);
  return 0;
}

static int scan(struct scrub* scrub, const char* path, uint64_t budget) {
  int error = blocks_open(path, budget, scrub->first_copy, scrub->repair, &scrub->cache);
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
