// OsCalls::Real(): mmap, munmap, madvise and clock_gettime.

#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdio>

#include "ebcache/allocators.h"
#include "lib/base/check.h"
#include "lib/base/rounding.h"

namespace ebcache {
namespace {

// The kernel's default, for where it does not tell.
constexpr size_t kUsualMaxMappings = 65530;

size_t OsPageBytes() {
  static const auto bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

// A range of `bytes` at a multiple of `alignment`, mapped with `protection` and nothing behind it;
// null when the OS refuses. The kernel aligns to a page only: ask for more, and give back what
// sticks out.
void* MapAligned(size_t bytes, size_t alignment, int protection) {
  const size_t page = OsPageBytes();
  alignment = std::max(alignment, page);
  const size_t whole = RoundUp(bytes, page);
  const size_t padded = whole + alignment - page;
  if (bytes == 0 || whole < bytes || padded < whole) return nullptr;
  void* const mapped =
      mmap(nullptr, padded, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  const uintptr_t begin = reinterpret_cast<uintptr_t>(mapped);
  const uintptr_t aligned = RoundUp(begin, alignment);
  const size_t head = aligned - begin;
  const size_t tail = padded - whole - head;
  if (head != 0) munmap(mapped, head);
  if (tail != 0) munmap(reinterpret_cast<void*>(aligned + whole), tail);
  return reinterpret_cast<void*>(aligned);
}

class RealOsCalls final : public OsCalls {
 public:
  void* Map(size_t bytes, size_t alignment) override {
    EBCACHE_CHECK(std::has_single_bit(alignment) && alignment >= 4096,
                  "alignment of a mapping must be a power of two and at least 4096");
    return MapAligned(bytes, alignment, PROT_READ | PROT_WRITE);
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

  bool CollapseHugePages(void* address, size_t bytes) override {
    constexpr int kCollapse = 25;  // MADV_COLLAPSE, since Linux 6.1: Debian's headers are older
    return madvise(address, bytes, kCollapse) == 0;
  }

  int CreateMemory(size_t bytes) override {
    const int memory = memfd_create("ebcache pages", MFD_CLOEXEC);
    if (memory < 0) return kNoMemory;
    if (ftruncate(memory, static_cast<off_t>(bytes)) == 0) return memory;
    close(memory);
    return kNoMemory;
  }

  void CloseMemory(int memory) override { close(memory); }

  void* MapMemory(int memory, size_t bytes, size_t alignment) override {
    void* const address = MapAligned(bytes, alignment, PROT_NONE);
    if (address == nullptr) return nullptr;
    const void* const mapped = mmap(address, bytes, PROT_READ | PROT_WRITE,
                                    MAP_SHARED | MAP_FIXED | MAP_NORESERVE, memory, 0);
    if (mapped == address && madvise(address, bytes, MADV_DONTFORK) == 0) return address;
    munmap(address, bytes);
    return nullptr;
  }

  bool PurgeMemory(int memory, size_t offset, size_t bytes) override {
    return fallocate(memory, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                     static_cast<off_t>(bytes)) == 0;
  }

  void* ReserveAddresses(size_t bytes) override {
    return MapAligned(bytes, OsPageBytes(), PROT_NONE);
  }

  bool MapWindow(void* address, int memory, absl::Span<const WindowPiece> pieces) override {
    auto* at = static_cast<std::byte*>(address);
    for (const WindowPiece& piece : pieces) {
      // Populated: one call for all pages, where each would cost a fault.
      const void* const mapped =
          mmap(at, piece.bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_POPULATE,
               memory, static_cast<off_t>(piece.offset));
      if (mapped != at) return false;
      at += piece.bytes;
    }
    const auto bytes = static_cast<size_t>(at - static_cast<std::byte*>(address));
    return madvise(address, bytes, MADV_DONTFORK) == 0;
  }

  bool UnmapWindows(void* address, size_t bytes) override {
    return mmap(address, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
                -1, 0) == address;
  }

  size_t MaxMappings() override {
    size_t most = kUsualMaxMappings;
    if (std::FILE* const file = std::fopen("/proc/sys/vm/max_map_count", "re")) {
      if (std::fscanf(file, "%zu", &most) != 1) most = kUsualMaxMappings;
      std::fclose(file);
    }
    return most;
  }
};

}  // namespace

size_t OsCalls::PageBytes() { return OsPageBytes(); }

OsCalls* OsCalls::Real() {
  // Never destroyed: allocators in static storage may outlive any order of destruction.
  static OsCalls* const real = new RealOsCalls;
  return real;
}

}  // namespace ebcache
