// The wrappers around an allocator, and around the OS.

#include <absl/status/status.h>
#include <absl/types/span.h>

#include <algorithm>
#include <string>
#include <utility>

#include "ebcache/forwarding_allocator.h"
#include "ebcache/internal/sync.h"
#include "ebcache/testing/fault_injection.h"
#include "lib/base/check.h"
#include "lib/mm/allocator_base.h"

namespace ebcache {
namespace {

class FaultInjecting final : public ForwardingAllocator {
 public:
  FaultInjecting(std::shared_ptr<PageAllocator> allocator, std::shared_ptr<FaultInjector> injector)
      : ForwardingAllocator(std::move(allocator)),
        injector_(std::move(injector)),
        name_("failing " + std::string(below().name())) {}

  std::string_view name() const override { return name_; }

  absl::Status AllocateBulk(const FolioRequest& request, int order,
                            absl::Span<Folio> slots) override {
    const auto wanted =
        std::count_if(slots.begin(), slots.end(), [](Folio s) { return s.empty(); });
    if (wanted != 0 && Fails(request, order, static_cast<uint64_t>(wanted))) return Failure();
    return below().AllocateBulk(request, order, slots);
  }
  absl::Status AllocateBlock(const FolioRequest& request, FolioBlock& block) override {
    if (Fails(request, 0, block.slots.size())) return Failure();
    return below().AllocateBlock(request, block);
  }

  AllocatorStats stats() const override {
    AllocatorStats stats = below().stats();
    stats.failed_allocations += failed_.load(std::memory_order_relaxed);
    return stats;
  }

 private:
  bool Fails(const FolioRequest& request, int order, uint64_t folios) {
    // An order out of range is the allocator's to refuse.
    if (order < 0 || order > kMaxFolioOrder) return false;
    if (!injector_->ShouldFail(order, folios * page_bytes() << order, request.flags)) return false;
    if (!Has(request.flags, AllocFlags::kNoWarn)) failed_.fetch_add(1, std::memory_order_relaxed);
    return true;
  }
  static absl::Status Failure() {
    return WithoutThrowing(
        [] { return absl::ResourceExhaustedError("injected failure of an allocation"); });
  }

  const std::shared_ptr<FaultInjector> injector_;
  const std::string name_;
  sync::Atomic<uint64_t> failed_{0};  // relaxed: a statistic
};

class FaultInjectingOs final : public OsCalls {
 public:
  FaultInjectingOs(OsCalls* os, const FaultOptions& options) : os_(os), injector_(options) {}

  size_t PageBytes() override { return os_->PageBytes(); }
  void* Map(size_t bytes, size_t alignment) override { return os_->Map(bytes, alignment); }
  void Unmap(void* address, size_t bytes) override { os_->Unmap(address, bytes); }
  bool Purge(void* address, size_t bytes) override { return os_->Purge(address, bytes); }
  bool AdviseHugePages(void* address, size_t bytes) override {
    return os_->AdviseHugePages(address, bytes);
  }
  bool CollapseHugePages(void* address, size_t bytes) override {
    return os_->CollapseHugePages(address, bytes);
  }
  int CreateMemory(size_t bytes) override { return os_->CreateMemory(bytes); }
  void CloseMemory(int memory) override { os_->CloseMemory(memory); }
  void* MapMemory(int memory, size_t bytes, size_t alignment) override {
    return os_->MapMemory(memory, bytes, alignment);
  }
  bool PurgeMemory(int memory, size_t offset, size_t bytes) override {
    return os_->PurgeMemory(memory, offset, bytes);
  }
  void* ReserveAddresses(size_t bytes) override { return os_->ReserveAddresses(bytes); }
  bool MapWindow(void* address, int memory, absl::Span<const WindowPiece> pieces) override {
    uint64_t bytes = 0;
    for (const WindowPiece& piece : pieces) bytes += piece.bytes;
    if (!injector_.ShouldFail(0, bytes, AllocFlags::kNone)) {
      return os_->MapWindow(address, memory, pieces);
    }
    // Half done, as when mappings run out in the middle.
    (void)os_->MapWindow(address, memory, pieces.first(pieces.size() / 2));
    return false;
  }
  bool UnmapWindows(void* address, size_t bytes) override {
    return os_->UnmapWindows(address, bytes);
  }
  size_t MaxMappings() override { return os_->MaxMappings(); }

 private:
  OsCalls* const os_;
  FaultInjector injector_;
};

}  // namespace

std::shared_ptr<PageAllocator> FaultInjectingAllocator(std::shared_ptr<PageAllocator> allocator,
                                                       std::shared_ptr<FaultInjector> injector) {
  EBCACHE_CHECK(allocator != nullptr && injector != nullptr, "fault injection wraps an allocator");
  return std::make_shared<FaultInjecting>(std::move(allocator), std::move(injector));
}

std::shared_ptr<PageAllocator> FaultInjectingAllocator(std::shared_ptr<PageAllocator> allocator,
                                                       const FaultOptions& options) {
  return FaultInjectingAllocator(std::move(allocator), std::make_shared<FaultInjector>(options));
}

std::unique_ptr<OsCalls> FaultInjectingOsCalls(OsCalls* os, const FaultOptions& options) {
  EBCACHE_CHECK(os != nullptr && options.min_order == 0, "a window counts as order 0");
  return std::make_unique<FaultInjectingOs>(os, options);
}

}  // namespace ebcache
