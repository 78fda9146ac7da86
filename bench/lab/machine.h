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
#include <vector>

#include "bench/lab/callers.h"
#include "bench/lab/population.h"
#include "ebcache/buffer_cache.h"
#include "ebcache/movable_region.h"

namespace ebcache::lab {

struct MachineOptions {
  uint64_t memory_gib = 250;
  uint64_t btree_gib = 28;
  bool hint = true;
  MovableRegionOptions::Policy policy = MovableRegionOptions::Policy::kSuperpageblock;
  uint64_t seed = 1;
};

// What a page block mostly holds; of what cannot move, if there is any.
enum class Content : uint8_t {
  kFree,
  kAnonymous,
  kFile,
  kBtree,        // as movable pages
  kPinnedBtree,  // as unmovable ones
  kReclaimable,
  kUnmovable,
  kCallers,
  kHuge
};
inline constexpr int kContents = 9;
const char* ContentName(Content content);

// One point of the course over time, in GiB and superpageblocks.
struct Sample {
  double free_gib;
  double file_gib;
  double anonymous_gib;
  double btree_gib;
  uint32_t tainted;
  uint32_t empty;
};

// The assumptions, by name, as said in the reports.
struct Assumption {
  const char* name;
  double value;
  const char* meaning;
};
const std::vector<Assumption>& Assumptions();

class Machine {
 public:
  // `tick` is called now and then with what is being done.
  Machine(const MachineOptions& options, std::function<void(const char*)> tick);
  ~Machine();

  void Fill();
  void Churn();
  // The job that had most of the memory ends, and what is dirty is written.
  void EndJob();
  // Asks for 1 GiB pages until there are no more. Returns how many.
  uint32_t TakeHugePages();

  MovableRegion& region() { return *region_; }
  BufferCache& cache() { return *cache_; }

  // Counts over the superpageblocks.
  struct Census {
    uint32_t tainted = 0;
    uint32_t holding_btree = 0;
    uint32_t recoverable = 0;  // nothing in them but free memory, movable pages, idle buffers
  };
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

  uint64_t FramesOf(double part_of_memory) const;
  void EnsureFree(uint64_t frames);
  void StartProcess();
  void EndProcess(size_t n);
  void GrowSlabs(Population& slabs, uint64_t frames);
  void ShrinkSlabs(Population& slabs, uint64_t frames);
  void FillPageCache(uint64_t free_frames);
  void ReadBtree(uint64_t blocks);
  void CopyOnWrite(uint64_t blocks);
  void Background(const char* what);
  void TakeSample();

  const MachineOptions options_;
  const std::function<void(const char*)> tick_;
  Random random_;
  const uint64_t frames_;
  const uint64_t tree_blocks_;
  std::shared_ptr<MovableRegion> region_;
  std::unique_ptr<NullSource> source_;
  std::unique_ptr<BufferCache> cache_;
  Population slabs_, dentries_, page_tables_, job_, daemons_, page_cache_;
  FilesystemCallers callers_;
  std::vector<Process> processes_;
  std::vector<ExtentBufferRef> in_use_;
  std::vector<Folio> huge_;
  std::vector<Sample> samples_;
  std::array<Content, 256> content_by_owner_;
};

}  // namespace ebcache::lab

#endif  // EBCACHE_BENCH_LAB_MACHINE_H_
