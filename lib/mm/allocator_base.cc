#include "lib/mm/allocator_base.h"

#include <absl/strings/str_cat.h>

#include <bit>
#include <utility>

#include "ebcache/check.h"

namespace ebcache {
namespace {

// Linux warns above order 1: nothing below guarantees that such a run of pages will ever be free.
constexpr int kMaxNoFailOrder = 1;

bool AreNeighbours(absl::Span<const Folio> pages) {
  for (size_t i = 1; i < pages.size(); ++i) {
    if (pages[i].pfn() != pages[0].pfn() + i) return false;
  }
  return true;
}

}  // namespace

AllocatorBase::AllocatorBase(size_t page_bytes, bool contiguous_by_luck)
    : page_bytes_(page_bytes), contiguous_by_luck_(contiguous_by_luck) {
  EBCACHE_CHECK(page_bytes == 4096 || page_bytes == 16384 || page_bytes == 65536,
                "page size of an allocator must be 4096, 16384 or 65536");
}

void AllocatorBase::UnregisterOwner(OwnerId owner) {
  EBCACHE_CHECK(owners_.Find(owner) != nullptr, "unregistering nobody");
  EBCACHE_CHECK(!AnyOwnedBy(owner), "folio owner unregistered while it holds folios");
  owners_.Unregister(owner);
}

absl::Status AllocatorBase::CheckRequest(const FolioRequest& request, int order, int max_order) {
  if (order < 0 || order > kMaxFolioOrder) {
    return Failed(request, absl::InvalidArgumentError(absl::StrCat(
                               "folio order ", order, " is not within 0 to ", kMaxFolioOrder)));
  }
  if (order > kMaxNoFailOrder && Has(request.flags, AllocFlags::kNoFail)) {
    return Failed(request, absl::InvalidArgumentError(
                               absl::StrCat("kNoFail cannot be promised for a folio of order ",
                                            order, ", only up to order ", kMaxNoFailOrder)));
  }
  if (order > max_order) {
    const std::string_view self = name();
    return Failed(request, absl::InvalidArgumentError(
                               absl::StrCat("folio of order ", order, " asked from the ",
                                            absl::string_view(self.data(), self.size()),
                                            " allocator, which has none above ", max_order)));
  }
  if (absl::Status status = owners_.CheckContract(request); !status.ok()) {
    return Failed(request, std::move(status));
  }
  return absl::OkStatus();
}

absl::Status AllocatorBase::Failed(const FolioRequest& request, absl::Status error) {
  if (!absl::IsResourceExhausted(error) || !Has(request.flags, AllocFlags::kNoWarn)) {
    failed_allocations_.fetch_add(1, std::memory_order_relaxed);
  }
  return error;
}

void AllocatorBase::CheckBlock(const FolioBlock& block) {
  EBCACHE_CHECK(std::has_single_bit(block.slots.size()), "a block needs a power of two of slots");
  for (Folio slot : block.slots) {
    EBCACHE_CHECK(slot.empty(), "a block is allocated into slots that are in use");
  }
}

absl::Status AllocatorBase::AllocateBlock(const FolioRequest& request, FolioBlock& block) {
  CheckBlock(block);
  if (absl::Status status = AllocateBulk(request, 0, block.slots); !status.ok()) return status;
  const bool contiguous =
      block.slots.size() == 1 || (contiguous_by_luck_ && AreNeighbours(block.slots));
  block.order = 0;
  block.direct = contiguous ? Address(block.slots[0]) : nullptr;
  CountBlock(contiguous);
  return absl::OkStatus();
}

void AllocatorBase::FreeBlock(FolioBlock& block) {
  FreeBulk(block.order, block.folios());
  block.order = 0;
  block.direct = nullptr;
}

AllocatorStats AllocatorBase::stats() const {
  AllocatorStats stats;
  stats.page_bytes = page_bytes_;
  stats.failed_allocations = failed_allocations_.load(std::memory_order_relaxed);
  stats.contract_breaches = owners_.breaches();
  AddStats(stats);
  return stats;
}

}  // namespace ebcache
