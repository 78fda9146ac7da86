// What the contiguity benchmark measures, as it is reported.

#ifndef EBCACHE_BENCH_CONTIGUITY_FIGURES_H_
#define EBCACHE_BENCH_CONTIGUITY_FIGURES_H_

#include <cstdint>
#include <string>
#include <vector>

namespace ebcache::contiguity {

// One allocator, in one condition of its memory, at work on a real tree.
struct WorkFigures {
  std::string name;         // "order0, scattered"
  uint64_t blocks = 0;      // cached, all of the trees
  double share = 0;         // of blocks in one piece
  double walk_ns = 0;       // a block, first walk: made, read, verified
  double rewalk_ns = 0;     // a block, when all are cached
  double search_ns = 0;     // one key, all blocks cached: the median
  double search_ratio = 0;  // to the same pages used in one piece; see kBaseline
  double decode_ns = 0;     // an item: head, and all bytes of its data
};

// Making and freeing 16 KiB blocks, and what windows cost in it.
struct MapFigures {
  std::string name;
  double allocate_ns = 0;  // a block
  double free_ns = 0;
};
struct WindowFigures {
  double map_ns = 0;          // a window of four scattered pages, in the OS
  double found_again_ns = 0;  // a block whose window was still there, allocated and freed
  double unmap_ns = 0;        // a window, in the OS, purged in batches
  double windows_per_unmap = 0;
};

// Memory that is short, and in pieces.
struct PressureFigures {
  std::string name;
  uint64_t reads = 0;
  uint64_t failed = 0;
  double share = 0;  // of blocks made that were in one piece
  double p50_ns = 0, p90_ns = 0, p99_ns = 0, p999_ns = 0, max_ns = 0;  // of a read that misses
  uint64_t reclaimed = 0;  // buffers that the cache let go of for others
  uint64_t released = 0;   // and those that the allocator asked for
  uint64_t migrated = 0;   // folios that it moved
};

struct Report {
  uint64_t files = 0;
  uint64_t tree_bytes = 0;
  uint64_t keys = 0;
  int rounds = 0;
  std::vector<WorkFigures> work;
  std::vector<MapFigures> making;
  WindowFigures windows;
  uint64_t pressure_mib = 0;  // 0: not asked for
  std::vector<PressureFigures> pressure;
};

// What search_ratio compares with.
inline constexpr char kBaseline[] = "order0";

void PrintText(const Report& report);
std::string ToJson(const Report& report);
std::string ToHtml(const Report& report);

}  // namespace ebcache::contiguity

#endif  // EBCACHE_BENCH_CONTIGUITY_FIGURES_H_
