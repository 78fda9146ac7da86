// BufferPool: the buffers of a cache: their descriptors, frames, places in the index and in the
// order of reclaim, from birth to burial, and the budget that bounds them.
//
//   buffer_pool.cc    finding, putting, making dirty
//   batch_lookup.cc   finding in batches
//   buffer_birth.cc   making and burying
//   pool_budget.cc    budgets, and making room
//   cache_reports.cc  what is held, what is cached, counters
//
// It reads and writes no block: that is BufferIo's. It moves none: that is FolioMover's.
//
// Budget and reclaim are here, not beside it: each birth asks for room and each burial makes some,
// so that to take them apart would be to have two classes that call each other.
//
// Memory that is out shows as an error of what asked for it, never as a buffer that is half made or
// half gone: whatever may throw std::bad_alloc does so before the first step that would have to be
// taken back. Burying, putting and reclaiming need no memory at all.
//
// Thread safety: all methods, from any thread, unless they say otherwise. It has no lock of its own:
// those of the index, the slab, the reclaim list, the shared folios, the kept errors and the thread
// in the background are inside of these, and none is held while another is taken, nor while the
// allocator is called.

#ifndef EBCACHE_LIB_CACHE_BUFFER_POOL_H_
#define EBCACHE_LIB_CACHE_BUFFER_POOL_H_

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <array>
#include <cstdint>
#include <memory>

#include "ebcache/buffer_cache.h"
#include "ebcache/internal/sync.h"
#include "lib/base/check.h"
#include "lib/cache/background_reclaim.h"
#include "lib/cache/block_frames.h"
#include "lib/cache/buffer_index.h"
#include "lib/cache/descriptor_slab.h"
#include "lib/cache/extent_buffer_access.h"
#include "lib/cache/kept_errors.h"
#include "lib/cache/reclaim_list.h"
#include "lib/cache/state_word.h"
#include "lib/cache/tracepoints.h"

namespace ebcache {

// Counters behind CacheStats. All are relaxed: nothing is decided by them, but where they say so.
inline void Count(sync::Atomic<uint64_t>& counter, uint64_t n = 1) { sync::Add(counter, n); }
inline void Uncount(sync::Atomic<uint64_t>& counter, uint64_t n = 1) { sync::Add(counter, -n); }

class BufferPool {
 public:
  // `cache`: what the descriptors lead to. `options`: checked, with an allocator. `source`: told of
  // buffers that go, where their users keep something with them; may be null.
  BufferPool(BufferCacheImpl* cache, BufferCacheOptions options, BlockSource* source);
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  // ---- Finding, making and burying ----
  // (Inlined whatever the compiler takes a tracepoint for: it counts the lines of the note.)
  [[gnu::always_inline]] ExtentBuffer* Find(uint64_t start) {
    return Find(start, index_.Candidate(start));
  }
  // The same for a caller that asked the index before: that may have changed since.
  [[gnu::always_inline]] ExtentBuffer* Find(uint64_t start, ExtentBuffer* candidate) {
    if (candidate == nullptr || !state::GetPlainly(Inside(candidate).state_)) [[unlikely]]
      return FindSlowly(start, nullptr);
    // A reference to some buffer, which stays the buffer of its block while it is held.
    if (Inside(candidate).start_ == start) [[likely]] {
      EBCACHE_TRACE(find, candidate);
      return candidate;
    }
    return FindSlowly(start, candidate);
  }
  void FindMany(absl::Span<const uint64_t> starts, absl::Span<ExtentBufferRef> results);
  // A guess: without a reference the candidate may be on its way to another block, so its address is
  // not looked at.
  bool MayHave(uint64_t start) const {
    const ExtentBuffer* const candidate = index_.Candidate(start);
    return candidate != nullptr && candidate->state().refs != 0;
  }
  absl::StatusOr<ExtentBuffer*> Create(uint64_t start);
  // The same, and whether it is new. One that is new has zeroes, and is UPTODATE, from the moment it
  // can be found, where that was asked for.
  struct Made {
    ExtentBuffer* buffer = nullptr;
    bool is_new = false;
  };
  absl::StatusOr<Made> CreateOrFind(uint64_t start, NewBytes bytes);
  // Of `bytes` bytes: the node size, or a smaller power of two.
  absl::StatusOr<ExtentBuffer*> CreateUnmapped(uint64_t start, uint32_t bytes);
  // The first at or after `start` of these, with a reference for the caller; null when there is
  // none.
  enum class Wanted {
    kAny,
    kDirty,
    kUnwritten,  // DIRTY or under WRITEBACK
  };
  ExtentBuffer* NextReferenced(uint64_t start, Wanted wanted);
  // Create for each of `starts`, with each lock taken once for all that are not there yet.
  void CreateMany(absl::Span<const uint64_t> starts,
                  absl::Span<absl::StatusOr<ExtentBufferRef>> results);
  // Gives back everything that dead buffers have: mapped ones, or one that is not. `listed`:
  // whether they are still on the reclaim list. `told`: the source has been told that they go.
  void Bury(absl::Span<ExtentBuffer* const> dead, bool listed, bool told = false);
  // Tells the source of each that is dead, with what its users kept with it, if they keep anything.
  [[gnu::noinline]] void TellForgotten(absl::Span<ExtentBuffer* const> dead) noexcept;
  // The end of all of them, told of those that are not on disk. REQUIRES: no other thread uses the
  // pool, and no references are left (CHECK), unless `tell_of_held` is there to be told of them, and
  // of those that are not on disk.
  using Tell = absl::FunctionRef<void(const ExtentBuffer*)>;
  void BuryAll(Tell tell_of_unwritten, const Tell* tell_of_held);

  // ---- Steps on behalf of references ----
  void Put(ExtentBuffer* buffer);
  void PutStale(ExtentBuffer* buffer);
  void PutNoCache(ExtentBuffer* buffer);
  void PutBehind(ExtentBuffer* buffer);
  bool TrySetDirty(ExtentBuffer* buffer);
  // Makes a step that may begin or end that the buffer has bytes to be written. A step that ends it
  // is followed by NoteWritten.
  state::Outcome ApplyIndexed(ExtentBuffer* buffer,
                              absl::FunctionRef<state::Outcome(BufferState before)> step);
  void NoteWritten() {
    if (dirty_limit_ == 0) {
      Uncount(counters_.unwritten);
    } else {
      UncountBelowDirtyLimit();
    }
  }
  // Buffers that could not go, for this reason.
  void CountSkipped(ReleaseVerdict verdict, uint64_t count) {
    Count(counters_.skipped[static_cast<size_t>(verdict)], count);
  }

  // ---- Budget ----
  uint64_t DropCaches();
  uint64_t Shrink(uint64_t bytes);
  void SetBudget(uint64_t budget_bytes);
  uint64_t budget_bytes() const { return budget_bytes_.load(std::memory_order_relaxed); }
  // For so many blocks that are about to be made.
  void MakeRoom(uint64_t blocks);
  // Brings the cache back to its budget, as far as its buffers can go. For a thread that has made
  // it go over, or has made a buffer idle that could not go before.
  void RestoreBudget();
  // As many blocks as a batch may make room for at a time: more would be much of a small cache.
  uint64_t MostRoomAtOnce() const;
  void WakeReclaim();  // where there is a thread for it, and it has something to do
  // Ends the thread in the background, if there is one.
  void StopReclaim() { background_.reset(); }

  // ---- Reports ----
  void ForEachHeld(absl::FunctionRef<void(uint64_t start, BufferState state)> visit);
  void ForEachLive(absl::FunctionRef<void(const ExtentBuffer&, BufferState)> visit) const;
  void AddTo(CacheStats& stats) const;

  const BufferCacheOptions& options() const { return options_; }
  BlockFrames& frames() { return frames_; }
  const BlockFrames& frames() const { return frames_; }
  const DescriptorSlab& slab() const { return slab_; }
  // Errors of failed reads, for the threads that waited for the read: kept until the buffer is read
  // again or buried.
  KeptErrors& read_errors() { return read_errors_; }

 private:
  friend class BufferCachePeer;  // tests that look inside

  // Budgets are decided by `cached`, and may be off by what is under way; by `unwritten`, whether
  // anything can be DIRTY or under WRITEBACK at all. That one is raised before DIRTY is set and
  // lowered after both went, and the state word orders the two for each buffer: so a thread that
  // knows of such a buffer knows of a count that is not 0.
  struct Counters {
    sync::Atomic<uint64_t> cached{0}, unmapped{0}, unwritten{0}, peak_cached{0};
    sync::Atomic<uint64_t> creates{0}, create_races_lost{0};
    sync::Atomic<uint64_t> stale_frees{0}, nocache_frees{0}, reclaimed{0};
    sync::Atomic<uint64_t> reclaimed_in_background{0};
    sync::Atomic<uint64_t> over_budget_creates{0};
    std::array<sync::Atomic<uint64_t>, kReleaseVerdicts> skipped{};
  };
  // A put by a step that may let the buffer go.
  void PutBy(ExtentBuffer* buffer, state::Outcome (*step)(BufferState before));
  // What a put has to do that made a parked buffer idle.
  [[gnu::noinline]] void Unpark(ExtentBuffer* buffer);

  // Whatever Find meets: nothing, the dead, the moving, other blocks. Waits where it has to. Puts
  // `wrong`, a reference to another block, unless it is null. (Both in one call that is not
  // inlined, so that Find ends with a jump, and needs no stack.)
  [[gnu::noinline]] ExtentBuffer* FindSlowly(uint64_t start, ExtentBuffer* wrong);

  [[gnu::noinline, gnu::cold]] static void TooManyReferences();

  // For BufferCacheOptions::on_access.
  void NoteAccess(CacheAccess access, uint64_t start) const {
    if (options_.on_access) [[unlikely]]
      options_.on_access(access, start);
  }

  // For one that becomes DIRTY, where there is a limit: how many are unwritten with it.
  void TellOfDirtyLimit(uint64_t unwritten);
  void UncountBelowDirtyLimit();

  // buffer_birth.cc
  absl::Status CheckStart(uint64_t start) const;
  absl::StatusOr<ExtentBuffer*> UnlessTooMany(ExtentBuffer* found);
  // The same, of one that was to be made, and was there.
  absl::StatusOr<ExtentBuffer*> Found(ExtentBuffer* found);
  // A dead descriptor with memory behind it, for the block at `start`.
  absl::StatusOr<ExtentBuffer*> MakeBuffer(uint64_t start, AllocFlags flags);
  // For a block that was not there at the last look.
  absl::StatusOr<Made> MakeMapped(uint64_t start, NewBytes bytes);
  // Does not throw: the descriptor would be lost.
  absl::Status Furnish(ExtentBuffer* buffer, uint64_t start, AllocFlags flags) noexcept;
  void UnmakeBuffer(ExtentBuffer* buffer);
  void NoteCreated(uint64_t count);
  void Welcome(absl::Span<ExtentBuffer* const> newcomers);
  static BufferIndex::Grab GrabForNewcomer(ExtentBuffer* there, uint64_t start);
  absl::StatusOr<ExtentBuffer*> Outcome(const BufferIndex::Newcomer& newcomer);
  void CreateAbsent(absl::Span<const size_t> which, absl::Span<const uint64_t> starts,
                    absl::Span<absl::StatusOr<ExtentBufferRef>> results);

  // pool_budget.cc
  struct Freed {
    uint64_t buffers = 0;
    uint64_t scanned = 0;
  };
  Freed Reclaim(uint64_t wanted_buffers, uint64_t max_scan, bool spare_accessed);
  // What the budget is, in blocks, and how much of it a thread in the background keeps free.
  // All 0 where there is no limit.
  struct Room {
    uint64_t allowed = 0;  // 0: no limit
    uint64_t low = 0;
    uint64_t high = 0;
    uint64_t cached = 0;
    uint64_t free = 0;
  };
  Room RoomNow() const;
  uint64_t ExcessWith(uint64_t newcomers) const;
  uint64_t ReclaimExcessWith(uint64_t newcomers);
  void UseBudget(uint64_t budget_bytes);
  bool ReclaimInBackground();

  const BufferCacheOptions options_;
  BlockSource* const source_;  // to be told what is forgotten; null: nothing is
  BlockFrames frames_;
  DescriptorSlab slab_;
  BufferIndex index_;
  ReclaimList reclaim_list_;
  sync::Atomic<uint64_t> budget_bytes_;  // relaxed: changed by SetBudget while others look
  Counters counters_;
  const uint64_t dirty_limit_;  // in buffers; 0: none
  // Whether the limit was told of since less was dirty. Set by acquire, reset by release: the thread that sets it
  // behind a reset knows of the write that was the reason for it (TellOfDirtyLimit).
  sync::Atomic<bool> dirty_limit_told_{false};
  KeptErrors read_errors_;  // here, because burying forgets them

  // Buffers that the thread has looked at since it last freed one, in the wake that it answers.
  // Its own: no other thread reads or writes it.
  uint64_t looked_in_vain_ = 0;
  // Null unless asked for. Made last and stopped first: it works on all of the above.
  std::unique_ptr<BackgroundReclaim> background_;
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_CACHE_BUFFER_POOL_H_
