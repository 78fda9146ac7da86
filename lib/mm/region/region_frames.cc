#include "lib/mm/region/region_frames.h"

#include <absl/strings/str_cat.h>

#include "lib/base/check.h"

namespace ebcache {
namespace {

constexpr size_t kOsPageBytes = 4096;
constexpr size_t kHugePageBytes = size_t{2} << 20;

// Less than this is not asked for, unless it is all that was wanted.
constexpr size_t kLeastBytes = size_t{64} << 20;

constexpr size_t RoundUp(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

}  // namespace

RegionFrames::RegionFrames(OsCalls* os, const RegionGeometry& geometry, bool phantom)
    : os_(os),
      geometry_(geometry),
      phantom_(phantom),
      table_bytes_(RoundUp(geometry.frames * sizeof(PageFrame), kOsPageBytes)),
      usable_frames_(geometry.frames),
      backed_(geometry.pageblocks(), false) {}

RegionFrames::~RegionFrames() {
  if (!reserved()) return;
  os_->Unmap(table(), table_bytes_);
  if (!phantom_) os_->Unmap(base(), usable_frames_ * geometry_.page_bytes);
}

absl::Status RegionFrames::Reserve() {
  void* const table = os_->Map(table_bytes_, kOsPageBytes);
  if (table == nullptr) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the OS refused ", table_bytes_, " bytes for a table of page frames"));
  }
  void* memory = nullptr;
  uint32_t superpageblocks = geometry_.superpageblocks();
  while (!phantom_ && memory == nullptr) {
    const size_t bytes =
        size_t{superpageblocks} * geometry_.superpageblock_frames() * geometry_.page_bytes;
    memory = os_->Map(bytes, kHugePageBytes);
    if (memory != nullptr) break;
    superpageblocks /= 2;
    if (superpageblocks == 0 || bytes / 2 < kLeastBytes) {
      os_->Unmap(table, table_bytes_);
      return absl::ResourceExhaustedError(absl::StrCat(
          "the OS refused ", bytes,
          " bytes of address space for a movable region: the process has a limit (RLIMIT_AS), or "
          "the machine may not overcommit; the heap allocator needs none beforehand"));
    }
  }
  usable_frames_ = superpageblocks * geometry_.superpageblock_frames();
  base_.store(static_cast<std::byte*>(memory), std::memory_order_relaxed);
  table_.store(static_cast<PageFrame*>(table), std::memory_order_relaxed);
  return absl::OkStatus();
}

void RegionFrames::Back(uint32_t pfn, uint32_t frames) {
  const uint32_t end = geometry_.PageblockOf(pfn + frames - 1);
  for (uint32_t block = geometry_.PageblockOf(pfn); block <= end; ++block) {
    if (backed_[block]) continue;
    backed_[block] = true;
    ++backed_pageblocks_;
    // Advice: a refusal costs speed, nothing else.
    if (!phantom_) os_->AdviseHugePages(base() + block * pageblock_bytes(), pageblock_bytes());
  }
}

bool RegionFrames::Purge(uint32_t pageblock) {
  EBCACHE_CHECK(backed_[pageblock], "a page block without memory has none to give back");
  if (!phantom_ && !os_->Purge(base() + pageblock * pageblock_bytes(), pageblock_bytes())) {
    return false;
  }
  backed_[pageblock] = false;
  --backed_pageblocks_;
  return true;
}

}  // namespace ebcache
