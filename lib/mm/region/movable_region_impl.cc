// How a region is made and set up, what owners have in it, and its counts.

#include "lib/mm/region/movable_region_impl.h"

#include <algorithm>
#include <bit>
#include <string>
#include <utility>

#include "ebcache/movable_region.h"
#include "lib/base/check.h"

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
  EBCACHE_CHECK(options.arena_bytes / options.page_bytes < kNoFrame.value(),
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
      steering_(&state_, options),
      reserve_pairs_(ReservePairs(geometry_)),
      free_scanner_(geometry_.EndPageblock()),
      refused_(geometry_.pageblocks(), false),
      lists_(geometry_, options.page_list_pages),
      threads_(&thread_mutex_, &thread_wakes_),
      at_fork_(
          ForkHandler::Phase::kLocks, [this] { BeforeFork(); }, [this](bool) { AfterFork(); }) {
  reserve_.reserve(reserve_pairs_);
}

MovableRegion::Impl::~Impl() { StopDefragmenter(); }

// ---- Forks --------------------------------------------------------------------------------------

void MovableRegion::Impl::BeforeFork() {
  for (PageListSet& set : lists_.sets()) set.mutex.lock();
  mutex_.lock();
}

void MovableRegion::Impl::AfterFork() {
  mutex_.unlock();
  for (PageListSet& set : lists_.sets()) set.mutex.unlock();
}

// ---- Owners -------------------------------------------------------------------------------------

OwnerId MovableRegion::Impl::RegisterOwner(FolioOwner* owner) {
  EBCACHE_CHECK(owner != nullptr, "registering a null folio owner");
  OwnerReport report{.name = std::string(owner->name())};
  const OwnerId id = AllocatorBase::RegisterOwner(owner);
  if (id == kNoOwner) return id;
  sync::MutexLock lock(mutex_);
  owner_reports_[id] = std::move(report);
  return id;
}

bool MovableRegion::Impl::AnyOwnedBy(OwnerId owner) {
  sync::MutexLock lock(mutex_);
  for (FrameNumber pfn; pfn < geometry_.EndFrame() && frames_.reserved();) {
    const SuperpageblockNumber super = geometry_.SuperpageblockOf(pfn);
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

// ---- Frames -------------------------------------------------------------------------------------

Mobility MovableRegion::Impl::UserOf(bool movable, bool reclaimable, int order) const {
  if (movable || order == geometry_.superpageblock_order) return Mobility::kMovable;
  return reclaimable ? Mobility::kReclaimable : Mobility::kUnmovable;
}

Mobility MovableRegion::Impl::GroupOf(bool grouped_unmovable, Mobility user) const {
  const bool by_pageblock = options_.policy == MovableRegionOptions::Policy::kPageblock;
  return by_pageblock && grouped_unmovable ? Mobility::kUnmovable : user;
}

PageFrame& MovableRegion::Impl::FrameOf(Folio folio) const {
  EBCACHE_CHECK(frames_.Contains(FirstFrameOf(folio)),
                "folio was not handed out by this allocator");
  return frames_[FirstFrameOf(folio)];
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

// ---- Statistics ---------------------------------------------------------------------------------

void MovableRegion::Impl::CountBlock(BlockForm form) {
  PageListSet& set = lists_.Mine();
  sync::MutexLock lock(set.mutex);
  ++set.counts.allocated_blocks;
  if (form != BlockForm::kPageArray) ++set.counts.contiguous_blocks;
  if (form == BlockForm::kLucky) ++set.counts.lucky_blocks;
}

void MovableRegion::Impl::AddStats(AllocatorStats& stats) const {
  uint64_t allocated_frames = 0;
  uint64_t freed_frames = 0;
  for (PageListSet& set : lists_.sets()) {
    sync::MutexLock lock(set.mutex);
    stats.allocated_folios += set.counts.allocated_folios;
    stats.freed_folios += set.counts.freed_folios;
    stats.allocated_blocks += set.counts.allocated_blocks;
    stats.contiguous_blocks += set.counts.contiguous_blocks;
    stats.lucky_blocks += set.counts.lucky_blocks;
    allocated_frames += set.counts.allocated_frames;
    freed_frames += set.counts.freed_frames;
  }
  stats.in_use_bytes += (allocated_frames - freed_frames) * geometry_.page_bytes;
  sync::MutexLock lock(mutex_);
  stats.from_os_bytes += frames_.backed_bytes();
  stats.arena_bytes += frames_.reserved_bytes();
  for (const OwnerReport& report : owner_reports_) stats.contract_breaches += report.breach;
}

}  // namespace ebcache
