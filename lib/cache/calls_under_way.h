// CallUnderWay: a call of a cache's source, on the stack of the thread that makes it; and waits
// that know of such calls.
//
// A source may use the cache: its own, or another. Then a thread can come to wait for a block while
// blocks are under IO by its own calls, and such waits can close a circle: a thread waits for
// itself, or for another that waits for it. Every thread of a circle waits inside of a call. So a
// thread that has a call under way looks for the circle before it waits, and is refused if it would
// close one; the others then get what they wait for. A thread without a call is in no circle, and
// waits as ever: what it costs is a look at a variable of its own.
//
// Looking and joining those that wait is one step, under a lock; so of several that close a circle
// together the last one sees it. It is one list for the process, because a source may lead from one
// cache to another.
//
// Not seen: waits that are not for blocks. A source that waits for another thread of the caller's,
// which waits for the source's block, waits for ever.

#ifndef EBCACHE_LIB_CACHE_CALLS_UNDER_WAY_H_
#define EBCACHE_LIB_CACHE_CALLS_UNDER_WAY_H_

#include <absl/types/span.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "ebcache/buffer_cache.h"
#include "ebcache/extent_buffer.h"
#include "ebcache/internal/sync.h"

namespace ebcache {

class CallUnderWay;

// A thread that waits inside of a call, in the list of those that do. Guarded by the list's lock.
struct Waiter {
  const CallUnderWay* call;
  const ExtentBuffer* buffer = nullptr;  // what it waits for
  Waiter* next = nullptr;
};

// Lives for as long as the call. Thread safety: belongs to the thread that makes it; others look at
// it only while that thread waits.
class CallUnderWay {
 public:
  // `blocks`: BlockRead or BlockWrite, READING or under WRITEBACK by this thread until the call has
  // returned.
  template <typename BlockIo>
  explicit CallUnderWay(absl::Span<BlockIo> blocks)
      : CallUnderWay(blocks.data(), blocks.size(),
                     [](const void* all, size_t count, const ExtentBuffer* buffer) {
                       const auto* first = static_cast<const BlockIo*>(all);
                       return std::any_of(first, first + count, [buffer](const BlockIo& block) {
                         return block.buffer == buffer;
                       });
                     }) {}
  ~CallUnderWay();
  CallUnderWay(const CallUnderWay&) = delete;
  CallUnderWay& operator=(const CallUnderWay&) = delete;

  // The last one that this thread has begun and not ended; null when there is none.
  static const CallUnderWay* Innermost();
  // Whether this call, or one of those around it, is about the buffer.
  bool IsAbout(const ExtentBuffer* buffer) const;
  // Of this thread, which waits for one block at a time. It is here and not where the thread waits,
  // so that no function leaves the address of a variable of its own behind (-Wdangling-pointer).
  Waiter& waiter() const { return waiter_; }

 private:
  using Has = bool (*)(const void* blocks, size_t count, const ExtentBuffer* buffer);
  CallUnderWay(const void* blocks, size_t count, Has has);

  const void* const blocks_;
  const size_t count_;
  const Has has_;
  const CallUnderWay* const outer_;
  mutable Waiter waiter_{.call = this};
};

// Waits while `flag`, READING or WRITEBACK, is set in the state of `buffer`, whose word is `word`.
// False, at once, where that would be for ever. REQUIRES: the caller has a reference on the buffer.
[[nodiscard]] bool WaitUnlessForEver(const ExtentBuffer* buffer, const sync::Atomic<uint64_t>& word,
                                     BufferFlag flag);

}  // namespace ebcache

#endif  // EBCACHE_LIB_CACHE_CALLS_UNDER_WAY_H_
