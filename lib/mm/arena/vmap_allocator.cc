// VmapAllocator: order-0 pages, side by side at an address of their own where they are not so by
// luck.

#include <absl/status/status.h>

#include <algorithm>
#include <memory>
#include <string_view>

#include "ebcache/allocators.h"
#include "lib/base/check.h"
#include "lib/mm/arena/arena_allocator.h"
#include "lib/mm/arena/window_pool.h"

namespace ebcache {
namespace {

size_t MappingsFor(const VmapOptions& options) {
  if (options.max_mappings != VmapOptions::kHalfOfAll) return options.max_mappings;
  return options.os->MaxMappings() / 2;
}

// What is mapped anew is whole pages of the OS.
Arena::Memory MemoryFor(const VmapOptions& options) {
  EBCACHE_CHECK(options.os != nullptr, "an arena needs OS calls");
  return options.page_bytes >= options.os->PageBytes() ? Arena::Memory::kShared
                                                       : Arena::Memory::kPrivate;
}

class Vmap final : public ArenaAllocator {
 public:
  explicit Vmap(const VmapOptions& options)
      : ArenaAllocator({.page_bytes = options.page_bytes,
                        .arena_bytes = options.arena_bytes,
                        .contiguous_by_luck = options.contiguous_by_luck,
                        .no_fail_wait_ms = options.no_fail_wait_ms,
                        .os = options.os},
                       MemoryFor(options)),
        windows_(options.os, options.page_bytes, options.max_windows, MappingsFor(options)) {}

  std::string_view name() const override { return "vmap"; }

  absl::Status AllocateBulk(const FolioRequest& request, int order,
                            absl::Span<Folio> slots) override {
    if (arena().withheld()) [[unlikely]] {
      return WithoutThrowing([&] {
        return Failed(request, absl::FailedPreconditionError(
                                   "the pages of vmap are withheld from children of a fork: use "
                                   "another allocator there, or one made after the fork"));
      });
    }
    return ArenaAllocator::AllocateBulk(request, order, slots);
  }

  size_t Trim() override {
    if (arena().withheld()) return 0;
    windows_.Purge();
    return ArenaAllocator::Trim();
  }

  void FreeBlock(FolioBlock& block) override {
    // Before the pages: the caller that gets them next may want the window too.
    if (block.direct != nullptr) windows_.Retire(block.direct, block.slots.size() * page_bytes());
    ArenaAllocator::FreeBlock(block);
  }

 protected:
  std::byte* MapBlock(absl::Span<const Folio> pages) override {
    if (arena().memory() == OsCalls::kNoMemory) return nullptr;
    return windows_.Map(arena().memory(), pages);
  }

  void AddStats(AllocatorStats& stats) const override {
    ArenaAllocator::AddStats(stats);
    stats.windows = windows_.stats();
  }

 private:
  WindowPool windows_;
};

}  // namespace

std::shared_ptr<PageAllocator> VmapAllocator(VmapOptions options) {
  return std::make_shared<Vmap>(options);
}

}  // namespace ebcache
