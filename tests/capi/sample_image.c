#include "tests/capi/sample_image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void run(const char* command) {
  if (system(command) == 0) return;
  fprintf(stderr, "failed: %s\n", command);
  exit(1);
}

const char* sample_image(void) {
  static char path[1024];
  if (path[0] != '\0') return path;
  const char* top = getenv("TEST_TMPDIR");
  if (top == NULL) top = "/tmp";
  char command[4096];
  snprintf(command, sizeof command, "rm -rf '%s/capi' && mkdir -p '%s/capi/files'", top, top);
  run(command);
  for (int i = 0; i < 600; ++i) {
    char name[2048];
    snprintf(name, sizeof name, "%s/capi/files/file-%d", top, i);
    FILE* file = fopen(name, "w");
    if (file == NULL || fprintf(file, "%1000d", i) < 0 || fclose(file) != 0) {
      fprintf(stderr, "cannot write %s\n", name);
      exit(1);
    }
  }
  snprintf(path, sizeof path, "%s/capi/image", top);
  snprintf(command, sizeof command,
           "PATH=\"$PATH:/usr/sbin:/sbin\" && truncate -s 128M '%s' && "
           "mkfs.btrfs -q -f -m dup -L capi --rootdir '%s/capi/files' '%s'",
           path, top, path);
  run(command);
  return path;
}

unsigned char* sample_image_bytes(unsigned long* bytes) {
  static unsigned char* content;
  static unsigned long length;
  if (content == NULL) {
    FILE* file = fopen(sample_image(), "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) exit(1);
    length = (unsigned long)ftell(file);
    rewind(file);
    content = malloc(length);
    if (content == NULL || fread(content, 1, length, file) != length) exit(1);
    fclose(file);
  }
  *bytes = length;
  return content;
}

uint32_t crc32c(const unsigned char* bytes, size_t length) {
  uint32_t crc = 0xffffffffu;
  for (size_t i = 0; i < length; ++i) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0x82f63b78u & (0u - (crc & 1)));
  }
  return ~crc;
}
