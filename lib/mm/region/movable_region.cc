// The public face of a movable region.

#include "ebcache/movable_region.h"

#include <algorithm>
#include <bit>

#include "lib/base/check.h"
#include "lib/mm/region/movable_region_impl.h"

namespace ebcache {

MovableRegionOptions RegionOptionsFor(size_t page_bytes, size_t arena_bytes) {
  constexpr size_t kMost = 4096;
  EBCACHE_CHECK(arena_bytes != 0, "a region of nothing");
  size_t superpageblock = std::min(size_t{1} << 30, size_t{1} << std::countr_zero(arena_bytes));
  if (arena_bytes / superpageblock > kMost) superpageblock = std::bit_floor(arena_bytes / kMost);
  return {.page_bytes = page_bytes,
          .arena_bytes = arena_bytes / superpageblock * superpageblock,
          .superpageblock_bytes = superpageblock};
}

std::shared_ptr<MovableRegion> MovableRegion::Create(MovableRegionOptions options) {
  return std::shared_ptr<MovableRegion>(new MovableRegion(options));
}
MovableRegion::MovableRegion(const MovableRegionOptions& options)
    : impl_(std::make_unique<Impl>(options)) {}
MovableRegion::~MovableRegion() = default;

std::string_view MovableRegion::name() const { return impl_->name(); }
size_t MovableRegion::page_bytes() const { return impl_->page_bytes(); }
OwnerId MovableRegion::RegisterOwner(FolioOwner* owner) { return impl_->RegisterOwner(owner); }
void MovableRegion::QuiesceOwner(OwnerId owner) { impl_->QuiesceOwner(owner); }
void MovableRegion::UnregisterOwner(OwnerId owner) { impl_->UnregisterOwner(owner); }
absl::Status MovableRegion::AllocateBulk(const FolioRequest& request, int order,
                                         absl::Span<Folio> slots) {
  return impl_->AllocateBulk(request, order, slots);
}
void MovableRegion::FreeBulk(int order, absl::Span<Folio> slots) { impl_->FreeBulk(order, slots); }
absl::Status MovableRegion::AllocateBlock(const FolioRequest& request, FolioBlock& block) {
  return impl_->AllocateBlock(request, block);
}
void MovableRegion::FreeBlock(FolioBlock& block) { impl_->FreeBlock(block); }
void MovableRegion::SetPrivate(Folio folio, uint32_t private_bits) {
  impl_->SetPrivate(folio, private_bits);
}
std::byte* MovableRegion::Address(Folio folio) const { return impl_->Address(folio); }
std::byte* MovableRegion::direct_map() const { return impl_->direct_map(); }
size_t MovableRegion::Trim() { return impl_->Trim(); }
AllocatorStats MovableRegion::stats() const { return impl_->stats(); }
absl::StatusOr<Folio> MovableRegion::AllocateContiguous(const FolioRequest& request, int order) {
  return impl_->AllocateContiguous(request, order);
}
MovableRegion::CompactionPass MovableRegion::Compact(CompactionGoal goal) {
  return impl_->Compact(goal);
}
int MovableRegion::superpageblock_order() const { return impl_->geometry().superpageblock_order; }
MovableRegion::DefragProgress MovableRegion::DefragStep() { return impl_->DefragStep(); }
bool MovableRegion::StartDefragmenter() { return impl_->StartDefragmenter(); }
void MovableRegion::StopDefragmenter() { impl_->StopDefragmenter(); }
MovableRegionReport MovableRegion::report() const { return impl_->report(); }
uint32_t MovableRegion::pageblocks() const { return impl_->geometry().pageblocks(); }
uint32_t MovableRegion::superpageblocks() const { return impl_->geometry().superpageblocks(); }
FrameCounts MovableRegion::CountPageblock(uint32_t pageblock) const {
  const RegionGeometry& geometry = impl_->geometry();
  return impl_->CountFrames(geometry.FirstFrame(PageblockNumber(pageblock)),
                            geometry.pageblock_frames());
}
FrameCounts MovableRegion::CountSuperpageblock(uint32_t superpageblock) const {
  const RegionGeometry& geometry = impl_->geometry();
  return impl_->CountFrames(geometry.FirstFrame(SuperpageblockNumber(superpageblock)),
                            geometry.superpageblock_frames());
}
FreeMemoryReport MovableRegion::free_memory() const { return impl_->free_memory(); }

}  // namespace ebcache
