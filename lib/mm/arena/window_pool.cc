#include "lib/mm/arena/window_pool.h"

#include <absl/container/inlined_vector.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "lib/mm/poison.h"

namespace ebcache {
namespace {

// Retired windows that are let be, for being found again.
constexpr size_t kFewRetired = 64;

// The most that windows of one size may take: half of what user space has.
constexpr size_t kMostAddresses = size_t{1} << 46;

// How often less is asked for when the OS refuses.
constexpr int kMostHalvings = 10;

// Runs of pages that lie side by side already, each one mapping.
absl::InlinedVector<OsCalls::WindowPiece, 16> PiecesOf(absl::Span<const Folio> pages,
                                                       size_t page_bytes) {
  absl::InlinedVector<OsCalls::WindowPiece, 16> pieces;
  for (size_t i = 0; i < pages.size(); ++i) {
    if (i > 0 && pages[i].pfn() == pages[i - 1].pfn() + 1) {
      pieces.back().bytes += page_bytes;
    } else {
      pieces.push_back({.offset = pages[i].pfn() * page_bytes, .bytes = page_bytes});
    }
  }
  return pieces;
}

}  // namespace

WindowPool::WindowPool(OsCalls* os, size_t page_bytes, size_t max_windows, size_t max_mappings)
    : os_(os),
      page_bytes_(page_bytes),
      max_windows_(max_windows),
      max_mappings_(max_mappings),
      at_fork_(
          ForkHandler::Phase::kLocks, [this]() EBCACHE_ACQUIRE(mutex_) { mutex_.lock(); },
          [this](bool in_child) EBCACHE_RELEASE(mutex_) {
            withheld_ |= in_child;
            mutex_.unlock();
          }) {
  for (int i = 0; i < kSizes; ++i) sizes_[i].order = i + 1;
}

WindowPool::~WindowPool() {
  for (Size& size : sizes_) {
    // In a child there may be something else at these addresses by now.
    if (size.base == nullptr || withheld_) continue;
    const size_t bytes = size.limit * page_bytes_ << size.order;
    UnpoisonPages(size.base, bytes);  // the next mapping here starts afresh
    os_->Unmap(size.base, bytes);
  }
}

bool WindowPool::FitsLocked(uint32_t mappings) const {
  return stats_.windows < max_windows_ && mappings_ + mappings <= max_mappings_;
}

// The windows for blocks of so many pages; null where there can be none.
WindowPool::Size* WindowPool::SizeLocked(size_t pages) {
  const int order = std::countr_zero(pages);
  if (order < 1 || order > kSizes || withheld_) return nullptr;
  Size& size = sizes_[order - 1];
  if (size.base != nullptr) return &size;
  // A window costs two mappings at least. However many are allowed, there is an end to addresses.
  const size_t bytes_each = page_bytes_ << order;
  size_t limit = std::min({max_windows_, max_mappings_ / 2, kMostAddresses / bytes_each});
  // Less, where the OS refuses that much: windows are a convenience.
  for (int halvings = 0; halvings <= kMostHalvings && limit > 0; ++halvings, limit /= 2) {
    void* const base = os_->ReserveAddresses(limit * bytes_each);
    if (base == nullptr) continue;
    size.limit = limit;
    size.base = static_cast<std::byte*>(base);
    return &size;
  }
  return nullptr;
}

uint32_t WindowPool::FindShowingLocked(Size& size, absl::Span<const Folio> pages) {
  if (size.retired_by_page.empty()) return kNone;
  const size_t mask = size.retired_by_page.size() - 1;
  const uint32_t number = size.retired_by_page[HashOf(FirstFrameOf(pages[0])) & mask];
  if (number == kNone) return kNone;
  const Window& window = size.windows[number];
  const FrameNumber* const shown = &size.pages[size_t{number} << size.order];
  const bool same = window.retired && window.showing &&
                    std::equal(pages.begin(), pages.end(), shown, [](Folio page, FrameNumber pfn) {
                      return FirstFrameOf(page) == pfn;
                    });
  return same ? number : kNone;
}

uint32_t WindowPool::NewWindowLocked(Size& size) {
  if (size.windows.size() >= size.limit) return kNone;
  const auto number = static_cast<uint32_t>(size.windows.size());
  const size_t count = size.windows.size() + 1;
  // Here and not when a window is retired or unmapped: that must not allocate. The window itself
  // last: where there is no memory for the rest, there is no window.
  if (size.pages.size() < count << size.order) size.pages.resize(count << size.order);
  if (const size_t slots = std::bit_ceil(count) * 2; slots > size.retired_by_page.size()) {
    size.retired_by_page.assign(slots, kNone);
  }
  if (size.clean.capacity() < count) size.clean.reserve(std::bit_ceil(count));
  size.windows.emplace_back();
  return number;
}

// A window to map `mappings` pieces into, clean or not; kNone when there is none to be had.
uint32_t WindowPool::TakeLocked(Size& size, uint32_t mappings) {
  if (FitsLocked(mappings)) {
    uint32_t number = kNone;
    if (!size.clean.empty()) {
      number = size.clean.back();
      size.clean.pop_back();
    } else {
      number = NewWindowLocked(size);
    }
    if (number != kNone) {
      ++stats_.windows;
      mappings_ += mappings;
      size.windows[number].mappings = mappings;
      return number;
    }
  }
  const uint32_t number = size.oldest;
  if (number == kNone) return kNone;
  Window& window = size.windows[number];
  if (mappings_ - window.mappings + mappings > max_mappings_) return kNone;
  UnlinkLocked(size, number);
  mappings_ += mappings - window.mappings;
  window.mappings = mappings;
  return number;
}

void WindowPool::UnlinkLocked(Size& size, uint32_t number) {
  Window& window = size.windows[number];
  (window.older == kNone ? size.oldest : size.windows[window.older].newer) = window.newer;
  (window.newer == kNone ? size.newest : size.windows[window.newer].older) = window.older;
  window.older = window.newer = kNone;
  window.retired = false;
  --retired_;
}

void WindowPool::RetireLocked(Size& size, uint32_t number, bool showing) {
  Window& window = size.windows[number];
  window.retired = true;
  window.showing = showing;
  window.older = size.newest;
  (size.newest == kNone ? size.oldest : size.windows[size.newest].newer) = number;
  size.newest = number;
  ++retired_;
  if (showing) {
    const FrameNumber first = size.pages[size_t{number} << size.order];
    size.retired_by_page[HashOf(first) & (size.retired_by_page.size() - 1)] = number;
  }
}

std::byte* WindowPool::Map(int memory, absl::Span<const Folio> pages) {
  const auto pieces = PiecesOf(pages, page_bytes_);
  // What lies between windows may count as well.
  const auto mappings = static_cast<uint32_t>(pieces.size());
  const size_t bytes = pages.size() * page_bytes_;
  for (int attempt = 0;; ++attempt) {
    if (attempt == 0) PurgeOlder(/*all=*/false);
    sync::UniqueLock lock(mutex_);
    Size* const size = SizeLocked(pages.size());
    if (size == nullptr) {
      ++stats_.refused;
      return nullptr;
    }
    if (const uint32_t number = FindShowingLocked(*size, pages); number != kNone) {
      UnlinkLocked(*size, number);
      ++stats_.found_again;
      std::byte* const address = AddressOf(*size, number);
      UnpoisonPages(address, bytes);
      return address;
    }
    const uint32_t number = TakeLocked(*size, mappings);
    if (number == kNone) {
      lock.unlock();
      // Windows of other sizes, or with more pieces, may be in the way.
      if (attempt == 0 && Purge() != 0) continue;
      lock.lock();
      ++stats_.refused;
      return nullptr;
    }
    std::byte* const address = AddressOf(*size, number);
    lock.unlock();
    const bool mapped = os_->MapWindow(address, memory, pieces);
    lock.lock();
    if (!mapped) {
      ++stats_.failures;
      RetireLocked(*size, number, /*showing=*/false);
      lock.unlock();
      // Nothing that is retired is worth a failure: out with it, and once more.
      if (attempt == 0 && Purge() > 1) continue;
      return nullptr;
    }
    for (size_t i = 0; i < pages.size(); ++i) {
      size->pages[(size_t{number} << size->order) + i] = FirstFrameOf(pages[i]);
    }
    ++stats_.mapped;
    UnpoisonPages(address, bytes);
    return address;
  }
}

bool WindowPool::Retire(std::byte* address, size_t bytes) {
  const int order = std::countr_zero(bytes / page_bytes_);
  if (order < 1 || order > kSizes) return false;
  Size& size = sizes_[order - 1];
  sync::MutexLock lock(mutex_);
  if (size.base == nullptr || address < size.base ||
      address >= AddressOf(size, 0) + size.limit * bytes) {
    return false;
  }
  PoisonPages(address, bytes);
  RetireLocked(size, static_cast<uint32_t>(static_cast<size_t>(address - size.base) / bytes),
               /*showing=*/true);
  return true;
}

// The oldest retired windows of a size, in the order of their addresses.
WindowPool::Batch WindowPool::TakeRetiredLocked(Size& size, size_t count) {
  Batch batch{.size = &size, .windows = {}};
  batch.windows.reserve(std::min(count, retired_));  // before any is unlinked: no failure halfway
  while (batch.windows.size() < count && size.oldest != kNone) {
    batch.windows.push_back(size.oldest);
    UnlinkLocked(size, size.oldest);
  }
  std::sort(batch.windows.begin(), batch.windows.end());
  return batch;
}

// Unmaps windows, neighbours with one call. REQUIRES: no other thread can reach them.
void WindowPool::Unmap(Batch& batch) {
  Size& size = *batch.size;
  const size_t bytes = page_bytes_ << size.order;
  for (size_t first = 0, end = 0; first < batch.windows.size(); first = end) {
    end = first + 1;
    while (end < batch.windows.size() && batch.windows[end] == batch.windows[end - 1] + 1) ++end;
    const bool unmapped =
        os_->UnmapWindows(size.base + batch.windows[first] * bytes, (end - first) * bytes);
    sync::MutexLock lock(mutex_);
    ++stats_.unmap_calls;
    for (size_t i = first; i < end; ++i) {
      const uint32_t number = batch.windows[i];
      if (!unmapped) {
        RetireLocked(size, number, /*showing=*/false);
        continue;
      }
      ++stats_.unmapped;
      --stats_.windows;
      mappings_ -= std::exchange(size.windows[number].mappings, 0);
      size.clean.push_back(number);
    }
  }
}

size_t WindowPool::PurgeOlder(bool all) {
  size_t purged = 0;
  for (Size& size : sizes_) {
    Batch batch;
    {
      sync::MutexLock lock(mutex_);
      if (withheld_) return 0;
      const size_t few = std::min(kFewRetired + stats_.windows / 4, max_windows_);
      if (!all && retired_ <= few) return purged;
      batch = TakeRetiredLocked(size, all ? retired_ : retired_ / 2);
      if (batch.windows.empty()) continue;
      ++stats_.purges;
    }
    purged += batch.windows.size();
    Unmap(batch);
  }
  return purged;
}

size_t WindowPool::Purge() { return PurgeOlder(/*all=*/true); }

WindowStats WindowPool::stats() const {
  sync::MutexLock lock(mutex_);
  WindowStats stats = stats_;
  stats.retired = retired_;
  return stats;
}

}  // namespace ebcache
