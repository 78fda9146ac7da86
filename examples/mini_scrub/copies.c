/* Reading and writing the copies of blocks, many at a time. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "blocks.h"

#define MOST_TOGETHER 64

int image_open(const char* path, uint32_t first_copy, int writable, struct image_file* image) {
  union {
    struct block_view view;
    unsigned char bytes[BLOCK_BYTES];
  } super;
  image->first_copy = first_copy;
  image->file = open(path, writable ? O_RDWR : O_RDONLY);
  if (image->file < 0) return -errno;
  const off_t end = lseek(image->file, 0, SEEK_END);
  /* The second copy of the superblock is in the middle, wherever that is. */
  for (int copy = 0; copy < COPIES; ++copy) {
    const off_t place = end / COPIES * copy;
    if (pread(image->file, super.bytes, BLOCK_BYTES, place) != (ssize_t)BLOCK_BYTES) continue;
    if (fault_of(&super.view, 0) != NULL) continue;
    image->blocks = super.view.super.blocks;
    if (image->blocks == (uint64_t)end / COPIES / BLOCK_BYTES) return 0;
  }
  close(image->file);
  return -EUCLEAN;
}

static int by_place(const void* left, const void* right) {
  const struct block_request* const a = *(struct block_request* const*)left;
  const struct block_request* const b = *(struct block_request* const*)right;
  return a->address < b->address ? -1 : a->address > b->address;
}

/* Of copy `copy`: blocks that lie side by side. */
static void read_run(const struct image_file* image, uint32_t copy, struct block_request** run,
                     size_t count, struct block_counts* counts) {
  struct iovec to[MOST_TOGETHER];
  for (size_t i = 0; i < count; ++i) to[i] = (struct iovec){run[i]->to, BLOCK_BYTES};
  const uint64_t place = (copy - 1) * image->blocks * BLOCK_BYTES + run[0]->address;
  const ssize_t read = preadv(image->file, to, (int)count, (off_t)place);
  __atomic_fetch_add(&counts->reads, 1, __ATOMIC_RELAXED);
  __atomic_fetch_add(&counts->blocks, count, __ATOMIC_RELAXED);
  for (size_t i = 0; i < count; ++i) {
    struct block_request* const request = run[i];
    const struct block_view* const block = (const struct block_view*)request->to;
    const char* why = read >= (ssize_t)((i + 1) * BLOCK_BYTES) ? NULL : "it cannot be read";
    if (why == NULL) why = fault_of(block, request->address);
    if (why == NULL && request->generation != 0 &&
        request->generation != block->header.generation) {
      why = "it is of another generation";
    }
    if (why == NULL) {
      request->copy = copy;
      request->error = 0;
    } else {
      request->why = why;
      __atomic_fetch_add(&counts->passed, 1, __ATOMIC_RELAXED);
    }
  }
}

void image_read(const struct image_file* image, struct block_request* requests, size_t count,
                struct block_counts* counts) {
  struct block_request* few[MOST_TOGETHER];
  struct block_request** const order =
      count <= MOST_TOGETHER ? few : malloc(count * sizeof(struct block_request*));
  for (size_t i = 0; i < count; ++i) {
    requests[i].error = order != NULL ? -EUCLEAN : -ENOMEM;
    requests[i].why = "no copy is good";
    if (order != NULL) order[i] = &requests[i];
  }
  if (order == NULL) return;
  qsort(order, count, sizeof *order, by_place);
  for (uint32_t tried = 0; tried < COPIES; ++tried) {
    const uint32_t copy = (image->first_copy - 1 + tried) % COPIES + 1;
    for (size_t from = 0; from < count;) {
      struct block_request* run[MOST_TOGETHER];
      size_t length = 0;
      while (from < count && length < MOST_TOGETHER) {
        struct block_request* const next = order[from];
        const int wanted = next->error != 0 && next->bad_copy != copy;
        const int beside = length == 0 || next->address == run[length - 1]->address + BLOCK_BYTES;
        if (wanted && !beside) break;
        if (wanted) run[length++] = next;
        ++from;
      }
      if (length != 0) read_run(image, copy, run, length, counts);
    }
  }
  if (order != few) free(order);
}

int image_write(const struct image_file* image, uint64_t address, const void* bytes) {
  for (uint64_t copy = 0; copy < COPIES; ++copy) {
    const off_t place = (off_t)(copy * image->blocks * BLOCK_BYTES + address);
    if (pwrite(image->file, bytes, BLOCK_BYTES, place) != (ssize_t)BLOCK_BYTES) return -EIO;
  }
  return fdatasync(image->file) == 0 ? 0 : -EIO;
}

void free_notes(struct note* notes) {
  while (notes != NULL) {
    struct note* const next = notes->next;
    free(notes);
    notes = next;
  }
}
