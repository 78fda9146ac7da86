#include "lib/mm/reclaim_ladder.h"

#include <absl/strings/str_cat.h>

#include <atomic>
#include <utility>

namespace ebcache {
namespace {

// Rounds of asking and waiting, each of which freed something that others were quicker to take.
constexpr int kMaxNoFailRounds = 1000;

void Count(sync::Atomic<uint64_t>& counter) { counter.fetch_add(1, std::memory_order_relaxed); }

}  // namespace

absl::Status ReclaimLadder::CheckOrder(const FolioRequest& request, int order) {
  if (order <= kMaxNoFailOrder || !Has(request.flags, AllocFlags::kNoFail)) return absl::OkStatus();
  Count(no_fail_refused_);
  return absl::InvalidArgumentError(absl::StrCat("kNoFail cannot be promised for a folio of order ",
                                                 order, ", only up to order ", kMaxNoFailOrder));
}

absl::Status ReclaimLadder::Climb(const FolioRequest& request, absl::Status status,
                                  const Rungs& rungs) {
  if (!absl::IsResourceExhausted(status)) return status;
  const bool may_reclaim = rungs.possible && !Has(request.flags, AllocFlags::kNoReclaim);
  if (Has(request.flags, AllocFlags::kNoFail)) return InsistNoFail(may_reclaim, rungs);
  return may_reclaim ? AskOthers(request, std::move(status), rungs) : status;
}

// The owner of the request is spared: it knows better than the order of frames which of its own it
// can do without, and finds out when this fails.
absl::Status ReclaimLadder::AskOthers(const FolioRequest& request, absl::Status status,
                                      const Rungs& rungs) {
  if (!owners_.AnyBut(request.owner)) return status;
  // What one thread has released another may be quicker to take, and what is on its way between
  // lists is nowhere: so an attempt follows each round, and one in vain is no proof.
  int in_vain = 0;
  for (int round = 0; round < kMaxNoFailRounds && in_vain < 2; ++round) {
    if (rungs.release(request.owner)) {
      Count(reclaims_from_others_);
    } else {
      ++in_vain;
    }
    status = rungs.attempt(/*use_reserve=*/false);
    if (!absl::IsResourceExhausted(status)) break;
  }
  return status;
}

absl::Status ReclaimLadder::InsistNoFail(bool may_reclaim, const Rungs& rungs) {
  absl::Status status;
  FreeEvents::Waiter waiter(&free_events_);
  for (int round = 0; round < kMaxNoFailRounds; ++round) {
    waiter.Look();
    status = rungs.attempt(/*use_reserve=*/false);
    if (!absl::IsResourceExhausted(status)) return status;
    if (may_reclaim && rungs.release(kNoOwner)) {
      Count(no_fail_reclaims_);
      continue;
    }
    Count(no_fail_waits_);
    if (!waiter.Wait(no_fail_wait_)) break;
  }
  status = rungs.attempt(/*use_reserve=*/true);
  if (status.ok()) {
    Count(no_fail_reserves_);
    return status;
  }
  Count(no_fail_failures_);
  return absl::ResourceExhaustedError(
      absl::StrCat("kNoFail: nobody could release anything, nothing came free within ",
                   no_fail_wait_.count(), " ms, and the reserve is spent; ", status.message()));
}

void ReclaimLadder::AddStats(AllocatorStats& stats) const {
  stats.reclaims_from_others += reclaims_from_others_.load(std::memory_order_relaxed);
  stats.no_fail_refused += no_fail_refused_.load(std::memory_order_relaxed);
  stats.no_fail_reclaims += no_fail_reclaims_.load(std::memory_order_relaxed);
  stats.no_fail_waits += no_fail_waits_.load(std::memory_order_relaxed);
  stats.no_fail_reserves += no_fail_reserves_.load(std::memory_order_relaxed);
  stats.no_fail_failures += no_fail_failures_.load(std::memory_order_relaxed);
}

}  // namespace ebcache
