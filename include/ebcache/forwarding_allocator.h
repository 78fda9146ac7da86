// ForwardingAllocator: what a wrapper around a page allocator is made of. It passes everything on;
// a wrapper overrides what it is there for, and nothing is forgotten.
//
// Thread safety: that of the allocator below.

#ifndef EBCACHE_FORWARDING_ALLOCATOR_H_
#define EBCACHE_FORWARDING_ALLOCATOR_H_

#include <absl/status/status.h>
#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "ebcache/page_allocator.h"

namespace ebcache {

class ForwardingAllocator : public PageAllocator {
 public:
  // REQUIRES: not null.
  explicit ForwardingAllocator(std::shared_ptr<PageAllocator> below) : below_(std::move(below)) {}

  std::string_view name() const override { return below_->name(); }
  size_t page_bytes() const override { return below_->page_bytes(); }
  OwnerId RegisterOwner(FolioOwner* owner) override { return below_->RegisterOwner(owner); }
  void QuiesceOwner(OwnerId owner) override { below_->QuiesceOwner(owner); }
  void UnregisterOwner(OwnerId owner) override { below_->UnregisterOwner(owner); }
  absl::Status AllocateBulk(const FolioRequest& request, int order,
                            absl::Span<Folio> slots) override {
    return below_->AllocateBulk(request, order, slots);
  }
  void FreeBulk(int order, absl::Span<Folio> slots) override { below_->FreeBulk(order, slots); }
  absl::Status AllocateBlock(const FolioRequest& request, FolioBlock& block) override {
    return below_->AllocateBlock(request, block);
  }
  void FreeBlock(FolioBlock& block) override { below_->FreeBlock(block); }
  void SetPrivate(Folio folio, uint32_t private_bits) override {
    below_->SetPrivate(folio, private_bits);
  }
  std::byte* Address(Folio folio) const override { return below_->Address(folio); }
  std::byte* direct_map() const override { return below_->direct_map(); }
  size_t Trim() override { return below_->Trim(); }
  AllocatorStats stats() const override { return below_->stats(); }

 protected:
  PageAllocator& below() const { return *below_; }

 private:
  const std::shared_ptr<PageAllocator> below_;
};

}  // namespace ebcache

#endif  // EBCACHE_FORWARDING_ALLOCATOR_H_
