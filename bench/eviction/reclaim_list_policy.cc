// The cache's order of reclaim by itself, with constants to choose: what the cache would do with them.
// With the cache's own constants it has the cache's own hits, which tests/cache/eviction_test.cc holds it to.

#include <atomic>
#include <vector>

#include "bench/eviction/eviction_policy.h"
#include "lib/base/check.h"
#include "lib/cache/buffer_state.h"
#include "lib/cache/descriptor_slab.h"
#include "lib/cache/extent_buffer_access.h"
#include "lib/cache/reclaim_list.h"
#include "lib/cache/state_word.h"

namespace ebcache::eviction {

namespace {

constexpr uint64_t kNodeBytes = 4096;
// What a newcomer over budget looks at before it takes what was found since.
constexpr uint32_t kLooks = 130;

class ReclaimListPolicy : public EvictionPolicy {
 public:
  ReclaimListPolicy(uint32_t capacity, uint32_t blocks, const ReuseConstants& constants)
      : slab_(nullptr, 1, 0, OsCalls::Real()), list_(&slab_, constants), cached_(blocks), free_(capacity) {
    EBCACHE_CHECK(slab_.Allocate(absl::MakeSpan(free_)) == capacity, "no memory for descriptors");
    list_.SetCapacity(capacity);
  }

  bool Touch(uint32_t block) override {
    if (ExtentBuffer* const there = cached_[block]; there != nullptr) {
      SetState(there, kFound);
      return true;
    }
    if (free_.empty()) MakeRoom();
    ExtentBuffer* const buffer = free_.back();
    free_.pop_back();
    Inside(buffer).start_ = block * kNodeBytes;
    SetState(buffer, kIdle);
    cached_[block] = buffer;
    list_.Add({&buffer, 1});
    return false;
  }
  void Free(uint32_t block) override {
    ExtentBuffer* const buffer = cached_[block];
    if (buffer == nullptr) return;
    SetState(buffer, {0, 0});
    list_.Remove(buffer);
    Forget(buffer);
  }

 private:
  static constexpr BufferState kIdle{1, static_cast<uint32_t>(BufferFlag::kTreeRef)};
  static constexpr BufferState kFound{
      1, static_cast<uint32_t>(BufferFlag::kTreeRef) | static_cast<uint32_t>(BufferFlag::kAccessed)};

  static void SetState(ExtentBuffer* buffer, BufferState s) {
    Inside(buffer).state_.store(state::Pack(s), std::memory_order_relaxed);
  }
  void MakeRoom() {
    ExtentBuffer* victim = nullptr;
    if (list_.Collect({&victim, 1}, kLooks, /*spare_accessed=*/true).victims == 0) {
      list_.Collect({&victim, 1}, list_.size(), /*spare_accessed=*/false);
    }
    Forget(victim);
  }
  void Forget(ExtentBuffer* buffer) {
    cached_[buffer->start() / kNodeBytes] = nullptr;
    free_.push_back(buffer);
  }

  DescriptorSlab slab_;
  ReclaimList list_;
  std::vector<ExtentBuffer*> cached_;  // by block
  std::vector<ExtentBuffer*> free_;
};

}  // namespace

std::unique_ptr<EvictionPolicy> MakeReclaimList(uint32_t capacity, uint32_t blocks,
                                                const ReuseConstants& constants) {
  return std::make_unique<ReclaimListPolicy>(capacity, blocks, constants);
}

}  // namespace ebcache::eviction
