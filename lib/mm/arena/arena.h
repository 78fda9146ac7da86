// Arena: one piece of address space, cut into page frames of equal size, with a table of what is
// known of each. Both are reserved by the first Prepare and cost memory only where touched. Where
// the OS refuses that much address space, the arena has half of it, or half of that, down to
// kLeastBytes.
//
// The front of the arena is taken into use in steps of 2 MiB, each with huge pages advised before
// it is touched: a first touch costs microseconds, and should pay for 512 pages, not for one.
//
// Thread safety: see FrameSource; base() and Contains() may be called from any thread.

#ifndef EBCACHE_LIB_MM_ARENA_ARENA_H_
#define EBCACHE_LIB_MM_ARENA_ARENA_H_

#include <absl/status/status.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "ebcache/allocators.h"
#include "ebcache/fork.h"
#include "ebcache/internal/sync.h"
#include "lib/mm/frame_depot.h"
#include "lib/mm/page_frame.h"

namespace ebcache {

class Arena final : public FrameSource {
 public:
  static constexpr size_t kStepBytes = size_t{2} << 20;
  static constexpr size_t kLeastBytes = size_t{64} << 20;

  // REQUIRES: `bytes` a multiple of kStepBytes, and below 2^32 - 1 pages. `shared`: with memory
  // behind it that can be mapped elsewhere too, where the OS has such.
  Arena(OsCalls* os, size_t bytes, size_t page_bytes, bool shared = false);
  ~Arena() override;

  // What was asked for, until the first Prepare finds out what there is.
  uint32_t frames() const {
    return static_cast<uint32_t>(bytes_.load(std::memory_order_relaxed) / page_bytes_);
  }
  // Address space that the arena has got, 0 before the first Prepare succeeded.
  size_t reserved_bytes() const {
    return base() == nullptr ? 0 : bytes_.load(std::memory_order_relaxed);
  }

  // Address of frame 0; null before the first Prepare succeeded.
  std::byte* base() const { return base_.load(std::memory_order_relaxed); }

  // The memory behind a shared arena, OsCalls::kNoMemory if there is none, or not yet. For callers
  // that have got a frame.
  int memory() const { return memory_; }
  // Whether this is a child of a fork, from which shared memory is withheld. Relaxed: it was
  // written when there was one thread.
  bool withheld() const { return withheld_.load(std::memory_order_relaxed); }

  // Whether there is an entry in the table for `pfn`.
  bool Contains(uint32_t pfn) const {
    return pfn < frames() && table_.load(std::memory_order_relaxed) != nullptr;
  }

  PageFrame& frame(uint32_t pfn) override { return table_.load(std::memory_order_relaxed)[pfn]; }
  absl::Status Prepare(uint32_t end) override;
  uint32_t most_frames() const override { return frames(); }
  bool Purge(uint32_t first, uint32_t count) override;
  bool Retreat(uint32_t end) override;
  uint32_t frames_per_step() const override {
    return static_cast<uint32_t>(kStepBytes / page_bytes_);
  }
  uint64_t prepared_bytes() const override { return prepared_bytes_; }

 private:
  absl::Status Reserve();
  bool TryReserve(size_t bytes);
  std::byte* MapPages(size_t bytes);
  void UnmapPages(std::byte* pages, size_t bytes);
  bool PurgeBytes(size_t offset, size_t bytes);

  OsCalls* const os_;
  const size_t page_bytes_;
  const bool shared_;
  // Written once more, before base_. Relaxed: as base_.
  sync::Atomic<size_t> bytes_;
  int memory_ = OsCalls::kNoMemory;  // written once, as base_
  size_t prepared_bytes_ = 0;
  size_t used_bytes_ = 0;  // the most that was ever prepared
  // Written once, under the depot's lock, before any frame is given out. Relaxed: the holder of a
  // frame has got it through that lock, or from another holder that did.
  sync::Atomic<std::byte*> base_{nullptr};
  sync::Atomic<PageFrame*> table_{nullptr};
  sync::Atomic<bool> withheld_{false};
  ForkHandler at_fork_;  // last: it uses the others
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_MM_ARENA_ARENA_H_
