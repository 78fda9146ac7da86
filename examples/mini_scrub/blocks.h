/* The cache of mini_scrub, as its own code knows it: a struct for each block, which the program keeps
 * what it likes in. Two files implement it: blocks_ebcache.c, by this library, and blocks_plain.c, by a
 * tree and a list that never let a block go, as such tools have them. */

#ifndef MINI_SCRUB_BLOCKS_H_
#define MINI_SCRUB_BLOCKS_H_

#include <stddef.h>
#include <stdint.h>

#include "format.h"

struct note; /* of what was found in a block */

/* A block in memory. It belongs to the cache; whoever reads it holds it until blocks_put. */
struct block {
  const struct block_view* data;
  uint64_t address;
  struct note* notes; /* the program's, freed when the block goes */
  uint32_t visits;    /* likewise: how often a walk has met it */
  uint32_t copy;      /* that it was read from, from 1 */
  void* handle;       /* the cache's */
  struct block* next; /* likewise */
};

struct note {
  struct note* next;
  const char* text;
};

/* What has happened since the cache was opened. Complete once it is closed. */
struct block_counts {
  uint64_t births;  /* structs of blocks that were made */
  uint64_t deaths;  /* and that went */
  uint64_t reads;   /* calls of the system, each for one block or several side by side */
  uint64_t blocks;  /* read by them */
  uint64_t passed;  /* copies that were no good, or not what was expected */
  uint64_t repairs; /* copies written over by good ones */
};

struct block_cache;

/* `budget` bytes of blocks are kept (0: all). `first_copy` is asked first, 1 or 2. `readahead`: a thread
 * reads what blocks_ask asks for. */
int blocks_open(const char* path, uint64_t budget, uint32_t first_copy, int writable, int readahead,
                struct block_cache** cache);
/* Writes what is to be written first. `counts` may be NULL. */
int blocks_close(struct block_cache* cache, struct block_counts* counts);

/* The block that an entry leads to, from whichever copy is whole and of its generation. Held. */
int blocks_read(struct block_cache* cache, const struct slot* entry, struct block** block);
/* Many at once; blocks[i] is NULL where that failed. 0, or the first error. */
int blocks_read_many(struct block_cache* cache, const struct slot* entries, size_t count,
                     struct block** blocks);
/* That the blocks will be wanted soon: a hint. */
void blocks_ask(struct block_cache* cache, const struct slot* entries, size_t count);
/* Reads some of what was asked for, until none of it waits to be read. */
void blocks_help(struct block_cache* cache);
/* The bytes are not good, whatever their checksum says: those of another copy. */
int blocks_reread(struct block_cache* cache, struct block* block, const struct slot* entry);
/* Puts what is in memory over every copy, at the latest when the cache is closed. */
int blocks_repair(struct block_cache* cache, struct block* block);
void blocks_put(struct block_cache* cache, struct block* block);
/* Lets a block go with the put, if no other holds it: it will not be wanted again. */
void blocks_put_last(struct block_cache* cache, struct block* block);

/* What went wrong in the last call that failed. */
const char* blocks_error(void);

/* ---- What both caches share: copies and batches ------------------------------------------------ */

struct image_file {
  int file;
  uint32_t first_copy; /* that is asked first, from 1 */
  uint64_t blocks;     /* in each copy */
};

/* One block to read. */
struct block_request {
  uint64_t address;
  uint64_t generation; /* 0: any */
  uint32_t bad_copy;   /* not to be taken, from 1; 0: none */
  unsigned char* to;   /* BLOCK_BYTES */
  uint32_t copy;       /* out: where it came from */
  int error;           /* out */
  const char* why;     /* out: of an error */
};

int image_open(const char* path, uint32_t first_copy, int writable, struct image_file* image);
/* Sorts by place, reads neighbours with one call, tries copy after copy. */
void image_read(const struct image_file* image, struct block_request* requests, size_t count,
                struct block_counts* counts);
int image_write(const struct image_file* image, uint64_t address, const void* bytes);
void free_notes(struct note* notes);

#endif
