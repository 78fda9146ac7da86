// oneTBB's concurrent_hash_map. An accessor locks its element for reading: that is the reference.

#include <benchmark/benchmark.h>
#include <tbb/concurrent_hash_map.h>

#include <cstdlib>
#include <cstring>

#include "bench/cache/contender.h"

namespace ebcache::bench {
namespace {

class TbbContender final : public Contender {
 public:
  explicit TbbContender(const ContenderOptions& options)
      : node_bytes_(options.node_bytes), touch_payload_(options.touch_payload) {}
  ~TbbContender() override {
    UnpinAll();
    DropCaches();
  }

  void Fill(uint64_t blocks) override {
    for (uint64_t i = 0; i < blocks; ++i) {
      void* payload = nullptr;
      if (touch_payload_) payload = std::memset(std::malloc(node_bytes_), 0, node_bytes_);
      map_.insert({Address(i), payload});
    }
  }

  uint64_t FindAndPut(absl::Span<const uint32_t> blocks) override {
    uint64_t found = 0;
    for (const uint32_t block : blocks) {
      Map::const_accessor reference;
      if (map_.find(reference, Address(block))) ++found;
      benchmark::DoNotOptimize(reference);
    }
    return found;
  }

  void AllocateAndFree(absl::Span<const uint32_t> blocks) override {
    for (const uint32_t block : blocks) {
      Map::accessor made;
      map_.insert(made, Address(block));
      made->second = std::malloc(node_bytes_);
      Discard(made);
    }
  }

  void FindAndDiscard(absl::Span<const uint32_t> blocks) override {
    for (const uint32_t block : blocks) {
      Map::accessor found;
      if (map_.find(found, Address(block))) Discard(found);
    }
  }

  void Release(absl::Span<const uint32_t> blocks) override { FindAndDiscard(blocks); }

  void DropCaches() override {
    for (auto& [address, payload] : map_) std::free(payload);
    map_.clear();
  }

  void PinAll(uint64_t blocks) override {
    for (uint64_t i = 0; i < blocks; ++i) {
      pins_.push_back(std::make_unique<Map::const_accessor>());
      map_.find(*pins_.back(), Address(i));
    }
  }
  void UnpinAll() override { pins_.clear(); }

 private:
  // Its default takes the low bits of the number, which addresses of blocks have not.
  struct Hashing {
    size_t hash(uint64_t address) const { return address * 0x9e3779b97f4a7c15u >> 20; }
    bool equal(uint64_t one, uint64_t other) const { return one == other; }
  };
  using Map = tbb::concurrent_hash_map<uint64_t, void*, Hashing>;

  uint64_t Address(uint64_t block) const { return block * node_bytes_; }

  void Discard(Map::accessor& block) {
    void* payload = block->second;
    map_.erase(block);
    std::free(payload);
  }

  const uint64_t node_bytes_;
  const bool touch_payload_;
  Map map_;
  std::vector<std::unique_ptr<Map::const_accessor>> pins_;
};

}  // namespace

std::unique_ptr<Contender> MakeTbbMap(const ContenderOptions& options) {
  return std::make_unique<TbbContender>(options);
}

}  // namespace ebcache::bench
