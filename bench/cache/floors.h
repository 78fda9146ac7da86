// What no cache can be faster than: the machine, measured by the same means.

#ifndef EBCACHE_BENCH_CACHE_FLOORS_H_
#define EBCACHE_BENCH_CACHE_FLOORS_H_

#include <absl/types/span.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace ebcache::bench {

// Two loads for a block, the second from where the first points to: an index and a descriptor of a
// cache line, with nothing around them.
class TwoLoads {
 public:
  explicit TwoLoads(uint64_t blocks);
  // A sum that the compiler cannot do without.
  uint64_t Run(absl::Span<const uint32_t> blocks) const;

 private:
  struct alignas(64) Line {
    uint64_t value;
  };
  std::vector<Line> lines_;
  std::vector<const Line*> index_;
};

// Find and put with nothing around them: the same two loads, then a count up and down again by
// compare-and-swap, with a check of the block's number between them. All in one cache line for a
// block. Thread safety: Run, from any thread.
class CountedLines {
 public:
  explicit CountedLines(uint64_t blocks);
  // How many lines were the right ones.
  uint64_t Run(absl::Span<const uint32_t> blocks);

 private:
  struct alignas(64) Line {
    std::atomic<uint64_t> count{1};
    uint64_t block = 0;
  };
  std::vector<Line> lines_;
  std::vector<Line*> index_;
};

// Copies of 16 KiB, from and to memory that is not in the first caches.
class CopyNodes {
 public:
  static constexpr size_t kNodeBytes = 16384;
  CopyNodes();
  // Copies the next `nodes`.
  void Run(size_t nodes);

 private:
  static constexpr size_t kNodes = 4096;
  std::unique_ptr<std::byte[]> from_;
  std::unique_ptr<std::byte[]> to_;
  size_t next_ = 0;
};

// Additions to one counter, as a reference count alone costs: one up and one down each.
void CountUpAndDown(std::atomic<uint64_t>& counter, size_t times);

}  // namespace ebcache::bench

#endif  // EBCACHE_BENCH_CACHE_FLOORS_H_
