// One machine's life, from boot to the last huge page.

#ifndef EBCACHE_BENCH_LAB_LIFE_H_
#define EBCACHE_BENCH_LAB_LIFE_H_

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "bench/lab/machine.h"

namespace ebcache::lab {

// A census at a named moment, and which sample it was.
struct Stage {
  std::string name;
  Census census;
  size_t sample = 0;
};

// How many pages of 2 MiB there were after each request, and what was done before the first of them.
struct HugeAsk {
  std::string after;
  uint32_t got = 0;
};

struct Run {
  bool hint = false;
  std::string policy;
  uint64_t seed = 0;
  uint32_t superpageblocks = 0;
  std::vector<Stage> stages;  // fill, churn, end
  Machine::Luck luck;         // at the end
  FreeMemoryReport free;      // at the end
  PageReclaim::Counts reclaimed;  // at the end
  // In a copy of the machine at the end.
  std::vector<HugeAsk> huge_2m;
  std::vector<Stage> huge_stages;  // compacted, asked, files dropped, caches dropped
  uint64_t compacted_folios = 0;   // that moved before the first request
  Machine::Rereads rereads;        // after the last
  std::vector<Content> after_2m;
  // In the machine itself.
  bool has_gigantic = false;
  uint32_t huge_1g_obtained = 0;
  uint64_t pages_migrated = 0;  // while they were asked for
  uint64_t buffers_released = 0;
  std::vector<std::pair<std::string, uint64_t>> skipped;  // buffers that stayed, by verdict
  double seconds = 0;
  std::vector<Content> before;
  std::vector<Content> after;
  std::vector<Sample> samples;

  const Census& end() const { return stages.back().census; }
  // Pages of 2 MiB after three requests, and when all caches have been dropped.
  uint32_t huge_asked() const;
  uint32_t huge_dropped() const;
};

// `tick` is called now and then with what is being done.
absl::StatusOr<Run> Live(const MachineOptions& options,
                         const std::function<void(const char*)>& tick);

}  // namespace ebcache::lab

#endif  // EBCACHE_BENCH_LAB_LIFE_H_
