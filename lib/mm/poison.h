// Tells the address sanitizer which pages of an arena are free, so that a use after free of a page
// is caught as one of the heap's would be. Without the sanitizer, nothing.

#ifndef EBCACHE_LIB_MM_POISON_H_
#define EBCACHE_LIB_MM_POISON_H_

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace ebcache {

inline void PoisonPages([[maybe_unused]] void* address, [[maybe_unused]] size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
  ASAN_POISON_MEMORY_REGION(address, bytes);
#endif
}

inline void UnpoisonPages([[maybe_unused]] void* address, [[maybe_unused]] size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
  ASAN_UNPOISON_MEMORY_REGION(address, bytes);
#endif
}

}  // namespace ebcache

#endif  // EBCACHE_LIB_MM_POISON_H_
