// Programs of calls on the page allocators, against a list of what is held.
//
// The first byte of the input says which allocator; each of the others is an operation with what it
// needs. Every folio held carries a stamp in its first and last word; no two may overlap.

#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "ebcache/allocators.h"
#include "ebcache/movable_region.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/oracle.h"

namespace ebcache::fuzz {
namespace {

constexpr size_t kPageBytes = 4096;
constexpr int kMostOperations = 200;
constexpr size_t kMostHeld = 300;

// Holds folios by number, and lets the movable ones move.
class Holder : public FolioOwner {
 public:
  explicit Holder(PageAllocator* allocator)
      : allocator_(allocator), id_(allocator->RegisterOwner(this)) {}
  ~Holder() override {
    while (!held_.empty()) Free(0);
    EBCACHE_ORACLE("all-is-freed", allocator_->stats().in_use_bytes == 0);
    allocator_->UnregisterOwner(id_);
  }

  std::string_view name() const override { return "fuzzer"; }
  bool movable() const override { return true; }
  bool Migrate(Folio destination, Folio source, uint32_t number) override {
    const auto it = held_.find(number);
    if (it == held_.end() || !(it->second.folio == source) || it->second.pinned) return false;
    std::memcpy(allocator_->Address(destination), allocator_->Address(source),
                kPageBytes << it->second.order);
    it->second.folio = destination;
    return true;
  }

  void Allocate(int order, AllocFlags flags) {
    if (held_.size() >= kMostHeld) return;
    Folio folio;
    const FolioRequest request{.flags = flags, .owner = id_, .private_bits = next_};
    const absl::Status status = allocator_->AllocateBulk(request, order, {&folio, 1});
    EBCACHE_ORACLE("folio-or-error", status.ok() == !folio.empty());
    if (folio.empty()) return;
    held_[next_] = {folio, order, false};
    Stamp(next_++);
  }
  void Free(size_t n) {
    if (held_.empty()) return;
    const auto it = Nth(n);
    CheckStamp(it->first);
    Folio folio = it->second.folio;
    const int order = it->second.order;
    held_.erase(it);
    allocator_->FreeBulk(order, {&folio, 1});
    EBCACHE_ORACLE("slot-emptied", folio.empty());
  }
  void TogglePin(size_t n) {
    if (!held_.empty()) Nth(n)->second.pinned ^= true;
  }
  void CheckAll() {
    uint64_t bytes = 0;
    for (const auto& [number, one] : held_) {
      CheckStamp(number);
      bytes += kPageBytes << one.order;
    }
    const AllocatorStats stats = allocator_->stats();
    EBCACHE_ORACLE("bytes-in-use", stats.in_use_bytes == bytes);
    EBCACHE_ORACLE("bytes-from-os", stats.from_os_bytes >= bytes);
    EBCACHE_ORACLE("folios-counted", stats.allocated_folios - stats.freed_folios == held_.size());
  }

 private:
  struct Held {
    Folio folio;
    int order;
    bool pinned;
  };

  std::map<uint32_t, Held>::iterator Nth(size_t n) {
    return std::next(held_.begin(), static_cast<long>(n % held_.size()));
  }
  std::array<std::byte*, 2> Words(const Held& one) const {
    std::byte* first = allocator_->Address(one.folio);
    return {first, first + (kPageBytes << one.order) - 8};
  }
  void Stamp(uint32_t number) {
    const uint64_t stamp = number * 0x9e3779b97f4a7c15u;
    for (std::byte* word : Words(held_.at(number))) std::memcpy(word, &stamp, 8);
  }
  void CheckStamp(uint32_t number) const {
    const uint64_t stamp = number * 0x9e3779b97f4a7c15u;
    for (const std::byte* word : Words(held_.at(number))) {
      EBCACHE_ORACLE("stamp", std::memcmp(word, &stamp, 8) == 0);
    }
  }

  PageAllocator* const allocator_;
  const OwnerId id_;
  std::map<uint32_t, Held> held_;
  uint32_t next_ = 1;
};

struct Arena {
  std::shared_ptr<PageAllocator> allocator;
  std::shared_ptr<MovableRegion> region;  // null: the allocator is another
  int most_order = 0;
};

// Small, so that memory runs out and moves are needed.
Arena MakeArena(uint8_t which) {
  using Policy = MovableRegionOptions::Policy;
  if (which % 4 == 0) return {HeapAllocator(), nullptr, 4};
  if (which % 4 == 1) return {Order0Allocator({.arena_bytes = size_t{2} << 20}), nullptr, 0};
  const std::shared_ptr<MovableRegion> region = MovableRegion::Create(
      {.arena_bytes = 8 * 128 * kPageBytes,
       .pageblock_bytes = 16 * kPageBytes,
       .superpageblock_bytes = 128 * kPageBytes,
       .policy = which % 4 == 2 ? Policy::kPageblock : Policy::kSuperpageblock,
       .tainted_reserve = 1});
  return {region, region, 4};
}

void PerformOne(FuzzInput& input, const Arena& arena, Holder& holder) {
  const uint8_t operation = input.Take<uint8_t>();
  const uint8_t argument = input.Take<uint8_t>();
  const int order = argument % (arena.most_order + 1);
  switch (operation % 8) {
    case 0:
    case 1:
      return holder.Allocate(order, AllocFlags::kMovable);
    case 2:
      return holder.Allocate(order, argument % 2 ? AllocFlags::kNone : AllocFlags::kReclaimable);
    case 3:
    case 4:
      return holder.Free(argument);
    case 5:
      return holder.TogglePin(argument);
    case 6:
      if (arena.region != nullptr) arena.region->DefragStep();
      return;
    default:
      arena.allocator->Trim();
      return;
  }
}

}  // namespace

void Run(const uint8_t* data, size_t size) {
  FuzzInput input(data, size);
  const Arena arena = MakeArena(input.Take<uint8_t>());
  Holder holder(arena.allocator.get());
  for (int i = 0; i < kMostOperations && !input.empty(); ++i) {
    PerformOne(input, arena, holder);
    if (i % 16 == 0) holder.CheckAll();
  }
  holder.CheckAll();
}

}  // namespace ebcache::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ebcache::fuzz::Run(data, size);
  return 0;
}
