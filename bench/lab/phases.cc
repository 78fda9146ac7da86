// The phases of a machine's life: it fills, it churns, and the job that had most of it ends.

#include <algorithm>

#include "bench/lab/machine.h"

namespace ebcache::lab {
namespace {

constexpr double kFramesPerGib = 1 << 18;

}  // namespace

void Machine::TakeSample() {
  const auto gib = [](uint64_t frames) { return static_cast<double>(frames) / kFramesPerGib; };
  const FreeMemoryReport free = region_->free_memory();
  samples_.push_back(
      {.free_gib = gib(free_frames()),
       .file_gib = gib(page_cache_.frames()),
       .anonymous_gib = gib(job_.frames() + daemons_.frames()),
       .btree_gib = gib(cache_->stats().cached_bytes / region_->page_bytes()),
       .nonmovable_blocks = free.pageblocks[static_cast<size_t>(Mobility::kUnmovable)] +
                            free.pageblocks[static_cast<size_t>(Mobility::kReclaimable)]});
}

// What goes on in every round, whatever else does.
void Machine::Background(const char* what) {
  callers_.Step(random_);
  for (double i = 0; i < constants_.defrag_steps; ++i) {
    if (region_->DefragStep() == MovableRegion::DefragProgress::kDone) break;
  }
  TakeSample();
  tick_(what);
}

// Of memory: dentries and inodes that are allocated as that kind.
double Machine::AskedAs(bool reclaimable) const {
  const double share = std::min(1.0, constants_.asked_reclaimable);
  return constants_.dentries * (reclaimable ? share : 1 - share);
}

void Machine::Fill() {
  const double rounds = constants_.fill_rounds;
  const double processes = constants_.job / constants_.process;
  for (int round = 1; round <= static_cast<int>(rounds); ++round) {
    const double done = round / rounds;
    GrowSlabs(slabs_, FramesOf(constants_.slabs / rounds));
    GrowSlabs(dentries_, FramesOf(AskedAs(/*reclaimable=*/true) / rounds));
    GrowSlabs(inodes_, FramesOf(AskedAs(/*reclaimable=*/false) / rounds));
    const uint64_t daemons = FramesOf(constants_.daemons * done);
    if (daemons > daemons_.frames()) GrowSmall(daemons_, daemons - daemons_.frames());
    while (static_cast<double>(processes_.size()) < done * processes) StartProcess();
    const double blocks = done * 0.99 * static_cast<double>(btree_blocks_);
    // A round that reclaim undoes does not go on for ever.
    for (int tries = 0; tries < 64; ++tries) {
      if (static_cast<double>(cache_->stats().cached_buffers) >= blocks) break;
      ReadBtree(std::max<uint64_t>(1, btree_blocks_ / static_cast<uint64_t>(rounds) / 16));
    }
    const uint64_t target = FramesOf(1 - done * (1 - constants_.free_target));
    if (free_frames() > target) ReadFiles(free_frames() - target);
    Background("filling");
  }
}

void Machine::TurnProcesses() {
  const auto ending = static_cast<size_t>(constants_.process_turnover * constants_.job /
                                          constants_.process);
  for (size_t i = 0; i < ending && !processes_.empty(); ++i) {
    EndProcess(random_() % processes_.size());
  }
  for (size_t i = 0; i < ending; ++i) StartProcess();
}

// Slabs grow to twice their size by half time, and shrink again.
void Machine::TurnSlabs(int round) {
  const bool growing = round < constants_.churn_rounds / 2;
  const auto turn = [&](SlabCache& slabs, double size, double turnover) {
    const uint64_t freed = FramesOf(size * turnover);
    const uint64_t added = freed + FramesOf(size * 2 / constants_.churn_rounds);
    slabs.Shrink(growing ? freed : added, random_);
    GrowSlabs(slabs, growing ? added : freed);
  };
  turn(slabs_, constants_.slabs, constants_.slab_turnover);
  turn(dentries_, AskedAs(/*reclaimable=*/true), constants_.dentry_turnover);
  turn(inodes_, AskedAs(/*reclaimable=*/false), constants_.dentry_turnover);
}

void Machine::Churn() {
  const auto commit_every = std::max(1, static_cast<int>(constants_.commit_rounds));
  for (int round = 0; round < static_cast<int>(constants_.churn_rounds); ++round) {
    TurnProcesses();
    TurnSlabs(round);
    for (uint64_t i = FramesOf(constants_.daemons * constants_.daemon_turnover); i > 0; --i) {
      daemons_.RemoveAny(random_);
      daemons_.Add(0);
    }
    const auto blocks = static_cast<double>(btree_blocks_);
    ReadBtree(static_cast<uint64_t>(constants_.btree_reads * blocks));
    CopyOnWrite(static_cast<uint64_t>(constants_.btree_writes * blocks));
    if (round % commit_every == 0) Commit();
    ReadFiles(FramesOf(constants_.page_cache_turnover));
    Background("churning");
  }
}

void Machine::EndJob() {
  while (!processes_.empty()) EndProcess(processes_.size() - 1);
  DropFiles(static_cast<uint64_t>((1 - constants_.job_files) *
                                  static_cast<double>(page_cache_.frames())));
  Commit();
  region_->Trim();  // nothing in page lists
  // From here on a buffer is where it is, or has moved.
  NoteMigrations();
  TakeSample();
}

}  // namespace ebcache::lab
