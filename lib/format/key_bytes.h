// A key as it lies on disk, at an address.

#ifndef EBCACHE_LIB_FORMAT_KEY_BYTES_H_
#define EBCACHE_LIB_FORMAT_KEY_BYTES_H_

#include <cstddef>

#include "ebcache/key.h"
#include "lib/format/layout_block.h"

namespace ebcache {

// REQUIRES: kKeyBytes bytes there.
inline Key KeyAt(const std::byte* at) { return format::Decode<Key>(at); }

}  // namespace ebcache

#endif  // EBCACHE_LIB_FORMAT_KEY_BYTES_H_
