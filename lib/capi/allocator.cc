// The library's allocators by their options, and one made of the caller's functions.

#include <cerrno>
#include <memory>
#include <string_view>

#include "ebcache/allocators.h"
#include "ebcache/movable_region.h"
#include "lib/capi/cache_handles.h"
#include "lib/capi/errors.h"
#include "lib/capi/structs.h"

namespace ebcache::capi {
namespace {

static_assert(EBCACHE_ALLOC_MOVABLE == static_cast<int>(AllocFlags::kMovable));
static_assert(EBCACHE_ALLOC_RECLAIMABLE == static_cast<int>(AllocFlags::kReclaimable));
static_assert(EBCACHE_ALLOC_NO_FAIL == static_cast<int>(AllocFlags::kNoFail));
static_assert(EBCACHE_ALLOC_NO_WARN == static_cast<int>(AllocFlags::kNoWarn));
static_assert(EBCACHE_ALLOC_NO_RECLAIM == static_cast<int>(AllocFlags::kNoReclaim));

constexpr uint64_t kArenaUnit = uint64_t{2} << 20;
constexpr uint64_t kMostPages = (uint64_t{1} << 28) - 1;
constexpr uint64_t kUsualArena = uint64_t{64} << 30;
constexpr uint64_t kUsualRegion = uint64_t{4} << 30;

// Memory of the caller's functions.
class CallbackMemory final : public HeapMemory {
 public:
  CallbackMemory(const ebcache_allocator_ops& functions, void* context)
      : functions_(functions), context_(context) {}
  ~CallbackMemory() override {
    if (armed_ && functions_.destroy != nullptr) functions_.destroy(context_);
  }

  // From here on the context is this object's to destroy.
  void Arm() { armed_ = true; }

  std::string_view name() const override { return "custom"; }

  void* Allocate(size_t bytes, size_t alignment, AllocFlags flags) override {
    void* const address =
        functions_.allocate(context_, bytes, alignment, static_cast<uint32_t>(flags));
    if (reinterpret_cast<uintptr_t>(address) % alignment == 0) return address;
    functions_.free(context_, address, bytes);
    return nullptr;
  }

  void Free(void* address, size_t bytes) override { functions_.free(context_, address, bytes); }

  size_t Trim() override { return functions_.trim != nullptr ? functions_.trim(context_) : 0; }

 private:
  const ebcache_allocator_ops functions_;
  void* const context_;
  bool armed_ = false;
};

// Fills in the defaults. 0 or a negative errno.
int Complete(const ebcache_allocator_options* given, ebcache_allocator_options& options) {
  if (const int error = CopyIn(given, options, "options"); error != 0) return error;
  if (options.page_bytes == 0) options.page_bytes = 4096;
  if (options.page_bytes != 4096 && options.page_bytes != 16384 && options.page_bytes != 65536) {
    return Fail(EINVAL, "page_bytes must be 4096, 16384 or 65536");
  }
  const bool region =
      options.kind == EBCACHE_ALLOCATOR_HIGH || options.kind == EBCACHE_ALLOCATOR_MOVABLE;
  if (options.arena_bytes == 0) options.arena_bytes = region ? kUsualRegion : kUsualArena;
  if (options.arena_bytes % kArenaUnit != 0 ||
      options.arena_bytes / options.page_bytes > kMostPages) {
    return Fail(EINVAL, "arena_bytes must be a multiple of 2 MiB, and fewer than 2^28 pages");
  }
  return 0;
}

std::shared_ptr<MovableRegion> MakeRegion(const ebcache_allocator_options& options) {
  return MovableRegion::Create(RegionOptionsFor(options.page_bytes, options.arena_bytes));
}

std::shared_ptr<PageAllocator> Make(const ebcache_allocator_options& options) {
  switch (options.kind) {
    case EBCACHE_ALLOCATOR_HEAP:
      return HeapAllocator({.page_bytes = options.page_bytes, .max_bytes = options.max_bytes});
    case EBCACHE_ALLOCATOR_ORDER0:
      return Order0Allocator(
          {.page_bytes = options.page_bytes, .arena_bytes = options.arena_bytes});
    case EBCACHE_ALLOCATOR_HIGH:
      return HighOrderAllocator({.pages = MakeRegion(options)});
    case EBCACHE_ALLOCATOR_VMAP: {
      VmapOptions vmap{.page_bytes = options.page_bytes, .arena_bytes = options.arena_bytes};
      if (options.max_windows != 0) vmap.max_windows = options.max_windows;
      return VmapAllocator(vmap);
    }
    case EBCACHE_ALLOCATOR_MOVABLE: {
      std::shared_ptr<MovableRegion> region = MakeRegion(options);
      if (options.defragment != 0) region->StartDefragmenter();
      return region;
    }
    default:
      return nullptr;
  }
}

int HandOutAllocator(std::shared_ptr<PageAllocator> pages, ebcache_allocator** allocator) {
  *allocator = new ebcache_allocator{std::move(pages)};
  return 0;
}

}  // namespace
}  // namespace ebcache::capi

using namespace ebcache;        // NOLINT: the functions below are outside of every namespace
using namespace ebcache::capi;  // NOLINT

int ebcache_allocator_create(const ebcache_allocator_options* options,
                             ebcache_allocator** allocator) {
  if (allocator == nullptr) return NullArgument("allocator");
  *allocator = nullptr;
  return Guard([&] {
    ebcache_allocator_options full;
    if (const int error = Complete(options, full); error != 0) return error;
    std::shared_ptr<PageAllocator> pages = Make(full);
    if (pages == nullptr) return Fail(EINVAL, "no such kind of allocator");
    return HandOutAllocator(std::move(pages), allocator);
  });
}

int ebcache_allocator_create_custom(const ebcache_allocator_ops* ops, void* context,
                                    const ebcache_allocator_options* options,
                                    ebcache_allocator** allocator) {
  if (allocator == nullptr) return NullArgument("allocator");
  *allocator = nullptr;
  if (ops == nullptr) return NullArgument("ops");
  return Guard([&] {
    ebcache_allocator_ops functions;
    ebcache_allocator_options full;
    if (const int error = CopyIn(ops, functions, "ops"); error != 0) return error;
    if (const int error = Complete(options, full); error != 0) return error;
    if (functions.allocate == nullptr) return NullArgument("ops->allocate");
    if (functions.free == nullptr) return NullArgument("ops->free");
    if (full.kind != 0) return Fail(EINVAL, "kind must be 0 where the caller gives the memory");
    auto memory = std::make_shared<CallbackMemory>(functions, context);
    HandOutAllocator(
        HeapAllocator(
            {.page_bytes = full.page_bytes, .max_bytes = full.max_bytes, .memory = memory}),
        allocator);
    memory->Arm();
    return 0;
  });
}

void ebcache_allocator_release(ebcache_allocator* allocator) { delete allocator; }

uint64_t ebcache_allocator_trim(ebcache_allocator* allocator) {
  if (allocator == nullptr) return 0;
  return Guard([&]() -> uint64_t { return allocator->pages->Trim(); });
}

int ebcache_allocator_stats(const ebcache_allocator* allocator,
                            struct ebcache_allocator_stats* stats) {
  if (allocator == nullptr) return NullArgument("allocator");
  return Guard([&] {
    const AllocatorStats now = allocator->pages->stats();
    return CopyOut({.size = sizeof(*stats),
                    .page_bytes = now.page_bytes,
                    .in_use_bytes = now.in_use_bytes,
                    .from_os_bytes = now.from_os_bytes,
                    .allocated_folios = now.allocated_folios,
                    .freed_folios = now.freed_folios,
                    .failed_allocations = now.failed_allocations,
                    .allocated_blocks = now.allocated_blocks,
                    .contiguous_blocks = now.contiguous_blocks,
                    .lucky_blocks = now.lucky_blocks,
                    .large_blocks = now.large_blocks,
                    .mapped_blocks = now.mapped_blocks,
                    .arena_bytes = now.arena_bytes},
                   stats, "stats");
  });
}
