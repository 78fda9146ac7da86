// MovableRegion::Impl: the parts of a movable region put together. One class, whose methods lie in
// the files of what they are about:
//
//   movable_region_impl.cc  how it is made and set up; owners, forks, counts
//   region_allocation.cc    allocating
//   region_freeing.cc       freeing, and giving back what is kept at hand
//   region_reserve.cc       owners that release, and the reserve for kNoFail
//   compaction.cc           emptying page blocks
//   two_scanners.cc         compaction as Linux does it
//   contiguous.cc           memory in one piece
//   defragmenter.cc         room in tainted superpageblocks, before it is needed
//   region_reports.cc       what lies where, counted
//
// Locks: a set of page lists first, then mutex_, then the owner table's. None is held while an owner
// is called.

#ifndef EBCACHE_LIB_MM_REGION_MOVABLE_REGION_IMPL_H_
#define EBCACHE_LIB_MM_REGION_MOVABLE_REGION_IMPL_H_

#include <absl/container/inlined_vector.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ebcache/background_threads.h"
#include "ebcache/fork.h"
#include "ebcache/internal/sync.h"
#include "ebcache/movable_region.h"
#include "lib/mm/allocator_base.h"
#include "lib/mm/region/page_lists.h"
#include "lib/mm/region/region_frames.h"
#include "lib/mm/region/region_state.h"
#include "lib/mm/region/steering.h"

namespace ebcache {

class MovableRegion::Impl final : public AllocatorBase {
 public:
  explicit Impl(const MovableRegionOptions& options);
  ~Impl() override;

  // ---- movable_region_impl.cc ----
  std::string_view name() const override { return "movable-region"; }
  OwnerId RegisterOwner(FolioOwner* owner) override;
  void SetPrivate(Folio folio, uint32_t private_bits) override;
  std::byte* Address(Folio folio) const override;
  std::byte* direct_map() const override { return frames_.base(); }
  const RegionGeometry& geometry() const { return geometry_; }
  // The locks that fork handlers hold are held over the fork: the two are halves of one function.
  void BeforeFork() EBCACHE_NO_THREAD_SAFETY_ANALYSIS;
  void AfterFork() EBCACHE_NO_THREAD_SAFETY_ANALYSIS;

  // ---- region_allocation.cc, region_freeing.cc ----
  absl::Status AllocateBulk(const FolioRequest& request, int order,
                            absl::Span<Folio> slots) override;
  void FreeBulk(int order, absl::Span<Folio> slots) override;
  size_t Trim() override;

  // ---- two_scanners.cc ----
  CompactionPass Compact(CompactionGoal goal);

  // ---- contiguous.cc ----
  absl::StatusOr<Folio> AllocateContiguous(const FolioRequest& request, int order);
  absl::StatusOr<Folio> ContiguousOrThrow(const FolioRequest& request, int order);

  // ---- defragmenter.cc ----
  DefragProgress DefragStep();
  bool StartDefragmenter();
  void StopDefragmenter();

  // ---- region_reports.cc ----
  MovableRegionReport report() const;
  FrameCounts CountFrames(FrameNumber first, uint32_t frames) const;
  FreeMemoryReport free_memory() const;

 protected:
  // ---- What AllocatorBase asks for: movable_region_impl.cc ----
  void CountBlock(BlockForm form) override;
  bool AnyOwnedBy(OwnerId owner) override;
  void AddStats(AllocatorStats& stats) const override;

 private:
  // Efforts that allocations make for themselves: after n in a row that gained nothing, the next
  // 2^n allocations go without.
  struct Backoff {
    uint32_t failures = 0;
    uint32_t to_skip = 0;

    bool Skip() { return to_skip != 0 && to_skip-- != 0; }
    void Note(bool gained) {
      failures = gained ? 0 : std::min<uint32_t>(failures + 1, 10);
      to_skip = gained ? 0 : uint32_t{1} << failures;
    }
  };

  // ---- movable_region_impl.cc ----
  // As what a folio counts. One of a whole superpageblock mixes with no other folio, so it taints
  // nothing.
  Mobility UserOf(bool movable, bool reclaimable, int order) const;
  Mobility UserOf(const FrameState& state) const {
    return UserOf(state.movable, state.reclaimable, state.order);
  }
  Mobility UserOf(const FolioRequest& request, int order) const {
    return UserOf(Has(request.flags, AllocFlags::kMovable),
                  Has(request.flags, AllocFlags::kReclaimable), order);
  }
  // In whose company a folio lies: not always that of what it counts as.
  Mobility GroupOf(bool grouped_unmovable, Mobility user) const;
  PageFrame& FrameOf(Folio folio) const;
  // All of the state that may be looked at without the region's lock (Buddy::mobility). A guess,
  // unless the caller holds the lock of a set of page lists: the thread that isolates takes it, too.
  bool IsolatedNow(FrameNumber pfn) const EBCACHE_NO_THREAD_SAFETY_ANALYSIS {
    return state_.mobility(geometry_.PageblockOf(pfn)) == Mobility::kIsolated;
  }
  // Whether a list of that kind may keep the frame; as much of a guess as IsolatedNow.
  bool BelongsInList(FrameNumber pfn, Mobility group) const EBCACHE_NO_THREAD_SAFETY_ANALYSIS {
    return options_.policy != MovableRegionOptions::Policy::kPageblock ||
           !options_.pageblock_rules.lists_by_pageblock ||
           state_.mobility(geometry_.PageblockOf(pfn)) == group;
  }
  // What every allocation begins with: at the first, address space is asked from the OS.
  absl::Status Open();

  // ---- region_allocation.cc ----
  absl::Status AllocateOrThrow(const FolioRequest& request, int order, absl::Span<Folio> slots);
  absl::Status AllocateWithEffort(const FolioRequest& request, int order, uint64_t wanted,
                                  absl::Span<Folio> slots, absl::Status status);
  absl::Status TryAllocate(const FolioRequest& request, int order, uint64_t wanted,
                           absl::Span<Folio> slots, Effort effort);
  absl::Status TakeSmall(const FolioRequest& request, uint32_t wanted, absl::Span<Folio> slots,
                         Effort effort);
  absl::Status TakeLarge(const FolioRequest& request, int order, absl::Span<Folio> slots,
                         Effort effort);
  absl::Status Refill(FrameStack& list, Mobility user, uint32_t wanted, Effort effort);
  void Reaccount(FrameNumber pfn, Mobility was, Mobility user);
  absl::Status NoMemoryLocked(int order) const EBCACHE_REQUIRES(mutex_);

  // ---- region_reserve.cc ----
  // A rung of the ReclaimLadder.
  bool ReleaseSome(OwnerId spared);
  // What kNoFail holds back: pairs of pages.
  void FillReserve();
  bool SpendReserve(uint64_t frames);

  // ---- region_freeing.cc ----
  void FreeSmall(absl::Span<Folio> slots);
  void FreeLarge(int order, absl::Span<Folio> slots);
  // Gives the frames that page lists keep back to the free lists: all, or those in isolated blocks.
  void DrainLists(bool isolated_only);

  // ---- compaction.cc ----
  // One folio on its way out of a page block.
  struct Move {
    FrameNumber source = kNoFrame;
    FrameNumber destination = kNoFrame;  // kNoFrame: there is nowhere to put it
    FrameState state;
    FolioOwner* owner = nullptr;  // whose call is under way
    bool agreed = false;
  };
  static constexpr size_t kBatch = 32;
  // Which folios are collected, and what their owners are asked.
  struct Question {
    Effort effort = Effort::kNowhere;  // how far a destination may be looked for
    bool may_release = false;          // or out of memory, where there is none
    bool reclaimable = false;          // those that can only be released, too
    OwnerId spared = kNoOwner;         // but none of this owner's
    bool scanned = false;              // destinations are what the free scanner has found
  };
  using Batch = absl::InlinedVector<Move, kBatch>;
  struct Evacuation {
    uint32_t gone = 0;      // folios that left
    uint32_t refused = 0;   // that their owners kept
    uint32_t homeless = 0;  // of these, those that had nowhere to go
  };
  // Moves the movable folios out of a page block: to where steering puts them within `effort`; or
  // out of memory where there is no such place, if `may_release`. What is not movable stays.
  Evacuation Evacuate(PageblockNumber pageblock, Effort effort, bool may_release);
  // The same with the page block isolated meanwhile, where nothing in it is unmovable.
  Evacuation Empty(PageblockNumber pageblock, Effort effort, bool may_release);
  // What a folio that moves is put into; kNoFrame where there is nothing.
  FrameNumber DestinationLocked(int order, const Question& question) EBCACHE_REQUIRES(mutex_);
  FrameNumber CollectLocked(FrameNumber pfn, FrameNumber end, const Question& question,
                            Batch& batch) EBCACHE_REQUIRES(mutex_);
  // As CollectLocked from where the last call of it stopped, in one page block, and around. In
  // region_reserve.cc.
  uint32_t CollectNextLocked(const Question& question, Batch& batch) EBCACHE_REQUIRES(mutex_);
  void ExpectCopy(const Move& move) const;
  size_t AskOwner(absl::Span<Move> moves) const;
  void AskOwners(absl::Span<Move> moves) const;
  // All of a batch, which is empty then; and the calls of their owners have ended.
  void SettleLocked(Batch& batch, Evacuation& evacuation) EBCACHE_REQUIRES(mutex_);
  void FinishLocked(const Move& move, Evacuation& evacuation) EBCACHE_REQUIRES(mutex_);

  // ---- two_scanners.cc ----
  FrameNumber TakeScannedLocked(int order) EBCACHE_REQUIRES(mutex_);
  bool ScanForFreeLocked() EBCACHE_REQUIRES(mutex_);
  void PutScannedBackLocked() EBCACHE_REQUIRES(mutex_);
  bool HasFreeLocked(int order) const EBCACHE_REQUIRES(mutex_);
  uint32_t CompactPageblock(PageblockNumber pageblock);

  // ---- contiguous.cc ----
  using Tried = absl::InlinedVector<PageblockNumber, 8>;  // first page blocks of ranges
  PageblockNumber PickRangeLocked(uint32_t count, const Tried& tried) const
      EBCACHE_REQUIRES(mutex_);
  PageblockNumber FirstRefusedLocked(PageblockNumber first, uint32_t count) const
      EBCACHE_REQUIRES(mutex_);
  uint64_t CostOfRangeLocked(PageblockNumber first, uint32_t count) const EBCACHE_REQUIRES(mutex_);
  // Isolates `count` page blocks and moves everything out of them. On success they are free, and
  // still isolated; else as before.
  bool EmptyRange(PageblockNumber first, uint32_t count, bool may_release);
  bool EmptyBlock(PageblockNumber block, bool may_release);
  bool AllFreeLocked(PageblockNumber first, uint32_t count) const EBCACHE_REQUIRES(mutex_);
  FrameNumber TakeEmptiedLocked(PageblockNumber first, uint32_t count, Mobility user, int order)
      EBCACHE_REQUIRES(mutex_);
  absl::Status CheckContiguous(const FolioRequest& request, int order);
  Folio SettleContiguousLocked(FrameNumber pfn, const FolioRequest& request, int order)
      EBCACHE_REQUIRES(mutex_);
  // Compaction on behalf of an allocation. Whether it was worth it.
  bool MakeRoomFor(int order);

  // ---- defragmenter.cc ----
  bool WantsDefragLocked(SuperpageblockNumber superpageblock) EBCACHE_REQUIRES(mutex_);
  SuperpageblockNumber PickSuperpageblockLocked(bool short_of_room_only) EBCACHE_REQUIRES(mutex_);
  PageblockNumber PickPageblockLocked(SuperpageblockNumber superpageblock) EBCACHE_REQUIRES(mutex_);
  // Works on one page block; how many folios left it. Nothing: there was none to work on.
  std::optional<uint32_t> DefragOne(bool short_of_room_only, Effort effort, bool may_release);
  // For pages that can only move, when there is nowhere: asks others to release theirs from tainted
  // superpageblocks. Whether some did.
  bool ReleaseFromTainted();
  bool MakeRoomInTainted();
  bool DefragUntilGone(int tries, Effort effort);
  bool ReturnSuperpageblock();
  void RunDefragmenter();

  const MovableRegionOptions options_;
  const RegionGeometry geometry_;
  const int max_folio_order_;

  mutable sync::Mutex mutex_;
  RegionFrames frames_;  // what may be done without the lock, it says itself
  RegionState state_ EBCACHE_GUARDED_BY(mutex_);
  Steering steering_ EBCACHE_GUARDED_BY(mutex_);
  std::array<OwnerReport, 256> owner_reports_ EBCACHE_GUARDED_BY(mutex_);
  MovableRegionReport counters_ EBCACHE_GUARDED_BY(mutex_);  // the sums in it
  // The superpageblock to look at next, and that to give back to the OS next.
  SuperpageblockNumber defrag_next_ EBCACHE_GUARDED_BY(mutex_);
  SuperpageblockNumber return_next_ EBCACHE_GUARDED_BY(mutex_);
  // The frame whose owner is asked next; always one of the region.
  FrameNumber release_next_ EBCACHE_GUARDED_BY(mutex_);
  const size_t reserve_pairs_;  // how many are held back, for kNoFail alone
  // Their first frames; has room for all of them.
  std::vector<FrameNumber> reserve_ EBCACHE_GUARDED_BY(mutex_);
  // The two scanners of compaction: the page block that is emptied next, and the one behind that
  // which is filled next; and free blocks that the latter has taken out, by order.
  PageblockNumber migrate_scanner_ EBCACHE_GUARDED_BY(mutex_);
  PageblockNumber free_scanner_ EBCACHE_GUARDED_BY(mutex_);
  std::array<std::vector<FrameNumber>, kMaxFolioOrder + 1> scanned_ EBCACHE_GUARDED_BY(mutex_);
  // Page blocks that did not empty when a range was wanted.
  std::vector<bool> refused_ EBCACHE_GUARDED_BY(mutex_);
  Backoff room_in_tainted_ EBCACHE_GUARDED_BY(mutex_);
  Backoff room_for_order_ EBCACHE_GUARDED_BY(mutex_);

  mutable PageLists lists_;

  sync::Mutex thread_mutex_;  // not taken with any other lock
  sync::ConditionVariable thread_wakes_;
  bool stop_thread_ EBCACHE_GUARDED_BY(thread_mutex_) = false;
  BackgroundThreads threads_;  // the defragmenter's, if it runs

  ForkHandler at_fork_;  // last: it uses the others
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_MM_REGION_MOVABLE_REGION_IMPL_H_
