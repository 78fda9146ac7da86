// ArenaAllocator: order-0 pages out of one arena, recycled through per-thread lists. What Order0
// and Vmap have in common.

#ifndef EBCACHE_LIB_MM_ARENA_ARENA_ALLOCATOR_H_
#define EBCACHE_LIB_MM_ARENA_ARENA_ALLOCATOR_H_

#include <absl/status/status.h>
#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "ebcache/allocators.h"
#include "lib/mm/allocator_base.h"
#include "lib/mm/arena/arena_frames.h"
#include "lib/mm/depot_releaser.h"
#include "lib/mm/frame_depot.h"

namespace ebcache {

class ArenaAllocator : public AllocatorBase {
 public:
  absl::Status AllocateBulk(const FolioRequest& request, int order,
                            absl::Span<Folio> slots) override;
  void FreeBulk(int order, absl::Span<Folio> slots) override;
  void SetPrivate(Folio folio, uint32_t private_bits) override {
    FrameOf(folio).SetPrivate(private_bits);
  }
  std::byte* Address(Folio folio) const override {
    return arena().base() + folio.pfn() * page_bytes();
  }
  std::byte* direct_map() const override { return arena().base(); }
  size_t Trim() override;

 protected:
  ArenaAllocator(const Order0Options& options, Arena::Memory memory);

  void CountBlock(BlockForm form) override;
  bool AnyOwnedBy(OwnerId owner) override { return depot_->AnyOwnedBy(owner); }
  void AddStats(AllocatorStats& stats) const override;

  const Arena& arena() const { return frames_->arena(); }

 private:
  absl::Status AllocateOrThrow(const FolioRequest& request, absl::Span<Folio> slots, int order);
  PageFrame& FrameOf(Folio folio) const;
  absl::Status Take(const FolioRequest& request, uint64_t wanted, absl::Span<Folio> slots,
                    bool use_reserve);

  ArenaFrames* const frames_;  // owned by the depot
  // Shared only briefly: a thread that ends just now may be returning its list.
  const std::shared_ptr<FrameDepot> depot_;
  DepotReleaser releaser_;
};

}  // namespace ebcache

#endif  // EBCACHE_LIB_MM_ARENA_ARENA_ALLOCATOR_H_
