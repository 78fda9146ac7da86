// Buffers to try the disk room on, in one piece or as page arrays.

#ifndef EBCACHE_TESTS_FORMAT_BUFFER_POOL_H_
#define EBCACHE_TESTS_FORMAT_BUFFER_POOL_H_

#include <absl/types/span.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "ebcache/allocators.h"
#include "ebcache/buffer_cache.h"

namespace ebcache::testing {

enum class Layout { kContiguous, kPages };

// Makes buffers outside of any index: whoever holds one may write into it.
class BufferPool {
 public:
  explicit BufferPool(uint32_t node_bytes = 16384, Layout layout = Layout::kContiguous)
      : cache_({.node_bytes = node_bytes, .allocator = MakeAllocator(layout)}) {}

  // Filled with `bytes`, or with zeroes when there are none.
  ExtentBufferRef Make(uint64_t start, absl::Span<const std::byte> bytes = {}) {
    absl::StatusOr<ExtentBufferRef> buffer = cache_.CreateDummy(start);
    EXPECT_TRUE(buffer.ok()) << buffer.status();
    EXPECT_TRUE((*buffer)->Write(0, bytes).ok());
    return *std::move(buffer);
  }

 private:
  static std::shared_ptr<PageAllocator> MakeAllocator(Layout layout) {
    if (layout == Layout::kContiguous) return HeapAllocator();
    return Order0Allocator({.arena_bytes = size_t{64} << 20, .contiguous_by_luck = false});
  }

  BufferCache cache_;
};

}  // namespace ebcache::testing

#endif  // EBCACHE_TESTS_FORMAT_BUFFER_POOL_H_
