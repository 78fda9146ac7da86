// Which allocator a program uses: options, and what they mean.

#ifndef EBCACHE_TOOLS_ALLOCATOR_CHOICE_H_
#define EBCACHE_TOOLS_ALLOCATOR_CHOICE_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ebcache/allocators.h"
#include "ebcache/movable_region.h"
#include "ebcache/page_allocator.h"
#include "tools/command.h"

namespace ebcache::tools {

// heap, order0, high, vmap, movable.
const std::vector<std::string>& AllocatorKinds();

// An allocator with what belongs to it.
struct ChosenAllocator {
  std::shared_ptr<PageAllocator> pages;   // what a cache is given
  std::shared_ptr<MovableRegion> region;  // that it is, or stands on; null: none
};

// Thread safety: belongs to one thread.
class AllocatorChoice {
 public:
  // Pages that are in memory stay there, with huge pages behind them: a walk that fills a cache
  // with heap blocks spends a tenth of its time in page faults.
  std::string kind = "order0";
  std::string page_size = "4096";
  uint64_t memory_mib = 0;  // 0: as much as there is

  AllocatorChoice() = default;
  virtual ~AllocatorChoice() = default;
  AllocatorChoice(const AllocatorChoice&) = delete;
  AllocatorChoice& operator=(const AllocatorChoice&) = delete;

  virtual void AddOptions(Command& command);
  // The choice must outlive the allocator. Errors: InvalidArgument, when the choice makes no sense.
  absl::StatusOr<ChosenAllocator> Make();

 protected:
  // For tests that put something between a cache and its pages: what else must make sense; what
  // stands in the place of the pages that blocks are made of, of the allocator as a whole, and of
  // the system's calls for windows.
  virtual absl::Status Check() const { return absl::OkStatus(); }
  virtual std::shared_ptr<PageAllocator> Under(std::shared_ptr<PageAllocator> pages) {
    return pages;
  }
  virtual std::shared_ptr<PageAllocator> Over(std::shared_ptr<PageAllocator> pages) {
    return pages;
  }
  virtual OsCalls* os() { return OsCalls::Real(); }

 private:
  absl::Status CheckSizes(size_t page_bytes) const;
};

// Makes the choices of subcommands: tests have their own.
using AllocatorChoiceMaker = std::function<std::unique_ptr<AllocatorChoice>()>;

}  // namespace ebcache::tools

#endif  // EBCACHE_TOOLS_ALLOCATOR_CHOICE_H_
