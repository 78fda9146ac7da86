// Order0Allocator: order-0 pages out of one arena, recycled through per-thread lists.

#include <absl/status/status.h>
#include <absl/types/span.h>

#include <algorithm>
#include <memory>

#include "ebcache/allocators.h"
#include "ebcache/check.h"
#include "lib/mm/allocator_base.h"
#include "lib/mm/arena.h"
#include "lib/mm/frame_depot.h"
#include "lib/mm/poison.h"
#include "lib/mm/thread_list.h"

namespace ebcache {
namespace {

// What a thread may keep at hand.
constexpr size_t kListBytes = size_t{512} << 10;

class Order0 final : public AllocatorBase {
 public:
  explicit Order0(const Order0Options& options)
      : AllocatorBase(options.page_bytes, options.contiguous_by_luck),
        arena_(new Arena(options.os, options.arena_bytes, options.page_bytes)),
        depot_(
            std::make_shared<FrameDepot>(std::unique_ptr<FrameSource>(arena_), arena_->frames(),
                                         static_cast<uint32_t>(kListBytes / options.page_bytes))) {}

  std::string_view name() const override { return "order0"; }

  absl::Status AllocateBulk(const FolioRequest& request, int order,
                            absl::Span<Folio> slots) override {
    if (absl::Status status = CheckRequest(request, order, 0); !status.ok()) return status;
    const auto wanted = static_cast<uint64_t>(
        std::count_if(slots.begin(), slots.end(), [](Folio slot) { return slot.empty(); }));
    ThreadListLease list(depot_);
    const FrameState state = FrameState::Allocated(request, 0);
    if (wanted > list->capacity()) {
      absl::Status status = depot_->Fill(*list, wanted, state, slots);
      if (!status.ok()) return Failed(request, std::move(status));
    } else {
      if (list->size() < wanted) {
        absl::Status status = depot_->Refill(*list, static_cast<uint32_t>(wanted));
        if (!status.ok()) return Failed(request, std::move(status));
      }
      for (Folio& slot : slots) {
        if (!slot.empty()) continue;
        slot = Folio(list->Pop());
        arena_->frame(slot.pfn()).Store(state);
      }
    }
    for (Folio slot : slots) UnpoisonPages(Address(slot), page_bytes());
    list->counters.allocated_folios.Add(wanted);
    list->counters.allocated_bytes.Add(wanted * page_bytes());
    return absl::OkStatus();
  }

  void FreeBulk(int order, absl::Span<Folio> slots) override {
    ThreadListLease list(depot_);
    uint64_t freed = 0;
    // Back to front: who allocates as many next gets them in the order they had.
    for (auto slot = slots.rbegin(); slot != slots.rend(); ++slot) {
      if (slot->empty()) continue;
      FrameOf(*slot).Free(order);
      PoisonPages(Address(*slot), page_bytes());
      if (list->full()) depot_->Drain(*list);
      list->Push(slot->pfn());
      *slot = Folio();
      ++freed;
    }
    list->counters.freed_folios.Add(freed);
    list->counters.freed_bytes.Add(freed * page_bytes());
  }

  void SetPrivate(Folio folio, uint32_t private_bits) override {
    FrameOf(folio).SetPrivate(private_bits);
  }

  std::byte* Address(Folio folio) const override {
    return arena_->base() + folio.pfn() * page_bytes();
  }

  std::byte* direct_map() const override { return arena_->base(); }

  size_t Trim() override {
    ThreadListLease list(depot_);
    return depot_->Trim(*list, page_bytes());
  }

 protected:
  void CountBlock(bool contiguous) override {
    ThreadListLease list(depot_);
    list->counters.allocated_blocks.Add(1);
    if (contiguous) list->counters.contiguous_blocks.Add(1);
  }

  bool AnyOwnedBy(OwnerId owner) override { return depot_->AnyOwnedBy(owner); }

  void AddStats(AllocatorStats& stats) const override { depot_->AddStats(stats, page_bytes()); }

 private:
  PageFrame& FrameOf(Folio folio) const {
    EBCACHE_CHECK(arena_->Contains(folio.pfn()), "folio was not handed out by this allocator");
    return arena_->frame(folio.pfn());
  }

  Arena* const arena_;  // owned by the depot
  // Shared with nobody for long: a thread that ends just now may be returning its list.
  const std::shared_ptr<FrameDepot> depot_;
};

}  // namespace

std::shared_ptr<PageAllocator> Order0Allocator(Order0Options options) {
  return std::make_shared<Order0>(options);
}

}  // namespace ebcache
