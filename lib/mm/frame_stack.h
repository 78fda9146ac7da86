// FrameStack: free frames kept at hand, last in, first out, in memory of its own: what a thread
// takes from without asking its depot, or its region. The oldest go back first.
//
// Thread safety: none; whose a stack is says where it is kept (ThreadList, PageListSet).

#ifndef EBCACHE_LIB_MM_FRAME_STACK_H_
#define EBCACHE_LIB_MM_FRAME_STACK_H_

#include <absl/types/span.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "lib/mm/frame_number.h"

namespace ebcache {

class FrameStack {
 public:
  static constexpr uint32_t kMaxCapacity = 128;

  uint32_t size() const { return size_; }
  // REQUIRES: size() < kMaxCapacity
  void Push(FrameNumber pfn) { frames_[size_++] = pfn; }
  // REQUIRES: size() > 0
  FrameNumber Pop() { return frames_[--size_]; }

  // `count` more frames, beneath all others, the last of them to be popped first: for the caller to
  // fill in. REQUIRES: size() + count <= kMaxCapacity
  absl::Span<FrameNumber> AddBeneath(uint32_t count) {
    std::copy_backward(frames_.begin(), frames_.begin() + size_, frames_.begin() + size_ + count);
    size_ += count;
    return {frames_.data(), count};
  }

  // The `count` oldest, and without them. REQUIRES: count <= size()
  absl::Span<const FrameNumber> Oldest(uint32_t count) const { return {frames_.data(), count}; }
  void DropOldest(uint32_t count) {
    std::copy(frames_.begin() + count, frames_.begin() + size_, frames_.begin());
    size_ -= count;
  }

  // Takes out those for which out(pfn).
  template <typename Out>
  void TakeIf(Out out) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < size_; ++i) {
      if (!out(frames_[i])) frames_[kept++] = frames_[i];
    }
    size_ = kept;
  }

 private:
  uint32_t size_ = 0;
  std::array<FrameNumber, kMaxCapacity> frames_;
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_MM_FRAME_STACK_H_
