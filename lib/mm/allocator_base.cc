#include "lib/mm/allocator_base.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "lib/base/check.h"
#include "lib/mm/frame_depot.h"

namespace ebcache {
namespace {

// Linux warns above order 1: nothing below guarantees that such a run of pages will ever be free.
constexpr int kMaxNoFailOrder = 1;

// Rounds of asking and waiting, each of which freed something that others were quicker to take.
constexpr int kMaxNoFailRounds = 1000;

void Count(sync::Atomic<uint64_t>& counter) { counter.fetch_add(1, std::memory_order_relaxed); }

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
      no_fail_wait_(no_fail_wait_ms),
      at_fork_(
          ForkHandler::Phase::kLocks, [this] { BeforeFork(); },
          [this](bool in_child) { AfterFork(in_child); }) {
  EBCACHE_CHECK(page_bytes == 4096 || page_bytes == 16384 || page_bytes == 65536,
                "page size of an allocator must be 4096, 16384 or 65536");
}

void AllocatorBase::BeforeFork() {
  owners_.BeforeFork();
  free_events_.BeforeFork();
}

void AllocatorBase::AfterFork(bool in_child) {
  free_events_.AfterFork(in_child);
  owners_.AfterFork(in_child);
}

void AllocatorBase::UnregisterOwner(OwnerId owner) {
  if (owner == kNoOwner) return;  // there was no number for it
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
    Count(no_fail_refused_);
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
    Count(failed_allocations_);
  }
  return error;
}

absl::Status AllocatorBase::Insist(const FolioRequest& request, absl::Status status, bool possible,
                                   Attempt attempt) {
  if (status.ok()) return status;
  if (!absl::IsResourceExhausted(status)) return Failed(request, std::move(status));
  const bool may_reclaim = possible && !Has(request.flags, AllocFlags::kNoReclaim);
  if (Has(request.flags, AllocFlags::kNoFail)) return InsistNoFail(request, may_reclaim, attempt);
  if (may_reclaim) status = AskOthers(request, std::move(status), attempt);
  return status.ok() ? status : Failed(request, std::move(status));
}

// The owner of the request is spared: it knows better than the order of frames which of its own it
// can do without, and finds out when this fails.
absl::Status AllocatorBase::AskOthers(const FolioRequest& request, absl::Status status,
                                      Attempt attempt) {
  if (!owners_.AnyBut(request.owner)) return status;
  // What one thread has released another may be quicker to take, and what is on its way between
  // lists is nowhere: so an attempt follows each round, and one in vain is no proof.
  int in_vain = 0;
  for (int round = 0; round < kMaxNoFailRounds && in_vain < 2; ++round) {
    if (ReleaseSome(request.owner)) {
      Count(reclaims_from_others_);
    } else {
      ++in_vain;
    }
    status = attempt(/*use_reserve=*/false);
    if (!absl::IsResourceExhausted(status)) break;
  }
  return status;
}

absl::Status AllocatorBase::InsistNoFail(const FolioRequest& request, bool may_reclaim,
                                         Attempt attempt) {
  absl::Status status;
  FreeEvents::Waiter waiter(&free_events_);
  for (int round = 0; round < kMaxNoFailRounds; ++round) {
    waiter.Look();
    status = attempt(/*use_reserve=*/false);
    if (!absl::IsResourceExhausted(status)) return status;
    if (may_reclaim && ReleaseSome(kNoOwner)) {
      Count(no_fail_reclaims_);
      continue;
    }
    Count(no_fail_waits_);
    if (!waiter.Wait(no_fail_wait_)) break;
  }
  status = attempt(/*use_reserve=*/true);
  if (status.ok()) {
    Count(no_fail_reserves_);
    return status;
  }
  Count(no_fail_failures_);
  return Failed(request,
                absl::ResourceExhaustedError(absl::StrCat(
                    "kNoFail: nobody could release anything, nothing came free within ",
                    no_fail_wait_.count(), " ms, and the reserve is spent; ", status.message())));
}

bool AllocatorBase::ReleaseSomeOf(const FrameDepot& depot, OwnerId spared) {
  bool released = false;
  FrameDepot::Releasable found;
  const uint32_t start = release_next_.load(std::memory_order_relaxed);
  uint32_t pfn = start;
  // From where the last one stopped to the end, and from the start to there.
  for (bool around = false; !released && !(around && pfn >= start);) {
    found.clear();
    pfn = depot.FindReleasable(pfn, found);
    for (const FrameDepot::InUse& folio : found) {
      if (folio.state.owner == spared) continue;
      const OwnerTable::Call call(&owners_, folio.state.owner);
      if (call.owner() == nullptr) continue;
      released |= AskToRelease(*call.owner(), Folio(folio.pfn), folio.state.private_bits);
    }
    if (pfn == 0 && around) break;
    around |= pfn == 0;
  }
  release_next_.store(pfn, std::memory_order_relaxed);
  return released;
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
  stats.reclaims_from_others = reclaims_from_others_.load(std::memory_order_relaxed);
  stats.no_fail_refused = no_fail_refused_.load(std::memory_order_relaxed);
  stats.no_fail_reclaims = no_fail_reclaims_.load(std::memory_order_relaxed);
  stats.no_fail_waits = no_fail_waits_.load(std::memory_order_relaxed);
  stats.no_fail_reserves = no_fail_reserves_.load(std::memory_order_relaxed);
  stats.no_fail_failures = no_fail_failures_.load(std::memory_order_relaxed);
  AddStats(stats);
  return stats;
}

}  // namespace ebcache
