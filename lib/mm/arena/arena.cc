#include "lib/mm/arena/arena.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "lib/base/check.h"
#include "lib/mm/poison.h"

namespace ebcache {
namespace {

constexpr size_t kOsPageBytes = 4096;

constexpr size_t RoundUp(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

size_t TableBytes(size_t bytes, size_t page_bytes) {
  return RoundUp(bytes / page_bytes * sizeof(PageFrame), kOsPageBytes);
}

}  // namespace

Arena::Arena(OsCalls* os, size_t bytes, size_t page_bytes, bool shared)
    : os_(os),
      page_bytes_(page_bytes),
      shared_(shared),
      bytes_(bytes),
      at_fork_(
          ForkHandler::Phase::kLocks, [] {},
          [this](bool in_child) {
            if (in_child && memory_ != OsCalls::kNoMemory) {
              withheld_.store(true, std::memory_order_relaxed);
            }
          }) {
  EBCACHE_CHECK(os != nullptr, "an arena needs OS calls");
  EBCACHE_CHECK(bytes > 0 && bytes % kStepBytes == 0, "arena size must be a multiple of 2 MiB");
  EBCACHE_CHECK(bytes / page_bytes < ~uint32_t{0}, "arena has more pages than there are numbers");
}

Arena::~Arena() {
  if (base() == nullptr) return;
  UnpoisonPages(base(), used_bytes_);  // the next mapping here starts afresh
  const size_t bytes = bytes_.load(std::memory_order_relaxed);
  os_->Unmap(table_.load(std::memory_order_relaxed), TableBytes(bytes, page_bytes_));
  UnmapPages(base(), bytes);
}

std::byte* Arena::MapPages(size_t bytes) {
  if (shared_) memory_ = os_->CreateMemory(bytes);
  if (memory_ != OsCalls::kNoMemory) {
    void* const mapped = os_->MapMemory(memory_, bytes, kStepBytes);
    if (mapped != nullptr) return static_cast<std::byte*>(mapped);
    os_->CloseMemory(std::exchange(memory_, OsCalls::kNoMemory));
  }
  return static_cast<std::byte*>(os_->Map(bytes, kStepBytes));
}

void Arena::UnmapPages(std::byte* pages, size_t bytes) {
  // In a child the addresses of what is withheld may be those of something else by now.
  if (!withheld()) os_->Unmap(pages, bytes);
  if (memory_ != OsCalls::kNoMemory) {
    os_->CloseMemory(std::exchange(memory_, OsCalls::kNoMemory));
  }
}

bool Arena::TryReserve(size_t bytes) {
  std::byte* const pages = MapPages(bytes);
  if (pages == nullptr) return false;
  // Fresh memory is zero, and so is the state of a frame that was never touched.
  void* const table = os_->Map(TableBytes(bytes, page_bytes_), kOsPageBytes);
  if (table == nullptr) {
    UnmapPages(pages, bytes);
    return false;
  }
  bytes_.store(bytes, std::memory_order_relaxed);
  table_.store(static_cast<PageFrame*>(table), std::memory_order_relaxed);
  base_.store(pages, std::memory_order_relaxed);
  return true;
}

absl::Status Arena::Reserve() {
  size_t bytes = bytes_.load(std::memory_order_relaxed);
  while (!TryReserve(bytes)) {
    if (bytes / 2 < kLeastBytes) {
      return absl::ResourceExhaustedError(absl::StrCat(
          "the OS refused ", bytes,
          " bytes of address space for an arena of pages: the process has a limit (RLIMIT_AS), or "
          "the machine may not overcommit; the heap allocator needs none beforehand"));
    }
    bytes = bytes / 2 / kStepBytes * kStepBytes;
  }
  return absl::OkStatus();
}

absl::Status Arena::Prepare(uint32_t end) {
  if (withheld()) return absl::FailedPreconditionError("withheld from children of a fork");
  if (base() == nullptr) {
    if (absl::Status status = Reserve(); !status.ok()) return status;
  }
  if (end > frames()) {
    return absl::ResourceExhaustedError(absl::StrCat("no memory: the OS gave ", reserved_bytes(),
                                                     " bytes of address space and refused more"));
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
  if (withheld()) return false;  // it is the parent's
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
