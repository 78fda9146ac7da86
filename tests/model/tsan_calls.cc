// What the compiler calls in code that is compiled for the thread sanitizer, whose runtime is not linked here: each
// access to plain memory goes to the model (weak_memory.h). And what else touches memory: copies, and memory that is
// given out and back.
//
// This file is compiled without the instrumentation.

#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "tests/model/model_sync.h"
#include "tests/model/weak_memory.h"

namespace {

using ebcache::model::WeakMemory;
using Kind = WeakMemory::Kind;

inline void Accessed(const void* address, size_t bytes, Kind kind, const void* by) {
  WeakMemory& memory = WeakMemory::Get();
  if (memory.watching()) memory.Accessed(address, bytes, kind, by);
}

void InOrder(const volatile void* at) { ebcache::model::InOrder(const_cast<const void*>(at)); }

// Memory goes back in the state in which it is given out: whoever uses it still is too late.
void GivenBack(void* memory) {
  if (memory == nullptr) return;
  WeakMemory& watched = WeakMemory::Get();
  if (!watched.watching()) return;
  constexpr size_t kMostBytes = 4096;  // of larger ones the beginning
  const size_t bytes = std::min(malloc_usable_size(memory), kMostBytes);
  watched.Accessed(memory, bytes, Kind::kPlainWrite, __builtin_return_address(0));
  watched.Forget(memory, bytes);
}

}  // namespace

#define EBCACHE_TSAN_ACCESS(name, bytes, kind)                                  \
  void __tsan_##name(void* address) {                                           \
    Accessed(address, bytes, Kind::kind, __builtin_return_address(0));          \
  }

extern "C" {

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
EBCACHE_TSAN_ACCESS(read1, 1, kPlainRead)
EBCACHE_TSAN_ACCESS(read2, 2, kPlainRead)
EBCACHE_TSAN_ACCESS(read4, 4, kPlainRead)
EBCACHE_TSAN_ACCESS(read8, 8, kPlainRead)
EBCACHE_TSAN_ACCESS(read16, 16, kPlainRead)
EBCACHE_TSAN_ACCESS(write1, 1, kPlainWrite)
EBCACHE_TSAN_ACCESS(write2, 2, kPlainWrite)
EBCACHE_TSAN_ACCESS(write4, 4, kPlainWrite)
EBCACHE_TSAN_ACCESS(write8, 8, kPlainWrite)
EBCACHE_TSAN_ACCESS(write16, 16, kPlainWrite)
EBCACHE_TSAN_ACCESS(unaligned_read2, 2, kPlainRead)
EBCACHE_TSAN_ACCESS(unaligned_read4, 4, kPlainRead)
EBCACHE_TSAN_ACCESS(unaligned_read8, 8, kPlainRead)
EBCACHE_TSAN_ACCESS(unaligned_read16, 16, kPlainRead)
EBCACHE_TSAN_ACCESS(unaligned_write2, 2, kPlainWrite)
EBCACHE_TSAN_ACCESS(unaligned_write4, 4, kPlainWrite)
EBCACHE_TSAN_ACCESS(unaligned_write8, 8, kPlainWrite)
EBCACHE_TSAN_ACCESS(unaligned_write16, 16, kPlainWrite)
EBCACHE_TSAN_ACCESS(vptr_read, sizeof(void*), kPlainRead)

void __tsan_read_range(void* address, size_t bytes) {
  Accessed(address, bytes, Kind::kPlainRead, __builtin_return_address(0));
}
void __tsan_write_range(void* address, size_t bytes) {
  Accessed(address, bytes, Kind::kPlainWrite, __builtin_return_address(0));
}
// A destructor sets the pointer that is there already.
void __tsan_vptr_update(void** address, void* value) {
  const Kind kind = *address == value ? Kind::kPlainRead : Kind::kPlainWrite;
  Accessed(address, sizeof *address, kind, __builtin_return_address(0));
}

}  // extern "C"

#undef EBCACHE_TSAN_ACCESS

// ---- The standard library's own atomics -----------------------------------------------------------
//
// Counts of shared pointers, and the flags of static variables. Who changes one by acquire and release knows what those
// did that did so before; the model does not look for weaker results of these.

#define EBCACHE_TSAN_ATOMIC(bits, Type)                                                            \
  Type __tsan_atomic##bits##_load(const volatile Type* at, int) { return __atomic_load_n(at, __ATOMIC_SEQ_CST); } \
  void __tsan_atomic##bits##_store(volatile Type* at, Type value, int) {                           \
    __atomic_store_n(at, value, __ATOMIC_SEQ_CST);                                                 \
  }                                                                                                \
  Type __tsan_atomic##bits##_exchange(volatile Type* at, Type value, int) {                        \
    InOrder(at);                                                                                   \
    return __atomic_exchange_n(at, value, __ATOMIC_SEQ_CST);                                       \
  }                                                                                                \
  Type __tsan_atomic##bits##_fetch_add(volatile Type* at, Type n, int) {                           \
    InOrder(at);                                                                                   \
    return __atomic_fetch_add(at, n, __ATOMIC_SEQ_CST);                                            \
  }                                                                                                \
  Type __tsan_atomic##bits##_fetch_sub(volatile Type* at, Type n, int) {                           \
    InOrder(at);                                                                                   \
    return __atomic_fetch_sub(at, n, __ATOMIC_SEQ_CST);                                            \
  }                                                                                                \
  int __tsan_atomic##bits##_compare_exchange_weak(volatile Type* at, Type* expected, Type desired, int, int) { \
    InOrder(at);                                                                                   \
    return __atomic_compare_exchange_n(at, expected, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
  }                                                                                                \
  int __tsan_atomic##bits##_compare_exchange_strong(volatile Type* at, Type* expected, Type desired, int a, int b) { \
    return __tsan_atomic##bits##_compare_exchange_weak(at, expected, desired, a, b);               \
  }

extern "C" {

EBCACHE_TSAN_ATOMIC(8, uint8_t)
EBCACHE_TSAN_ATOMIC(16, uint16_t)
EBCACHE_TSAN_ATOMIC(32, uint32_t)
EBCACHE_TSAN_ATOMIC(64, uint64_t)

}  // extern "C"

#undef EBCACHE_TSAN_ATOMIC

// ---- Copies --------------------------------------------------------------------------------------

extern "C" {

void* __real_memcpy(void* to, const void* from, size_t bytes);
void* __real_memmove(void* to, const void* from, size_t bytes);
void* __real_memset(void* to, int byte, size_t bytes);

// Linked with --wrap. What the model itself copies is told of as well, and is nobody else's.
void* __wrap_memcpy(void* to, const void* from, size_t bytes) {
  Accessed(from, bytes, Kind::kPlainRead, __builtin_return_address(0));
  Accessed(to, bytes, Kind::kPlainWrite, __builtin_return_address(0));
  return __real_memcpy(to, from, bytes);
}
void* __wrap_memmove(void* to, const void* from, size_t bytes) {
  Accessed(from, bytes, Kind::kPlainRead, __builtin_return_address(0));
  Accessed(to, bytes, Kind::kPlainWrite, __builtin_return_address(0));
  return __real_memmove(to, from, bytes);
}
void* __wrap_memset(void* to, int byte, size_t bytes) {
  Accessed(to, bytes, Kind::kPlainWrite, __builtin_return_address(0));
  return __real_memset(to, byte, bytes);
}

// What clang calls in their place, in code that is compiled for the thread sanitizer.
void* __tsan_memcpy(void* to, const void* from, size_t bytes) {
  Accessed(from, bytes, Kind::kPlainRead, __builtin_return_address(0));
  Accessed(to, bytes, Kind::kPlainWrite, __builtin_return_address(0));
  return __real_memcpy(to, from, bytes);
}
void* __tsan_memmove(void* to, const void* from, size_t bytes) {
  Accessed(from, bytes, Kind::kPlainRead, __builtin_return_address(0));
  Accessed(to, bytes, Kind::kPlainWrite, __builtin_return_address(0));
  return __real_memmove(to, from, bytes);
}
void* __tsan_memset(void* to, int byte, size_t bytes) {
  Accessed(to, bytes, Kind::kPlainWrite, __builtin_return_address(0));
  return __real_memset(to, byte, bytes);
}

}  // extern "C"

// ---- Memory that is given out and back -----------------------------------------------------------

void* operator new(size_t bytes) {
  void* const memory = std::malloc(bytes != 0 ? bytes : 1);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new(size_t bytes, std::align_val_t alignment) {
  const auto align = static_cast<size_t>(alignment);
  void* const memory = std::aligned_alloc(align, (bytes + align - 1) / align * align);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept {
  GivenBack(memory);
  std::free(memory);
}
void operator delete(void* memory, size_t) noexcept { operator delete(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { operator delete(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { operator delete(memory); }
