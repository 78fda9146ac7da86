// What a machine is made of, and what its parts do; the phases of its life are in phases.cc.

#include "bench/lab/machine.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "bench/lab/null_source.h"

namespace ebcache::lab {
namespace {

using Policy = MovableRegionOptions::Policy;

constexpr uint64_t kPageBytes = 4096;
constexpr uint64_t kPageblockBytes = uint64_t{2} << 20;
constexpr uint64_t kPageblockFrames = kPageblockBytes / kPageBytes;
constexpr uint32_t kNodeBytes = 16384;
constexpr uint32_t kNodeFrames = kNodeBytes / kPageBytes;
constexpr double kCallersAtGib = 250;  // for which their amounts are meant
constexpr int kHugeOrder = 9;
// Pages that are allocated between two looks of kswapd.
constexpr uint64_t kLook = 64;

}  // namespace

// Memory comes in pieces of 32 MiB; what is left of a page block beside reserved pages is reserved.
uint32_t UsablePageblocks(double memory_gib, const Constants& constants) {
  const auto pieces = static_cast<uint64_t>(std::ceil(memory_gib * 32 - 1e-9));
  const uint64_t blocks = pieces * 16;
  const double reserved =
      constants.reserved_pages +
      constants.reserved_share * static_cast<double>(blocks * kPageblockFrames);
  const auto lost = static_cast<uint64_t>(std::ceil(reserved / kPageblockFrames));
  return static_cast<uint32_t>((blocks - std::min(blocks - 2, lost)) & ~uint64_t{1});
}

MovableRegionOptions Machine::RegionOptions() const {
  MovableRegionOptions options = RegionOptionsFor(kPageBytes, pageblocks_ * kPageblockBytes);
  options.policy = options_.policy;
  options.backing = MovableRegionOptions::Backing::kPhantom;
  // Of small machines a smaller part.
  options.tainted_reserve = static_cast<uint32_t>(
      std::clamp<uint64_t>(options.arena_bytes / options.superpageblock_bytes / 60, 1, 4));
  if (options.policy == Policy::kPageblock) {
    options.pageblock_rules = {.claim_largest = constants_.claim_largest != 0,
                               .lists_by_pageblock = constants_.lists_by_pageblock != 0};
    options.page_list_pages = static_cast<uint32_t>(constants_.page_list_pages);
  }
  return options;
}

BufferCacheOptions Machine::CacheOptions(bool hint) const {
  AllocFlags flags = AllocFlags::kMovable;
  if (!hint) {
    // With superpageblocks a page that is not asked for as movable is not moved.
    const bool moves = constants_.unhinted_moves != 0 && options_.policy == Policy::kPageblock;
    flags = moves ? flags | AllocFlags::kGroupedUnmovable : AllocFlags::kNone;
  }
  const bool limited = constants_.reclaim_btree == 0;
  return {.node_bytes = kNodeBytes,
          .budget_bytes = limited ? btree_blocks_ * kNodeBytes : 0,
          .allocator = region_,
          .alloc_flags = flags};
}

Machine::Machine(const MachineOptions& options, std::function<void(const char*)> tick)
    : options_(options),
      constants_(options_.constants),
      tick_(std::move(tick)),
      random_(options.seed),
      pageblocks_(UsablePageblocks(options.memory_gib, constants_)),
      frames_(pageblocks_ * kPageblockFrames),
      btree_blocks_(FramesOf(constants_.btree) / kNodeFrames),
      tree_blocks_(static_cast<uint64_t>(constants_.tree_blocks *
                                         static_cast<double>(btree_blocks_))),
      region_(MovableRegion::Create(RegionOptions())),
      source_(std::make_unique<NullSource>()),
      cache_(std::make_unique<BufferCache>(CacheOptions(options.hint), source_.get())),
      root_cache_(std::make_unique<BufferCache>(
          CacheOptions(options.hint && constants_.roots_unhinted == 0), source_.get())),
      boot_(region_.get(), "the kernel itself", AllocFlags::kNone),
      descriptors_(region_.get(), "extent buffers' descriptors", AllocFlags::kNone),
      page_tables_(region_.get(), "page tables", AllocFlags::kNone),
      job_(region_.get(), "job", AllocFlags::kMovable),
      daemons_(region_.get(), "daemons", AllocFlags::kMovable),
      page_cache_(region_.get(), "page cache", AllocFlags::kMovable, /*releasable=*/true),
      huge_(region_.get(), "huge pages", AllocFlags::kMovable),
      slabs_(region_.get(), "slabs", AllocFlags::kNone,
             static_cast<uint32_t>(std::max(1.0, constants_.slab_objects))),
      dentries_(region_.get(), "dentries and inodes", AllocFlags::kReclaimable,
                static_cast<uint32_t>(std::max(1.0, constants_.slab_objects))),
      inodes_(region_.get(), "inodes asked for as unmovable", AllocFlags::kNone,
              static_cast<uint32_t>(std::max(1.0, constants_.slab_objects))),
      callers_(region_.get(), cache_.get(), tree_blocks_ * kNodeBytes,
               constants_.callers * options.memory_gib / kCallersAtGib),
      watermarks_(WatermarksOf(frames_, kPageblockFrames, constants_.boost,
                               constants_.min_free_blocks)),
      reclaim_(static_cast<uint32_t>(2 * tree_blocks_), kNodeFrames,
               {.oldest_file = [this] { return DropOldestFile(); },
                .block = [this](uint32_t block) { return EvictBlock(block); }}),
      address_of_(tree_blocks_),
      next_address_(static_cast<uint32_t>(tree_blocks_)),
      live_(2 * tree_blocks_, false),
      places_(2 * tree_blocks_, 0),
      bare_(2 * tree_blocks_, false) {
  std::iota(address_of_.begin(), address_of_.end(), 0);
  std::fill_n(live_.begin(), tree_blocks_, true);
  content_by_owner_.fill(Content::kCallers);
  // The caches came first, so they have the first numbers.
  content_by_owner_[1] = Content::kBtree;
  content_by_owner_[2] = Content::kBtree;
  for (const OwnerId id : {boot_.id(), descriptors_.id(), page_tables_.id(), slabs_.id()}) {
    content_by_owner_[id] = Content::kUnmovable;
  }
  for (const OwnerId id : {dentries_.id(), inodes_.id()}) {
    content_by_owner_[id] = Content::kReclaimable;
  }
  content_by_owner_[job_.id()] = Content::kAnonymous;
  content_by_owner_[daemons_.id()] = Content::kAnonymous;
  content_by_owner_[page_cache_.id()] = Content::kFile;
  content_by_owner_[huge_.id()] = Content::kHuge;
  content_by_owner_[kNoOwner] = Content::kHuge;
  GrowSmall(boot_, static_cast<uint64_t>(constants_.boot_pages));
  ReplaceRoots();
}

Machine::~Machine() {
  roots_.clear();
  region_->FreeBulk(region_->superpageblock_order(), absl::MakeSpan(gigantic_));
}

uint64_t Machine::FramesOf(double part_of_memory) const {
  return static_cast<uint64_t>(part_of_memory * static_cast<double>(frames_));
}

// ---- Reclaim ------------------------------------------------------------------------------------

uint64_t Machine::DropOldestFile() { return page_cache_.TakeOldest(); }

uint64_t Machine::EvictBlock(uint32_t block) {
  ExtentBufferRef buffer = cache_->Find(uint64_t{block} * kNodeBytes);
  if (!buffer) return 0;
  const uint64_t before = cache_->stats().cached_buffers;
  if (buffer->dirty()) return 0;
  buffer.PutStale();
  places_[block] = 0;
  bare_[block] = false;
  return before == cache_->stats().cached_buffers ? 0 : kNodeFrames;
}

uint64_t Machine::ReclaimFrames(uint64_t frames) {
  const uint64_t got = reclaim_.Shrink(frames);
  const double dentries = constants_.reclaim_dentries * static_cast<double>(got) / 256;
  for (uint64_t i = 0; i < static_cast<uint64_t>(dentries); ++i) dentries_.RemoveAny(random_);
  return got;
}

// What kswapd does when it is woken: by little free memory, or by a fallback that raised its marks.
void Machine::Kswapd() {
  const MovableRegionReport report = region_->report();
  const uint64_t fallbacks = report.partial_fallbacks - seen_fallbacks_;
  seen_fallbacks_ = report.partial_fallbacks;
  const uint64_t boost = std::min(fallbacks * kPageblockFrames, watermarks_.most_boost);
  if (report.free_frames >= watermarks_.low + boost && boost == 0) return;
  const uint64_t goal = watermarks_.high + boost;
  // A fallback has that much reclaimed in any case: pages of its kind were short, not all pages.
  const uint64_t missing = goal - std::min(goal, report.free_frames);
  ReclaimFrames(std::max(missing, boost));
}

// ---- What allocates -----------------------------------------------------------------------------

void Machine::GrowSmall(Population& population, uint64_t frames) {
  for (uint64_t i = 0; i < frames; ++i) {
    if (i % kLook == 0) Kswapd();
    population.Add(0);
  }
}

void Machine::StartProcess() {
  const uint64_t size = FramesOf(constants_.process);
  Process process = {.first = job_.next_number(),
                     .end = 0,
                     .first_table = page_tables_.next_number(),
                     .end_table = 0};
  const uint64_t huge =
      static_cast<uint64_t>(constants_.job_huge * static_cast<double>(size)) >> kHugeOrder;
  uint64_t left = size;
  for (uint64_t i = 0; i < huge; ++i) {
    Kswapd();
    if (!job_.Add(kHugeOrder, AllocFlags::kNoReclaim | AllocFlags::kNoWarn)) break;
    left -= uint64_t{1} << kHugeOrder;
  }
  for (uint64_t i = 0; i < left; i += 512) {
    page_tables_.Add(0);
    GrowSmall(job_, std::min<uint64_t>(512, left - i));
  }
  process.end = job_.next_number();
  process.end_table = page_tables_.next_number();
  processes_.push_back(process);
}

void Machine::EndProcess(size_t n) {
  const Process process = processes_[n];
  processes_[n] = processes_.back();
  processes_.pop_back();
  job_.RemoveRange(process.first, process.end);
  page_tables_.RemoveRange(process.first_table, process.end_table);
}

void Machine::GrowSlabs(SlabCache& slabs, uint64_t pages) {
  for (uint64_t done = 0; done < pages; done += kLook) {
    Kswapd();
    if (!slabs.Grow(std::min(kLook, pages - done), random_)) return;
  }
}

// Page cache, read once, with readahead.
void Machine::ReadFiles(uint64_t frames) {
  uint64_t since_look = kLook;
  for (uint64_t done = 0; done < frames;) {
    if (since_look >= kLook) {
      Kswapd();
      since_look = 0;
    }
    // In folios of some size where there is such memory, if the filesystem has them.
    constexpr std::array<int, 8> kOrders = {0, 0, 0, 0, 2, 2, 3, 5};
    int order = constants_.large_folios != 0 ? kOrders[random_() % kOrders.size()] : 0;
    if (order == 0 || !page_cache_.Add(order, AllocFlags::kNoReclaim | AllocFlags::kNoWarn)) {
      order = 0;
      if (!page_cache_.Add(0)) return;
    }
    reclaim_.FileRead(1, uint64_t{1} << order);
    done += uint64_t{1} << order;
    since_look += uint64_t{1} << order;
  }
}

// False: there is no memory.
bool Machine::ReadBlock(uint32_t block) {
  const uint64_t start = uint64_t{block} * kNodeBytes;
  const bool cached = cache_->MayBeCached(start);
  if (!cache_->ReadBlock(start).ok()) return false;
  if (bare_[block]) ++attached_;
  bare_[block] = false;
  if (constants_.reclaim_btree != 0) reclaim_.BlockRead(block, cached);
  return true;
}

void Machine::ReadBtree(uint64_t blocks) {
  for (uint64_t i = 0; i < blocks; ++i) {
    if (i % (kLook / kNodeFrames) == 0) {
      Kswapd();
      GrowDescriptors();
    }
    ReadBlock(address_of_[random_() % tree_blocks_]);
  }
  GrowDescriptors();
}

// As they are needed, so that they lie between the buffers that they are of.
void Machine::GrowDescriptors() {
  if (constants_.buffer_slab == 0) return;
  const auto wanted = static_cast<uint64_t>(
      static_cast<double>(cache_->stats().cached_buffers) / constants_.buffer_slab);
  if (descriptors_.frames() < wanted) GrowSmall(descriptors_, wanted - descriptors_.frames());
}

// One that no block is at, nor what is left of one.
uint32_t Machine::FreshAddress() {
  for (;;) {
    next_address_ = static_cast<uint32_t>((next_address_ + 1) % live_.size());
    if (!live_[next_address_] && !bare_[next_address_]) return next_address_;
  }
}

// The old block loses its buffer at once, and its pages when they are reclaimed. The new one is dirty
// until the commit.
void Machine::CopyOnWrite(uint64_t blocks) {
  for (uint64_t i = 0; i < blocks; ++i) {
    uint32_t& address = address_of_[random_() % tree_blocks_];
    const uint32_t old = address;
    if (!ReadBlock(old)) continue;
    bare_[old] = constants_.reclaim_btree != 0;
    if (!bare_[old]) EvictBlock(old);
    live_[old] = false;
    address = FreshAddress();
    live_[address] = true;
    if (!ReadBlock(address)) continue;
    ExtentBufferRef buffer = cache_->Find(uint64_t{address} * kNodeBytes);
    if (buffer) buffer.SetDirty();
  }
}

// A commit gives every root a new place.
void Machine::ReplaceRoots() {
  const double wanted = constants_.in_use + constants_.in_use_per_gib * options_.memory_gib;
  for (size_t i = 0; i < static_cast<size_t>(wanted); ++i) {
    auto root = root_cache_->ReadBlock(next_root_++ * kNodeBytes);
    if (!root.ok()) continue;
    if (i >= roots_.size()) roots_.emplace_back();
    if (roots_[i]) roots_[i].PutStale();
    roots_[i] = *std::move(root);
  }
}

void Machine::Commit() {
  (void)cache_->WritebackAll();
  ReplaceRoots();
}

}  // namespace ebcache::lab
