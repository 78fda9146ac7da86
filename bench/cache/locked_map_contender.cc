// absl::flat_hash_map under one mutex, with a count of references in each block, and nothing else:
// no order of eviction, no lifecycle. What one writes before one writes a cache.

#include <absl/container/flat_hash_map.h>
#include <benchmark/benchmark.h>

#include <atomic>
#include <cstdlib>
#include <cstring>

#include "bench/cache/contender.h"
#include "ebcache/internal/sync.h"

namespace ebcache::bench {
namespace {

struct Block {
  std::atomic<uint32_t> references{0};
  void* payload = nullptr;
};

class LockedMap final : public Contender {
 public:
  explicit LockedMap(const ContenderOptions& options)
      : node_bytes_(options.node_bytes), touch_payload_(options.touch_payload) {}
  ~LockedMap() override { DropCaches(); }

  void Fill(uint64_t blocks) override {
    for (uint64_t i = 0; i < blocks; ++i) {
      Block* block = Make(Address(i), /*with_payload=*/touch_payload_);
      if (touch_payload_) std::memset(block->payload, 0, node_bytes_);
      Put(block);
    }
  }

  uint64_t FindAndPut(absl::Span<const uint32_t> blocks) override {
    uint64_t found = 0;
    for (const uint32_t number : blocks) {
      Block* block = Find(Address(number));
      benchmark::DoNotOptimize(block);
      if (block == nullptr) continue;
      ++found;
      Put(block);
    }
    return found;
  }

  void AllocateAndFree(absl::Span<const uint32_t> blocks) override {
    for (const uint32_t number : blocks) {
      Put(Make(Address(number), /*with_payload=*/true));
      Erase(Address(number));
    }
  }

  void FindAndDiscard(absl::Span<const uint32_t> blocks) override {
    for (const uint32_t number : blocks) {
      Put(Find(Address(number)));
      Erase(Address(number));
    }
  }

  void Release(absl::Span<const uint32_t> blocks) override {
    for (const uint32_t number : blocks) Erase(Address(number));
  }

  void DropCaches() override {
    sync::MutexLock lock(mutex_);
    absl::erase_if(map_, [](const auto& entry) {
      if (entry.second->references.load() != 0) return false;
      Delete(entry.second);
      return true;
    });
  }

  void PinAll(uint64_t blocks) override {
    for (uint64_t i = 0; i < blocks; ++i) pins_.push_back(Find(Address(i)));
  }
  void UnpinAll() override {
    for (Block* block : pins_) Put(block);
    pins_.clear();
  }

 private:
  uint64_t Address(uint64_t number) const { return number * node_bytes_; }

  Block* Find(uint64_t address) {
    sync::MutexLock lock(mutex_);
    const auto it = map_.find(address);
    if (it == map_.end()) return nullptr;
    it->second->references.fetch_add(1, std::memory_order_relaxed);  // under the lock
    return it->second;
  }

  // Release: what a holder wrote is there for who frees the block.
  static void Put(Block* block) { block->references.fetch_sub(1, std::memory_order_release); }

  Block* Make(uint64_t address, bool with_payload) {
    auto* block = new Block;
    block->references.store(1, std::memory_order_relaxed);
    if (with_payload) block->payload = std::malloc(node_bytes_);
    sync::MutexLock lock(mutex_);
    map_.emplace(address, block);
    return block;
  }

  void Erase(uint64_t address) {
    Block* block = nullptr;
    {
      sync::MutexLock lock(mutex_);
      const auto it = map_.find(address);
      if (it == map_.end() || it->second->references.load(std::memory_order_acquire) != 0) return;
      block = it->second;
      map_.erase(it);
    }
    Delete(block);
  }

  static void Delete(Block* block) {
    std::free(block->payload);
    delete block;
  }

  const uint32_t node_bytes_;
  const bool touch_payload_;
  sync::Mutex mutex_;
  absl::flat_hash_map<uint64_t, Block*> map_ EBCACHE_GUARDED_BY(mutex_);
  std::vector<Block*> pins_;
};

}  // namespace

std::unique_ptr<Contender> MakeLockedMap(const ContenderOptions& options) {
  return std::make_unique<LockedMap>(options);
}

}  // namespace ebcache::bench
