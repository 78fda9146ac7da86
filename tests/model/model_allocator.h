// ModelAllocator: a few page frames that are watched closely. Who frees a folio twice, or one that
// a live buffer has, is caught in the act; a freed folio is the next to be handed out.

#ifndef EBCACHE_TESTS_MODEL_MODEL_ALLOCATOR_H_
#define EBCACHE_TESTS_MODEL_MODEL_ALLOCATOR_H_

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "ebcache/page_allocator.h"

namespace ebcache::model {

class ModelAllocator final : public PageAllocator {
 public:
  static constexpr uint32_t kFrames = 16;

  // With `direct` a block that happens to be in one piece gets its address.
  ModelAllocator(size_t page_bytes, bool direct);

  std::string_view name() const override { return "model"; }
  size_t page_bytes() const override { return page_bytes_; }
  OwnerId RegisterOwner(FolioOwner* owner) override;
  void QuiesceOwner(OwnerId owner) override;
  void UnregisterOwner(OwnerId owner) override;
  absl::Status AllocateBulk(const FolioRequest& request, int order,
                            absl::Span<Folio> slots) override;
  void FreeBulk(int order, absl::Span<Folio> slots) override;
  absl::Status AllocateBlock(const FolioRequest& request, FolioBlock& block) override;
  void FreeBlock(FolioBlock& block) override;
  void SetPrivate(Folio folio, uint32_t private_bits) override;
  std::byte* Address(Folio folio) const override;
  std::byte* direct_map() const override { return base_; }
  size_t Trim() override { return 0; }
  AllocatorStats stats() const override { return {}; }

  // What compaction does, as the real one does it: marks the folio, asks its owner, settles.
  void Move(Folio source);
  void Release(Folio source);

  // What is guarded here by the order of steps alone.
  void DoNotWatch() const;

  uint32_t used() const;
  uint32_t private_bits(Folio folio) const { return frames_[folio.pfn()].private_bits; }
  // The object that stands for a frame's bytes in the scheduler's eyes.
  const void* Bytes(Folio folio) const { return &frames_[folio.pfn()]; }

  // Fails the nth allocation from now on (1: the next); 0: none.
  int fail_allocation = 0;
  // Called before a frame is freed.
  std::function<void(Folio, uint32_t private_bits)> on_free;

 private:
  struct Frame {
    bool used = false;
    bool moving = false;
    bool movable = false;
    bool freed_while_moving = false;
    bool destination = false;  // of a move that is under way
    uint32_t private_bits = 0;
  };
  // What the real ones do under a lock.
  void ReachAsLocked();
  Folio Take(uint32_t private_bits, bool movable);  // empty when there is none
  void Free(Folio folio);
  void GiveBack(uint32_t pfn);

  const size_t page_bytes_;
  const bool direct_;
  std::byte* const base_;
  // Marks a folio for a call of its owner; false: it is not to be asked for.
  bool BeginCall(Folio folio);
  void EndCall();

  FolioOwner* owner_ = nullptr;
  bool quiesced_ = false;
  int calls_under_way_ = 0;
  std::array<Frame, kFrames> frames_;
  std::vector<uint32_t> free_;
};

}  // namespace ebcache::model

#endif  // EBCACHE_TESTS_MODEL_MODEL_ALLOCATOR_H_
