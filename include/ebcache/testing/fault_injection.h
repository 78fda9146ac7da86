// Failure on purpose: wrappers that make some requests fail, by the rules of the kernel's fault
// injection and repeatably.
//
// A request is *eligible* when it is of min_order or more, and not a kNoFail one that is spared. Of
// the eligible, the first space_bytes go through; then every interval-th one fails with the given
// probability, until `times` have.

#ifndef EBCACHE_TESTING_FAULT_INJECTION_H_
#define EBCACHE_TESTING_FAULT_INJECTION_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "ebcache/allocators.h"
#include "ebcache/fork.h"
#include "ebcache/internal/sync.h"
#include "ebcache/page_allocator.h"

namespace ebcache {

// Which requests fail: see the top of this file.
struct FaultOptions {
  double probability = 1;         // 0 to 1
  uint64_t interval = 1;          // at least 1
  uint64_t times = ~uint64_t{0};  // failures at the most
  uint64_t space_bytes = 0;
  int min_order = 1;  // the kernel's default: what it falls back to, order 0, does not fail
  bool spare_no_fail = true;
  uint64_t seed = 1;
};

// What an injector was asked, and what it said.
struct FaultCounts {
  uint64_t eligible = 0;
  uint64_t failed = 0;
};

// Decides. The same requests in the same order get the same answers.
// Thread safety: everything may be called from any thread.
class FaultInjector {
 public:
  // Options out of range are a CHECK.
  explicit FaultInjector(const FaultOptions& options);

  // Decides on one allocation or mapping, and counts it.
  bool ShouldFail(int order, uint64_t bytes, AllocFlags flags);
  FaultCounts counts() const;

 private:
  const FaultOptions options_;
  mutable sync::Mutex mutex_;
  FaultCounts counts_ EBCACHE_GUARDED_BY(mutex_);
  uint64_t space_left_ EBCACHE_GUARDED_BY(mutex_);
  uint64_t since_last_ EBCACHE_GUARDED_BY(mutex_) = 0;  // eligible requests beyond the space
  uint64_t random_ EBCACHE_GUARDED_BY(mutex_);
  ForkHandler at_fork_;  // last: it uses the others
};

// Passes everything on to `allocator`, and lets some allocations fail with ResourceExhausted. An
// AllocateBulk is one request, however many slots it fills. An AllocateBlock is one of order 0:
// what the allocator below tries for it is its own affair; to have such attempts fail, wrap the
// allocator that it makes them of (HighOrderOptions::pages).
std::shared_ptr<PageAllocator> FaultInjectingAllocator(std::shared_ptr<PageAllocator> allocator,
                                                       std::shared_ptr<FaultInjector> injector);
std::shared_ptr<PageAllocator> FaultInjectingAllocator(std::shared_ptr<PageAllocator> allocator,
                                                       const FaultOptions& options);

// Passes everything on to `os`, and lets some windows fail to be mapped. A window counts as order
// 0, so min_order must be 0. `os` must outlive it.
std::unique_ptr<OsCalls> FaultInjectingOsCalls(OsCalls* os, const FaultOptions& options);

}  // namespace ebcache

#endif  // EBCACHE_TESTING_FAULT_INJECTION_H_
