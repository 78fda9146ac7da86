#include <benchmark/benchmark.h>

#include "bench/cache/contender.h"
#include "bench/cache/tree_and_list.h"

namespace ebcache::bench {
namespace {

class TreeAndListContender final : public Contender {
 public:
  explicit TreeAndListContender(const ContenderOptions& options)
      : node_bytes_(options.node_bytes),
        filled_payload_(options.touch_payload ? Payload::kZeroed : Payload::kUntouched),
        cache_(options.node_bytes, options.capacity_blocks * options.node_bytes) {}

  void Fill(uint64_t blocks) override {
    for (uint64_t i = 0; i < blocks; ++i)
      cache_.Put(cache_.FindOrCreate(Start(i), filled_payload_));
  }

  uint64_t FindAndPut(absl::Span<const uint32_t> blocks) override {
    uint64_t found = 0;
    for (const uint32_t number : blocks) {
      const TreeAndList::Block* block = cache_.Find(Start(number));
      benchmark::DoNotOptimize(block);
      if (block == nullptr) continue;
      ++found;
      cache_.Put(block);
    }
    return found;
  }

  void AllocateAndFree(absl::Span<const uint32_t> blocks) override {
    for (const uint32_t number : blocks) {
      const TreeAndList::Block* block = cache_.FindOrCreate(Start(number), Payload::kZeroed);
      cache_.Put(block);
      cache_.Free(block);
    }
  }

  void FindAndDiscard(absl::Span<const uint32_t> blocks) override {
    for (const uint32_t number : blocks) {
      const TreeAndList::Block* block = cache_.Find(Start(number));
      cache_.Put(block);
      cache_.Free(block);
    }
  }

  // It has no other way to a block than by its address.
  void Release(absl::Span<const uint32_t> blocks) override { FindAndDiscard(blocks); }

  void DropCaches() override { cache_.FreeIdle(); }

  std::optional<uint64_t> VisitInOrder() override {
    uint64_t visited = 0;
    for (const TreeAndList::Block& block : cache_) {
      ++block.references;
      ++visited;
      --block.references;
      benchmark::DoNotOptimize(block.references);
    }
    return visited;
  }

  void PinAll(uint64_t blocks) override {
    for (uint64_t i = 0; i < blocks; ++i) pins_.push_back(cache_.Find(Start(i)));
  }
  void UnpinAll() override {
    for (const TreeAndList::Block* block : pins_) cache_.Put(block);
    pins_.clear();
  }

  std::optional<uint64_t> eviction_steps() const override { return cache_.steps(); }

 private:
  using Payload = TreeAndList::Payload;

  uint64_t Start(uint64_t block) const { return block * node_bytes_; }

  const uint64_t node_bytes_;
  const Payload filled_payload_;  // of blocks that are not made to be freed again
  TreeAndList cache_;
  std::vector<const TreeAndList::Block*> pins_;
};

}  // namespace

std::unique_ptr<Contender> MakeTreeAndList(const ContenderOptions& options) {
  return std::make_unique<TreeAndListContender>(options);
}

}  // namespace ebcache::bench
