// RocksDB's block caches, used on their own: keys of 16 bytes, which HyperClockCache requires, the
// charge of a block its size, the number of shards their own choice.

#include <benchmark/benchmark.h>
#include <rocksdb/cache.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

#include "bench/cache/contender.h"
#include "lib/base/check.h"

namespace ebcache::bench {
namespace {

using rocksdb::Cache;

// A look-up needs some value that is not null; it is never looked at.
int value_without_payload = 0;
void KeepValue(const rocksdb::Slice& /*key*/, void* /*value*/) {}
void FreeValue(const rocksdb::Slice& /*key*/, void* value) { std::free(value); }

class RocksContender final : public Contender {
 public:
  RocksContender(const ContenderOptions& options, std::shared_ptr<Cache> cache)
      : node_bytes_(options.node_bytes),
        touch_payload_(options.touch_payload),
        cache_(std::move(cache)) {}
  ~RocksContender() override { UnpinAll(); }

  void Fill(uint64_t blocks) override {
    for (uint64_t i = 0; i < blocks; ++i) {
      void* value = &value_without_payload;
      if (touch_payload_) value = std::memset(std::malloc(node_bytes_), 0, node_bytes_);
      const auto status = cache_->Insert(Key(i).slice(), value, node_bytes_,
                                         touch_payload_ ? FreeValue : KeepValue);
      EBCACHE_CHECK(status.ok(), "RocksDB refused a block");
    }
  }

  uint64_t FindAndPut(absl::Span<const uint32_t> blocks) override {
    uint64_t found = 0;
    for (const uint32_t block : blocks) {
      Cache::Handle* handle = cache_->Lookup(Key(block).slice());
      benchmark::DoNotOptimize(handle);
      if (handle == nullptr) continue;
      ++found;
      cache_->Release(handle);
    }
    return found;
  }

  void AllocateAndFree(absl::Span<const uint32_t> blocks) override {
    for (const uint32_t block : blocks) {
      const Key key(block);
      Cache::Handle* handle = nullptr;
      const auto status =
          cache_->Insert(key.slice(), std::malloc(node_bytes_), node_bytes_, FreeValue, &handle);
      EBCACHE_CHECK(status.ok(), "RocksDB refused a block");
      cache_->Release(handle, /*erase_if_last_ref=*/true);
    }
  }

  void FindAndDiscard(absl::Span<const uint32_t> blocks) override {
    for (const uint32_t block : blocks) {
      if (Cache::Handle* handle = cache_->Lookup(Key(block).slice())) {
        cache_->Release(handle, /*erase_if_last_ref=*/true);
      }
    }
  }

  void Release(absl::Span<const uint32_t> blocks) override {
    for (const uint32_t block : blocks) cache_->Erase(Key(block).slice());
  }

  void DropCaches() override { cache_->EraseUnRefEntries(); }

  void PinAll(uint64_t blocks) override {
    for (uint64_t i = 0; i < blocks; ++i) pins_.push_back(cache_->Lookup(Key(i).slice()));
  }
  void UnpinAll() override {
    for (Cache::Handle* handle : pins_) {
      if (handle != nullptr) cache_->Release(handle);
    }
    pins_.clear();
  }

 private:
  // As RocksDB's own keys: a file's number, and an offset in it.
  class Key {
   public:
    explicit Key(uint64_t block) : words_{0x6562636163686562, block} {}
    rocksdb::Slice slice() const {
      return {reinterpret_cast<const char*>(words_.data()), sizeof(words_)};
    }

   private:
    std::array<uint64_t, 2> words_;
  };

  const size_t node_bytes_;
  const bool touch_payload_;
  const std::shared_ptr<Cache> cache_;
  std::vector<Cache::Handle*> pins_;
};

// A quarter more than asked for: the shards do not fill evenly, and none may push blocks out.
size_t Capacity(const ContenderOptions& options) {
  return std::max<size_t>(options.capacity_blocks, 1024) * 5 / 4 * options.node_bytes;
}

}  // namespace

std::unique_ptr<Contender> MakeRocksLru(const ContenderOptions& options) {
  rocksdb::LRUCacheOptions lru;
  lru.capacity = Capacity(options);
  lru.metadata_charge_policy = rocksdb::kDontChargeCacheMetadata;
  return std::make_unique<RocksContender>(options, rocksdb::NewLRUCache(lru));
}

std::unique_ptr<Contender> MakeRocksHyperClock(const ContenderOptions& options) {
  rocksdb::HyperClockCacheOptions clock(Capacity(options), options.node_bytes);
  clock.metadata_charge_policy = rocksdb::kDontChargeCacheMetadata;
  return std::make_unique<RocksContender>(options, clock.MakeSharedCache());
}

}  // namespace ebcache::bench
