// A key as it lies on disk, at an address.

#ifndef EBCACHE_LIB_FORMAT_KEY_BYTES_H_
#define EBCACHE_LIB_FORMAT_KEY_BYTES_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "ebcache/on_disk.h"

namespace ebcache {

// The integer at an address.
template <typename T>
T IntegerAt(const std::byte* at) {
  static_assert(std::endian::native == std::endian::little);
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}

inline Key KeyAt(const std::byte* at) {
  return {IntegerAt<uint64_t>(at), IntegerAt<uint8_t>(at + 8), IntegerAt<uint64_t>(at + 9)};
}

}  // namespace ebcache

#endif  // EBCACHE_LIB_FORMAT_KEY_BYTES_H_
