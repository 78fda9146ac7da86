/* Bytes: the same answers for blocks in one piece and for page arrays. */

#include <errno.h>

#include "tests/capi/check.h"

#define NODE 65536

/* Leaves pages to be used next that are no neighbours. */
static void scatter(ebcache_allocator* allocator) {
  const struct ebcache_cache_options options = {
      .size = sizeof options, .allocator = allocator, .node_bytes = 4096};
  ebcache_cache* cache;
  CHECK_EQUAL(ebcache_cache_create(&options, NULL, NULL, &cache), 0);
  ebcache_buffer* pages[200];
  for (int i = 0; i < 200; ++i) CHECK_EQUAL(ebcache_dummy(cache, 0, &pages[i]), 0);
  for (int i = 0; i < 200; ++i) ebcache_put(pages[i * 7 % 200]);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

/* Blocks of sixteen pages: in one piece on a heap, scattered otherwise. */
static ebcache_cache* make_cache(uint32_t kind, ebcache_buffer** block) {
  const struct ebcache_allocator_options options = {
      .size = sizeof options, .kind = kind, .arena_bytes = 16 << 20};
  ebcache_allocator* allocator;
  CHECK_EQUAL(ebcache_allocator_create(&options, &allocator), 0);
  const struct ebcache_cache_options cache_options = {
      .size = sizeof cache_options, .allocator = allocator, .node_bytes = NODE};
  ebcache_cache* cache;
  CHECK_EQUAL(ebcache_cache_create(&cache_options, NULL, NULL, &cache), 0);
  if (kind == EBCACHE_ALLOCATOR_ORDER0) scatter(allocator);
  ebcache_allocator_release(allocator);
  CHECK_EQUAL(ebcache_get_or_create(cache, NODE, block), 0);
  return cache;
}

static void look_at_bytes(ebcache_buffer* block) {
  unsigned char bytes[NODE];
  for (size_t i = 0; i < NODE; ++i) bytes[i] = (unsigned char)(i * 7 + i / 256);
  CHECK_EQUAL(ebcache_copy_in(block, 0, bytes, NODE), 0);
  int order = 1;
  CHECK_EQUAL(ebcache_compare(block, 0, bytes, NODE, &order), 0);
  CHECK_EQUAL(order, 0);

  /* Across the end of a page, at every distance. */
  for (size_t offset = 4080; offset < 4100; ++offset) {
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    CHECK_EQUAL(ebcache_get_u8(block, offset, &u8), 0);
    CHECK_EQUAL(ebcache_get_u16(block, offset, &u16), 0);
    CHECK_EQUAL(ebcache_get_u32(block, offset, &u32), 0);
    CHECK_EQUAL(ebcache_get_u64(block, offset, &u64), 0);
    CHECK_EQUAL(u8, bytes[offset]);
    CHECK(memcmp(&u16, bytes + offset, 2) == 0);
    CHECK(memcmp(&u32, bytes + offset, 4) == 0);
    CHECK(memcmp(&u64, bytes + offset, 8) == 0);
  }
  CHECK_EQUAL(ebcache_set_u64(block, 8190, 0x0807060504030201), 0);
  for (uint8_t i = 0; i < 8; ++i) {
    uint8_t byte;
    CHECK_EQUAL(ebcache_get_u8(block, 8190u + i, &byte), 0);
    CHECK_EQUAL(byte, i + 1);
  }
  CHECK_EQUAL(ebcache_set_u8(block, 0, 0x11), 0);
  CHECK_EQUAL(ebcache_set_u16(block, 4095, 0x2233), 0);
  CHECK_EQUAL(ebcache_set_u32(block, 12286, 0x44556677), 0);
  CHECK_EQUAL(ebcache_copy_out(block, 0, bytes, NODE), 0);
  CHECK(bytes[0] == 0x11 && bytes[4095] == 0x33 && bytes[4096] == 0x22);
  CHECK(bytes[12286] == 0x77 && bytes[12289] == 0x44);

  /* Within the block, overlapping, and zeroes. */
  memmove(bytes + 5000, bytes + 4000, 9000);
  CHECK_EQUAL(ebcache_copy(block, 5000, block, 4000, 9000), 0);
  memset(bytes + 20000, 0, 5000);
  CHECK_EQUAL(ebcache_zero(block, 20000, 5000), 0);
  CHECK_EQUAL(ebcache_compare(block, 0, bytes, NODE, &order), 0);
  CHECK_EQUAL(order, 0);
  bytes[30000] ^= 1;
  CHECK_EQUAL(ebcache_compare(block, 0, bytes, NODE, &order), 0);
  CHECK(order != 0);
}

static void look_at_pieces(ebcache_buffer* block) {
  unsigned char bytes[NODE];
  CHECK_EQUAL(ebcache_copy_out(block, 0, bytes, NODE), 0);
  size_t offset = 0;
  int pieces = 0;
  for (;; ++pieces) {
    const void* piece;
    void* mutable_piece;
    const size_t length = ebcache_piece(block, offset, &piece);
    CHECK_EQUAL(ebcache_mutable_piece(block, offset, &mutable_piece), length);
    CHECK(piece == mutable_piece);
    if (length == 0) break;
    CHECK(memcmp(piece, bytes + offset, length) == 0);
    offset += length;
  }
  CHECK_EQUAL(offset, NODE);
  if (ebcache_data(block) != NULL) CHECK_EQUAL(pieces, 1);
  const void* piece = block;
  CHECK_EQUAL(ebcache_piece(block, NODE + 1, &piece), 0);
  CHECK(piece == NULL);
  if (ebcache_data(block) == NULL) {
    CHECK_EQUAL(ebcache_piece(block, 4095, &piece), 1);
    CHECK_EQUAL(*(const unsigned char*)piece, bytes[4095]);
  }
}

static void what_leaves_the_block_is_refused(ebcache_buffer* block) {
  unsigned char bytes[8] = {9, 9, 9, 9, 9, 9, 9, 9};
  uint16_t u16 = 9;
  int order;
  CHECK_FAILS(ebcache_copy_out(block, NODE - 7, bytes, 8), ERANGE, "65529");
  CHECK_EQUAL(bytes[0], 9);
  CHECK_EQUAL(ebcache_copy_in(block, NODE + 1, bytes, 0), -ERANGE);
  CHECK_EQUAL(ebcache_copy_in(block, SIZE_MAX, bytes, 2), -ERANGE);
  CHECK_EQUAL(ebcache_get_u16(block, NODE - 1, &u16), -ERANGE);
  CHECK_EQUAL(u16, 9);
  CHECK_EQUAL(ebcache_set_u64(block, NODE - 4, 0), -ERANGE);
  CHECK_EQUAL(ebcache_zero(block, 1, NODE), -ERANGE);
  CHECK_EQUAL(ebcache_compare(block, NODE, bytes, 1, &order), -ERANGE);
  CHECK_EQUAL(ebcache_copy(block, 1, block, 0, NODE), -ERANGE);
  CHECK_EQUAL(ebcache_copy_out(block, NODE, NULL, 0), 0);
}

static void look_at_everything(uint32_t kind) {
  ebcache_buffer *block, *other;
  ebcache_cache* cache = make_cache(kind, &block);
  CHECK((ebcache_data(block) == NULL) == (kind == EBCACHE_ALLOCATOR_ORDER0));
  CHECK(ebcache_mutable_data(block) == ebcache_data(block));
  look_at_bytes(block);
  look_at_pieces(block);
  what_leaves_the_block_is_refused(block);
  CHECK_EQUAL(ebcache_dummy(cache, 0, &other), 0);
  CHECK_EQUAL(ebcache_copy(other, 100, block, 4090, 10000), 0);
  unsigned char bytes[10000];
  CHECK_EQUAL(ebcache_copy_out(block, 4090, bytes, sizeof bytes), 0);
  int order = 1;
  CHECK_EQUAL(ebcache_compare(other, 100, bytes, sizeof bytes, &order), 0);
  CHECK_EQUAL(order, 0);
  ebcache_put(other);
  ebcache_put(block);
  CHECK_EQUAL(ebcache_cache_destroy(cache), 0);
}

static void blocks_in_one_piece(void) { look_at_everything(EBCACHE_ALLOCATOR_HEAP); }
static void page_arrays(void) { look_at_everything(EBCACHE_ALLOCATOR_ORDER0); }

int main(void) {
  RUN(blocks_in_one_piece);
  RUN(page_arrays);
  return 0;
}
