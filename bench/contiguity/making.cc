#include "bench/contiguity/making.h"

#include <array>
#include <chrono>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "ebcache/allocators.h"
#include "ebcache/movable_region.h"
#include "lib/base/check.h"
#include "tests/support/scattered_pages.h"

namespace ebcache::contiguity {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kPages = 4;  // 16 KiB
constexpr size_t kArenaBytes = size_t{256} << 20;
constexpr size_t kBlocks = 4000;
constexpr int kRounds = 5;

double NanosecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double, std::nano>(Clock::now() - begin).count();
}

// The real OS, with a watch on what windows take.
class WatchedOs final : public OsCalls {
 public:
  double map_ns = 0, unmap_ns = 0;
  uint64_t maps = 0;

  void* Map(size_t bytes, size_t alignment) override { return real_->Map(bytes, alignment); }
  void Unmap(void* address, size_t bytes) override { real_->Unmap(address, bytes); }
  bool Purge(void* address, size_t bytes) override { return real_->Purge(address, bytes); }
  bool AdviseHugePages(void* address, size_t bytes) override {
    return real_->AdviseHugePages(address, bytes);
  }
  int CreateMemory(size_t bytes) override { return real_->CreateMemory(bytes); }
  void CloseMemory(int memory) override { real_->CloseMemory(memory); }
  void* MapMemory(int memory, size_t bytes, size_t alignment) override {
    return real_->MapMemory(memory, bytes, alignment);
  }
  bool PurgeMemory(int memory, size_t offset, size_t bytes) override {
    return real_->PurgeMemory(memory, offset, bytes);
  }
  void* ReserveAddresses(size_t bytes) override { return real_->ReserveAddresses(bytes); }
  bool MapWindow(void* address, int memory, absl::Span<const WindowPiece> pieces) override {
    const auto begin = Clock::now();
    const bool mapped = real_->MapWindow(address, memory, pieces);
    map_ns += NanosecondsSince(begin);
    ++maps;
    return mapped;
  }
  bool UnmapWindows(void* address, size_t bytes) override {
    const auto begin = Clock::now();
    const bool unmapped = real_->UnmapWindows(address, bytes);
    unmap_ns += NanosecondsSince(begin);
    return unmapped;
  }
  size_t MaxMappings() override { return real_->MaxMappings(); }

 private:
  OsCalls* const real_ = OsCalls::Real();
};

struct Block {
  std::array<Folio, kPages> slots;
  int order = 0;
  std::byte* direct = nullptr;

  void Allocate(PageAllocator& pages) {
    FolioBlock block{.slots = absl::MakeSpan(slots)};
    EBCACHE_CHECK(pages.AllocateBlock({}, block).ok(), "the arena is large enough");
    order = block.order;
    direct = block.direct;
  }
  void Free(PageAllocator& pages) {
    FolioBlock block{.slots = absl::MakeSpan(slots), .order = order, .direct = direct};
    pages.FreeBlock(block);
  }
};

// Many blocks made, then all freed, in memory that was touched before.
MapFigures Measure(const char* name, PageAllocator& pages) {
  MapFigures figures{.name = name};
  std::vector<Block> blocks(kBlocks);
  for (int round = 0; round <= kRounds; ++round) {
    auto begin = Clock::now();
    for (Block& block : blocks) block.Allocate(pages);
    const double allocate_ns = NanosecondsSince(begin) / kBlocks;
    for (Block& block : blocks) {
      for (size_t i = 0; i < kPages >> block.order; ++i) *pages.Address(block.slots[i]) = {};
    }
    begin = Clock::now();
    for (Block& block : blocks) block.Free(pages);
    const double free_ns = NanosecondsSince(begin) / kBlocks;
    if (round == 0) continue;  // first touches
    if (round == 1 || allocate_ns < figures.allocate_ns) figures.allocate_ns = allocate_ns;
    if (round == 1 || free_ns < figures.free_ns) figures.free_ns = free_ns;
  }
  return figures;
}

// So that no page is touched for the first time later.
void TouchAll(PageAllocator& pages) {
  std::vector<Folio> all;
  const FolioRequest request{.flags = AllocFlags::kNoReclaim | AllocFlags::kNoWarn};
  for (Folio page; pages.AllocateBulk(request, 0, {&page, 1}).ok(); page = Folio()) {
    *pages.Address(page) = {};
    all.push_back(page);
  }
  pages.FreeBulk(0, absl::MakeSpan(all));
}

}  // namespace

WindowFigures MeasureWindows() {
  WindowFigures figures;
  WatchedOs os;
  // Each window is new: none is kept for long enough to be found again.
  auto pages = VmapAllocator({.arena_bytes = kArenaBytes, .os = &os});
  TouchAll(*pages);
  const ScatteredPages scattered(pages);
  std::vector<Block> blocks(kBlocks);
  for (int round = 0; round < kRounds; ++round) {
    for (Block& block : blocks) block.Allocate(*pages);
    for (Block& block : blocks) block.Free(*pages);
    pages->Trim();
  }
  const WindowStats stats = pages->stats().windows;
  figures.map_ns = os.map_ns / static_cast<double>(os.maps);
  figures.unmap_ns = os.unmap_ns / static_cast<double>(stats.unmapped);
  figures.windows_per_unmap =
      static_cast<double>(stats.unmapped) / static_cast<double>(stats.unmap_calls);

  Block block;
  block.Allocate(*pages);
  block.Free(*pages);
  constexpr int kTimes = 10000;
  const auto begin = Clock::now();
  for (int i = 0; i < kTimes; ++i) {
    block.Allocate(*pages);
    block.Free(*pages);
  }
  figures.found_again_ns = NanosecondsSince(begin) / kTimes;
  return figures;
}

void MeasureMaking(Report& report) {
  const auto region = [] {
    return MovableRegion::Create({.arena_bytes = kArenaBytes, .superpageblock_bytes = kArenaBytes});
  };
  struct Case {
    const char* name;
    std::shared_ptr<PageAllocator> pages;
    bool scattered;
  };
  for (const Case& c : {Case{"heap", HeapAllocator(), false},
                        {"order0", Order0Allocator({.arena_bytes = kArenaBytes}), false},
                        {"order0, scattered", Order0Allocator({.arena_bytes = kArenaBytes}), true},
                        {"high", HighOrderAllocator({.pages = region()}), false},
                        {"high, scattered", HighOrderAllocator({.pages = region()}), true},
                        {"vmap", VmapAllocator({.arena_bytes = kArenaBytes}), false},
                        {"vmap, scattered", VmapAllocator({.arena_bytes = kArenaBytes}), true},
                        {"movable", region(), false}}) {
    const auto scattered = c.scattered ? std::make_unique<ScatteredPages>(c.pages) : nullptr;
    report.making.push_back(Measure(c.name, *c.pages));
  }
  report.windows = MeasureWindows();
}

}  // namespace ebcache::contiguity
