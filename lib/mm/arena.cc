#include "lib/mm/arena.h"

#include <absl/strings/str_cat.h>

#include <algorithm>

#include "ebcache/check.h"
#include "lib/mm/poison.h"

namespace ebcache {
namespace {

constexpr size_t kOsPageBytes = 4096;

constexpr size_t RoundUp(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

}  // namespace

Arena::Arena(OsCalls* os, size_t bytes, size_t page_bytes)
    : os_(os),
      bytes_(bytes),
      page_bytes_(page_bytes),
      table_bytes_(RoundUp(bytes / page_bytes * sizeof(PageFrame), kOsPageBytes)) {
  EBCACHE_CHECK(os != nullptr, "an arena needs OS calls");
  EBCACHE_CHECK(bytes > 0 && bytes % kStepBytes == 0, "arena size must be a multiple of 2 MiB");
  EBCACHE_CHECK(bytes / page_bytes < ~uint32_t{0}, "arena has more pages than there are numbers");
}

Arena::~Arena() {
  if (base() == nullptr) return;
  UnpoisonPages(base(), used_bytes_);  // whoever is mapped here next starts afresh
  os_->Unmap(table_.load(std::memory_order_relaxed), table_bytes_);
  os_->Unmap(base(), bytes_);
}

absl::Status Arena::Reserve() {
  void* const memory = os_->Map(bytes_, kStepBytes);
  if (memory == nullptr) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the OS refused ", bytes_, " bytes of address space for an arena of pages"));
  }
  // Fresh memory is zero, and so is the state of a frame that was never touched.
  void* const table = os_->Map(table_bytes_, kOsPageBytes);
  if (table == nullptr) {
    os_->Unmap(memory, bytes_);
    return absl::ResourceExhaustedError(
        absl::StrCat("the OS refused ", table_bytes_, " bytes for a table of page frames"));
  }
  table_.store(static_cast<PageFrame*>(table), std::memory_order_relaxed);
  base_.store(static_cast<std::byte*>(memory), std::memory_order_relaxed);
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

bool Arena::Purge(uint32_t first, uint32_t count) {
  return os_->Purge(base() + first * page_bytes_, count * page_bytes_);
}

bool Arena::Retreat(uint32_t end) {
  const size_t keep = end * page_bytes_;
  if (!os_->Purge(base() + keep, prepared_bytes_ - keep)) return false;
  prepared_bytes_ = keep;
  return true;
}

}  // namespace ebcache
