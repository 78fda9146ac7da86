// Allocating and freeing.

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <bit>
#include <memory>
#include <utility>

#include "ebcache/movable_region.h"
#include "lib/base/check.h"
#include "lib/mm/region/movable_region_impl.h"

namespace ebcache {
namespace {

// The largest order of today's Linux: blocks of 4 MiB, of 4 KiB pages.
constexpr int kLinuxMaxOrder = 10;

RegionGeometry GeometryOf(const MovableRegionOptions& options) {
  EBCACHE_CHECK(options.os != nullptr, "a movable region needs OS calls");
  EBCACHE_CHECK(options.page_bytes >= 4096 && std::has_single_bit(options.page_bytes),
                "page size of an allocator must be 4096, 16384 or 65536");
  EBCACHE_CHECK(std::has_single_bit(options.pageblock_bytes) &&
                    std::has_single_bit(options.superpageblock_bytes) &&
                    options.page_bytes <= options.pageblock_bytes &&
                    options.pageblock_bytes <= options.superpageblock_bytes &&
                    options.superpageblock_bytes / options.page_bytes <= (size_t{1} << 18),
                "page blocks and superpageblocks must be powers of two of 1 to 2^18 pages");
  EBCACHE_CHECK(options.arena_bytes > 0 && options.arena_bytes % options.superpageblock_bytes == 0,
                "arena size of a movable region must be a multiple of its superpageblocks'");
  EBCACHE_CHECK(options.arena_bytes / options.page_bytes < kNoFrame,
                "arena has more pages than there are numbers");
  return {
      .page_bytes = options.page_bytes,
      .frames = static_cast<uint32_t>(options.arena_bytes / options.page_bytes),
      .pageblock_order = std::countr_zero(options.pageblock_bytes / options.page_bytes),
      .superpageblock_order = std::countr_zero(options.superpageblock_bytes / options.page_bytes)};
}

// What kNoFail may have beyond all others: 2 MiB, but no more than a 64th, in pairs of pages.
size_t ReservePairs(const RegionGeometry& geometry) {
  const uint64_t frames =
      std::min<uint64_t>(kNoFailReserveBytes / geometry.page_bytes, geometry.frames / 64);
  return std::max<size_t>(frames / 2, 1);
}

Buddy::Options BuddyOptionsOf(const MovableRegionOptions& options) {
  const RegionGeometry geometry = GeometryOf(options);
  const bool by_superpageblock = options.policy == MovableRegionOptions::Policy::kSuperpageblock;
  const int linux_max =
      std::min(geometry.superpageblock_order, std::max(geometry.pageblock_order, kLinuxMaxOrder));
  return {.zone_per_superpageblock = by_superpageblock,
          .max_order = by_superpageblock ? geometry.superpageblock_order : linux_max,
          .free_pageblocks_are_movable = by_superpageblock};
}

}  // namespace

MovableRegion::Impl::Impl(const MovableRegionOptions& options)
    : AllocatorBase(options.page_bytes, /*contiguous_by_luck=*/true, options.no_fail_wait_ms),
      options_(options),
      geometry_(GeometryOf(options)),
      max_folio_order_(std::min(kMaxFolioOrder, BuddyOptionsOf(options).max_order)),
      frames_(options.os, geometry_, options.backing == MovableRegionOptions::Backing::kPhantom),
      state_(&frames_, geometry_, BuddyOptionsOf(options)),
      steering_(&state_, options.policy, options.tainted_reserve),
      reserve_pairs_(ReservePairs(geometry_)),
      refused_(geometry_.pageblocks(), false),
      lists_(geometry_),
      threads_(&thread_mutex_, &thread_wakes_),
      at_fork_(
          ForkHandler::Phase::kLocks, [this] { BeforeFork(); },
          [this](bool in_child) { AfterFork(in_child); }) {
  reserve_.reserve(reserve_pairs_);
}

MovableRegion::Impl::~Impl() { StopDefragmenter(); }

// ---- Forks --------------------------------------------------------------------------------------

void MovableRegion::Impl::BeforeFork() {
  for (PageListSet& set : lists_.sets()) set.mutex.lock();
  mutex_.lock();
}

// Calls of owners that other threads were in do not end in a child: they are not there.
void MovableRegion::Impl::AfterFork(bool in_child) {
  if (in_child) {
    for (OwnerCalls& calls : owner_calls_) calls.under_way = 0;
    std::construct_at(&calls_ended_);
  }
  mutex_.unlock();
  for (PageListSet& set : lists_.sets()) set.mutex.unlock();
}

// ---- Owners -------------------------------------------------------------------------------------

OwnerId MovableRegion::Impl::RegisterOwner(FolioOwner* owner) {
  EBCACHE_CHECK(owner != nullptr, "registering a null folio owner");
  OwnerCalls calls{.report = {.name = std::string(owner->name())}, .owner = owner};
  const OwnerId id = AllocatorBase::RegisterOwner(owner);
  if (id == kNoOwner) return id;
  sync::MutexLock lock(mutex_);
  owner_calls_[id] = std::move(calls);
  return id;
}

void MovableRegion::Impl::QuiesceOwner(OwnerId owner) {
  sync::UniqueLock lock(mutex_);
  owner_calls_[owner].quiesced = true;
  calls_ended_.wait(lock, [&] { return owner_calls_[owner].under_way == 0; });
}

bool MovableRegion::Impl::AnyOwnedBy(OwnerId owner) {
  sync::UniqueLock lock(mutex_);
  // Where a call of the owner is under way, the destination looks like one of its folios.
  calls_ended_.wait(lock, [&] { return owner_calls_[owner].under_way == 0; });
  for (uint32_t pfn = 0; pfn < geometry_.frames && frames_.reserved();) {
    const uint32_t super = geometry_.SuperpageblockOf(pfn);
    if (state_.superpageblocks()[super].category == SuperpageblockCategory::kEmpty) {
      pfn += geometry_.superpageblock_frames();
      continue;
    }
    const FrameState state = frames_[pfn].Load();
    if (state.use == FrameUse::kAllocated && state.owner == owner) return true;
    const bool is_head = state.use == FrameUse::kAllocated || state.use == FrameUse::kFree;
    pfn += is_head ? uint32_t{1} << state.order : 1;
  }
  return false;
}

// ---- Allocating ---------------------------------------------------------------------------------

Mobility MovableRegion::Impl::UserOf(bool movable, bool reclaimable, int order) const {
  if (movable || order == geometry_.superpageblock_order) return Mobility::kMovable;
  return reclaimable ? Mobility::kReclaimable : Mobility::kUnmovable;
}

PageFrame& MovableRegion::Impl::FrameOf(Folio folio) const {
  EBCACHE_CHECK(frames_.Contains(folio.pfn()), "folio was not handed out by this allocator");
  return frames_[folio.pfn()];
}

std::byte* MovableRegion::Impl::Address(Folio folio) const {
  std::byte* const base = frames_.base();
  return base == nullptr ? nullptr : base + folio.pfn() * page_bytes();
}

void MovableRegion::Impl::SetPrivate(Folio folio, uint32_t private_bits) {
  FrameOf(folio).SetPrivate(private_bits);
}

absl::Status MovableRegion::Impl::Open() {
  if (frames_.reserved()) return absl::OkStatus();
  sync::MutexLock lock(mutex_);
  return state_.Open();
}

absl::Status MovableRegion::Impl::NoMemoryLocked(int order) const {
  return absl::ResourceExhaustedError(absl::StrCat("no memory for a folio of order ", order, ": ",
                                                   state_.free_frames(), " of ", geometry_.frames,
                                                   " frames free, none of them fitting"));
}

// Frames for `list`, until it has `wanted`, and a batch more if that is easy.
absl::Status MovableRegion::Impl::RefillLocked(PageList& list, Mobility user, uint32_t wanted,
                                               Effort effort) {
  sync::MutexLock lock(mutex_);
  const uint32_t target = std::max(wanted, lists_.capacity() / 2);
  while (list.size() < target) {
    // What is more than wanted must not be more than is easy.
    const bool needed = list.size() < wanted;
    const uint32_t pfn =
        steering_.Take(user, 0, needed ? effort : std::min(effort, Effort::kWithoutTainting));
    if (pfn == kNoFrame) return needed ? NoMemoryLocked(0) : absl::OkStatus();
    frames_[pfn].Store(FrameState{.use = FrameUse::kListed});
    list.PushBeneath(pfn);
  }
  return absl::OkStatus();
}

absl::Status MovableRegion::Impl::TakeSmall(const FolioRequest& request, uint32_t wanted,
                                            absl::Span<Folio> slots, Effort effort) {
  const Mobility user = UserOf(request, 0);
  const FrameState state = FrameState::Allocated(request, 0);
  PageListSet& set = lists_.Mine();
  sync::MutexLock lock(set.mutex);
  PageList& list = set.list(user);
  if (list.size() < wanted) {
    if (absl::Status status = RefillLocked(list, user, wanted, effort); !status.ok()) return status;
  }
  for (Folio& slot : slots) {
    if (!slot.empty()) continue;
    slot = Folio(list.Pop());
    frames_[slot.pfn()].Store(state);
  }
  set.allocated_folios += wanted;
  set.allocated_frames += wanted;
  return absl::OkStatus();
}

absl::Status MovableRegion::Impl::TakeLarge(const FolioRequest& request, int order,
                                            absl::Span<Folio> slots, Effort effort) {
  const Mobility user = UserOf(request, order);
  absl::InlinedVector<uint32_t, 16> taken;
  taken.reserve(slots.size());  // no failure halfway
  {
    sync::MutexLock lock(mutex_);
    for (const Folio slot : slots) {
      if (!slot.empty()) continue;
      const uint32_t pfn = steering_.Take(user, order, effort);
      if (pfn == kNoFrame) {
        for (const uint32_t back : taken) state_.Put(back, order, user);
        return NoMemoryLocked(order);
      }
      // At once: the frame must not look like a tail to a thread that walks the table.
      frames_[pfn].Store(FrameState::Allocated(request, order));
      taken.push_back(pfn);
    }
  }
  size_t next = 0;
  for (Folio& slot : slots) {
    if (slot.empty()) slot = Folio(taken[next++]);
  }
  PageListSet& set = lists_.Mine();
  sync::MutexLock lock(set.mutex);
  set.allocated_folios += taken.size();
  set.allocated_frames += uint64_t{taken.size()} << order;
  return absl::OkStatus();
}

absl::Status MovableRegion::Impl::TryAllocate(const FolioRequest& request, int order,
                                              uint64_t wanted, absl::Span<Folio> slots,
                                              Effort effort) {
  if (order == 0 && wanted <= lists_.capacity()) {
    return TakeSmall(request, static_cast<uint32_t>(wanted), slots, effort);
  }
  return TakeLarge(request, order, slots, effort);
}

absl::Status MovableRegion::Impl::AllocateBulk(const FolioRequest& request, int order,
                                               absl::Span<Folio> slots) {
  return WithoutThrowing([&] { return AllocateOrThrow(request, order, slots); });
}

absl::Status MovableRegion::Impl::AllocateOrThrow(const FolioRequest& request, int order,
                                                  absl::Span<Folio> slots) {
  if (absl::Status status = CheckRequest(request, order, max_folio_order_); !status.ok()) {
    return status;
  }
  const auto wanted = static_cast<uint64_t>(
      std::count_if(slots.begin(), slots.end(), [](Folio slot) { return slot.empty(); }));
  if (wanted == 0) return absl::OkStatus();
  if (absl::Status opened = Open(); !opened.ok()) return Failed(request, std::move(opened));
  absl::Status status = TryAllocate(request, order, wanted, slots, Effort::kWithoutTainting);
  if (status.ok() && Has(request.flags, AllocFlags::kNoFail)) FillReserve();
  if (!absl::IsResourceExhausted(status)) return status;

  // What cannot move asks others to make room for it, before it taints another superpageblock.
  const bool may_reclaim = !Has(request.flags, AllocFlags::kNoReclaim);
  if (may_reclaim && !IsMovable(UserOf(request, order)) && MakeRoomInTainted()) {
    status = TryAllocate(request, order, wanted, slots, Effort::kWithoutTainting);
  }
  if (absl::IsResourceExhausted(status)) {
    status = TryAllocate(request, order, wanted, slots, Effort::kAnything);
  }
  if (absl::IsResourceExhausted(status) && (may_reclaim || order == 0)) {
    // What a page list keeps at hand is out of reach of the threads with other lists.
    DrainLists(/*isolated_only=*/false);
    status = TryAllocate(request, order, wanted, slots, Effort::kAnything);
  }
  if (absl::IsResourceExhausted(status) && may_reclaim && order > 0 && MakeRoomFor(order)) {
    status = TryAllocate(request, order, wanted, slots, Effort::kAnything);
  }
  if (Has(request.flags, AllocFlags::kNoFail) && status.ok()) FillReserve();
  // Single pages released here and there make no large folio: compaction has been asked already.
  const bool possible = (wanted << order) <= frames_.usable_frames() &&
                        (order == 0 || Has(request.flags, AllocFlags::kNoFail));
  return Insist(request, std::move(status), possible, [&](bool use_reserve) {
    absl::Status again;
    do {
      DrainLists(/*isolated_only=*/false);
      again = TryAllocate(request, order, wanted, slots, Effort::kAnything);
      // Another thread may be quicker to take what is put back.
    } while (absl::IsResourceExhausted(again) && use_reserve && SpendReserve(wanted << order));
    return again;
  });
}

// ---- Freeing ------------------------------------------------------------------------------------

void MovableRegion::Impl::FreeSmall(absl::Span<Folio> slots) {
  PageListSet& set = lists_.Mine();
  sync::MutexLock set_lock(set.mutex);
  // Back to front: the next allocation of as many gets them in the order they had.
  for (auto slot = slots.rbegin(); slot != slots.rend(); ++slot) {
    if (slot->empty()) continue;
    const uint32_t pfn = slot->pfn();
    const FrameState was = FrameOf(*slot).Free(0);
    *slot = Folio();
    ++set.freed_folios;
    ++set.freed_frames;
    if (was.moving) continue;
    const Mobility user = UserOf(was);
    // Frames whose page block is being emptied must not go into a list. Either this sees that it is
    // isolated, or the thread that isolated it drains this set afterwards: both hold the set's
    // lock.
    if (state_.mobility(geometry_.PageblockOf(pfn)) == Mobility::kIsolated) {
      sync::MutexLock lock(mutex_);
      state_.Put(pfn, 0, user);
      continue;
    }
    PageList& list = set.list(user);
    if (list.size() == lists_.capacity()) {
      sync::MutexLock lock(mutex_);
      list.TakeOldest(lists_.capacity() / 2, [&](uint32_t old) { state_.Put(old, 0, user); });
    }
    list.Push(pfn);
  }
}

void MovableRegion::Impl::FreeLarge(int order, absl::Span<Folio> slots) {
  uint64_t freed = 0;
  {
    sync::MutexLock lock(mutex_);
    for (Folio& slot : slots) {
      if (slot.empty()) continue;
      const FrameState was = FrameOf(slot).Free(order);
      if (!was.moving) state_.Put(slot.pfn(), order, UserOf(was));
      slot = Folio();
      ++freed;
    }
  }
  PageListSet& set = lists_.Mine();
  sync::MutexLock lock(set.mutex);
  set.freed_folios += freed;
  set.freed_frames += freed << order;
}

void MovableRegion::Impl::FreeBulk(int order, absl::Span<Folio> slots) {
  if (order == 0) {
    FreeSmall(slots);
  } else {
    FreeLarge(order, slots);
  }
  // A thread that waits drains the lists of all threads.
  if (anyone_waits()) [[unlikely]] {
    NotifyFreed();
  }
}

void MovableRegion::Impl::DrainLists(bool isolated_only) {
  for (PageListSet& set : lists_.sets()) {
    sync::MutexLock set_lock(set.mutex);
    for (int i = 0; i < kRequestMobilities; ++i) {
      const auto user = static_cast<Mobility>(i);
      set.list(user).TakeIf([&](uint32_t pfn) {
        if (isolated_only && state_.mobility(geometry_.PageblockOf(pfn)) != Mobility::kIsolated) {
          return false;
        }
        sync::MutexLock lock(mutex_);
        state_.Put(pfn, 0, user);
        return true;
      });
    }
  }
}

size_t MovableRegion::Impl::Trim() {
  DrainLists(/*isolated_only=*/false);
  size_t returned = 0;
  for (uint32_t block = 0; block < geometry_.pageblocks(); ++block) {
    // A lock for each, so that others get their turn while gigabytes go.
    sync::MutexLock lock(mutex_);
    if (state_.Purge(block)) returned += geometry_.pageblock_frames() * geometry_.page_bytes;
  }
  sync::MutexLock lock(mutex_);
  counters_.returned_bytes += returned;
  return returned;
}

// ---- Statistics ---------------------------------------------------------------------------------

void MovableRegion::Impl::CountBlock(BlockForm form) {
  PageListSet& set = lists_.Mine();
  sync::MutexLock lock(set.mutex);
  ++set.allocated_blocks;
  if (form != BlockForm::kPageArray) ++set.contiguous_blocks;
  if (form == BlockForm::kLucky) ++set.lucky_blocks;
}

void MovableRegion::Impl::AddStats(AllocatorStats& stats) const {
  uint64_t allocated_frames = 0;
  uint64_t freed_frames = 0;
  for (PageListSet& set : lists_.sets()) {
    sync::MutexLock lock(set.mutex);
    stats.allocated_folios += set.allocated_folios;
    stats.freed_folios += set.freed_folios;
    stats.allocated_blocks += set.allocated_blocks;
    stats.contiguous_blocks += set.contiguous_blocks;
    stats.lucky_blocks += set.lucky_blocks;
    allocated_frames += set.allocated_frames;
    freed_frames += set.freed_frames;
  }
  stats.in_use_bytes += (allocated_frames - freed_frames) * geometry_.page_bytes;
  sync::MutexLock lock(mutex_);
  stats.from_os_bytes += frames_.backed_bytes();
  stats.arena_bytes += frames_.reserved_bytes();
  for (const OwnerCalls& calls : owner_calls_) stats.contract_breaches += calls.report.breach;
}

}  // namespace ebcache
