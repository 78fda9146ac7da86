// Structs that grow: the caller says by `size` how much of one it knows.

#ifndef EBCACHE_LIB_CAPI_STRUCTS_H_
#define EBCACHE_LIB_CAPI_STRUCTS_H_

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>

#include "lib/capi/errors.h"

namespace ebcache::capi {

inline int FailAbout(int number, const char* name, const char* what) {
  std::array<char, 128> text;
  std::snprintf(text.data(), text.size(), "%s: %s", name, what);
  return Fail(number, text.data());
}

// What the caller gave, in full: members that it does not know are zero. 0, or a negative errno.
// Null is all zero. `name` is what the header calls it.
template <typename T>
int CopyIn(const T* given, T& full, const char* name) {
  full = T{};
  full.size = sizeof(T);
  if (given == nullptr) return 0;
  if (given->size <= sizeof(size_t)) return FailAbout(EINVAL, name, "a struct without its size");
  const auto* const bytes = reinterpret_cast<const unsigned char*>(given);
  for (size_t i = sizeof(T); i < given->size; ++i) {
    if (bytes[i] != 0) {
      return FailAbout(E2BIG, name, "has members that this version does not know");
    }
  }
  std::memcpy(&full, given, std::min(given->size, sizeof(T)));
  full.size = sizeof(T);
  return 0;
}

// As much of `full` as the caller knows; what the library does not know is zeroed.
template <typename T>
int CopyOut(const T& full, T* wanted, const char* name) {
  if (wanted == nullptr) return NullArgument(name);
  const size_t size = wanted->size;
  if (size <= sizeof(size_t)) return FailAbout(EINVAL, name, "a struct without its size");
  auto* const bytes = reinterpret_cast<unsigned char*>(wanted);
  std::memcpy(bytes, &full, std::min(size, sizeof(T)));
  if (size > sizeof(T)) std::memset(bytes + sizeof(T), 0, size - sizeof(T));
  wanted->size = size;
  return 0;
}

}  // namespace ebcache::capi

#endif  // EBCACHE_LIB_CAPI_STRUCTS_H_
