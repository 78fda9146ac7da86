#include "tests/support/counted_calls.h"

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace {
std::atomic<uint64_t> allocations{0};
std::atomic<uint64_t> locks{0};
}  // namespace

#if !EBCACHE_TEST_SANITIZED
// Replacements for the whole program.
void* operator new(size_t bytes) {
  allocations.fetch_add(1);
  void* memory = std::malloc(bytes);
  if (memory == nullptr) std::abort();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

extern "C" int pthread_mutex_lock(pthread_mutex_t* mutex) {
  static auto* real =
      reinterpret_cast<int (*)(pthread_mutex_t*)>(dlsym(RTLD_NEXT, "pthread_mutex_lock"));
  locks.fetch_add(1);
  return real(mutex);
}
extern "C" int pthread_mutex_trylock(pthread_mutex_t* mutex) {
  static auto* real =
      reinterpret_cast<int (*)(pthread_mutex_t*)>(dlsym(RTLD_NEXT, "pthread_mutex_trylock"));
  const int result = real(mutex);
  if (result == 0) locks.fetch_add(1);
  return result;
}
#endif

namespace ebcache {

uint64_t AllocationsSoFar() { return allocations.load(); }
uint64_t LocksSoFar() { return locks.load(); }

}  // namespace ebcache
