/* A btrfs image of small files, by mkfs.btrfs. */

#ifndef EBCACHE_TESTS_CAPI_SAMPLE_IMAGE_H_
#define EBCACHE_TESTS_CAPI_SAMPLE_IMAGE_H_

#include <stddef.h>
#include <stdint.h>

/* Makes the image once, and returns its path; ends the program when that fails. */
const char* sample_image(void);
/* All bytes of it, and how many. Not to be freed. */
unsigned char* sample_image_bytes(unsigned long* bytes);
/* The checksum of its blocks and superblocks: of what follows the 32 bytes that hold it. */
uint32_t crc32c(const unsigned char* bytes, size_t length);

#endif
