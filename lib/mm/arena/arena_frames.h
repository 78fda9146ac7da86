// ArenaFrames: the frames of an arena, for a depot. The front of the arena is taken into use in
// steps of 2 MiB, each with huge pages advised before it is touched: a first touch costs
// microseconds, and should pay for 512 pages, not for one.
//
// Thread safety: see FrameSource; what the arena says of itself may be asked from any thread.

#ifndef EBCACHE_LIB_MM_ARENA_ARENA_FRAMES_H_
#define EBCACHE_LIB_MM_ARENA_ARENA_FRAMES_H_

#include <absl/status/status.h>

#include <cstddef>
#include <cstdint>

#include "lib/mm/arena.h"
#include "lib/mm/frame_depot.h"
#include "lib/mm/page_frame.h"

namespace ebcache {

class ArenaFrames final : public FrameSource {
 public:
  static constexpr size_t kStepBytes = Arena::kHugePageBytes;

  // REQUIRES: `bytes` a multiple of kStepBytes, and below 2^32 - 1 pages.
  ArenaFrames(OsCalls* os, size_t bytes, size_t page_bytes, Arena::Memory memory);
  ~ArenaFrames() override;

  const Arena& arena() const { return arena_; }
  // Whether there is an entry in the table for `pfn`.
  bool Contains(FrameNumber pfn) const {
    return pfn.value() < arena_.frames() && arena_.reserved();
  }

  PageFrame& frame(FrameNumber pfn) override { return arena_[pfn]; }
  absl::Status Prepare(FrameNumber end) override;
  uint32_t most_frames() const override { return arena_.frames(); }
  bool Purge(FrameNumber first, uint32_t count) override;
  bool Retreat(FrameNumber end) override;
  uint32_t frames_per_purge() const override { return arena_.frames_per_os_page(); }
  uint32_t frames_per_step() const override {
    return static_cast<uint32_t>(kStepBytes / page_bytes_);
  }
  uint64_t prepared_bytes() const override { return prepared_bytes_; }

 private:
  Arena arena_;
  const size_t page_bytes_;
  size_t prepared_bytes_ = 0;
  size_t used_bytes_ = 0;  // the most that was ever prepared
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_MM_ARENA_ARENA_FRAMES_H_
