// What is asked of a machine when the job has ended: pages of 2 MiB and of 1 GiB, and the means that
// an administrator has to make room for them.

#include <algorithm>
#include <utility>

#include "bench/lab/machine.h"

namespace ebcache::lab {
namespace {

using Policy = MovableRegionOptions::Policy;

constexpr int kHugeOrder = 9;
constexpr int kGiganticOrder = 18;
constexpr uint64_t kHugeFrames = uint64_t{1} << kHugeOrder;
// Free memory beyond the mark that compaction wants for a block of that order.
constexpr uint64_t kCompactGap = 2 * kHugeFrames;
constexpr uint64_t kFramesPerGib = 1 << 18;
constexpr uint32_t kNodeBytes = 16384;

}  // namespace

// Finds the blocks whose pages are not where they were. As a kernel moves them they have lost their
// buffer by that.
void Machine::NoteMigrations() {
  for (ExtentBufferRef buffer = cache_->FirstAtOrAfter(0); buffer;
       buffer = cache_->FirstAtOrAfter(buffer->start() + kNodeBytes)) {
    uint64_t place = 1;
    for (const Folio folio : buffer->folios()) place = place * 0x9e3779b97f4a7c15 + folio.pfn();
    const uint64_t block = buffer->start() / kNodeBytes;
    const uint64_t before = std::exchange(places_[block], place);
    if (before != 0 && before != place && constants_.keep_buffer == 0) bare_[block] = true;
  }
}

uint64_t Machine::CompactAll() {
  uint64_t moved = 0;
  if (options_.policy == Policy::kPageblock && constants_.two_scanners != 0) {
    moved = region_->Compact({}).moved;
  }
  NoteMigrations();
  TakeSample();
  return moved;
}

// A request leaves the min watermark alone.
bool Machine::MayTakeHuge() const { return free_frames() >= watermarks_.min + kHugeFrames; }

// As hugetlb asks: a free page, or else reclaim where there is too little for compaction to work
// with, and a pass of compaction from where the last one stopped. One that ends without such a page
// is the end, also where it began halfway.
uint32_t Machine::AskForHugePages() {
  const auto count = [this] { return static_cast<uint32_t>(huge_.frames() >> kHugeOrder); };
  // kswapd is woken for a block of that order, too, and does not sleep before it has reclaimed the gap.
  if (constants_.kswapd_gap != 0) ReclaimFrames(kCompactGap);
  const bool scanners = options_.policy == Policy::kPageblock && constants_.two_scanners != 0;
  const AllocFlags flags = scanners ? AllocFlags::kNoReclaim | AllocFlags::kNoWarn
                                    : AllocFlags::kNoWarn;
  uint32_t failed = 0;
  while (failed < std::max(1.0, constants_.failed_passes)) {
    if (MayTakeHuge() && huge_.Add(kHugeOrder, flags)) {
      if (count() % 256 == 0) tick_("taking 2 MiB pages");
      continue;
    }
    const uint64_t enough = watermarks_.high + kCompactGap;
    const uint64_t free = free_frames();
    if (free < enough && ReclaimFrames(enough - free) == 0 && !MayTakeHuge()) break;
    const bool reached =
        scanners && region_->Compact({.order = kHugeOrder, .from_cached = true}).reached;
    failed += !reached;
  }
  NoteMigrations();
  TakeSample();
  return count();
}

void Machine::DropFiles(uint64_t down_to) {
  uint64_t folios = 0;
  const uint64_t before = page_cache_.frames();
  while (page_cache_.frames() > down_to && page_cache_.RemoveOldest()) ++folios;
  reclaim_.FilesGone(folios, before - page_cache_.frames());
}

void Machine::DropPageCache() {
  DropFiles(0);
  TakeSample();
}

void Machine::DropBareBlocks() {
  for (uint32_t block = 0; block < bare_.size(); ++block) {
    if (!bare_[block]) continue;
    reclaim_.BlockGone(block);
    EvictBlock(block);
  }
  TakeSample();
}

Machine::Rereads Machine::ReadAgain() {
  const uint64_t reads = cache_->stats().reads;
  const uint64_t attached = attached_;
  const auto asked = static_cast<uint64_t>(0.15 * static_cast<double>(btree_blocks_));
  ReadBtree(asked);
  return {.asked = asked,
          .read = cache_->stats().reads - reads,
          .attached = attached_ - attached};
}

bool Machine::HasGigantic() const { return region_->superpageblock_order() == kGiganticOrder; }

uint32_t Machine::TakeGiganticPages() {
  while (HasGigantic()) {
    auto got = region_->AllocateContiguous({}, region_->superpageblock_order());
    if (got.ok()) {
      gigantic_.push_back(*got);
      TakeSample();
      tick_("taking 1 GiB pages");
      continue;
    }
    if (page_cache_.frames() == 0) break;
    const auto drop = static_cast<uint64_t>(constants_.drop_gib * kFramesPerGib);
    DropFiles(page_cache_.frames() - std::min(page_cache_.frames(), std::max<uint64_t>(drop, 1)));
  }
  NoteMigrations();
  TakeSample();
  return static_cast<uint32_t>(gigantic_.size());
}

}  // namespace ebcache::lab
