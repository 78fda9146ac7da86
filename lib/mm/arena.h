// Arena: one piece of address space, cut into page frames of equal size, with a table of what is
// known of each. Both are reserved together, by Reserve, and cost memory only where touched. Where
// the OS refuses that much address space, the arena has half of it, or half of that, down to
// kLeastBytes.
//
// Thread safety: Reserve, Purge and AdviseHugePages one at a time; the rest from any thread.

#ifndef EBCACHE_LIB_MM_ARENA_H_
#define EBCACHE_LIB_MM_ARENA_H_

#include <absl/status/status.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "ebcache/allocators.h"
#include "ebcache/fork.h"
#include "ebcache/internal/sync.h"
#include "lib/mm/frame_number.h"
#include "lib/mm/page_frame.h"

namespace ebcache {

class Arena {
 public:
  static constexpr size_t kHugePageBytes = size_t{2} << 20;
  // Less than this is not asked for, unless it is all that was wanted.
  static constexpr size_t kLeastBytes = size_t{64} << 20;

  // What is behind the frames.
  enum class Memory {
    kPrivate,
    kShared,  // with memory that can be mapped elsewhere too, where the OS has such
    kNone     // nothing: a phantom
  };
  struct Options {
    size_t bytes = 0;
    size_t page_bytes = 0;
    size_t unit_bytes = kHugePageBytes;  // half of an arena is a multiple of this
    Memory memory = Memory::kPrivate;
    // Whether the table has the frames, too, for which the OS refused address space.
    bool whole_table = false;
    const char* name = "an arena of pages";  // for errors
  };

  // REQUIRES: below 2^32 - 1 pages.
  Arena(OsCalls* os, const Options& options);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Asks the OS for address space, once. Nothing is touched yet.
  absl::Status Reserve();
  bool reserved() const { return table() != nullptr; }

  // Frames with address space: all that were asked for, until Reserve finds out what there is.
  uint32_t frames() const { return frames_.load(std::memory_order_relaxed); }
  // Address space that there is for them, 0 before Reserve.
  size_t reserved_bytes() const { return reserved() ? frames() * options_.page_bytes : 0; }

  // Address of frame 0; null before Reserve, and of a phantom.
  std::byte* base() const { return base_.load(std::memory_order_relaxed); }
  // REQUIRES: there is an entry in the table for `pfn`.
  PageFrame& operator[](FrameNumber pfn) const { return table()[pfn.value()]; }

  // The memory behind a shared arena, OsCalls::kNoMemory if there is none, or not yet. For callers
  // that have got a frame.
  int memory() const { return memory_; }
  // Whether this is a child of a fork, from which shared memory is withheld. Relaxed: it was
  // written when there was one thread.
  bool withheld() const { return withheld_.load(std::memory_order_relaxed); }

  // How many frames a page of the OS has at least: they go back to the OS together.
  uint32_t frames_per_os_page() const;

  // Asks for huge pages behind a part of the arena. Advice: a refusal costs speed, nothing else.
  void AdviseHugePages(size_t offset, size_t bytes);
  // Gives the memory behind a part of it back. False: the OS would not, or it is not whole pages of the
  // OS's.
  bool Purge(size_t offset, size_t bytes);

 private:
  PageFrame* table() const { return table_.load(std::memory_order_relaxed); }
  size_t table_bytes(size_t bytes) const;
  // Null when the OS refuses.
  PageFrame* MapTable(size_t bytes);
  std::byte* MapPages(size_t bytes);
  void UnmapPages(std::byte* pages, size_t bytes);
  // Frames and table for `bytes`; the table is there already where it is `whole`.
  bool TryReserve(size_t bytes, PageFrame* whole);
  absl::Status Refused(size_t bytes) const;

  OsCalls* const os_;
  const Options options_;
  int memory_ = OsCalls::kNoMemory;  // written once, as base_
  // Written once, under the lock of the depot or the region, before any frame is given out.
  // Relaxed: the holder of a frame has got it through that lock, or from another holder that did.
  sync::Atomic<uint32_t> frames_;
  sync::Atomic<std::byte*> base_{nullptr};
  sync::Atomic<PageFrame*> table_{nullptr};
  sync::Atomic<bool> withheld_{false};
  ForkHandler at_fork_;  // last: it uses the others
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_MM_ARENA_H_
