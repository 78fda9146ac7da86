#include "bench/contiguity/measure.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "ebcache/allocators.h"
#include "ebcache/buffer_cache.h"
#include "ebcache/forwarding_allocator.h"
#include "ebcache/movable_region.h"

namespace ebcache::contiguity {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint32_t kNodeBytes = 16384;
constexpr size_t kMiB = size_t{1} << 20;
constexpr uint64_t kWarmUpReads = 5000;
// Pages that the neighbour gives back and takes, for each block that is read; and reads in which
// what it wants goes up and down once.
constexpr int kChurn = 2;
constexpr uint64_t kWave = 10000;
// One thread: nobody would free anything while it waits.
constexpr uint32_t kWaitMs = 0;

class NullSource final : public BlockSource {
 public:
  void Read(absl::Span<BlockRead> reads) override {
    for (BlockRead& read : reads) read.status = absl::OkStatus();
  }
  absl::Status CheckParent(const ExtentBuffer&, const ParentCheck&) override {
    return absl::OkStatus();
  }
  void Write(absl::Span<BlockWrite>) override {}
};

// Blocks of one folio or not at all: what it costs to insist.
class Insisting final : public ForwardingAllocator {
 public:
  explicit Insisting(std::shared_ptr<PageAllocator> pages)
      : ForwardingAllocator(std::move(pages)) {}
  std::string_view name() const override { return "insisting"; }
  absl::Status AllocateBlock(const FolioRequest& request, FolioBlock& block) override {
    block.order = std::countr_zero(block.slots.size());
    auto status = below().AllocateBulk(request, block.order, block.slots.first(1));
    block.direct = status.ok() ? below().Address(block.slots[0]) : nullptr;
    blocks_ += status.ok();
    return status;
  }
  void FreeBlock(FolioBlock& block) override { below().FreeBulk(block.order, block.folios()); }
  AllocatorStats stats() const override {
    AllocatorStats stats = below().stats();
    stats.allocated_blocks = stats.contiguous_blocks = blocks_;
    return stats;
  }

 private:
  uint64_t blocks_ = 0;
};

// Somebody else on the machine, whose single pages cannot move. Takes all there is, gives back a
// random half; then wants a quarter more and a quarter less of the memory in turn, and changes some
// pages all the time. Like most of a kernel it cannot do without the pages that it asks for.
class Neighbour {
 public:
  explicit Neighbour(std::shared_ptr<PageAllocator> pages) : allocator_(std::move(pages)) {
    while (Take(AllocFlags::kNoReclaim | AllocFlags::kNoWarn)) {
    }
    all_ = pages_.size();
    std::shuffle(pages_.begin(), pages_.end(), random_);
    const size_t half = pages_.size() / 2;
    allocator_->FreeBulk(0, absl::MakeSpan(pages_).subspan(half));
    pages_.resize(half);
  }
  ~Neighbour() { allocator_->FreeBulk(0, absl::MakeSpan(pages_)); }

  uint64_t bytes() const { return all_ / 2 * allocator_->page_bytes(); }

  void Churn(uint64_t read) {
    for (int i = 0; i < kChurn; ++i) {
      GiveBack();
      Take(AllocFlags::kNoFail);
    }
    const uint64_t in_wave = read % kWave;
    const uint64_t height = std::min(in_wave, kWave - in_wave);  // up, and down again
    const size_t target = all_ * 3 / 8 + all_ / 4 * height / (kWave / 2);
    for (int i = 0; i < kChurn && pages_.size() > target; ++i) GiveBack();
    for (int i = 0; i < kChurn && pages_.size() < target; ++i) Take(AllocFlags::kNoFail);
  }

 private:
  void GiveBack() {
    if (pages_.empty()) return;
    std::swap(pages_[random_() % pages_.size()], pages_.back());
    allocator_->FreeBulk(0, absl::MakeSpan(&pages_.back(), 1));
    pages_.pop_back();
  }
  bool Take(AllocFlags flags) {
    Folio page;
    if (!allocator_->AllocateBulk({.flags = flags}, 0, absl::MakeSpan(&page, 1)).ok()) return false;
    pages_.push_back(page);
    return true;
  }

  const std::shared_ptr<PageAllocator> allocator_;
  std::vector<Folio> pages_;
  size_t all_ = 0;
  std::mt19937_64 random_{1};
};

struct Case {
  const char* name;
  std::shared_ptr<PageAllocator> pages;
  std::shared_ptr<MovableRegion> region;  // below it, if any
};

std::vector<Case> Cases(size_t bytes) {
  const auto region = [&] {
    return MovableRegion::Create({.arena_bytes = bytes,
                                  .superpageblock_bytes = std::bit_floor(bytes),
                                  .no_fail_wait_ms = kWaitMs});
  };
  const auto high = region(), movable = region(), insisting = region();
  return {{"heap", HeapAllocator({.max_bytes = bytes, .no_fail_wait_ms = kWaitMs}), nullptr},
          {"order0", Order0Allocator({.arena_bytes = bytes, .no_fail_wait_ms = kWaitMs}), nullptr},
          {"high", HighOrderAllocator({.pages = high}), high},
          {"vmap", VmapAllocator({.arena_bytes = bytes, .no_fail_wait_ms = kWaitMs}), nullptr},
          {"movable", movable, movable},
          {"order 2 or nothing", std::make_shared<Insisting>(insisting), insisting}};
}

double Percentile(const std::vector<double>& sorted, double part) {
  if (sorted.empty()) return 0;
  const auto at = static_cast<size_t>(part * static_cast<double>(sorted.size()));
  return sorted[std::min(at, sorted.size() - 1)];
}

PressureFigures MeasureOne(const Case& c, uint64_t reads) {
  PressureFigures figures{.name = c.name, .reads = reads};
  Neighbour neighbour(c.pages);
  NullSource source;
  BufferCache cache(
      {.node_bytes = kNodeBytes, .budget_bytes = 4 * neighbour.bytes(), .allocator = c.pages},
      &source);
  const uint64_t blocks = 4 * neighbour.bytes() / kNodeBytes;
  std::mt19937_64 random(2);
  std::vector<double> took;
  AllocatorStats before;
  CacheStats cache_before;
  for (uint64_t i = 0; i < kWarmUpReads + reads; ++i) {
    if (i == kWarmUpReads) {
      before = c.pages->stats();
      cache_before = cache.stats();
    }
    neighbour.Churn(i);
    const uint64_t start = random() % blocks * kNodeBytes;
    const uint64_t creates = cache.stats().creates;
    const auto begin = Clock::now();
    const bool ok = cache.ReadBlock(start).ok();
    const std::chrono::duration<double, std::nano> ns = Clock::now() - begin;
    if (i < kWarmUpReads) continue;
    figures.failed += !ok;
    if (!ok || cache.stats().creates != creates) took.push_back(ns.count());
  }
  const AllocatorStats after = c.pages->stats();
  const uint64_t made = after.allocated_blocks - before.allocated_blocks;
  figures.share = static_cast<double>(after.contiguous_blocks - before.contiguous_blocks) /
                  static_cast<double>(std::max<uint64_t>(made, 1));
  std::sort(took.begin(), took.end());
  figures.p50_ns = Percentile(took, 0.5);
  figures.p90_ns = Percentile(took, 0.9);
  figures.p99_ns = Percentile(took, 0.99);
  figures.p999_ns = Percentile(took, 0.999);
  figures.max_ns = took.empty() ? 0 : took.back();
  figures.reclaimed = cache.stats().reclaimed - cache_before.reclaimed;
  figures.released = cache.stats().folio_releases - cache_before.folio_releases;
  if (c.region != nullptr) figures.migrated = c.region->report().migrated_folios;
  return figures;
}

}  // namespace

void MeasurePressure(uint64_t memory_mib, uint64_t reads, tools::Progress& progress,
                     Report& report) {
  report.pressure_mib = memory_mib;
  uint64_t steps = 0;
  for (const Case& c : Cases(memory_mib * kMiB)) {
    progress.Update(++steps, "allocators", std::string("short of memory, ") + c.name);
    report.pressure.push_back(MeasureOne(c, reads));
  }
}

}  // namespace ebcache::contiguity
