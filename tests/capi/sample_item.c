#include "tests/capi/sample_item.h"

#include <stdio.h>
#include <string.h>

#include "tests/capi/check.h"

enum { HEAD = 30 }; /* in front of the name: a key, a generation, two lengths, a type */

/* As btrfs has it of names: CRC32C that begins with ~1 and ends as it is. */
static uint32_t name_hash(const char* name) {
  uint32_t crc = 0xfffffffeu;
  for (; *name != '\0'; ++name) {
    crc ^= (unsigned char)*name;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0x82f63b78u & (0u - (crc & 1)));
  }
  return crc;
}

struct sample_item make_sample_item(int number, size_t value_bytes, char fill) {
  struct sample_item item = {0};
  char name[32];
  const size_t length = (size_t)snprintf(name, sizeof name, "user.%d", number);
  CHECK(value_bytes <= 4000);
  item.key.objectid = 256;
  item.key.type = 24;
  item.key.offset = name_hash(name);
  item.data[25] = (unsigned char)value_bytes;
  item.data[26] = (unsigned char)(value_bytes >> 8);
  item.data[27] = (unsigned char)length;
  item.data[29] = 8; /* an attribute */
  memcpy(item.data + HEAD, name, length);
  memset(item.data + HEAD + length, fill, value_bytes);
  item.bytes = HEAD + length + value_bytes;
  return item;
}

int sample_item_fill(const ebcache_tree* tree, int number) {
  const struct sample_item wanted = make_sample_item(number, 0, 0);
  ebcache_path* path;
  struct ebcache_item item = {.size = sizeof item};
  int result = ebcache_search(tree, &wanted.key, EBCACHE_SEARCH_EXACT, &path);
  if (result == 0) result = ebcache_path_item(path, &item);
  if (result == 0) {
    CHECK(item.data_bytes > wanted.bytes);
    result = ((const unsigned char*)item.data)[wanted.bytes];
  }
  ebcache_path_close(path);
  return result;
}
