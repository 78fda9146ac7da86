// OsCalls::Real(): mmap, munmap, madvise and clock_gettime.

#include <sys/mman.h>
#include <time.h>

#include <bit>
#include <cstdint>

#include "ebcache/allocators.h"
#include "ebcache/check.h"

namespace ebcache {
namespace {

class RealOsCalls final : public OsCalls {
 public:
  void* Map(size_t bytes, size_t alignment) override {
    EBCACHE_CHECK(std::has_single_bit(alignment) && alignment >= 4096,
                  "alignment of a mapping must be a power of two and at least a page");
    // The kernel aligns to a page only: ask for more, and give back what sticks out.
    const size_t padded = bytes + alignment - 4096;
    if (bytes == 0 || padded < bytes) return nullptr;
    void* const mapped = mmap(nullptr, padded, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) return nullptr;
    const uintptr_t begin = reinterpret_cast<uintptr_t>(mapped);
    const uintptr_t aligned = (begin + alignment - 1) & ~(alignment - 1);
    const size_t head = aligned - begin;
    const size_t tail = padded - bytes - head;
    if (head != 0) munmap(mapped, head);
    if (tail != 0) munmap(reinterpret_cast<void*>(aligned + bytes), tail);
    return reinterpret_cast<void*>(aligned);
  }

  void Unmap(void* address, size_t bytes) override {
    EBCACHE_CHECK(munmap(address, bytes) == 0, "unmapping a range that Map did not give");
  }

  bool Purge(void* address, size_t bytes) override {
    return madvise(address, bytes, MADV_DONTNEED) == 0;
  }

  bool AdviseHugePages(void* address, size_t bytes) override {
    return madvise(address, bytes, MADV_HUGEPAGE) == 0;
  }

  uint64_t NowNanoseconds() override {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
  }
};

}  // namespace

OsCalls* OsCalls::Real() {
  // Never destroyed: allocators in static storage may outlive any order of destruction.
  static OsCalls* const real = new RealOsCalls;
  return real;
}

}  // namespace ebcache
