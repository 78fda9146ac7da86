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

// No struct will ever be larger: a size beyond it is not what a caller said but what was there.
// Believed, it would have the library read, or zero, what lies behind the struct.
inline constexpr size_t kMostStructBytes = 4096;

inline int FailAbout(int number, const char* name, const char* what) {
  std::array<char, 128> text;
  std::snprintf(text.data(), text.size(), "%s: %s", name, what);
  return Fail(number, text.data());
}

// 0 for a size that a struct of any version can have.
inline int CheckSize(size_t size, const char* name) {
  if (size <= sizeof(size_t)) return FailAbout(EINVAL, name, "a struct without its size");
  if (size > kMostStructBytes) return FailAbout(EINVAL, name, "no struct has this size");
  return 0;
}

// What the caller gave, in full: members that it does not know are zero. 0, or a negative errno.
// Null is all zero. `name` is what the header calls it.
template <typename T>
int CopyIn(const T* given, T& full, const char* name) {
  full = T{};
  full.size = sizeof(T);
  if (given == nullptr) return 0;
  static_assert(sizeof(T) <= kMostStructBytes);
  if (const int error = CheckSize(given->size, name); error != 0) return error;
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
  static_assert(sizeof(T) <= kMostStructBytes);
  if (const int error = CheckSize(size, name); error != 0) return error;
  auto* const bytes = reinterpret_cast<unsigned char*>(wanted);
  std::memcpy(bytes, &full, std::min(size, sizeof(T)));
  if (size > sizeof(T)) std::memset(bytes + sizeof(T), 0, size - sizeof(T));
  wanted->size = size;
  return 0;
}

// 0 when there are `count` things, and none of them is NULL.
template <typename T>
int CheckList(const T* const* list, size_t count, const char* name) {
  if (list == nullptr) return NullArgument(name);
  for (size_t i = 0; i < count; ++i) {
    if (list[i] != nullptr) continue;
    std::array<char, 64> entry;
    std::snprintf(entry.data(), entry.size(), "%s[%zu]", name, i);
    return NullArgument(entry.data());
  }
  return 0;
}

}  // namespace ebcache::capi

#endif  // EBCACHE_LIB_CAPI_STRUCTS_H_
