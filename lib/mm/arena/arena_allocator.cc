#include "lib/mm/arena/arena_allocator.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "lib/base/check.h"
#include "lib/mm/poison.h"
#include "lib/mm/thread_list.h"

namespace ebcache {
namespace {

// What a thread may keep at hand.
constexpr size_t kListBytes = size_t{512} << 10;

std::unique_ptr<ArenaFrames> CreateFrames(const Order0Options& options, Arena::Memory memory) {
  EBCACHE_CHECK(options.arena_bytes > 0, "arena size must be a multiple of 2 MiB");
  return std::make_unique<ArenaFrames>(options.os, options.arena_bytes + kNoFailReserveBytes,
                                       options.page_bytes, memory);
}

// Order-0 pages and no more: neighbours only by luck.
class Order0 final : public ArenaAllocator {
 public:
  explicit Order0(const Order0Options& options)
      : ArenaAllocator(options, Arena::Memory::kPrivate) {}
  std::string_view name() const override { return "order0"; }
};

}  // namespace

ArenaAllocator::ArenaAllocator(const Order0Options& options, Arena::Memory memory)
    : AllocatorBase(options.page_bytes, options.contiguous_by_luck, options.no_fail_wait_ms),
      frames_(CreateFrames(options, memory).release()),
      depot_(std::make_shared<FrameDepot>(
          std::unique_ptr<FrameSource>(frames_),
          static_cast<uint32_t>(kListBytes / options.page_bytes),
          static_cast<uint32_t>(kNoFailReserveBytes / options.page_bytes))),
      releaser_(depot_.get(), &owners()) {}

PageFrame& ArenaAllocator::FrameOf(Folio folio) const {
  EBCACHE_CHECK(frames_->Contains(FirstFrameOf(folio)),
                "folio was not handed out by this allocator");
  return frames_->frame(FirstFrameOf(folio));
}

absl::Status ArenaAllocator::Take(const FolioRequest& request, uint64_t wanted,
                                  absl::Span<Folio> slots, bool use_reserve) {
  ThreadListLease list(depot_);
  const FrameState state = FrameState::Allocated(request, 0);
  if (wanted > list->capacity()) {
    absl::Status status = depot_->Fill(*list, wanted, state, slots, use_reserve);
    if (!status.ok()) return status;
  } else {
    if (list->size() < wanted) {
      absl::Status status = depot_->Refill(*list, static_cast<uint32_t>(wanted), use_reserve);
      if (!status.ok()) return status;
    }
    for (Folio& slot : slots) {
      if (!slot.empty()) continue;
      const FrameNumber pfn = list->Pop();
      slot = FolioAt(pfn);
      frames_->frame(pfn).Store(state);
    }
  }
  for (Folio slot : slots) UnpoisonPages(Address(slot), page_bytes());
  list->counters.allocated_folios.Add(wanted);
  list->counters.allocated_bytes.Add(wanted * page_bytes());
  return absl::OkStatus();
}

absl::Status ArenaAllocator::AllocateBulk(const FolioRequest& request, int order,
                                          absl::Span<Folio> slots) {
  return WithoutThrowing([&] { return AllocateOrThrow(request, slots, order); });
}

absl::Status ArenaAllocator::AllocateOrThrow(const FolioRequest& request, absl::Span<Folio> slots,
                                             int order) {
  if (absl::Status status = CheckRequest(request, order, 0); !status.ok()) return status;
  const auto wanted = static_cast<uint64_t>(
      std::count_if(slots.begin(), slots.end(), [](Folio slot) { return slot.empty(); }));
  absl::Status status = Take(request, wanted, slots, /*use_reserve=*/false);
  if (status.ok()) [[likely]] {
    return status;
  }
  const bool possible = wanted <= depot_->MostFrames(Has(request.flags, AllocFlags::kNoFail));
  return Insist(
      request, std::move(status),
      {.possible = possible,
       .release = [this](OwnerId spared) { return releaser_.ReleaseSome(spared); },
       .attempt = [&](bool use_reserve) { return Take(request, wanted, slots, use_reserve); }});
}

void ArenaAllocator::FreeBulk(int order, absl::Span<Folio> slots) {
  ThreadListLease list(depot_);
  uint64_t freed = 0;
  // Back to front: the next allocation of as many gets them in the order they had.
  for (auto slot = slots.rbegin(); slot != slots.rend(); ++slot) {
    if (slot->empty()) continue;
    FrameOf(*slot).Free(order);
    PoisonPages(Address(*slot), page_bytes());
    if (list->full()) depot_->Drain(*list);
    list->Push(FirstFrameOf(*slot));
    *slot = Folio();
    ++freed;
  }
  list->counters.freed_folios.Add(freed);
  list->counters.freed_bytes.Add(freed * page_bytes());
  if (ladder().anyone_waits() || depot_->reserve_in_use()) [[unlikely]] {
    depot_->DrainAll(*list);
    ladder().NotifyFreed();
  }
}

void ArenaAllocator::AddStats(AllocatorStats& stats) const {
  depot_->AddStats(stats, page_bytes());
  const size_t reserved = arena().reserved_bytes();
  if (reserved != 0) stats.arena_bytes += reserved - kNoFailReserveBytes;
}

size_t ArenaAllocator::Trim() {
  ThreadListLease list(depot_);
  return depot_->Trim(*list, page_bytes());
}

void ArenaAllocator::CountBlock(BlockForm form) {
  ThreadListLease list(depot_);
  list->counters.AddBlock(form);
}

std::shared_ptr<PageAllocator> Order0Allocator(Order0Options options) {
  return std::make_shared<Order0>(options);
}

}  // namespace ebcache
