#include "format.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Static_assert(sizeof(struct block_view) <= BLOCK_BYTES, "a block has room for its view");

uint64_t checksum_of(const void* block) {
  const unsigned char* bytes = block;
  uint64_t sum = 0xcbf29ce484222325u;
  for (size_t at = sizeof(uint64_t); at < BLOCK_BYTES; at += sizeof(uint64_t)) {
    uint64_t word;
    memcpy(&word, bytes + at, sizeof word);
    sum = (sum ^ word) * 0x100000001b3u;
    sum ^= sum >> 29;
  }
  return sum;
}

void seal(struct block_view* block) { block->header.checksum = checksum_of(block); }

const char* fault_of(const struct block_view* block, uint64_t address) {
  if (checksum_of(block) != block->header.checksum) return "its checksum is wrong";
  if (block->header.address != address) return "it is another block";
  if (block->header.level > 8 || block->header.count > MOST_ENTRIES) return "it is no block";
  return NULL;
}

/* ---- Making images --------------------------------------------------------------------------- */

struct image {
  int file;
  uint64_t blocks;
  uint64_t next; /* address of the next block that is made */
  union {
    struct block_view view;
    unsigned char bytes[BLOCK_BYTES];
  } block;
};

static int write_copies(struct image* image) {
  for (uint64_t copy = 0; copy < COPIES; ++copy) {
    const off_t place =
        (off_t)(copy * image->blocks * BLOCK_BYTES + image->block.view.header.address);
    if (pwrite(image->file, image->block.bytes, BLOCK_BYTES, place) != (ssize_t)BLOCK_BYTES) {
      return -EIO;
    }
  }
  return 0;
}

static struct block_view* begin(struct image* image, uint64_t address, uint32_t level) {
  memset(image->block.bytes, 0, BLOCK_BYTES);
  image->block.view.header.address = address;
  image->block.view.header.generation = 7;
  image->block.view.header.level = level;
  return &image->block.view;
}

/* One level of the tree: `below` becomes the entries that lead to it. */
static int make_level(struct image* image, uint32_t level, struct slot* below, uint64_t* count) {
  uint64_t made = 0;
  for (uint64_t from = 0; from < *count; ++made) {
    struct block_view* const block = begin(image, image->next, level);
    const struct slot leads_here = {below[from].key, image->next, 7};
    while (from < *count && block->header.count < MOST_ENTRIES) {
      block->entries[block->header.count++] = below[from++];
    }
    image->next += BLOCK_BYTES;
    seal(block);
    const int error = write_copies(image);
    if (error != 0) return error;
    below[made] = leads_here;
  }
  *count = made;
  return 0;
}

static int make_blocks(struct image* image, struct slot* entries, uint64_t count) {
  uint32_t level = 0;
  int error = make_level(image, level, entries, &count);
  while (error == 0 && count > 1) error = make_level(image, ++level, entries, &count);
  if (error != 0) return error;
  struct block_view* const block = begin(image, 0, 0);
  block->super = (struct super){image->blocks, entries[0], level};
  seal(block);
  return write_copies(image);
}

int make_image(const char* path, uint64_t leaves) {
  struct image* const image = calloc(1, sizeof *image);
  const uint64_t count = leaves * MOST_ENTRIES;
  struct slot* const entries = calloc(count, sizeof *entries);
  int error = image == NULL || entries == NULL ? -ENOMEM : 0;
  if (error == 0) {
    for (uint64_t i = 0; i < count; ++i) entries[i] = (struct slot){i * 3, i * i, 7};
    image->blocks = 1;
    for (uint64_t level = leaves; level > 1; level = (level + MOST_ENTRIES - 1) / MOST_ENTRIES) {
      image->blocks += level;
    }
    ++image->blocks; /* the root */
    image->next = BLOCK_BYTES;
    image->file = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0666);
    error = image->file < 0 ? -errno : make_blocks(image, entries, count);
    if (image->file >= 0 && close(image->file) != 0 && error == 0) error = -errno;
  }
  free(entries);
  free(image);
  return error;
}

/* ---- Damaging them --------------------------------------------------------------------------- */

static void damage(struct block_view* block, uint64_t how) {
  struct slot* const entries = block->entries;
  switch (how % 3) {
    case 0:
      entries[block->header.count / 2].address ^= 1; /* the checksum tells */
      return;
    case 1: /* whole, and old: the parent tells */
      block->header.generation = 6;
      break;
    default: { /* sealed as it is: only a look at the entries tells */
      const struct slot first = entries[0];
      entries[0] = entries[block->header.count - 1];
      entries[block->header.count - 1] = first;
    }
  }
  seal(block);
}

int damage_image(const char* path, uint64_t every) {
  union {
    struct block_view view;
    unsigned char bytes[BLOCK_BYTES];
  } block;
  const int file = open(path, O_RDWR);
  if (file < 0) return -errno;
  int error = pread(file, block.bytes, BLOCK_BYTES, 0) == (ssize_t)BLOCK_BYTES ? 0 : -EIO;
  const uint64_t blocks = block.view.super.blocks;
  for (uint64_t n = every; error == 0 && every != 0 && n < blocks; n += every) {
    const uint64_t copy = (n / every) % COPIES;
    const off_t place = (off_t)((copy * blocks + n) * BLOCK_BYTES);
    if (pread(file, block.bytes, BLOCK_BYTES, place) != (ssize_t)BLOCK_BYTES) error = -EIO;
    if (error != 0 || block.view.header.count < 2) continue;
    damage(&block.view, n / every);
    if (pwrite(file, block.bytes, BLOCK_BYTES, place) != (ssize_t)BLOCK_BYTES) error = -EIO;
  }
  if (close(file) != 0 && error == 0) error = -errno;
  return error;
}
