/* The format that mini_scrub reads: a tree of blocks, each of which is there twice. Made up, so that the
 * program is about the cache and not about a filesystem. */

#ifndef MINI_SCRUB_FORMAT_H_
#define MINI_SCRUB_FORMAT_H_

#include <stdint.h>

#define BLOCK_BYTES 16384u
#define COPIES 2

/* In front of every block. Numbers are the machine's own. */
struct header {
  uint64_t checksum; /* of all behind it */
  uint64_t address;  /* in bytes; block 0 is the superblock */
  uint64_t generation;
  uint32_t level; /* 0: a leaf */
  uint32_t count; /* of entries */
};

/* In nodes: a child. In leaves: an item, of which `address` is the value. */
struct slot {
  uint64_t key; /* ascending */
  uint64_t address;
  uint64_t generation;
};

/* What block 0 has behind its header. */
struct super {
  uint64_t blocks; /* in each copy of the image */
  struct slot root;
  uint32_t root_level;
};

#define MOST_ENTRIES ((BLOCK_BYTES - sizeof(struct header)) / sizeof(struct slot))

struct block_view {
  struct header header;
  union {
    struct slot entries[MOST_ENTRIES];
    struct super super;
  };
};

uint64_t checksum_of(const void* block);
/* Puts the checksum in. */
void seal(struct block_view* block);
/* NULL: the block is one that may be at `address`; else what is wrong with it. */
const char* fault_of(const struct block_view* block, uint64_t address);

/* Makes an image with so many leaves; 0, or a negative errno. */
int make_image(const char* path, uint64_t leaves);
/* Damages one copy of every `every`-th block: by turns its bytes, its age (the other copy is newer), and
 * the order of its entries, which no checksum sees. */
int damage_image(const char* path, uint64_t every);

#endif
