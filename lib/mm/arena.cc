#include "lib/mm/arena.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "lib/base/check.h"
#include "lib/base/rounding.h"

namespace ebcache {

Arena::Arena(OsCalls* os, const Options& options)
    : os_(os),
      options_(options),
      frames_(static_cast<uint32_t>(options.bytes / options.page_bytes)),
      at_fork_(
          ForkHandler::Phase::kLocks, [] {},
          [this](bool in_child) {
            if (in_child && memory_ != OsCalls::kNoMemory) {
              withheld_.store(true, std::memory_order_relaxed);
            }
          }) {
  EBCACHE_CHECK(os != nullptr, "an arena needs OS calls");
  EBCACHE_CHECK(options.bytes / options.page_bytes < ~uint32_t{0},
                "arena has more pages than there are numbers");
}

Arena::~Arena() {
  if (!reserved()) return;
  os_->Unmap(table(), table_bytes(options_.whole_table ? options_.bytes : reserved_bytes()));
  if (base() != nullptr) UnmapPages(base(), reserved_bytes());
}

size_t Arena::table_bytes(size_t bytes) const {
  return RoundUp(bytes / options_.page_bytes * sizeof(PageFrame), os_->PageBytes());
}

// Fresh memory is zero, and so is the state of a frame that was never touched.
PageFrame* Arena::MapTable(size_t bytes) {
  return static_cast<PageFrame*>(os_->Map(table_bytes(bytes), os_->PageBytes()));
}

std::byte* Arena::MapPages(size_t bytes) {
  if (options_.memory == Memory::kShared) memory_ = os_->CreateMemory(bytes);
  if (memory_ != OsCalls::kNoMemory) {
    void* const mapped = os_->MapMemory(memory_, bytes, kHugePageBytes);
    if (mapped != nullptr) return static_cast<std::byte*>(mapped);
    os_->CloseMemory(std::exchange(memory_, OsCalls::kNoMemory));
  }
  return static_cast<std::byte*>(os_->Map(bytes, kHugePageBytes));
}

void Arena::UnmapPages(std::byte* pages, size_t bytes) {
  // In a child the addresses of what is withheld may be those of something else by now.
  if (!withheld()) os_->Unmap(pages, bytes);
  if (memory_ != OsCalls::kNoMemory) {
    os_->CloseMemory(std::exchange(memory_, OsCalls::kNoMemory));
  }
}

bool Arena::TryReserve(size_t bytes, PageFrame* whole) {
  std::byte* pages = nullptr;
  if (options_.memory != Memory::kNone) {
    pages = MapPages(bytes);
    if (pages == nullptr) return false;
  }
  PageFrame* const table = whole != nullptr ? whole : MapTable(bytes);
  if (table == nullptr) {
    if (pages != nullptr) UnmapPages(pages, bytes);
    return false;
  }
  frames_.store(static_cast<uint32_t>(bytes / options_.page_bytes), std::memory_order_relaxed);
  base_.store(pages, std::memory_order_relaxed);
  table_.store(table, std::memory_order_relaxed);
  return true;
}

absl::Status Arena::Refused(size_t bytes) const {
  return absl::ResourceExhaustedError(absl::StrCat("the OS refused ", bytes,
                                                   " bytes of address space for ", options_.name,
                                                   ": the process has a limit (RLIMIT_AS), or the "
                                                   "machine may not overcommit; the heap allocator "
                                                   "needs none beforehand"));
}

absl::Status Arena::Reserve() {
  size_t bytes = options_.bytes;
  PageFrame* whole = nullptr;
  if (options_.whole_table) {
    whole = MapTable(bytes);
    if (whole == nullptr) {
      return absl::ResourceExhaustedError(
          absl::StrCat("the OS refused ", table_bytes(bytes), " bytes for a table of page frames"));
    }
  }
  while (!TryReserve(bytes, whole)) {
    const size_t half = bytes / 2 / options_.unit_bytes * options_.unit_bytes;
    if (half == 0 || bytes / 2 < kLeastBytes) {
      absl::Status refused = Refused(bytes);
      if (whole != nullptr) os_->Unmap(whole, table_bytes(options_.bytes));
      return refused;
    }
    bytes = half;
  }
  return absl::OkStatus();
}

uint32_t Arena::frames_per_os_page() const {
  return static_cast<uint32_t>(std::max<size_t>(os_->PageBytes() / options_.page_bytes, 1));
}

void Arena::AdviseHugePages(size_t offset, size_t bytes) {
  if (base() == nullptr) return;
  const size_t begin = RoundDown(offset, os_->PageBytes());
  os_->AdviseHugePages(base() + begin, RoundUp(offset + bytes, os_->PageBytes()) - begin);
}

bool Arena::Purge(size_t offset, size_t bytes) {
  if (withheld()) return false;  // it is the parent's
  if (memory_ == OsCalls::kNoMemory && base() == nullptr) return true;
  // It would take all of a page of which a part is meant.
  if (offset % os_->PageBytes() != 0 || bytes % os_->PageBytes() != 0) return false;
  if (memory_ != OsCalls::kNoMemory) return os_->PurgeMemory(memory_, offset, bytes);
  return os_->Purge(base() + offset, bytes);
}

}  // namespace ebcache
