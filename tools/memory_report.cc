#include "tools/memory_report.h"

#include <absl/strings/str_cat.h>

#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <string>
#include <string_view>

#include "ebcache/buffer_cache.h"
#include "ebcache/page_allocator.h"
#include "tools/table.h"

namespace ebcache::tools {

namespace {

void PrintContiguity(const AllocatorStats& pages) {
  const uint64_t one_page =
      pages.contiguous_blocks - pages.large_blocks - pages.lucky_blocks - pages.mapped_blocks;
  std::printf("  %" PRIu64 " of %" PRIu64 " blocks in one piece:", pages.contiguous_blocks,
              pages.allocated_blocks);
  std::printf(" %" PRIu64 " of one page, %" PRIu64 " of one large folio, %" PRIu64
              " by luck, %" PRIu64 " mapped\n",
              one_page, pages.large_blocks, pages.lucky_blocks, pages.mapped_blocks);
}

}  // namespace

void PrintCacheStats(const BufferCache& cache) {
  const CacheStats stats = cache.stats();
  const PageAllocator& allocator = cache.allocator();
  const AllocatorStats pages = allocator.stats();
  const std::string_view name = allocator.name();
  std::printf("cache: %" PRIu64 " buffers, %s, at most %" PRIu64 " at a time\n",
              stats.cached_buffers, HumanBytes(stats.cached_bytes).c_str(),
              stats.peak_cached_buffers);
  std::printf("  reads %" PRIu64 ", failed %" PRIu64 ", reclaimed %" PRIu64
              ", created over budget %" PRIu64 "\n",
              stats.reads, stats.read_failures, stats.reclaimed, stats.over_budget_creates);
  std::printf("  descriptors %s, index %s\n", HumanBytes(stats.descriptor_bytes).c_str(),
              HumanBytes(stats.index_bytes).c_str());
  std::printf("  %.*s allocator, pages of %s: %s in use, %s from the OS\n",
              static_cast<int>(name.size()), name.data(), HumanBytes(pages.page_bytes).c_str(),
              HumanBytes(pages.in_use_bytes).c_str(), HumanBytes(pages.from_os_bytes).c_str());
  // Blocks smaller than pages share them, and are not the allocator's to count.
  if (pages.allocated_blocks != 0) PrintContiguity(pages);
}

uint64_t PeakRssBytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    uint64_t kib = 0;
    if (std::sscanf(line.c_str(), "VmHWM: %" SCNu64 " kB", &kib) == 1) return kib * 1024;
  }
  return 0;
}

}  // namespace ebcache::tools
