#include "lib/cache/block_frames.h"

#include <absl/status/status.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <new>

#include "lib/base/status_number.h"

namespace ebcache {

BlockFrames::BlockFrames(PageAllocator* allocator, uint32_t node_bytes)
    : allocator_(allocator),
      node_bytes_(node_bytes),
      page_shift_(static_cast<uint32_t>(std::countr_zero(allocator->page_bytes()))),
      row_slots_(static_cast<uint32_t>(std::max<size_t>(1, node_bytes / allocator->page_bytes()))),
      subpages_(allocator,
                static_cast<int>(std::max<size_t>(1, allocator->page_bytes() / node_bytes))) {}

void BlockFrames::SetOwner(OwnerId owner) {
  owner_ = owner;
  subpages_.SetOwner(owner);
}

absl::Status BlockFrames::status() const {
  if (owner_ != kNoOwner) return absl::OkStatus();
  // By its own number: to give memory back would not help.
  return WithNumber(absl::ResourceExhaustedError(
                        "the allocator has 255 owners already: the cache needs another one"),
                    EUSERS);
}

absl::Status BlockFrames::Allocate(ExtentBuffer* buffer, AllocFlags flags) noexcept try {
  if (owner_ == kNoOwner) return status();
  Inside(buffer).subpage_ = 0;
  Inside(buffer).order_ = 0;
  if (subpage()) {
    auto place = subpages_.Allocate(flags, Inside(buffer).index_);
    if (!place.ok()) return place.status();
    Inside(buffer).folios_[0] = place->folio;
    Inside(buffer).subpage_ = static_cast<uint8_t>(place->slot);
    std::byte* page = allocator().Address(place->folio);
    PlaceFront(buffer, page == nullptr ? nullptr : page + subpage_offset(buffer));
    return absl::OkStatus();
  }
  FolioBlock block{.slots = absl::MakeSpan(Inside(buffer).folios_, row_slots_),
                   .naturally_aligned = Inside(buffer).start_ % node_bytes_ == 0};
  const FolioRequest request{
      .flags = flags, .owner = owner_, .private_bits = Inside(buffer).index_};
  if (auto status = allocator().AllocateBlock(request, block); !status.ok()) return status;
  Inside(buffer).order_ = static_cast<uint8_t>(block.order);
  PlaceFront(buffer, block.direct);
  return absl::OkStatus();
} catch (const std::bad_alloc&) {
  return absl::Status(absl::StatusCode::kResourceExhausted, "");
} catch (...) {
  return absl::Status(absl::StatusCode::kInternal, "");
}

void BlockFrames::PlaceFront(ExtentBuffer* buffer, std::byte* direct) {
  Inside(buffer).front_ = direct;
  Inside(buffer).front_bytes_ = direct != nullptr ? node_bytes_ : 0;
  if (direct != nullptr || direct_map() == nullptr) return;
  // A page array: frames of one arena, so that a page's address is arithmetic.
  Inside(buffer).front_ = const_cast<std::byte*>(direct_map()) +
                          (size_t{Inside(buffer).folios_[0].pfn()} << page_shift_);
  Inside(buffer).front_bytes_ = uint32_t{1} << (page_shift_ + Inside(buffer).order_);
}

std::byte* BlockFrames::WholeBlock(const ExtentBuffer* buffer) const {
  const bool in_one_piece = buffer->length() == node_bytes_
                                ? buffer->contiguous() != nullptr
                                : Inside(buffer).subpage_ == kShortInOnePiece;
  return in_one_piece ? Inside(buffer).front_ : nullptr;
}

void BlockFrames::Shorten(ExtentBuffer* buffer, uint32_t bytes) {
  // Free has to tell the allocator of the address of the whole block, if it has one.
  if (!subpage()) Inside(buffer).subpage_ = buffer->contiguous() != nullptr ? kShortInOnePiece : 0;
  Inside(buffer).length_shift_ = static_cast<uint8_t>(std::countr_zero(bytes));
  Inside(buffer).front_bytes_ = std::min(Inside(buffer).front_bytes_, bytes);
}

void BlockFrames::Free(ExtentBuffer* buffer) {
  if (subpage()) {
    if (Inside(buffer).folios_[0].empty()) return;  // migration by dropping took it
    subpages_.Free(Inside(buffer).folios_[0], Inside(buffer).subpage_);
    Inside(buffer).folios_[0] = Folio();
    return;
  }
  FolioBlock block{.slots = absl::MakeSpan(Inside(buffer).folios_, row_slots_),
                   .order = Inside(buffer).order_,
                   .direct = WholeBlock(buffer)};
  allocator().FreeBlock(block);
}

}  // namespace ebcache
