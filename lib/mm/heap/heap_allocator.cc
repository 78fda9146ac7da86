// HeapAllocator: folios of every order, each one piece of a heap: mimalloc's, the C library's, or the
// embedder's.

#include <absl/cleanup/cleanup.h>
#include <absl/container/inlined_vector.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>
#include <absl/types/span.h>

#include <algorithm>
#include <bit>
#include <memory>
#include <utility>

#include "ebcache/allocators.h"
#include "ebcache/internal/sync.h"
#include "lib/base/check.h"
#include "lib/mm/allocator_base.h"
#include "lib/mm/depot_releaser.h"
#include "lib/mm/frame_depot.h"
#include "lib/mm/heap/heap_frames.h"
#include "lib/mm/heap/mimalloc_heap.h"
#include "lib/mm/thread_list.h"

namespace ebcache {
namespace {

std::shared_ptr<HeapMemory> MemoryOf(const HeapOptions& options) {
  if (options.memory != nullptr) return options.memory;
  std::shared_ptr<HeapMemory> mimalloc = MimallocHeap();
  return mimalloc != nullptr ? mimalloc : CLibraryHeap();
}

class Heap final : public AllocatorBase {
 public:
  explicit Heap(const HeapOptions& options)
      : AllocatorBase(options.page_bytes, /*contiguous_by_luck=*/true, options.no_fail_wait_ms),
        memory_(MemoryOf(options)),
        max_bytes_(options.max_bytes),
        frames_(new HeapFrames),
        depot_(std::make_shared<FrameDepot>(std::unique_ptr<FrameSource>(frames_),
                                            ThreadList::kMaxCapacity)),
        releaser_(depot_.get(), &owners()) {}

  std::string_view name() const override { return memory_->name(); }

  absl::Status AllocateBulk(const FolioRequest& request, int order,
                            absl::Span<Folio> slots) override {
    absl::Status checked =
        WithoutThrowing([&] { return CheckRequest(request, order, kMaxFolioOrder); });
    if (!checked.ok()) return checked;
    return WithoutThrowing([&] {
      absl::Status status = Take(request, order, slots, /*use_reserve=*/false);
      if (status.ok()) [[likely]] {
        return status;
      }
      const uint64_t bytes = EmptySlots(slots) * (page_bytes() << order);
      const bool possible = bytes <= MostBytes(Has(request.flags, AllocFlags::kNoFail));
      return Insist(
          request, std::move(status),
          {.possible = possible,
           .release = [this](OwnerId spared) { return releaser_.ReleaseSome(spared); },
           .attempt = [&](bool use_reserve) { return Take(request, order, slots, use_reserve); }});
    });
  }

  void FreeBulk(int order, absl::Span<Folio> slots) override {
    ThreadListLease list(depot_);
    const uint64_t freed = FreeFolios(*list, order, slots);
    list->counters.freed_folios.Add(freed);
    list->counters.freed_bytes.Add(freed * (page_bytes() << order));
    GiveBytesBack(freed * (page_bytes() << order));
    if (ladder().anyone_waits()) [[unlikely]] {
      ladder().NotifyFreed();
    }
  }

  absl::Status AllocateBlock(const FolioRequest& request, FolioBlock& block) override {
    CheckBlock(block);
    const int order = std::countr_zero(block.slots.size());
    absl::Status status = AllocateBulk(request, order, block.slots.first(1));
    if (!status.ok()) return status;
    block.order = order;
    block.direct = Address(block.slots[0]);
    CountBlock(order == 0 ? BlockForm::kOnePage : BlockForm::kLargeFolio);
    return absl::OkStatus();
  }

  void SetPrivate(Folio folio, uint32_t private_bits) override {
    Entry(folio).frame.SetPrivate(private_bits);
  }

  std::byte* Address(Folio folio) const override { return Entry(folio).address; }

  size_t Trim() override { return memory_->Trim(); }

 protected:
  void CountBlock(BlockForm form) override {
    ThreadListLease list(depot_);
    list->counters.AddBlock(form);
  }

  bool AnyOwnedBy(OwnerId owner) override { return depot_->AnyOwnedBy(owner); }

  void AddStats(AllocatorStats& stats) const override {
    depot_->AddStats(stats, page_bytes());
    // What the heap holds beyond this serves the whole process, and is not ours to count.
    stats.from_os_bytes = stats.in_use_bytes;
  }

 private:
  HeapFrame& Entry(Folio folio) const {
    HeapFrame* const entry = frames_->Find(FirstFrameOf(folio));
    EBCACHE_CHECK(entry != nullptr, "folio was not handed out by this allocator");
    return *entry;
  }

  static uint64_t EmptySlots(absl::Span<const Folio> slots) {
    return static_cast<uint64_t>(
        std::count_if(slots.begin(), slots.end(), [](Folio slot) { return slot.empty(); }));
  }

  // All that may be handed out.
  uint64_t MostBytes(bool use_reserve) const {
    constexpr uint64_t kAll = ~uint64_t{0};
    if (max_bytes_ == 0 || max_bytes_ > kAll - kNoFailReserveBytes) return kAll;
    return max_bytes_ + (use_reserve ? kNoFailReserveBytes : 0);
  }

  // Whether `bytes` more may be handed out; then they count as such.
  bool TakeBytes(uint64_t bytes, bool use_reserve) {
    if (max_bytes_ == 0) return true;
    const uint64_t most = MostBytes(use_reserve);
    uint64_t used = used_bytes_.load(std::memory_order_relaxed);
    do {
      if (bytes > most || used > most - bytes) return false;
    } while (!used_bytes_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
    return true;
  }
  void GiveBytesBack(uint64_t bytes) {
    if (max_bytes_ != 0) used_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  }

  absl::Status Take(const FolioRequest& request, int order, absl::Span<Folio> slots,
                    bool use_reserve) {
    const uint64_t folio_bytes = page_bytes() << order;
    const uint64_t wanted = EmptySlots(slots);
    absl::InlinedVector<Folio, 16> folios;  // for the empty slots, in order
    folios.reserve(wanted);
    if (!TakeBytes(wanted * folio_bytes, use_reserve)) {
      return absl::ResourceExhaustedError(absl::StrCat("no memory: ", wanted * folio_bytes,
                                                       " bytes wanted within a limit of ",
                                                       max_bytes_, " bytes"));
    }
    ThreadListLease list(depot_);
    // However this ends: what was not handed out goes back.
    bool handed_out = false;
    const absl::Cleanup give_back = [&] {
      if (handed_out) return;
      FreeFolios(*list, order, absl::MakeSpan(folios));
      GiveBytesBack(wanted * folio_bytes);
    };
    while (folios.size() < wanted) {
      absl::StatusOr<Folio> folio = AllocateFolio(*list, request, order);
      if (!folio.ok()) return folio.status();
      folios.push_back(*folio);
    }
    auto next = folios.begin();
    for (Folio& slot : slots) {
      if (slot.empty()) slot = *next++;
    }
    handed_out = true;
    list->counters.allocated_folios.Add(wanted);
    list->counters.allocated_bytes.Add(wanted * folio_bytes);
    return absl::OkStatus();
  }

  absl::StatusOr<Folio> AllocateFolio(ThreadList& list, const FolioRequest& request, int order) {
    if (list.size() == 0) {
      if (absl::Status status = depot_->Refill(list, 1); !status.ok()) return status;
    }
    const size_t bytes = page_bytes() << order;
    void* const address = memory_->Allocate(bytes, page_bytes(), request.flags);
    if (address == nullptr) {
      return absl::ResourceExhaustedError(absl::StrCat("the heap has no ", bytes, " bytes"));
    }
    const Folio folio = FolioAt(list.Pop());
    HeapFrame& entry = Entry(folio);
    entry.address = static_cast<std::byte*>(address);
    entry.frame.Store(FrameState::Allocated(request, order));
    return folio;
  }

  uint64_t FreeFolios(ThreadList& list, int order, absl::Span<Folio> slots) {
    uint64_t freed = 0;
    for (Folio& slot : slots) {
      if (slot.empty()) continue;
      HeapFrame& entry = Entry(slot);
      entry.frame.Free(order);
      memory_->Free(std::exchange(entry.address, nullptr), page_bytes() << order);
      if (list.full()) depot_->Drain(list);
      list.Push(FirstFrameOf(slot));
      slot = Folio();
      ++freed;
    }
    return freed;
  }

  const std::shared_ptr<HeapMemory> memory_;
  const uint64_t max_bytes_;
  // Only where there is a limit. Relaxed: nothing but the limit depends on it.
  sync::Atomic<uint64_t> used_bytes_{0};
  HeapFrames* const frames_;  // owned by the depot
  // Shared only briefly: a thread that ends just now may be returning its list.
  const std::shared_ptr<FrameDepot> depot_;
  DepotReleaser releaser_;
};

}  // namespace

std::shared_ptr<PageAllocator> HeapAllocator(HeapOptions options) {
  return std::make_shared<Heap>(options);
}

}  // namespace ebcache
