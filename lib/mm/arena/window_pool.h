// WindowPool: scattered pages side by side, in windows of a reserved address range.
//
// A window is as large as a block, and is in one of these states:
//
//   clean    reserved addresses; costs the process no mapping.
//   live     shows the pages of a block in use.
//   retired  its block is gone, what it shows is not to be looked at any more. It is still mapped:
//            Retire, which is called in the middle of a free, asks nothing from the OS.
//   in flux  one thread is mapping or unmapping it, without the lock.
//
// Map looks for a retired window that shows just these pages (memory is recycled last in first out,
// so there often is one), then for a clean one, then maps over the oldest retired one. When many
// are retired, Map unmaps the older half of them in one go, neighbours with one call.
//
// All parts of the process share the number of mappings that it may have, so windows are limited,
// and refusals are no errors: the caller has a page array then.
//
// Thread safety: everything may be called from any thread.

#ifndef EBCACHE_LIB_MM_ARENA_WINDOW_POOL_H_
#define EBCACHE_LIB_MM_ARENA_WINDOW_POOL_H_

#include <absl/types/span.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "ebcache/allocators.h"
#include "ebcache/fork.h"
#include "ebcache/internal/sync.h"
#include "ebcache/page_allocator.h"
#include "lib/mm/frame_number.h"

namespace ebcache {

class WindowPool {
 public:
  // `max_windows`, `max_mappings`: how many there may be at a time, live and retired.
  WindowPool(OsCalls* os, size_t page_bytes, size_t max_windows, size_t max_mappings);
  ~WindowPool();

  // The address of a window that shows `pages` of `memory`; null when it cannot be had.
  // REQUIRES: a power of two of pages, two at least.
  std::byte* Map(int memory, absl::Span<const Folio> pages);

  // Gives a window back. Never asks the OS, never allocates. False: `address` is none of a window.
  bool Retire(std::byte* address, size_t bytes);

  // Unmaps all retired windows. Returns how many.
  size_t Purge();

  WindowStats stats() const;

 private:
  static constexpr int kSizes = kMaxFolioOrder;  // windows of 2, 4, ... 512 pages
  static constexpr uint32_t kNone = ~uint32_t{0};

  struct Window {
    uint32_t older = kNone;  // neighbours among the retired
    uint32_t newer = kNone;
    uint32_t mappings = 0;  // what it costs the process, at the most
    bool retired = false;
    bool showing = false;  // its pages are those in `Size::pages`
  };
  // All windows of one size.
  struct Size {
    int order = 0;
    std::byte* base = nullptr;
    size_t limit = 0;  // windows that the reserved range holds
    std::vector<Window> windows;
    std::vector<FrameNumber> pages;  // frame numbers, 2^order a window
    std::vector<uint32_t> clean;
    // By a hash of the first page: a window that showed it when it was retired. A hint.
    std::vector<uint32_t> retired_by_page;
    uint32_t oldest = kNone;
    uint32_t newest = kNone;
  };
  struct Batch {
    Size* size;
    std::vector<uint32_t> windows;
  };

  Size* SizeLocked(size_t pages) EBCACHE_REQUIRES(mutex_);
  uint32_t FindShowingLocked(Size& size, absl::Span<const Folio> pages) EBCACHE_REQUIRES(mutex_);
  uint32_t TakeLocked(Size& size, uint32_t mappings) EBCACHE_REQUIRES(mutex_);
  uint32_t NewWindowLocked(Size& size) EBCACHE_REQUIRES(mutex_);
  void RetireLocked(Size& size, uint32_t number, bool showing) EBCACHE_REQUIRES(mutex_);
  void UnlinkLocked(Size& size, uint32_t number) EBCACHE_REQUIRES(mutex_);
  bool FitsLocked(uint32_t mappings) const EBCACHE_REQUIRES(mutex_);
  Batch TakeRetiredLocked(Size& size, size_t count) EBCACHE_REQUIRES(mutex_);
  void Unmap(Batch& batch);
  size_t PurgeOlder(bool all);

  std::byte* AddressOf(const Size& size, uint32_t number) const {
    return size.base + (number * page_bytes_ << size.order);
  }
  static uint32_t HashOf(FrameNumber pfn) { return pfn.value() * 0x9e3779b1u >> 7; }

  OsCalls* const os_;
  const size_t page_bytes_;
  const size_t max_windows_;
  const size_t max_mappings_;
  mutable sync::Mutex mutex_;  // of what is in the sizes, too: windows in flux apart
  std::array<Size, kSizes> sizes_;
  size_t retired_ EBCACHE_GUARDED_BY(mutex_) = 0;
  size_t mappings_ EBCACHE_GUARDED_BY(mutex_) = 0;
  WindowStats stats_ EBCACHE_GUARDED_BY(mutex_);
  // This is a child of a fork: what was mapped is not there.
  bool withheld_ EBCACHE_GUARDED_BY(mutex_) = false;
  ForkHandler at_fork_;  // last: it uses the others
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_MM_ARENA_WINDOW_POOL_H_
