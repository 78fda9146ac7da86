// BufferCacheImpl: the parts of a cache put together. One class, whose methods lie in the files of
// what they are about:
//
//   buffer_cache.cc  construction, destruction, finding
//   find_many.cc     finding in batches
//   making.cc        making and burying
//   references.cc    putting; steps that a holder makes
//   reading.cc       reads, and waiting for them
//   writing.cc       writes, flushes, giving up
//   reclaim.cc       budgets, and making room
//   migrate.cc       what the allocator asks of a folio's owner
//   reports.cc       what is held, what is cached, counters
//
// Memory that is out shows as an error of what asked for it, never as a buffer that is half made or
// half gone: whatever may throw std::bad_alloc does so before the first step that would have to be
// taken back. Burying, putting, reclaiming and moving need no memory at all.
//
// Lock order: none. No lock of this room is held while another is taken, nor while the allocator or
// the source is called. The locks inside: index, reclaim list, slab, subpages, failed reads,
// failed writes, background reclaim.

#ifndef EBCACHE_LIB_CACHE_BUFFER_CACHE_IMPL_H_
#define EBCACHE_LIB_CACHE_BUFFER_CACHE_IMPL_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "ebcache/buffer_cache.h"
#include "ebcache/internal/sync.h"
#include "lib/base/check.h"
#include "lib/cache/background_reclaim.h"
#include "lib/cache/buffer_index.h"
#include "lib/cache/descriptor_slab.h"
#include "lib/cache/kept_errors.h"
#include "lib/cache/owner_registration.h"
#include "lib/cache/reclaim_list.h"
#include "lib/cache/state_word.h"
#include "lib/cache/subpage_frames.h"

namespace ebcache {

class BufferCacheImpl final : public FolioOwner {
 public:
  BufferCacheImpl(BufferCacheOptions options, BlockSource* source);
  ~BufferCacheImpl() override;

  // ---- Finding (buffer_cache.cc, find_many.cc), making and burying (making.cc) ----
  ExtentBuffer* Find(uint64_t start) { return Find(start, index_.Candidate(start)); }
  // The same for a caller that asked the index before: that may have changed since.
  ExtentBuffer* Find(uint64_t start, ExtentBuffer* candidate) {
    if (candidate == nullptr || !state::GetPlainly(candidate->state_)) [[unlikely]]
      return FindSlowly(start, nullptr);
    // A reference to some buffer, which stays the buffer of its block while it is held.
    if (candidate->start_ == start) [[likely]]
      return candidate;
    return FindSlowly(start, candidate);
  }
  void FindMany(absl::Span<const uint64_t> starts, absl::Span<ExtentBufferRef> results);
  absl::StatusOr<ExtentBuffer*> Create(uint64_t start);
  absl::StatusOr<ExtentBuffer*> CreateUnmapped(uint64_t start);
  // InvalidArgument for a buffer of another cache.
  absl::Status CheckOurs(const ExtentBuffer& buffer) const;
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
  // whether they are still on the reclaim list.
  void Bury(absl::Span<ExtentBuffer* const> dead, bool listed);
  static ExtentBufferRef Wrap(ExtentBuffer* buffer) { return ExtentBufferRef(buffer); }

  // ---- Steps on behalf of references (references.cc) ----
  void Put(ExtentBuffer* buffer);
  void PutStale(ExtentBuffer* buffer);
  bool TrySetDirty(ExtentBuffer* buffer);
  void ClearDirty(ExtentBuffer* buffer);

  // ---- reading.cc ----
  absl::Status Read(ExtentBuffer* buffer, const ParentCheck* check);
  void ReadBlocks(absl::Span<const uint64_t> starts, absl::Span<const ParentCheck* const> checks,
                  absl::Span<absl::StatusOr<ExtentBufferRef>> results);

  // ---- writing.cc ----
  absl::Status Writeback(ExtentBuffer* buffer);
  absl::Status WritebackAll();
  // The error of the last write of it that ended, when that failed.
  absl::Status WriteError(const ExtentBuffer* buffer);
  absl::StatusOr<bool> GiveUpWrite(ExtentBuffer* buffer);
  uint64_t GiveUpWrites();
  absl::Status TryReinitAsNewBlock(ExtentBuffer* buffer, uint32_t header_bytes);

  // ---- reclaim.cc ----
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

  // ---- migrate.cc: what the allocator asks of the owner of a folio ----
  std::string_view name() const override { return "btree"; }
  bool movable() const override { return true; }
  bool Release(Folio folio, uint32_t private_bits) override;
  bool Migrate(Folio destination, Folio source, uint32_t private_bits) override;
  void MigrateTogether(absl::Span<FolioMove> moves, uint32_t private_bits) override;

  // See BufferCache. In making.cc.
  absl::Status status() const;

  // ---- Reports (reports.cc) ----
  void ForEachHeld(absl::FunctionRef<void(uint64_t start, BufferState state)> visit);
  void ForEachLive(absl::FunctionRef<void(const ExtentBuffer&, BufferState)> visit) const;
  CacheStats stats() const;

  const BufferCacheOptions& options() const { return options_; }
  PageAllocator& allocator() const { return *options_.allocator; }
  // The allocator's, asked for once: every access to a page array needs it.
  const std::byte* direct_map() const {
    const std::byte* arena = arena_.load(std::memory_order_relaxed);
    if (arena == nullptr) [[unlikely]] {
      arena = allocator().direct_map();
      arena_.store(arena, std::memory_order_relaxed);
    }
    return arena;
  }
  uint32_t page_shift() const { return page_shift_; }

 private:
  friend class BufferCachePeer;  // tests that look inside

  // The counters behind CacheStats. All are relaxed: nothing is decided by them but budgets, which
  // may be off by what is under way; and by `unwritten`, whether anything can be DIRTY or under
  // WRITEBACK at all. That one is raised before DIRTY is set and lowered after both went, and the
  // state word orders the two for each buffer: so a thread that knows of such a buffer knows of a
  // count that is not 0.
  struct Counters {
    sync::Atomic<uint64_t> cached{0}, unmapped{0}, unwritten{0}, peak_cached{0};
    sync::Atomic<uint64_t> creates{0}, create_races_lost{0};
    sync::Atomic<uint64_t> reads{0}, read_failures{0}, read_waits{0};
    sync::Atomic<uint64_t> writes{0}, write_failures{0}, write_errors{0};
    sync::Atomic<uint64_t> stale_frees{0}, reclaimed{0}, folio_releases{0}, migrations{0};
    sync::Atomic<uint64_t> contiguity_lost{0}, contiguity_gained{0};
    sync::Atomic<uint64_t> reclaimed_in_background{0};
    sync::Atomic<uint64_t> over_budget_creates{0};
    std::array<sync::Atomic<uint64_t>, kReleaseVerdicts> skipped{};
  };
  // What a put has to do that made a parked buffer idle.
  [[gnu::noinline]] void Unpark(ExtentBuffer* buffer);

  // Whatever Find meets: nothing, the dead, the moving, other blocks. Waits where it has to. Puts
  // `wrong`, a reference to another block, unless it is null. (Both in one call that is not
  // inlined, so that Find ends with a jump, and needs no stack.)
  [[gnu::noinline]] ExtentBuffer* FindSlowly(uint64_t start, ExtentBuffer* wrong);

  [[gnu::noinline, gnu::cold]] static void TooManyReferences();

  static void Count(sync::Atomic<uint64_t>& counter, uint64_t n = 1) { sync::Add(counter, n); }
  static void Uncount(sync::Atomic<uint64_t>& counter, uint64_t n = 1) { sync::Add(counter, -n); }

  // making.cc
  absl::Status CheckStart(uint64_t start) const;
  absl::StatusOr<ExtentBuffer*> UnlessTooMany(ExtentBuffer* found);
  // A dead descriptor with memory behind it, for the block at `start`.
  absl::StatusOr<ExtentBuffer*> MakeBuffer(uint64_t start, AllocFlags flags);
  // Neither throws: the descriptor would be lost.
  absl::Status Furnish(ExtentBuffer* buffer, uint64_t start, AllocFlags flags) noexcept;
  absl::Status AllocateFrames(ExtentBuffer* buffer, AllocFlags flags) noexcept;
  void FreeFrames(ExtentBuffer* buffer);
  // Notes where the block begins: `direct` when all of it is there, null when it is a page array.
  void PlaceFront(ExtentBuffer* buffer, std::byte* direct);
  void UnmakeBuffer(ExtentBuffer* buffer);
  void NoteCreated(uint64_t count);
  void Welcome(absl::Span<ExtentBuffer* const> newcomers);
  static BufferIndex::Grab GrabForNewcomer(ExtentBuffer* there, uint64_t start);
  absl::StatusOr<ExtentBuffer*> Outcome(const BufferIndex::Newcomer& newcomer);
  void CreateAbsent(absl::Span<const size_t> which, absl::Span<const uint64_t> starts,
                    absl::Span<absl::StatusOr<ExtentBufferRef>> results);

  // reading.cc
  absl::Status ReadBegun(ExtentBuffer* buffer, const ParentCheck* check);
  absl::Status CheckParent(const ExtentBuffer& buffer, const ParentCheck& check) noexcept;
  void FinishRead(const BlockRead& read);
  std::optional<absl::Status> WaitForRead(ExtentBuffer* buffer, const ParentCheck* check);

  // writing.cc
  absl::Status WriteBegun(absl::Span<BlockWrite> writes);
  void FinishWriteback(ExtentBuffer* buffer, const absl::Status& status);
  absl::Status AwaitOthersWrite(ExtentBuffer* buffer, bool has_all);
  state::Outcome ApplyIndexed(ExtentBuffer* buffer,
                              absl::FunctionRef<state::Outcome(BufferState before)> step);
  state::Outcome Clean(ExtentBuffer* buffer, state::Outcome (*step)(BufferState before));
  // What a write has for a status before the source has set one.
  absl::Status UnwrittenStatus() const;

  // Tells of what is not on disk and never will be: for the destructor. In buffer_cache.cc.
  void TellOfUnwritten(const ExtentBuffer* buffer, uint64_t& count);

  // reclaim.cc
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

  // migrate.cc
  // As many as can share a folio: no memory is needed for it.
  using Members = absl::InlinedVector<ExtentBuffer*, SubpageFrames::kMaxBlocks>;
  bool Freeze(absl::Span<const FolioMove> moves, uint32_t private_bits, Members& frozen);
  void Thaw(absl::Span<ExtentBuffer* const> frozen);
  void KillFrozen(absl::Span<ExtentBuffer* const> frozen);
  void DropFrozen(absl::Span<FolioMove> moves, absl::Span<ExtentBuffer* const> frozen);
  void MoveFrozen(absl::Span<const FolioMove> moves, uint32_t private_bits,
                  absl::Span<ExtentBuffer* const> frozen);
  void Readdress(ExtentBuffer* buffer);
  bool HaveFolio(absl::Span<ExtentBuffer* const> buffers, Folio folio) const;
  void DetachFolio(ExtentBuffer* buffer, Folio folio);

  // Whether several blocks share a page.
  bool subpage() const { return allocator().page_bytes() > options_.node_bytes; }
  size_t subpage_offset(const ExtentBuffer* buffer) const {
    return size_t{buffer->subpage_} * options_.node_bytes;
  }

  BufferCacheOptions options_;
  BlockSource* const source_;
  const uint32_t page_shift_;
  // Relaxed: constant once it is not null, and the holder of a folio has seen it made.
  mutable sync::Atomic<const std::byte*> arena_{nullptr};
  const uint32_t row_slots_;  // pages of a block; 1 when pages are larger than blocks
  OwnerRegistration owner_;
  DescriptorSlab slab_;
  BufferIndex index_;
  ReclaimList reclaim_list_;
  SubpageFrames subpages_;               // unused unless pages are larger than blocks
  sync::Atomic<uint64_t> budget_bytes_;  // relaxed: changed by SetBudget while others look
  Counters counters_;

  // Errors of failed reads, for the threads that waited for the read: kept until the buffer is read
  // again or buried. Of failed writes: until the buffer is not WRITE_ERR any more, before which it
  // cannot die.
  KeptErrors read_errors_;
  KeptErrors write_errors_;

  // Buffers that the thread has looked at since it last freed one, in the wake that it answers.
  // Its own: no other thread reads or writes it.
  uint64_t looked_in_vain_ = 0;
  // Null unless asked for. Made last and stopped first: it works on all of the above.
  std::unique_ptr<BackgroundReclaim> background_;
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_CACHE_BUFFER_CACHE_IMPL_H_
