#include "lib/mm/arena.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "ebcache/check.h"
#include "lib/mm/poison.h"

namespace ebcache {
namespace {

constexpr size_t kOsPageBytes = 4096;

constexpr size_t RoundUp(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

}  // namespace

Arena::Arena(OsCalls* os, size_t bytes, size_t page_bytes, bool shared)
    : os_(os),
      bytes_(bytes),
      page_bytes_(page_bytes),
      table_bytes_(RoundUp(bytes / page_bytes * sizeof(PageFrame), kOsPageBytes)),
      shared_(shared) {
  EBCACHE_CHECK(os != nullptr, "an arena needs OS calls");
  EBCACHE_CHECK(bytes > 0 && bytes % kStepBytes == 0, "arena size must be a multiple of 2 MiB");
  EBCACHE_CHECK(bytes / page_bytes < ~uint32_t{0}, "arena has more pages than there are numbers");
}

Arena::~Arena() {
  if (base() == nullptr) return;
  UnpoisonPages(base(), used_bytes_);  // whoever is mapped here next starts afresh
  os_->Unmap(table_.load(std::memory_order_relaxed), table_bytes_);
  os_->Unmap(base(), bytes_);
  if (memory_ != OsCalls::kNoMemory) os_->CloseMemory(memory_);
}

std::byte* Arena::MapPages() {
  if (shared_) memory_ = os_->CreateMemory(bytes_);
  if (memory_ != OsCalls::kNoMemory) {
    void* const mapped = os_->MapMemory(memory_, bytes_, kStepBytes);
    if (mapped != nullptr) return static_cast<std::byte*>(mapped);
    os_->CloseMemory(std::exchange(memory_, OsCalls::kNoMemory));
  }
  return static_cast<std::byte*>(os_->Map(bytes_, kStepBytes));
}

absl::Status Arena::Reserve() {
  std::byte* const pages = MapPages();
  if (pages == nullptr) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the OS refused ", bytes_, " bytes of address space for an arena of pages"));
  }
  // Fresh memory is zero, and so is the state of a frame that was never touched.
  void* const table = os_->Map(table_bytes_, kOsPageBytes);
  if (table == nullptr) {
    os_->Unmap(pages, bytes_);
    if (memory_ != OsCalls::kNoMemory) {
      os_->CloseMemory(std::exchange(memory_, OsCalls::kNoMemory));
    }
    return absl::ResourceExhaustedError(
        absl::StrCat("the OS refused ", table_bytes_, " bytes for a table of page frames"));
  }
  table_.store(static_cast<PageFrame*>(table), std::memory_order_relaxed);
  base_.store(pages, std::memory_order_relaxed);
  return absl::OkStatus();
}

absl::Status Arena::Prepare(uint32_t end) {
  if (base() == nullptr) {
    if (absl::Status status = Reserve(); !status.ok()) return status;
  }
  const size_t wanted = RoundUp(end * page_bytes_, kStepBytes);
  if (wanted > prepared_bytes_) {
    // Advice: a refusal costs speed, nothing else.
    os_->AdviseHugePages(base() + prepared_bytes_, wanted - prepared_bytes_);
    prepared_bytes_ = wanted;
    used_bytes_ = std::max(used_bytes_, wanted);
  }
  return absl::OkStatus();
}

bool Arena::PurgeBytes(size_t offset, size_t bytes) {
  if (memory_ != OsCalls::kNoMemory) return os_->PurgeMemory(memory_, offset, bytes);
  return os_->Purge(base() + offset, bytes);
}

bool Arena::Purge(uint32_t first, uint32_t count) {
  return PurgeBytes(first * page_bytes_, count * page_bytes_);
}

bool Arena::Retreat(uint32_t end) {
  const size_t keep = end * page_bytes_;
  if (!PurgeBytes(keep, prepared_bytes_ - keep)) return false;
  prepared_bytes_ = keep;
  return true;
}

}  // namespace ebcache
