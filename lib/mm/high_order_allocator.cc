// HighOrderAllocator: blocks of one large folio where that costs nothing, else of order-0 pages.

#include <absl/status/status.h>
#include <absl/types/span.h>

#include <bit>
#include <memory>
#include <utility>

#include "ebcache/allocators.h"
#include "ebcache/forwarding_allocator.h"
#include "ebcache/internal/sync.h"
#include "ebcache/movable_region.h"
#include "lib/base/check.h"

namespace ebcache {
namespace {

// The request of the one attempt: a caller that cannot do without has order 0 to fall back to, and
// no owner is asked to release anything for the sake of a convenience.
FolioRequest OneAttempt(FolioRequest request) {
  request.flags = static_cast<AllocFlags>(static_cast<uint32_t>(request.flags) &
                                          ~static_cast<uint32_t>(AllocFlags::kNoFail)) |
                  AllocFlags::kNoReclaim | AllocFlags::kNoWarn;
  return request;
}

class HighOrder final : public ForwardingAllocator {
 public:
  explicit HighOrder(std::shared_ptr<PageAllocator> pages)
      : ForwardingAllocator(std::move(pages)) {}

  std::string_view name() const override { return "high"; }

  absl::Status AllocateBlock(const FolioRequest& request, FolioBlock& block) override {
    const size_t pages = block.slots.size();
    const int order = std::countr_zero(pages);
    const bool fits = std::has_single_bit(pages) && order > 0 && order <= kMaxFolioOrder;
    if (fits && block.naturally_aligned && block.slots[0].empty() &&
        below().AllocateBulk(OneAttempt(request), order, block.slots.first(1)).ok()) {
      block.order = order;
      block.direct = below().Address(block.slots[0]);
      large_blocks_.fetch_add(1, std::memory_order_relaxed);
      return absl::OkStatus();
    }
    return below().AllocateBlock(request, block);
  }

  void FreeBlock(FolioBlock& block) override {
    if (block.order == 0) return below().FreeBlock(block);
    below().FreeBulk(block.order, block.folios());
    block.order = 0;
    block.direct = nullptr;
  }

  AllocatorStats stats() const override {
    AllocatorStats stats = below().stats();
    const uint64_t large = large_blocks_.load(std::memory_order_relaxed);
    stats.allocated_blocks += large;
    stats.contiguous_blocks += large;
    stats.large_blocks += large;
    return stats;
  }

 private:
  sync::Atomic<uint64_t> large_blocks_{0};  // relaxed: a statistic
};

}  // namespace

std::shared_ptr<PageAllocator> HighOrderAllocator(HighOrderOptions options) {
  if (options.pages == nullptr) {
    options.pages = MovableRegion::Create(
        {.page_bytes = options.page_bytes, .arena_bytes = options.arena_bytes});
  }
  return std::make_shared<HighOrder>(std::move(options.pages));
}

}  // namespace ebcache
