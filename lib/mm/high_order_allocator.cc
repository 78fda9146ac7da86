// HighOrderAllocator: blocks of one large folio where that costs nothing, else of order-0 pages.

#include <absl/status/status.h>
#include <absl/types/span.h>

#include <bit>
#include <memory>
#include <utility>

#include "ebcache/allocators.h"
#include "ebcache/check.h"
#include "ebcache/movable_region.h"
#include "ebcache/sync.h"

namespace ebcache {
namespace {

// The request of the one attempt: whoever cannot do without has order 0 to fall back to, and
// nobody is pushed out for the sake of a convenience.
FolioRequest OneAttempt(FolioRequest request) {
  request.flags = static_cast<AllocFlags>(static_cast<uint32_t>(request.flags) &
                                          ~static_cast<uint32_t>(AllocFlags::kNoFail)) |
                  AllocFlags::kNoReclaim | AllocFlags::kNoWarn;
  return request;
}

class HighOrder final : public PageAllocator {
 public:
  explicit HighOrder(std::shared_ptr<PageAllocator> pages) : pages_(std::move(pages)) {}

  std::string_view name() const override { return "high"; }
  size_t page_bytes() const override { return pages_->page_bytes(); }
  OwnerId RegisterOwner(FolioOwner* owner) override { return pages_->RegisterOwner(owner); }
  void QuiesceOwner(OwnerId owner) override { pages_->QuiesceOwner(owner); }
  void UnregisterOwner(OwnerId owner) override { pages_->UnregisterOwner(owner); }
  absl::Status AllocateBulk(const FolioRequest& request, int order,
                            absl::Span<Folio> slots) override {
    return pages_->AllocateBulk(request, order, slots);
  }
  void FreeBulk(int order, absl::Span<Folio> slots) override { pages_->FreeBulk(order, slots); }

  absl::Status AllocateBlock(const FolioRequest& request, FolioBlock& block) override {
    const size_t pages = block.slots.size();
    const int order = std::countr_zero(pages);
    const bool fits = std::has_single_bit(pages) && order > 0 && order <= kMaxFolioOrder;
    if (fits && block.naturally_aligned && block.slots[0].empty() &&
        pages_->AllocateBulk(OneAttempt(request), order, block.slots.first(1)).ok()) {
      block.order = order;
      block.direct = pages_->Address(block.slots[0]);
      large_blocks_.fetch_add(1, std::memory_order_relaxed);
      return absl::OkStatus();
    }
    return pages_->AllocateBlock(request, block);
  }

  void FreeBlock(FolioBlock& block) override {
    if (block.order == 0) return pages_->FreeBlock(block);
    pages_->FreeBulk(block.order, block.folios());
    block.order = 0;
    block.direct = nullptr;
  }

  void SetPrivate(Folio folio, uint32_t private_bits) override {
    pages_->SetPrivate(folio, private_bits);
  }
  std::byte* Address(Folio folio) const override { return pages_->Address(folio); }
  std::byte* direct_map() const override { return pages_->direct_map(); }
  size_t Trim() override { return pages_->Trim(); }
  AllocatorStats stats() const override {
    AllocatorStats stats = pages_->stats();
    const uint64_t large = large_blocks_.load(std::memory_order_relaxed);
    stats.allocated_blocks += large;
    stats.contiguous_blocks += large;
    stats.large_blocks += large;
    return stats;
  }

 private:
  const std::shared_ptr<PageAllocator> pages_;
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
