// Emptying page blocks: asking the owners of movable folios to let them move.
//
// A batch of folios is marked as moving, and gets destinations, under the lock. Then their owners
// are asked, without it. Then the batch is settled under the lock again. Meanwhile a holder may
// free a folio, source or destination: the mark leaves it to us (page_frame.h), so a frame that an
// owner is being asked about is never handed out underneath.

#include "lib/base/check.h"
#include "lib/mm/region/movable_region_impl.h"

namespace ebcache {
namespace {

// Refusals without a single agreement after which an owner is taken for one that cannot.
constexpr uint64_t kBreachRefusals = 64;

// An exception of the owner's counts as a refusal of what it had not agreed to by then.
void AskToMigrate(FolioOwner& owner, absl::Span<FolioMove> moves, uint32_t private_bits) noexcept {
  try {
    owner.MigrateTogether(moves, private_bits);
  } catch (...) {
  }
}

}  // namespace

FrameNumber MovableRegion::Impl::DestinationLocked(int order, const Question& question) {
  if (question.scanned) return TakeScannedLocked(order);
  return steering_.Take(Mobility::kMovable, order, question.effort);
}

// Fills `batch` with movable folios from `pfn` on. Returns where to go on.
FrameNumber MovableRegion::Impl::CollectLocked(FrameNumber pfn, FrameNumber end,
                                               const Question& question, Batch& batch) {
  while (pfn < end && batch.size() < kBatch) {
    PageFrame& frame = frames_[pfn];
    const FrameNumber source = pfn;
    const FrameState seen = frame.Load();
    const bool is_head = seen.use == FrameUse::kAllocated || seen.use == FrameUse::kFree;
    pfn += is_head ? uint32_t{1} << seen.order : 1;
    if (question.spared != kNoOwner && seen.owner == question.spared) continue;
    const std::optional<FrameState> state = frame.BeginMove(question.reclaimable);
    if (!state.has_value()) continue;
    Move move = {.source = source, .state = *state, .owner = owners().BeginCall(state->owner)};
    const bool callable = move.owner != nullptr;
    if (callable) {
      move.destination = DestinationLocked(state->order, question);
    }
    const bool askable = callable && (move.destination != kNoFrame || question.may_release);
    if (!askable) {
      if (callable) owners().EndCall(state->owner);
      if (!frame.EndMove()) state_.Put(source, state->order, UserOf(*state));
      continue;
    }
    // Marked as well: an owner that lets go of the folio altogether frees the destination.
    if (move.destination != kNoFrame) frames_[move.destination].Store(*state);
    batch.push_back(move);
  }
  return pfn;
}

// Starts the page walks of a copy that is about to be made, and its first reads.
void MovableRegion::Impl::ExpectCopy(const Move& move) const {
  const std::byte* const base = frames_.base();
  if (move.destination == kNoFrame || base == nullptr) return;
  __builtin_prefetch(base + move.destination.value() * geometry_.page_bytes, 1);
  for (int i = 0; i < 8; ++i)
    __builtin_prefetch(base + move.source.value() * geometry_.page_bytes + 64 * i);
}

// Asks about the first of `moves`, and about those after it that are the same thing to their owner.
// Returns how many that were.
size_t MovableRegion::Impl::AskOwner(absl::Span<Move> moves) const {
  Move& first = moves.front();
  // Most often because it belonged to the same buffer as the one before, which was released.
  if (frames_[first.source].Load().use != FrameUse::kAllocated) return 1;
  const uint32_t private_bits = first.state.private_bits;
  if (first.destination == kNoFrame) {
    first.agreed = AskToRelease(*first.owner, FolioAt(first.source), private_bits);
    return 1;
  }
  absl::InlinedVector<FolioMove, kBatch> together;
  for (const Move& move : moves) {
    if (move.owner != first.owner || move.state.private_bits != private_bits ||
        move.state.order != first.state.order || move.destination == kNoFrame) {
      break;
    }
    together.push_back({.destination = FolioAt(move.destination), .source = FolioAt(move.source)});
  }
  if (together.size() < moves.size()) ExpectCopy(moves[together.size()]);
  AskToMigrate(*first.owner, absl::MakeSpan(together), private_bits);
  for (size_t i = 0; i < together.size(); ++i) moves[i].agreed = together[i].moved;
  return together.size();
}

void MovableRegion::Impl::AskOwners(absl::Span<Move> moves) const {
  while (!moves.empty()) moves.remove_prefix(AskOwner(moves));
}

void MovableRegion::Impl::SettleLocked(Batch& batch, Evacuation& evacuation) {
  for (const Move& move : batch) {
    FinishLocked(move, evacuation);
    owners().EndCall(move.state.owner);
  }
  batch.clear();
}

void MovableRegion::Impl::FinishLocked(const Move& move, Evacuation& evacuation) {
  const int order = move.state.order;
  const Mobility user = UserOf(move.state);
  OwnerReport& report = owner_reports_[move.state.owner];
  const bool migrated = move.agreed && move.destination != kNoFrame;
  if (migrated) {
    EBCACHE_CHECK(frames_[move.source].Load().use == FrameUse::kAllocated,
                  "a folio owner freed the folio that it said had moved");
    state_.Put(move.source, order, user);
    if (!frames_[move.destination].EndMove()) state_.Put(move.destination, order, user);
    ++report.migrated;
    ++counters_.migrated_folios;
    counters_.migrated_frames += uint64_t{1} << order;
    ++evacuation.gone;
    return;
  }
  if (move.destination != kNoFrame) state_.Put(move.destination, order, user);
  if (!frames_[move.source].EndMove()) {
    state_.Put(move.source, order, user);
    ++evacuation.gone;
    if (move.agreed) {
      ++report.released;
      ++counters_.released_folios;
    } else {
      ++counters_.lost_races;
    }
    return;
  }
  EBCACHE_CHECK(!move.agreed, "a folio owner said that it released a folio, and did not free it");
  ++evacuation.refused;
  if (move.destination == kNoFrame) ++evacuation.homeless;
  ++counters_.refused_folios;
  ++report.refused;
  if (move.state.movable && report.refused >= kBreachRefusals &&
      report.migrated + report.released == 0) {
    report.breach = true;
  }
}

MovableRegion::Impl::Evacuation MovableRegion::Impl::Evacuate(PageblockNumber pageblock,
                                                              Effort effort, bool may_release) {
  Evacuation evacuation;
  FrameNumber pfn = geometry_.FirstFrame(pageblock);
  const FrameNumber end = pfn + geometry_.pageblock_frames();
  Batch batch;
  sync::UniqueLock lock(mutex_);
  while (pfn < end) {
    pfn = CollectLocked(pfn, end, {.effort = effort, .may_release = may_release}, batch);
    if (batch.empty()) continue;
    lock.unlock();
    AskOwners(absl::MakeSpan(batch));
    lock.lock();
    SettleLocked(batch, evacuation);
  }
  return evacuation;
}

MovableRegion::Impl::Evacuation MovableRegion::Impl::Empty(PageblockNumber pageblock, Effort effort,
                                                           bool may_release) {
  {
    sync::MutexLock lock(mutex_);
    if (state_.counts(pageblock).nonmovable_frames != 0 || !state_.Isolate(pageblock, 1)) return {};
  }
  DrainLists(/*isolated_only=*/true);
  const Evacuation evacuation = Evacuate(pageblock, effort, may_release);
  sync::MutexLock lock(mutex_);
  state_.Restore(pageblock, 1);
  return evacuation;
}

}  // namespace ebcache
