#include "lib/mm/allocator_base.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "lib/base/check.h"

namespace ebcache {
namespace {

bool AreNeighbours(absl::Span<const Folio> pages) {
  for (size_t i = 1; i < pages.size(); ++i) {
    if (pages[i].pfn() != pages[0].pfn() + i) return false;
  }
  return true;
}

}  // namespace

absl::Status NoHeapMemory() noexcept {
  try {
    return absl::ResourceExhaustedError("the heap has no memory for an allocator's own records");
  } catch (const std::bad_alloc&) {
    return absl::Status(absl::StatusCode::kResourceExhausted, "");  // needs none
  }
}

AllocatorBase::AllocatorBase(size_t page_bytes, bool contiguous_by_luck, uint32_t no_fail_wait_ms)
    : page_bytes_(page_bytes),
      contiguous_by_luck_(contiguous_by_luck),
      ladder_(&owners_, no_fail_wait_ms),
      at_fork_(
          ForkHandler::Phase::kLocks, [this] { BeforeFork(); },
          [this](bool in_child) { AfterFork(in_child); }) {
  EBCACHE_CHECK(page_bytes == 4096 || page_bytes == 16384 || page_bytes == 65536,
                "page size of an allocator must be 4096, 16384 or 65536");
}

void AllocatorBase::BeforeFork() {
  owners_.BeforeFork();
  ladder_.BeforeFork();
}

void AllocatorBase::AfterFork(bool in_child) {
  ladder_.AfterFork(in_child);
  owners_.AfterFork(in_child);
}

void AllocatorBase::UnregisterOwner(OwnerId owner) {
  if (owner == kNoOwner) return;  // there was no number for it
  EBCACHE_CHECK(owners_.Find(owner) != nullptr, "unregistering nobody");
  // Where a call of the owner is under way, a destination looks like one of its folios.
  owners_.Quiesce(owner);
  EBCACHE_CHECK(!AnyOwnedBy(owner), "folio owner unregistered while it holds folios");
  owners_.Unregister(owner);
}

absl::Status AllocatorBase::CheckRequest(const FolioRequest& request, int order, int max_order) {
  if (order < 0 || order > kMaxFolioOrder) {
    return Failed(request, absl::InvalidArgumentError(absl::StrCat(
                               "folio order ", order, " is not within 0 to ", kMaxFolioOrder)));
  }
  if (absl::Status status = ladder_.CheckOrder(request, order); !status.ok()) {
    return Failed(request, std::move(status));
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

absl::Status AllocatorBase::Insist(const FolioRequest& request, absl::Status status,
                                   const ReclaimLadder::Rungs& rungs) {
  status = ladder_.Climb(request, std::move(status), rungs);
  return status.ok() ? status : Failed(request, std::move(status));
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
  BlockForm form = BlockForm::kPageArray;
  if (block.slots.size() == 1) {
    form = BlockForm::kOnePage;
  } else if (contiguous_by_luck_ && AreNeighbours(block.slots)) {
    form = BlockForm::kLucky;
  }
  block.order = 0;
  if (form == BlockForm::kPageArray) {
    try {
      block.direct = MapBlock(block.slots);
    } catch (const std::bad_alloc&) {
      block.direct = nullptr;  // a page array will do
    }
    if (block.direct != nullptr) form = BlockForm::kMapped;
  } else {
    block.direct = Address(block.slots[0]);
  }
  CountBlock(form);
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
  ladder_.AddStats(stats);
  AddStats(stats);
  return stats;
}

}  // namespace ebcache
