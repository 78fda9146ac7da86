// Which allocator a program uses, and what it is made to suffer: flags, and what they mean.

#ifndef EBCACHE_EXAMPLES_ALLOCATOR_CHOICE_H_
#define EBCACHE_EXAMPLES_ALLOCATOR_CHOICE_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ebcache/allocators.h"
#include "ebcache/movable_region.h"
#include "ebcache/page_allocator.h"
#include "examples/command_line.h"
#include "examples/scattered_pages.h"

namespace ebcache::examples {

// heap, order0, high, vmap, movable.
const std::vector<std::string>& AllocatorKinds();

struct AllocatorChoice {
  // Pages that are in memory stay there, with huge pages behind them: a walk that fills a cache
  // with heap blocks spends a tenth of its time in page faults.
  std::string kind = "order0";
  std::string page_size = "4096";
  uint64_t memory_mib = 0;  // 0: as much as there is
  bool scatter = false;
  uint64_t fail_orders_percent = 0;
  uint64_t fail_windows_percent = 0;

  void AddFlags(CommandLine& line);
};

// An allocator with what belongs to it.
struct ChosenAllocator {
  // Outlives all that uses it, so it comes first. Null but for vmap.
  std::unique_ptr<OsCalls> os;
  std::shared_ptr<PageAllocator> pages;       // what a cache is given
  std::shared_ptr<MovableRegion> region;      // that it is, or stands on; null: none
  std::unique_ptr<ScatteredPages> scattered;  // null unless asked for
};

// Errors: InvalidArgument, when the choice makes no sense.
absl::StatusOr<ChosenAllocator> MakeAllocator(const AllocatorChoice& choice);

}  // namespace ebcache::examples

#endif  // EBCACHE_EXAMPLES_ALLOCATOR_CHOICE_H_
