// WatchedAllocator: another allocator, whose next allocation fails when told to, and whose folios'
// private bits can be asked for.

#ifndef EBCACHE_TESTS_OPERATIONS_WATCHED_ALLOCATOR_H_
#define EBCACHE_TESTS_OPERATIONS_WATCHED_ALLOCATOR_H_

#include <map>
#include <memory>
#include <utility>

#include "ebcache/forwarding_allocator.h"
#include "ebcache/page_allocator.h"

namespace ebcache::operations {

class WatchedAllocator final : public ForwardingAllocator {
 public:
  explicit WatchedAllocator(std::shared_ptr<PageAllocator> inner)
      : ForwardingAllocator(std::move(inner)) {}

  bool fail_next = false;
  uint64_t failures = 0;
  // Private bits by frame number, as they were set when the folio was handed out. Of folios that
  // moved they are not known.
  std::map<uint32_t, uint32_t> private_bits;

  absl::Status AllocateBulk(const FolioRequest& request, int order,
                            absl::Span<Folio> slots) override {
    if (Fails()) return absl::ResourceExhaustedError("as asked for");
    absl::Status status = below().AllocateBulk(request, order, slots);
    if (status.ok()) Note(slots, request.private_bits);
    return status;
  }
  absl::Status AllocateBlock(const FolioRequest& request, FolioBlock& block) override {
    if (Fails()) return absl::ResourceExhaustedError("as asked for");
    absl::Status status = below().AllocateBlock(request, block);
    if (status.ok()) Note(block.folios(), request.private_bits);
    return status;
  }
  void SetPrivate(Folio folio, uint32_t bits) override {
    Note({&folio, 1}, bits);
    below().SetPrivate(folio, bits);
  }

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
};

}  // namespace ebcache::operations

#endif  // EBCACHE_TESTS_OPERATIONS_WATCHED_ALLOCATOR_H_
