// The real cache as an eviction policy: what it reports is what a tool that embeds it gets.

#include "bench/eviction/eviction_policy.h"
#include "ebcache/allocators.h"
#include "ebcache/buffer_cache.h"
#include "lib/base/check.h"

namespace ebcache::eviction {

namespace {

constexpr uint32_t kNodeBytes = 4096;  // the smallest: nobody looks at the bytes

class BufferCachePolicy : public EvictionPolicy {
 public:
  explicit BufferCachePolicy(uint32_t capacity)
      : cache_({.node_bytes = kNodeBytes, .budget_bytes = uint64_t{capacity} * kNodeBytes}) {}

  bool Touch(uint32_t block) override {
    if (cache_.Find(Start(block))) return true;
    const auto made = cache_.Create(Start(block));
    EBCACHE_CHECK(made.ok(), "no memory for a block of the benchmark");
    made->SetUptodate();
    return false;
  }
  void Free(uint32_t block) override {
    if (ExtentBufferRef found = cache_.Find(Start(block))) found.PutStale();
  }

 private:
  static uint64_t Start(uint32_t block) { return uint64_t{block} * kNodeBytes; }

  BufferCache cache_;
};

}  // namespace

std::unique_ptr<EvictionPolicy> MakeBufferCache(uint32_t capacity, uint32_t) {
  return std::make_unique<BufferCachePolicy>(capacity);
}

}  // namespace ebcache::eviction
