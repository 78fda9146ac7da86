// HeapFrames: numbers for folios that lie anywhere. A table from number to address, one entry a
// folio of any order, in chunks of doubling size that never move: so an address is looked up
// without a lock while the table grows.
//
// Thread safety: see FrameSource; Find may be called from any thread.

#ifndef EBCACHE_LIB_MM_HEAP_HEAP_FRAMES_H_
#define EBCACHE_LIB_MM_HEAP_HEAP_FRAMES_H_

#include <absl/status/status.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "ebcache/internal/sync.h"
#include "lib/mm/frame_depot.h"
#include "lib/mm/page_frame.h"

namespace ebcache {

struct HeapFrame {
  PageFrame frame;
  std::byte* address = nullptr;  // of an allocated one; guarded as the frame is
};

class HeapFrames final : public FrameSource {
 public:
  static constexpr uint32_t kFirstChunk = 1024;  // entries
  static constexpr int kChunks = 21;
  // All that the chunks can hold, about 2^31.
  static constexpr uint32_t kMaxFrames = kFirstChunk * ((uint32_t{1} << kChunks) - 1);

  ~HeapFrames() override;

  // Null where the table has no entry for `pfn`.
  HeapFrame* Find(FrameNumber pfn) const;

  PageFrame& frame(FrameNumber pfn) override { return Find(pfn)->frame; }
  absl::Status Prepare(FrameNumber end) override;
  uint32_t most_frames() const override { return kMaxFrames; }
  // There is no memory behind a number that is free.
  bool Purge(FrameNumber, uint32_t) override { return false; }
  bool Retreat(FrameNumber) override { return false; }
  uint32_t frames_per_step() const override { return kFirstChunk; }
  uint64_t prepared_bytes() const override { return 0; }

 private:
  // Release when a chunk goes in, acquire at lookup: the finder reads its entries. Only the holder
  // of the depot's lock writes.
  std::array<sync::Atomic<HeapFrame*>, kChunks> chunks_{};
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_MM_HEAP_HEAP_FRAMES_H_
