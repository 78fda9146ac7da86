// A PageAllocator whose N-th allocation fails, alone or with all that follow.

#ifndef EBCACHE_TESTS_TREE_FAILING_ALLOCATOR_H_
#define EBCACHE_TESTS_TREE_FAILING_ALLOCATOR_H_

#include <absl/status/status.h>
#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "ebcache/forwarding_allocator.h"
#include "ebcache/page_allocator.h"

namespace ebcache::testing {

// Passes everything on to another allocator. Not thread-safe.
class FailingAllocator : public ForwardingAllocator {
 public:
  explicit FailingAllocator(std::shared_ptr<PageAllocator> real)
      : ForwardingAllocator(std::move(real)) {}

  // Allocation number `n` from now fails, counting from 1.
  void FailOnce(uint64_t n) { until_failure_ = n, failures_left_ = 1; }
  // That one and every one after it.
  void FailFrom(uint64_t n) { until_failure_ = n, failures_left_ = ~uint64_t{0}; }
  // Whether it has failed.
  bool failed() const { return failed_; }

  std::string_view name() const override { return "failing"; }

  absl::Status AllocateBulk(const FolioRequest& request, int order,
                            absl::Span<Folio> slots) override {
    if (Fails()) return Failure();
    return below().AllocateBulk(request, order, slots);
  }
  absl::Status AllocateBlock(const FolioRequest& request, FolioBlock& block) override {
    if (Fails()) return Failure();
    return below().AllocateBlock(request, block);
  }

 private:
  bool Fails() {
    if (until_failure_ > 1) {
      --until_failure_;
      return false;
    }
    if (failures_left_ == 0) return false;
    --failures_left_;
    failed_ = true;
    return true;
  }
  static absl::Status Failure() {
    return absl::ResourceExhaustedError("injected allocation failure");
  }

  uint64_t until_failure_ = 0;
  uint64_t failures_left_ = 0;
  bool failed_ = false;
};

}  // namespace ebcache::testing

#endif  // EBCACHE_TESTS_TREE_FAILING_ALLOCATOR_H_
