#include "lib/mm/region_frames.h"

#include <absl/strings/str_cat.h>

#include "ebcache/check.h"

namespace ebcache {
namespace {

constexpr size_t kOsPageBytes = 4096;
constexpr size_t kHugePageBytes = size_t{2} << 20;

constexpr size_t RoundUp(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

}  // namespace

RegionFrames::RegionFrames(OsCalls* os, const RegionGeometry& geometry, bool phantom)
    : os_(os),
      geometry_(geometry),
      phantom_(phantom),
      memory_bytes_(geometry.frames * geometry.page_bytes),
      table_bytes_(RoundUp(geometry.frames * sizeof(PageFrame), kOsPageBytes)),
      backed_(geometry.pageblocks(), false) {}

RegionFrames::~RegionFrames() {
  if (!reserved()) return;
  os_->Unmap(table(), table_bytes_);
  if (!phantom_) os_->Unmap(base(), memory_bytes_);
}

absl::Status RegionFrames::Reserve() {
  void* memory = nullptr;
  if (!phantom_) {
    memory = os_->Map(memory_bytes_, kHugePageBytes);
    if (memory == nullptr) {
      return absl::ResourceExhaustedError(absl::StrCat(
          "the OS refused ", memory_bytes_, " bytes of address space for a movable region"));
    }
  }
  void* const table = os_->Map(table_bytes_, kOsPageBytes);
  if (table == nullptr) {
    if (memory != nullptr) os_->Unmap(memory, memory_bytes_);
    return absl::ResourceExhaustedError(
        absl::StrCat("the OS refused ", table_bytes_, " bytes for a table of page frames"));
  }
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
