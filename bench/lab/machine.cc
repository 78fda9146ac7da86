#include "bench/lab/machine.h"

#include <algorithm>
#include <utility>

namespace ebcache::lab {
namespace {

constexpr uint64_t kPageBytes = 4096;
constexpr uint64_t kFramesPerGib = (uint64_t{1} << 30) / kPageBytes;
constexpr uint32_t kNodeBytes = 16384;

// Parts of memory, unless said otherwise.
constexpr double kSlabs = 0.012;
constexpr double kDentries = 0.015;
constexpr double kDaemons = 0.015;
constexpr double kJob = 0.32;
constexpr double kProcess = 0.001;
constexpr double kHugeAnonymous = 0.5;  // of the job's memory, asked for as 2 MiB pages
constexpr double kFreeWatermark = 0.03;
constexpr double kTreeOfBtree = 1.5;  // blocks on disk, to those cached
constexpr int kFillRounds = 100;
constexpr int kChurnRounds = 100;
constexpr double kProcessTurnover = 0.04;    // a round
constexpr double kSlabTurnover = 0.05;       // a round
constexpr double kPageCacheTurnover = 0.02;  // of memory, a round
constexpr double kBtreeReads = 0.01;         // of the cached blocks, a round
constexpr double kBtreeWrites = 0.005;       // of the cached blocks, a round
constexpr int kDefragStepsPerRound = 32;
constexpr int kCommitEveryRounds = 10;
constexpr double kBuffersInUsePerGib = 0.064;  // 16 of 250: the roots of open trees
constexpr double kJobFiles = 0.6;              // of the page cache
constexpr double kDropPerFailureGib = 4;

constexpr int kHugeOrder = 9;

}  // namespace

const char* ContentName(Content content) {
  constexpr std::array<const char*, kContents> kNames = {
      "free",        "anonymous", "page cache",        "btree, movable",     "btree, unmovable",
      "reclaimable", "unmovable", "other btrfs users", "1 GiB page obtained"};
  return kNames[static_cast<size_t>(content)];
}

const std::vector<Assumption>& Assumptions() {
  static const std::vector<Assumption> assumptions = {
      {"unmovable_slabs", kSlabs, "of memory: slabs that stay, orders 0 to 3; twice that at peak"},
      {"reclaimable_slabs", kDentries, "of memory: dentries and inodes; twice that at peak"},
      {"daemons", kDaemons, "of memory: anonymous pages that stay when the job ends"},
      {"job", kJob, "of memory: anonymous pages of the job; a page table for every 512"},
      {"process", kProcess, "of memory: one process of the job"},
      {"job_huge", kHugeAnonymous, "of the job's memory is asked for as 2 MiB pages first"},
      {"free_watermark", kFreeWatermark, "of memory: the page cache fills all but this"},
      {"tree_blocks", kTreeOfBtree, "blocks of the trees, for each that fits the btree budget"},
      {"fill_rounds", kFillRounds, "rounds in which the machine fills, all kinds at once"},
      {"churn_rounds", kChurnRounds, "rounds of churn after that"},
      {"process_turnover", kProcessTurnover, "of the job's processes end and start, each round"},
      {"slab_turnover", kSlabTurnover, "of the slabs freed and allocated, each round"},
      {"page_cache_turnover", kPageCacheTurnover, "of memory: page cache replaced, each round"},
      {"btree_reads", kBtreeReads, "of the cached blocks read at random, each round"},
      {"btree_writes", kBtreeWrites, "of the cached blocks copied on write, each round"},
      {"defrag_steps", kDefragStepsPerRound, "steps of the defragmenter, each round"},
      {"commit_rounds", kCommitEveryRounds, "rounds between commits"},
      {"job_files", kJobFiles, "of the page cache goes with the job, the oldest"},
      {"buffers_in_use_per_gib", kBuffersInUsePerGib,
       "extent buffers in use, as tree roots are, for each GiB while 1 GiB pages are asked for"},
      {"drop_gib", kDropPerFailureGib, "GiB of page cache dropped when a 1 GiB page is refused"},
  };
  return assumptions;
}

// Reads nothing, successfully: phantom frames have no place for it.
class Machine::NullSource final : public BlockSource {
 public:
  void Read(absl::Span<BlockRead> reads) override {
    for (BlockRead& read : reads) read.status = absl::OkStatus();
  }
  absl::Status CheckParent(const ExtentBuffer&, const ParentCheck&) override {
    return absl::OkStatus();
  }
  void Write(absl::Span<BlockWrite> writes) override {
    for (BlockWrite& write : writes) write.status = absl::OkStatus();
  }
};

Machine::Machine(const MachineOptions& options, std::function<void(const char*)> tick)
    : options_(options),
      tick_(std::move(tick)),
      random_(options.seed),
      frames_(options.memory_gib * kFramesPerGib),
      tree_blocks_(static_cast<uint64_t>(
          kTreeOfBtree * static_cast<double>((options.btree_gib << 30) / kNodeBytes))),
      region_(MovableRegion::Create({.page_bytes = kPageBytes,
                                     .arena_bytes = options.memory_gib << 30,
                                     .policy = options.policy,
                                     .backing = MovableRegionOptions::Backing::kPhantom,
                                     // Of small machines a smaller part.
                                     .tainted_reserve = static_cast<uint32_t>(
                                         std::clamp<uint64_t>(options.memory_gib / 60, 1, 4))})),
      source_(std::make_unique<NullSource>()),
      cache_(std::make_unique<BufferCache>(
          BufferCacheOptions{
              .node_bytes = kNodeBytes,
              .budget_bytes = options.btree_gib << 30,
              .allocator = region_,
              .alloc_flags = options.hint ? AllocFlags::kMovable : AllocFlags::kNone},
          source_.get())),
      slabs_(region_.get(), "slabs", AllocFlags::kNone),
      dentries_(region_.get(), "dentries and inodes", AllocFlags::kReclaimable),
      page_tables_(region_.get(), "page tables", AllocFlags::kNone),
      job_(region_.get(), "job", AllocFlags::kMovable),
      daemons_(region_.get(), "daemons", AllocFlags::kMovable),
      page_cache_(region_.get(), "page cache", AllocFlags::kMovable, /*releasable=*/true),
      callers_(region_.get(), cache_.get(), tree_blocks_ * kNodeBytes) {
  content_by_owner_.fill(Content::kCallers);
  // The cache came first, so it has the first number.
  content_by_owner_[1] = Content::kBtree;
  content_by_owner_[slabs_.id()] = Content::kUnmovable;
  content_by_owner_[page_tables_.id()] = Content::kUnmovable;
  content_by_owner_[dentries_.id()] = Content::kReclaimable;
  content_by_owner_[job_.id()] = Content::kAnonymous;
  content_by_owner_[daemons_.id()] = Content::kAnonymous;
  content_by_owner_[page_cache_.id()] = Content::kFile;
  content_by_owner_[kNoOwner] = Content::kHuge;
}

Machine::~Machine() { region_->FreeBulk(region_->superpageblock_order(), absl::MakeSpan(huge_)); }

uint64_t Machine::FramesOf(double part_of_memory) const {
  return static_cast<uint64_t>(part_of_memory * static_cast<double>(frames_));
}

// ---- What happens on a machine ------------------------------------------------------------------

// Reclaim, as the kernel's: the oldest of the page cache, and some of what else can be reclaimed.
void Machine::EnsureFree(uint64_t frames) {
  while (region_->report().free_frames < frames) {
    bool dropped = false;
    for (int i = 0; i < 256; ++i) dropped = page_cache_.RemoveOldest() || dropped;
    for (int i = 0; i < 4; ++i) dropped = dentries_.RemoveAny(random_) || dropped;
    if (!dropped) return;
  }
}

void Machine::StartProcess() {
  const uint64_t size = FramesOf(kProcess);
  EnsureFree(FramesOf(kFreeWatermark) + size);
  Process process = {.first = job_.next_number(), .first_table = page_tables_.next_number()};
  const uint64_t huge =
      static_cast<uint64_t>(kHugeAnonymous * static_cast<double>(size)) >> kHugeOrder;
  uint64_t left = size;
  for (uint64_t i = 0; i < huge; ++i) {
    if (!job_.Add(kHugeOrder, AllocFlags::kNoReclaim | AllocFlags::kNoWarn)) break;
    left -= uint64_t{1} << kHugeOrder;
  }
  for (uint64_t i = 0; i < left; ++i) {
    if (i % 512 == 0) page_tables_.Add(0);
    job_.Add(0);
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

void Machine::GrowSlabs(Population& slabs, uint64_t frames) {
  EnsureFree(FramesOf(kFreeWatermark) / 2 + frames);
  const uint64_t wanted = slabs.frames() + frames;
  while (slabs.frames() < wanted) {
    // Most slabs are of order 0 by number, of order 3 by size.
    constexpr std::array<int, 8> kOrders = {0, 0, 0, 1, 1, 2, 3, 3};
    if (!slabs.Add(kOrders[random_() % kOrders.size()]) && !slabs.Add(0)) return;
  }
}

void Machine::ShrinkSlabs(Population& slabs, uint64_t frames) {
  const uint64_t wanted = slabs.frames() - std::min(frames, slabs.frames());
  while (slabs.frames() > wanted && slabs.RemoveAny(random_)) {
  }
}

void Machine::FillPageCache(uint64_t free_frames) {
  uint64_t free = region_->report().free_frames;
  while (free > free_frames) {
    // Read ahead in folios of some size where there is such memory.
    constexpr std::array<int, 8> kOrders = {0, 0, 0, 0, 2, 2, 3, 5};
    int order = kOrders[random_() % kOrders.size()];
    if (!page_cache_.Add(order, AllocFlags::kNoReclaim | AllocFlags::kNoWarn)) {
      order = 0;
      if (!page_cache_.Add(0)) return;
    }
    free -= std::min(free, uint64_t{1} << order);
  }
}

void Machine::ReadBtree(uint64_t blocks) {
  for (uint64_t i = 0; i < blocks; ++i) {
    if (i % 4096 == 0) EnsureFree(FramesOf(kFreeWatermark) / 2);
    (void)cache_->ReadBlock(random_() % tree_blocks_ * kNodeBytes);
  }
}

// The old block's buffer goes at once; the new one is dirty until the commit.
void Machine::CopyOnWrite(uint64_t blocks) {
  for (uint64_t i = 0; i < blocks; ++i) {
    auto old = cache_->ReadBlock(random_() % tree_blocks_ * kNodeBytes);
    if (old.ok()) old->PutStale();
    auto fresh = cache_->ReadBlock(random_() % tree_blocks_ * kNodeBytes);
    if (fresh.ok()) fresh->SetDirty();
  }
}

void Machine::TakeSample() {
  const auto gib = [](uint64_t frames) {
    return static_cast<double>(frames) / static_cast<double>(kFramesPerGib);
  };
  const MovableRegionReport report = region_->report();
  samples_.push_back(
      {.free_gib = gib(report.free_frames),
       .file_gib = gib(page_cache_.frames()),
       .anonymous_gib = gib(job_.frames() + daemons_.frames()),
       .btree_gib = gib(cache_->stats().cached_bytes / kPageBytes),
       .tainted = report.by_category[static_cast<size_t>(SuperpageblockCategory::kTainted)],
       .empty = report.by_category[static_cast<size_t>(SuperpageblockCategory::kEmpty)]});
}

// What goes on in every round, whatever else does.
void Machine::Background(const char* what) {
  callers_.Step(random_);
  for (int i = 0; i < kDefragStepsPerRound; ++i) {
    if (region_->DefragStep() == MovableRegion::DefragProgress::kDone) break;
  }
  TakeSample();
  tick_(what);
}

// ---- The phases ---------------------------------------------------------------------------------

void Machine::Fill() {
  const auto processes = static_cast<size_t>(kJob / kProcess);
  const uint64_t btree_blocks = (options_.btree_gib << 30) / kNodeBytes;
  for (int round = 1; round <= kFillRounds; ++round) {
    const double done = static_cast<double>(round) / kFillRounds;
    GrowSlabs(slabs_, FramesOf(kSlabs / kFillRounds));
    GrowSlabs(dentries_, FramesOf(kDentries / kFillRounds));
    const uint64_t daemons = FramesOf(kDaemons * done);
    while (daemons_.frames() < daemons && daemons_.Add(0)) {
    }
    while (static_cast<double>(processes_.size()) < done * static_cast<double>(processes)) {
      StartProcess();
    }
    while (static_cast<double>(cache_->stats().cached_buffers) <
           done * 0.99 * static_cast<double>(btree_blocks)) {
      ReadBtree(btree_blocks / kFillRounds / 4);
    }
    FillPageCache(FramesOf(1 - done * (1 - kFreeWatermark)));
    Background("filling");
  }
}

void Machine::Churn() {
  for (int round = 0; round < kChurnRounds; ++round) {
    const auto ending = static_cast<size_t>(kProcessTurnover * kJob / kProcess);
    for (size_t i = 0; i < ending && !processes_.empty(); ++i) {
      EndProcess(random_() % processes_.size());
    }
    for (size_t i = 0; i < ending; ++i) StartProcess();
    // Slabs grow to twice their size by half time, and shrink again.
    const double wave = round < kChurnRounds / 2 ? 1 : -1;
    for (auto [slabs, size] : {std::pair{&slabs_, kSlabs}, std::pair{&dentries_, kDentries}}) {
      const uint64_t freed = FramesOf(size * kSlabTurnover);
      const uint64_t added = freed + FramesOf(size * 2 / kChurnRounds);
      ShrinkSlabs(*slabs, wave > 0 ? freed : added);
      GrowSlabs(*slabs, wave > 0 ? added : freed);
    }
    for (uint64_t i = FramesOf(kDaemons / 50); i > 0; --i) {
      daemons_.RemoveAny(random_);
      daemons_.Add(0);
    }
    const auto cached = static_cast<double>(cache_->stats().cached_buffers);
    ReadBtree(static_cast<uint64_t>(kBtreeReads * cached));
    CopyOnWrite(static_cast<uint64_t>(kBtreeWrites * cached));
    if (round % kCommitEveryRounds == 0) (void)cache_->WritebackAll();
    EnsureFree(FramesOf(kFreeWatermark + kPageCacheTurnover));
    FillPageCache(FramesOf(kFreeWatermark));
    Background("churning");
  }
}

void Machine::EndJob() {
  while (!processes_.empty()) EndProcess(processes_.size() - 1);
  const uint64_t staying =
      static_cast<uint64_t>((1 - kJobFiles) * static_cast<double>(page_cache_.frames()));
  while (page_cache_.frames() > staying && page_cache_.RemoveOldest()) {
  }
  (void)cache_->WritebackAll();
  const auto in_use =
      static_cast<uint64_t>(kBuffersInUsePerGib * static_cast<double>(options_.memory_gib));
  for (uint64_t i = 0; i < in_use; ++i) {
    ExtentBufferRef block = cache_->FirstAtOrAfter(random_() % (tree_blocks_ * kNodeBytes));
    if (block) in_use_.push_back(std::move(block));
  }
  region_->Trim();  // nothing in page lists
  TakeSample();
}

uint32_t Machine::TakeHugePages() {
  for (;;) {
    auto got = region_->AllocateContiguous({}, region_->superpageblock_order());
    if (got.ok()) {
      huge_.push_back(*got);
      TakeSample();
      tick_("taking 1 GiB pages");
      continue;
    }
    if (page_cache_.frames() == 0) break;
    const uint64_t goal =
        page_cache_.frames() -
        std::min<uint64_t>(page_cache_.frames(),
                           static_cast<uint64_t>(kDropPerFailureGib) * kFramesPerGib);
    while (page_cache_.frames() > goal && page_cache_.RemoveOldest()) {
    }
  }
  TakeSample();
  return static_cast<uint32_t>(huge_.size());
}

// ---- Looking at it ------------------------------------------------------------------------------

Machine::Census Machine::TakeCensus() const {
  std::vector<bool> in_use(region_->superpageblocks(), false);
  for (const ExtentBufferRef& block : in_use_) {
    for (const Folio folio : block->folios()) {
      in_use[folio.pfn() >> region_->superpageblock_order()] = true;
    }
  }
  Census census;
  for (uint32_t i = 0; i < region_->superpageblocks(); ++i) {
    const FrameCounts counts = region_->CountSuperpageblock(i);
    const bool tainted = counts.unmovable + counts.reclaimable != 0;
    bool btree = false;
    for (size_t owner = 0; owner < counts.by_owner.size(); ++owner) {
      btree = btree || (counts.by_owner[owner] != 0 && content_by_owner_[owner] == Content::kBtree);
    }
    census.tainted += tainted;
    census.holding_btree += btree;
    census.recoverable += !tainted && !in_use[i];
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
    if (pinned) {
      // What can move does not matter beside it.
      frames[static_cast<size_t>(Content::kAnonymous)] = 0;
      frames[static_cast<size_t>(Content::kFile)] = 0;
      std::swap(frames[static_cast<size_t>(Content::kBtree)],
                frames[static_cast<size_t>(Content::kPinnedBtree)]);
      // With the hint only the cache's private buffers cannot move.
      if (options_.hint) {
        frames[static_cast<size_t>(Content::kCallers)] +=
            std::exchange(frames[static_cast<size_t>(Content::kPinnedBtree)], 0);
      }
    }
    const auto most = std::max_element(frames.begin(), frames.end());
    if (*most != 0) map[block] = static_cast<Content>(most - frames.begin());
  }
  return map;
}

}  // namespace ebcache::lab
