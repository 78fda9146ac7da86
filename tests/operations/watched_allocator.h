// WatchedAllocator: another allocator, whose next allocation fails when told to, and whose folios'
// private bits can be asked for.

#ifndef EBCACHE_TESTS_OPERATIONS_WATCHED_ALLOCATOR_H_
#define EBCACHE_TESTS_OPERATIONS_WATCHED_ALLOCATOR_H_

#include <map>
#include <memory>
#include <utility>

#include "ebcache/page_allocator.h"

namespace ebcache::operations {

class WatchedAllocator final : public PageAllocator {
 public:
  explicit WatchedAllocator(std::shared_ptr<PageAllocator> inner) : inner_(std::move(inner)) {}

  bool fail_next = false;
  uint64_t failures = 0;
  // Private bits by frame number, as they were set when the folio was handed out. Of folios that
  // moved they are not known.
  std::map<uint32_t, uint32_t> private_bits;

  std::string_view name() const override { return inner_->name(); }
  size_t page_bytes() const override { return inner_->page_bytes(); }
  OwnerId RegisterOwner(FolioOwner* owner) override { return inner_->RegisterOwner(owner); }
  void QuiesceOwner(OwnerId owner) override { inner_->QuiesceOwner(owner); }
  void UnregisterOwner(OwnerId owner) override { inner_->UnregisterOwner(owner); }
  absl::Status AllocateBulk(const FolioRequest& request, int order,
                            absl::Span<Folio> slots) override {
    if (Fails()) return absl::ResourceExhaustedError("as asked for");
    absl::Status status = inner_->AllocateBulk(request, order, slots);
    if (status.ok()) Note(slots, request.private_bits);
    return status;
  }
  void FreeBulk(int order, absl::Span<Folio> slots) override { inner_->FreeBulk(order, slots); }
  absl::Status AllocateBlock(const FolioRequest& request, FolioBlock& block) override {
    if (Fails()) return absl::ResourceExhaustedError("as asked for");
    absl::Status status = inner_->AllocateBlock(request, block);
    if (status.ok()) Note(block.folios(), request.private_bits);
    return status;
  }
  void FreeBlock(FolioBlock& block) override { inner_->FreeBlock(block); }
  void SetPrivate(Folio folio, uint32_t bits) override {
    Note({&folio, 1}, bits);
    inner_->SetPrivate(folio, bits);
  }
  std::byte* Address(Folio folio) const override { return inner_->Address(folio); }
  std::byte* direct_map() const override { return inner_->direct_map(); }
  size_t Trim() override { return inner_->Trim(); }
  AllocatorStats stats() const override { return inner_->stats(); }

 private:
  bool Fails() {
    if (!std::exchange(fail_next, false)) return false;
    ++failures;
    return true;
  }
  void Note(absl::Span<const Folio> folios, uint32_t bits) {
    for (const Folio folio : folios) {
      if (!folio.empty()) private_bits[folio.pfn()] = bits;
    }
  }
  const std::shared_ptr<PageAllocator> inner_;
};

}  // namespace ebcache::operations

#endif  // EBCACHE_TESTS_OPERATIONS_WATCHED_ALLOCATOR_H_
