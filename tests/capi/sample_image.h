/* A btrfs image of small files, by mkfs.btrfs. */

#ifndef EBCACHE_TESTS_CAPI_SAMPLE_IMAGE_H_
#define EBCACHE_TESTS_CAPI_SAMPLE_IMAGE_H_

/* Makes the image once, and returns its path; ends the program when that fails. */
const char* sample_image(void);
/* All bytes of it, and how many. Not to be freed. */
unsigned char* sample_image_bytes(unsigned long* bytes);

#endif
