// The page allocators that come with the library, and the OS calls they stand on.
//
// Each factory returns an allocator that several caches may share. Nothing is asked from the OS
// before the first allocation, so a factory cannot fail; options out of range are a CHECK.

#ifndef EBCACHE_ALLOCATORS_H_
#define EBCACHE_ALLOCATORS_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "ebcache/page_allocator.h"

namespace ebcache {

// What allocators ask of the operating system, as a table, so that tests drive failure and time.
// Thread safety: implementations must be callable from any thread.
class OsCalls {
 public:
  virtual ~OsCalls() = default;

  // Reserves `bytes` of zeroed address space at a multiple of `alignment` (a power of two, at least
  // 4096). Pages cost memory when first touched. Null when the OS refuses.
  virtual void* Map(size_t bytes, size_t alignment) = 0;

  // Takes back what Map gave, whole.
  virtual void Unmap(void* address, size_t bytes) = 0;

  // Gives the memory behind a range back; the range stays mapped and reads as zero afterwards.
  // Page-aligned. False when the OS refuses.
  virtual bool Purge(void* address, size_t bytes) = 0;

  // Asks for huge pages behind a range, as advice. False when the OS does not know how.
  virtual bool AdviseHugePages(void* address, size_t bytes) = 0;

  // Monotonic time in nanoseconds.
  virtual uint64_t NowNanoseconds() = 0;

  // The real ones: mmap, munmap, madvise, clock_gettime. Lives for ever.
  static OsCalls* Real();
};

struct HeapOptions {
  size_t page_bytes = 4096;  // 4096, 16384 or 65536
};

// Blocks from mimalloc's heap, each in one piece and page-aligned. What a small tool embeds.
std::shared_ptr<PageAllocator> HeapAllocator(HeapOptions options = {});

struct Order0Options {
  size_t page_bytes = 4096;  // 4096, 16384 or 65536
  // Address space to reserve; the most this allocator can ever hand out. A multiple of 2 MiB.
  // Costs nothing until touched.
  size_t arena_bytes = size_t{64} << 30;
  // Whether a block whose pages happen to be neighbours gets its direct address, as Linux 6.8 and
  // later do. Off: every block of several pages is a page array, for measurements and tests.
  bool contiguous_by_luck = true;
  OsCalls* os = OsCalls::Real();
};

// Blocks of order-0 pages from one arena, as the kernel allocates extent buffers: neighbours only
// by luck. Freed pages are recycled, last in first out, through per-thread lists.
std::shared_ptr<PageAllocator> Order0Allocator(Order0Options options = {});

}  // namespace ebcache

#endif  // EBCACHE_ALLOCATORS_H_
