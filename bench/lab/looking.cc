// Looking at a machine: counts, and maps.

#include <algorithm>
#include <utility>

#include "bench/lab/machine.h"

namespace ebcache::lab {
namespace {

constexpr uint32_t kNodeBytes = 16384;

struct BlockCounts {
  uint64_t btree = 0;
  uint64_t kernel = 0;  // of the kernel's own, that cannot move
};

BlockCounts CountsOf(const FrameCounts& counts, const std::array<Content, 256>& content) {
  BlockCounts sums;
  for (size_t owner = 0; owner < counts.by_owner.size(); ++owner) {
    const uint32_t frames = counts.by_owner[owner];
    if (frames == 0) continue;
    switch (content[owner]) {
      case Content::kBtree:
        sums.btree += frames;
        break;
      case Content::kReclaimable:
      case Content::kUnmovable:
      case Content::kCallers:
        sums.kernel += frames;
        break;
      default:
        break;
    }
  }
  return sums;
}

}  // namespace

Census Machine::TakeCensus() const {
  Census census;
  census.pageblocks = region_->pageblocks();
  const uint32_t each = region_->pageblocks() / region_->superpageblocks();
  const uint32_t block_frames = 512;
  std::vector<bool> in_use(region_->superpageblocks(), false);
  for (const ExtentBufferRef& root : roots_) {
    if (!root) continue;
    census.btree_in_use += root->folios().size();
    for (const Folio folio : root->folios()) in_use[folio.pfn() / block_frames / each] = true;
  }
  std::vector<BlockMarks> marks(census.pageblocks);
  for (uint32_t super = 0; super < region_->superpageblocks(); ++super) {
    bool pinned = false, btree = false;
    for (uint32_t block = super * each; block < (super + 1) * each; ++block) {
      const FrameCounts counts = region_->CountPageblock(block);
      const BlockCounts sums = CountsOf(counts, content_by_owner_);
      marks[block] = {.kernel = sums.kernel != 0,
                      .btree = sums.btree != 0,
                      .free = counts.free == block_frames};
      pinned = pinned || counts.unmovable + counts.reclaimable != 0;
      btree = btree || sums.btree != 0;
      census.free += counts.free;
      census.listed += counts.listed;
      census.btree += sums.btree;
      census.with_kernel += marks[block].kernel;
      census.with_btree += marks[block].btree;
      census.wholly_free += marks[block].free;
    }
    census.tainted += pinned;
    census.holding_btree += btree;
    census.recoverable += !pinned && !in_use[super];
  }
  census.anonymous = job_.frames() + daemons_.frames();
  census.file = page_cache_.frames();
  census.btree_bare = static_cast<uint64_t>(std::count(bare_.begin(), bare_.end(), true)) *
                      (kNodeBytes / region_->page_bytes());
  census.slab = slabs_.frames() + dentries_.frames() + inodes_.frames() + descriptors_.frames();
  census.table = page_tables_.frames();
  census.huge = huge_.frames();
  census.other = boot_.frames() + callers_.frames();
  census.ranges = CountRanges(marks);
  const FreeMemoryReport free = region_->free_memory();
  std::copy(free.pageblocks.begin(), free.pageblocks.end(), census.by_type.begin());
  census.free_blocks.assign(free.by_mobility[0].size(), 0);
  for (const BlocksByOrder& blocks : free.by_mobility) {
    for (size_t order = 0; order < blocks.size(); ++order) census.free_blocks[order] += blocks[order];
  }
  return census;
}

Machine::Luck Machine::BlocksInOnePiece() const {
  const auto part = [](uint64_t n, uint64_t of) {
    return of == 0 ? 0 : static_cast<double>(n) / static_cast<double>(of);
  };
  uint64_t cached = 0;
  uint64_t lucky = 0;
  ExtentBufferRef block = cache_->FirstAtOrAfter(0);
  while (block) {
    const absl::Span<const Folio> folios = block->folios();
    bool neighbours = true;
    for (size_t i = 1; i < folios.size(); ++i) {
      neighbours = neighbours && folios[i].pfn() == folios[0].pfn() + i;
    }
    ++cached;
    lucky += neighbours;
    block = cache_->FirstAtOrAfter(block->start() + kNodeBytes);
  }
  const AllocatorStats stats = region_->stats();
  return {.made = part(stats.lucky_blocks, stats.allocated_blocks), .cached = part(lucky, cached)};
}

std::vector<Content> Machine::Map() const {
  std::vector<Content> map(region_->pageblocks(), Content::kFree);
  for (uint32_t block = 0; block < map.size(); ++block) {
    const FrameCounts counts = region_->CountPageblock(block);
    const bool pinned = counts.unmovable + counts.reclaimable != 0;
    std::array<uint32_t, kContents> frames{};
    for (size_t owner = 0; owner < counts.by_owner.size(); ++owner) {
      frames[static_cast<size_t>(content_by_owner_[owner])] += counts.by_owner[owner];
    }
    const auto of = [&](Content content) -> uint32_t& { return frames[static_cast<size_t>(content)]; };
    if (pinned) {
      // What can move does not matter beside it.
      of(Content::kAnonymous) = 0;
      of(Content::kFile) = 0;
      const uint32_t kernel =
          of(Content::kUnmovable) + of(Content::kReclaimable) + of(Content::kCallers);
      // Of btree pages it can be told from the sum whether they move.
      const uint32_t btree = std::exchange(of(Content::kBtree), 0);
      if (counts.unmovable + counts.reclaimable > kernel) of(Content::kPinnedBtree) = btree;
    }
    const auto most = std::max_element(frames.begin(), frames.end());
    if (*most != 0) map[block] = static_cast<Content>(most - frames.begin());
  }
  return map;
}

}  // namespace ebcache::lab
