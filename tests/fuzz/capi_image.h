// For the target of the C face: what errors there are, and whole images.

#ifndef EBCACHE_TESTS_FUZZ_CAPI_IMAGE_H_
#define EBCACHE_TESTS_FUZZ_CAPI_IMAGE_H_

#include "tests/fuzz/fuzz_input.h"

namespace ebcache::fuzz {

// A result of the library's, as it is: 0, or one of its errors, with words. Else a check fails.
int Known(int result);

// A small image with a few edits, whose checksums are made good, through a device of the caller's:
// opened, walked, searched, gone through item by item and copy by copy.
void RunCapiImage(FuzzInput& input);

}  // namespace ebcache::fuzz

#endif  // EBCACHE_TESTS_FUZZ_CAPI_IMAGE_H_
