// The page allocators that come with the library, and the OS calls they stand on.
//
// Each factory returns an allocator that several caches may share. Nothing is asked from the OS
// before the first allocation, so a factory cannot fail; options out of range are a CHECK.

#ifndef EBCACHE_ALLOCATORS_H_
#define EBCACHE_ALLOCATORS_H_

#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "ebcache/page_allocator.h"

namespace ebcache {

// What allocators ask of the operating system, as a table, so that tests drive failure and time.
// Thread safety: implementations must be callable from any thread.
class OsCalls {
 public:
  virtual ~OsCalls() = default;

  // What the OS maps, purges and protects in one piece: a power of two, 4096 at least, and always the
  // same. By default it is asked; some kernels of arm64 say 16 or 64 KiB.
  virtual size_t PageBytes();

  // Reserves `bytes` of zeroed address space at a multiple of `alignment` (a power of two, at least
  // 4096) and of a page. Pages cost memory when first touched. Null when the OS refuses.
  virtual void* Map(size_t bytes, size_t alignment) = 0;

  // Takes back what Map gave, whole.
  virtual void Unmap(void* address, size_t bytes) = 0;

  // Gives the memory behind a range back; the range stays mapped and reads as zero afterwards.
  // REQUIRES: whole pages of the OS, which takes all of a page that a range ends in. False when the OS
  // refuses.
  virtual bool Purge(void* address, size_t bytes) = 0;

  // Asks for huge pages behind a range, as advice. False when the OS does not know how.
  virtual bool AdviseHugePages(void* address, size_t bytes) = 0;

  // Puts a range that is in use already on huge pages, at once: its contents and addresses stay,
  // and other threads may read and write it meanwhile. False when the OS does not know how, or has
  // none.
  virtual bool CollapseHugePages(void* address, size_t bytes) {
    return (void)address, (void)bytes, false;
  }

  // ---- Memory that can be mapped at several addresses at a time ----
  // An implementation that leaves these as they are refuses all of them. Vmap does without then.

  static constexpr int kNoMemory = -1;
  // Zeroed memory of `bytes`, by number; kNoMemory when the OS refuses. Costs nothing until
  // touched.
  virtual int CreateMemory(size_t bytes) { return (void)bytes, kNoMemory; }
  virtual void CloseMemory(int memory) { (void)memory; }
  // As Map, with that memory behind it. Unmap takes it back. Children of a fork do not get it.
  virtual void* MapMemory(int memory, size_t bytes, size_t alignment) {
    return (void)memory, (void)bytes, (void)alignment, nullptr;
  }
  // As Purge, for all addresses that a part of the memory is mapped at.
  virtual bool PurgeMemory(int memory, size_t offset, size_t bytes) {
    return (void)memory, (void)offset, (void)bytes, false;
  }

  // Address space without memory, for windows; Unmap takes it back. Null when the OS refuses.
  virtual void* ReserveAddresses(size_t bytes) { return (void)bytes, nullptr; }
  // Parts of a memory, in the order in which a window shows them.
  struct WindowPiece {
    size_t offset;
    size_t bytes;
  };
  // Maps the pieces side by side from `address` on, over what is there, inside reserved addresses.
  // False: any part of them may have been mapped. Children of a fork do not get them.
  virtual bool MapWindow(void* address, int memory, absl::Span<const WindowPiece> pieces) {
    return (void)address, (void)memory, (void)pieces, false;
  }
  // Makes a range of windows reserved addresses again. False: any part of them may still be mapped.
  virtual bool UnmapWindows(void* address, size_t bytes) {
    return (void)address, (void)bytes, false;
  }
  // How many mappings a process may have; 0: not known.
  virtual size_t MaxMappings() { return 0; }

  // The real ones: mmap, munmap, madvise, clock_gettime. Lives for ever.
  static OsCalls* Real();
};

// How long, by default, a kNoFail request waits in which no other thread frees anything.
inline constexpr uint32_t kNoFailWaitMs = 100;

// What only kNoFail requests get, beyond the size of an allocator.
inline constexpr size_t kNoFailReserveBytes = size_t{2} << 20;

// A heap of the embedder's own, in place of mimalloc's.
// Thread safety: implementations must be callable from any thread.
class HeapMemory {
 public:
  virtual ~HeapMemory() = default;

  // What the allocator on it is called. Constant.
  virtual std::string_view name() const = 0;

  // `bytes` (2^n pages) at a multiple of `alignment` (the page size). Null: there are none. `flags`
  // are those of the request; insisting, where kNoFail is among them, is the allocator's business.
  virtual void* Allocate(size_t bytes, size_t alignment, AllocFlags flags) = 0;

  // Takes back what Allocate gave, whole.
  virtual void Free(void* address, size_t bytes) = 0;

  // Gives free memory back to the OS. Returns the bytes given back.
  virtual size_t Trim() = 0;
};

// Of HeapAllocator.
struct HeapOptions {
  size_t page_bytes = 4096;  // 4096, 16384 or 65536
  // The most to hand out, the reserve for kNoFail apart; 0: what malloc gives, and no reserve.
  size_t max_bytes = 0;
  uint32_t no_fail_wait_ms = kNoFailWaitMs;
  // Null: mimalloc's heap, which is loaded for this library alone and replaces nothing in the process; or
  // the program's own mimalloc, where it has linked that; or, where there is none, the C library's heap.
  std::shared_ptr<HeapMemory> memory = nullptr;
};

// Blocks from a heap, each in one piece and page-aligned. What a small tool embeds.
std::shared_ptr<PageAllocator> HeapAllocator(HeapOptions options = {});

// Of Order0Allocator.
struct Order0Options {
  size_t page_bytes = 4096;  // 4096, 16384 or 65536
  // The most this allocator can ever hand out, the reserve for kNoFail apart. A multiple of 2 MiB.
  // Address space, which costs nothing until touched. Where the OS refuses so much (RLIMIT_AS, no
  // overcommit) it is half of it, or half of that, down to 64 MiB; AllocatorStats::arena_bytes says
  // what it is. Where not even that is to be had, allocations end in ResourceExhausted.
  size_t arena_bytes = size_t{64} << 30;
  // Whether a block whose pages happen to be neighbours gets its direct address, as Linux 6.8 and
  // later do. Off: every block of several pages is a page array, for measurements and tests.
  bool contiguous_by_luck = true;
  uint32_t no_fail_wait_ms = kNoFailWaitMs;
  OsCalls* os = OsCalls::Real();
};

// Blocks of order-0 pages from one arena, as the kernel allocates extent buffers: neighbours only
// by luck. Freed pages are recycled, last in first out, through per-thread lists.
std::shared_ptr<PageAllocator> Order0Allocator(Order0Options options = {});

// Of HighOrderAllocator.
struct HighOrderOptions {
  // Where folios come from. Null: a MovableRegion of the size below.
  std::shared_ptr<PageAllocator> pages = nullptr;
  size_t page_bytes = 4096;               // of that region: 4096, 16384 or 65536
  size_t arena_bytes = size_t{64} << 30;  // of that region: a multiple of 1 GiB
};

// Blocks of one large folio where there is one: a single attempt at the block's order, without
// kNoFail and without asking an owner to release; then order-0 pages, by AllocateBlock of what is
// below. Only blocks at multiples of their own size (FolioBlock::naturally_aligned), and of 2^9
// pages at the most. Everything else is as below.
std::shared_ptr<PageAllocator> HighOrderAllocator(HighOrderOptions options = {});

// Of VmapAllocator: which memory, and how much of the address space.
struct VmapOptions {
  static constexpr size_t kHalfOfAll = ~size_t{0};

  // 4096, 16384 or 65536. With less than a page of the OS there are no windows: it maps whole pages only.
  size_t page_bytes = 4096;
  size_t arena_bytes = size_t{64} << 30;  // as in Order0Options
  // Windows at a time, those not yet unmapped included; 0 is none.
  size_t max_windows = ~size_t{0};
  // Mappings that they may take, of which a window costs one for every run of neighbours in it.
  // By default half of what the OS gives a process (vm.max_map_count).
  size_t max_mappings = kHalfOfAll;
  // Off: neighbours are mapped as well, for measurements and tests.
  bool contiguous_by_luck = true;
  uint32_t no_fail_wait_ms = kNoFailWaitMs;
  OsCalls* os = OsCalls::Real();
};

// Blocks of order-0 pages, as Order0Allocator, each in one piece if possible: neighbours by luck
// are used where they lie; scattered pages are mapped side by side into a window, as vm_map_ram
// does. Where that is beyond the limits, or fails, the block is a page array, and the caller need
// do nothing.
//
// Its folios are never moved: a window shows the pages that it was made for.
//
// Freeing a block never unmaps: windows are kept for the next block, and what is too many is
// unmapped in batches, in allocations and in Trim.
//
// Forks: the pages are shared memory, so a child would write into its parent's. They are withheld
// from children instead (MADV_DONTFORK): a child that touches a block dies by SIGSEGV. A process
// that forks to go on using its cache must use another allocator.
std::shared_ptr<PageAllocator> VmapAllocator(VmapOptions options = {});

}  // namespace ebcache

#endif  // EBCACHE_ALLOCATORS_H_
