// The BufferCache itself, over order-0 pages. Its payload pages are never touched.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <utility>

#include "bench/cache/contender.h"
#include "ebcache/allocators.h"
#include "ebcache/buffer_cache.h"
#include "ebcache/forwarding_allocator.h"
#include "lib/base/check.h"

namespace ebcache::bench {
namespace {

// As many as a node of a tree has children that a search may go on with.
constexpr size_t kTogether = 64;

// Knows, as every allocator does of its frames, what was said when the last block was allocated.
class NotingAllocator final : public ForwardingAllocator {
 public:
  using ForwardingAllocator::ForwardingAllocator;
  std::string_view name() const override { return "noting"; }
  absl::Status AllocateBlock(const FolioRequest& request, FolioBlock& block) override {
    auto status = below().AllocateBlock(request, block);
    if (status.ok()) last_ = {block.slots[0], request.private_bits};
    return status;
  }
  std::pair<Folio, uint32_t> last() const { return last_; }

 private:
  std::pair<Folio, uint32_t> last_;
};

class EbcacheContender final : public Contender {
 public:
  explicit EbcacheContender(const ContenderOptions& options)
      : node_bytes_(options.node_bytes),
        touch_payload_(options.touch_payload),
        noting_(options.can_release ? std::make_shared<NotingAllocator>(Order0Allocator())
                                    : nullptr),
        cache_({.node_bytes = options.node_bytes,
                .budget_bytes = options.capacity_blocks * options.node_bytes,
                .allocator = noting_ != nullptr ? noting_ : Order0Allocator()}) {}

  void Fill(uint64_t blocks) override {
    folios_.clear();
    for (uint64_t i = 0; i < blocks; ++i) {
      const auto made = cache_.Create(Start(i));
      EBCACHE_CHECK(made.ok(), "no memory");
      made->SetUptodate();  // as all blocks are that were read
      if (touch_payload_) (void)(*made)->Zero(0, static_cast<size_t>(node_bytes_));
      if (noting_ != nullptr) folios_.push_back(noting_->last());
    }
  }

  uint64_t FindAndPut(absl::Span<const uint32_t> blocks) override {
    uint64_t found = 0;
    for (const uint32_t block : blocks) {
      ExtentBufferRef buffer = cache_.Find(Start(block));
      found += buffer ? 1 : 0;
      benchmark::DoNotOptimize(buffer.get());
    }
    return found;
  }

  uint64_t FindAndPutTogether(absl::Span<const uint32_t> blocks) override {
    uint64_t found = 0;
    std::array<uint64_t, kTogether> starts;
    std::array<ExtentBufferRef, kTogether> buffers;
    for (size_t begin = 0; begin < blocks.size(); begin += kTogether) {
      const size_t count = std::min(kTogether, blocks.size() - begin);
      for (size_t i = 0; i < count; ++i) starts[i] = Start(blocks[begin + i]);
      cache_.FindMany({starts.data(), count}, {buffers.data(), count});
      for (size_t i = 0; i < count; ++i) {
        found += buffers[i] ? 1 : 0;
        buffers[i] = ExtentBufferRef();
      }
    }
    return found;
  }

  void AllocateAndFree(absl::Span<const uint32_t> blocks) override {
    for (const uint32_t block : blocks) {
      ExtentBufferRef made = *cache_.Create(Start(block));
      made.PutStale();
    }
  }

  void FindAndDiscard(absl::Span<const uint32_t> blocks) override {
    for (const uint32_t block : blocks) cache_.Find(Start(block)).PutStale();
  }

  // By folio, as an allocator asks.
  void Release(absl::Span<const uint32_t> blocks) override {
    for (const uint32_t block : blocks) {
      const auto& [folio, number] = folios_[block];
      EBCACHE_CHECK(cache_.ReleaseFolio(folio, number), "an idle block could not be released");
    }
  }

  void DropCaches() override { cache_.DropCaches(); }

  std::optional<uint64_t> VisitInOrder() override {
    uint64_t visited = 0;
    for (ExtentBufferRef at = cache_.FirstAtOrAfter(0); at;
         at = cache_.FirstAtOrAfter(at->start() + node_bytes_)) {
      ++visited;
    }
    return visited;
  }

  void PinAll(uint64_t blocks) override {
    for (uint64_t i = 0; i < blocks; ++i) pins_.push_back(cache_.Find(Start(i)));
  }
  void UnpinAll() override { pins_.clear(); }

  std::optional<uint64_t> eviction_steps() const override { return cache_.stats().reclaim_scanned; }

 private:
  uint64_t Start(uint64_t block) const { return block * node_bytes_; }

  const uint64_t node_bytes_;
  const bool touch_payload_;
  const std::shared_ptr<NotingAllocator> noting_;  // null unless Release will be asked for
  BufferCache cache_;
  std::vector<std::pair<Folio, uint32_t>> folios_;  // by block, with what the allocator knows of it
  std::vector<ExtentBufferRef> pins_;
};

}  // namespace

std::unique_ptr<Contender> MakeEbcache(const ContenderOptions& options) {
  return std::make_unique<EbcacheContender>(options);
}

}  // namespace ebcache::bench
