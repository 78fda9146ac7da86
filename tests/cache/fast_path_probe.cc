// The fast paths as functions of their own, for fast_path_counts_test.py to find in the
// disassembly. As a program it says what it was built by, because counts are one compiler's.

#include <cstdint>
#include <cstdio>
#include <optional>

#include "ebcache/buffer_cache.h"
#include "ebcache/extent_buffer.h"

extern "C" {

// What a user's find, look at a field, and put come to.
uint64_t probe_find_look_put(ebcache::BufferCache* cache, uint64_t start) {
  ebcache::ExtentBufferRef buffer = cache->Find(start);
  return buffer ? buffer->length() : 0;
}

bool probe_load_u8(const ebcache::ExtentBuffer* buffer, size_t offset, uint8_t* value) {
  const std::optional<uint8_t> loaded = buffer->Load<uint8_t>(offset);
  if (loaded) *value = *loaded;
  return loaded.has_value();
}
bool probe_load_u64(const ebcache::ExtentBuffer* buffer, size_t offset, uint64_t* value) {
  const std::optional<uint64_t> loaded = buffer->Load<uint64_t>(offset);
  if (loaded) *value = *loaded;
  return loaded.has_value();
}
bool probe_may_be_cached(const ebcache::BufferCache* cache, uint64_t start) {
  return cache->MayBeCached(start);
}
const std::byte* probe_view(const ebcache::ExtentBuffer* buffer, size_t offset, size_t length,
                            std::byte* scratch) {
  return buffer->View(offset, length, scratch);
}
}  // extern "C"

// All of them, in a way that the linker has to keep.
const void* const volatile probes[] = {
    reinterpret_cast<const void*>(probe_find_look_put),
    reinterpret_cast<const void*>(probe_load_u8),
    reinterpret_cast<const void*>(probe_load_u64),
    reinterpret_cast<const void*>(probe_view),
    reinterpret_cast<const void*>(probe_may_be_cached),
};

int main() {
#if defined(__clang__)
  std::puts("clang");
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(EBCACHE_UBSAN)
  std::puts("a sanitizer");
#elif !defined(__OPTIMIZE__)
  std::puts("no optimisation");
#elif !defined(__x86_64__)
  std::puts("another processor");
#elif defined(EBCACHE_NO_TRACEPOINTS)
  std::puts("without tracepoints");
#else
  std::printf("gcc %s\n", __VERSION__);
#endif
  return probes[0] == nullptr;
}
