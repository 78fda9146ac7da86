#include "tests/support/failing_new.h"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

#include "lib/base/rounding.h"

namespace {

std::atomic<int64_t> live{0};

// Of this thread: others, which the library has in the background, always get what they ask for.
thread_local int64_t left = -1;  // calls that succeed before one fails; below 0: none fails
thread_local ebcache::NewFails how = ebcache::NewFails::kOnce;
thread_local bool failed = false;

bool FailsNow() {
  if (left < 0) return false;
  if (left > 0) {
    --left;
    return false;
  }
  failed = true;
  if (how == ebcache::NewFails::kOnce) left = -1;
  return true;
}

void* Get(std::size_t bytes, std::size_t alignment) {
  if (FailsNow()) return nullptr;
  const std::size_t whole = ebcache::RoundUp(bytes, alignment);
  void* memory = alignment > alignof(std::max_align_t) ? std::aligned_alloc(alignment, whole)
                                                       : std::malloc(bytes);
  if (memory != nullptr) live.fetch_add(1, std::memory_order_relaxed);
  return memory;
}

void* GetOrThrow(std::size_t bytes, std::size_t alignment) {
  void* memory = Get(bytes, alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void GiveBack(void* memory) {
  if (memory == nullptr) return;
  live.fetch_sub(1, std::memory_order_relaxed);
  std::free(memory);
}

std::size_t Bytes(std::align_val_t alignment) { return static_cast<std::size_t>(alignment); }

}  // namespace

// All of them, so that none is left to the C++ library.
void* operator new(std::size_t bytes) { return GetOrThrow(bytes, 1); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return GetOrThrow(bytes, Bytes(alignment));
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return Get(bytes, 1); }
void* operator new(std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return Get(bytes, Bytes(alignment));
}
void* operator new[](std::size_t bytes) { return GetOrThrow(bytes, 1); }
void* operator new[](std::size_t bytes, std::align_val_t alignment) {
  return GetOrThrow(bytes, Bytes(alignment));
}
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept { return Get(bytes, 1); }
void* operator new[](std::size_t bytes, std::align_val_t alignment,
                     const std::nothrow_t&) noexcept {
  return Get(bytes, Bytes(alignment));
}
void operator delete(void* memory) noexcept { GiveBack(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { GiveBack(memory); }
void operator delete(void* memory, std::align_val_t, const std::nothrow_t&) noexcept {
  GiveBack(memory);
}
void operator delete[](void* memory) noexcept { GiveBack(memory); }
void operator delete[](void* memory, std::size_t) noexcept { GiveBack(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { GiveBack(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { GiveBack(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { GiveBack(memory); }
void operator delete[](void* memory, std::align_val_t, const std::nothrow_t&) noexcept {
  GiveBack(memory);
}
void operator delete(void* memory, std::size_t) noexcept { GiveBack(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { GiveBack(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { GiveBack(memory); }

namespace ebcache {

void FailNew(int64_t nth, NewFails which) {
  failed = false;
  how = which;
  left = nth;
}

bool StopFailingNew() {
  left = -1;
  return failed;
}

int64_t LiveAllocations() { return live.load(std::memory_order_relaxed); }

}  // namespace ebcache
