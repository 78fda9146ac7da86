// Machine: a computer without memory. All that a host of this size allocates is allocated, through
// the real allocator and, for the btree pages, the real cache; but the frames are phantoms.
//
// Everything is a function of the options: one thread, one random sequence, no clock.

#ifndef EBCACHE_BENCH_LAB_MACHINE_H_
#define EBCACHE_BENCH_LAB_MACHINE_H_

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/lab/callers.h"
#include "bench/lab/census.h"
#include "bench/lab/constants.h"
#include "bench/lab/population.h"
#include "bench/lab/reclaim.h"
#include "bench/lab/slab_cache.h"
#include "ebcache/buffer_cache.h"
#include "ebcache/movable_region.h"

namespace ebcache::lab {

struct MachineOptions {
  double memory_gib = 250;
  Constants constants;
  bool hint = true;
  MovableRegionOptions::Policy policy = MovableRegionOptions::Policy::kSuperpageblock;
  uint64_t seed = 1;
};

// Page blocks of 2 MiB that a machine has beside what is reserved at boot.
uint32_t UsablePageblocks(double memory_gib, const Constants& constants);

// One point of the course over time, in GiB and page blocks.
struct Sample {
  double free_gib;
  double file_gib;
  double anonymous_gib;
  double btree_gib;
  uint64_t nonmovable_blocks;  // of a kind other than movable
};

class Machine {
 public:
  // `tick` is called now and then with what is being done.
  Machine(const MachineOptions& options, std::function<void(const char*)> tick);
  ~Machine();

  // ---- phases.cc ----
  void Fill();
  void Churn();
  // The job that had most of the memory ends, and what is dirty is written.
  void EndJob();

  // ---- huge_pages.cc ----
  // Asks for pages of 2 MiB until one is refused. Returns how many there are by now.
  uint32_t AskForHugePages();
  // Whether there can be pages of 1 GiB: only where the region is made of such superpageblocks.
  bool HasGigantic() const;
  // Asks for 1 GiB pages until there are no more. Returns how many.
  uint32_t TakeGiganticPages();
  // A pass of compaction over everything. Returns the folios that moved.
  uint64_t CompactAll();
  void DropPageCache();
  // What drop_caches gets of btree pages: those without a buffer.
  void DropBareBlocks();
  // Reads at random as in a round; how many blocks had to be read from disk, and how many pages were
  // there without a buffer.
  struct Rereads {
    uint64_t asked = 0;
    uint64_t read = 0;
    uint64_t attached = 0;
  };
  Rereads ReadAgain();

  MovableRegion& region() { return *region_; }
  BufferCache& cache() { return *cache_; }
  const PageReclaim& reclaim() const { return reclaim_; }

  // ---- looking.cc ----
  Census TakeCensus() const;
  // Which part of the btree blocks are in one piece by luck: of those ever made, and of those that
  // are cached now, after all that was moved and replaced.
  struct Luck {
    double made = 0;
    double cached = 0;
  };
  Luck BlocksInOnePiece() const;
  // Content by page block, and the samples so far.
  std::vector<Content> Map() const;
  const std::vector<Sample>& samples() const { return samples_; }

 private:
  class NullSource;
  // A program with memory of its own: a range of anonymous folios, and of page tables.
  struct Process {
    uint32_t first, end;
    uint32_t first_table, end_table;
  };

  MovableRegionOptions RegionOptions() const;
  BufferCacheOptions CacheOptions(bool hint) const;
  uint64_t FramesOf(double part_of_memory) const;
  uint64_t free_frames() const { return region_->report().free_frames; }
  void Kswapd();
  uint64_t ReclaimFrames(uint64_t frames);
  uint64_t EvictBlock(uint32_t block);
  uint64_t DropOldestFile();
  void StartProcess();
  void EndProcess(size_t n);
  void GrowSlabs(SlabCache& slabs, uint64_t pages);
  void GrowSmall(Population& population, uint64_t frames);
  void ReadFiles(uint64_t frames);
  bool ReadBlock(uint32_t block);
  void ReadBtree(uint64_t blocks);
  void GrowDescriptors();
  void CopyOnWrite(uint64_t blocks);
  uint32_t FreshAddress();
  void Commit();
  void ReplaceRoots();
  void TurnProcesses();
  void TurnSlabs(int round);
  double AskedAs(bool reclaimable) const;
  void Background(const char* what);
  void TakeSample();
  void NoteMigrations();
  bool MayTakeHuge() const;
  void DropFiles(uint64_t down_to);

  const MachineOptions options_;
  const Constants& constants_;
  const std::function<void(const char*)> tick_;
  Random random_;
  const uint32_t pageblocks_;
  const uint64_t frames_;
  const uint64_t btree_blocks_;  // when filling ends
  const uint64_t tree_blocks_;
  std::shared_ptr<MovableRegion> region_;
  std::unique_ptr<NullSource> source_;
  std::unique_ptr<BufferCache> cache_;
  std::unique_ptr<BufferCache> root_cache_;  // buffers that stay in use
  Population boot_, descriptors_, page_tables_, job_, daemons_, page_cache_, huge_;
  SlabCache slabs_, dentries_, inodes_;
  FilesystemCallers callers_;
  const Watermarks watermarks_;
  PageReclaim reclaim_;
  uint64_t seen_fallbacks_ = 0;
  std::vector<Process> processes_;
  std::vector<ExtentBufferRef> roots_;
  uint64_t next_root_ = 0;
  // Which address each block of the trees is at, and the next one to write a copy to. Addresses are
  // twice as many as blocks, so that what was copied stays, without a buffer, until it is reclaimed.
  std::vector<uint32_t> address_of_;
  uint32_t next_address_ = 0;
  std::vector<bool> live_;  // by address
  // By address: where its pages were when last looked at (0: not cached), and whether it
  // has lost its buffer in a move since it was last read.
  std::vector<uint64_t> places_;
  std::vector<bool> bare_;
  uint64_t attached_ = 0;
  std::vector<Folio> gigantic_;
  std::vector<Sample> samples_;
  std::array<Content, 256> content_by_owner_;
};

}  // namespace ebcache::lab

#endif  // EBCACHE_BENCH_LAB_MACHINE_H_
