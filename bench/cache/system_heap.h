// The C library's own heap, also in a program in which another malloc stands in front of it: what
// programs have that do not link one.

#ifndef EBCACHE_BENCH_CACHE_SYSTEM_HEAP_H_
#define EBCACHE_BENCH_CACHE_SYSTEM_HEAP_H_

#include <cstddef>

namespace ebcache::bench {

struct SystemHeap {
  void* (*malloc)(size_t bytes);
  void* (*calloc)(size_t count, size_t bytes);
  void (*free)(void* memory);

  // A CHECK where the C library cannot be found.
  static const SystemHeap& Get();
};

}  // namespace ebcache::bench

#endif  // EBCACHE_BENCH_CACHE_SYSTEM_HEAP_H_
