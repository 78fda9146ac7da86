// Finding many buffers at once.
//
// A look-up in a large cache is a chain of loads, each of which misses the processor's cache and
// waits for the one before: hash table, leaf, descriptor. The chains of different blocks do not
// wait for each other, so a group of them goes step by step, together.

#include <absl/types/span.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "ebcache/buffer_cache.h"
#include "lib/base/check.h"
#include "lib/cache/buffer_cache_impl.h"

namespace ebcache {
namespace {

// With fewer, misses wait for each other; more are no faster.
constexpr size_t kTogether = 32;

}  // namespace

void BufferIndex::Candidates(absl::Span<const uint64_t> starts,
                             absl::Span<ExtentBuffer*> candidates) const {
  const Table* table = table_.load(std::memory_order_acquire);
  std::array<const sync::Atomic<ExtentBuffer*>*, kTogether> slots;
  for (size_t begin = 0; begin < starts.size(); begin += kTogether) {
    const auto group = starts.subspan(begin, kTogether);
    for (const uint64_t start : group) {
      __builtin_prefetch(&table->entries[table->Home(BlockOf(start) >> kLeafShift)]);
    }
    for (size_t i = 0; i < group.size(); ++i) {
      const uint64_t block = BlockOf(group[i]);
      const Leaf* leaf = FindLeaf(block >> kLeafShift);
      slots[i] = leaf == nullptr ? nullptr : &leaf->slots[block & (kLeafSlots - 1)];
      __builtin_prefetch(slots[i]);
    }
    for (size_t i = 0; i < group.size(); ++i) {
      ExtentBuffer* candidate =
          slots[i] == nullptr ? nullptr : slots[i]->load(std::memory_order_acquire);
      candidates[begin + i] = candidate;
      // To be written: a reference is about to be taken.
      __builtin_prefetch(candidate, /*rw=*/1);
    }
  }
}

void BufferPool::FindMany(absl::Span<const uint64_t> starts, absl::Span<ExtentBufferRef> results) {
  std::array<ExtentBuffer*, kTogether> candidates;
  for (size_t begin = 0; begin < starts.size(); begin += kTogether) {
    const auto group = starts.subspan(begin, kTogether);
    index_.Candidates(group, absl::MakeSpan(candidates));
    for (size_t i = 0; i < group.size(); ++i) {
      results[begin + i] = ExtentBufferRef::Adopt(Find(group[i], candidates[i]));
    }
  }
}

void BufferCache::FindMany(absl::Span<const uint64_t> starts, absl::Span<ExtentBufferRef> results) {
  EBCACHE_CHECK(results.size() == starts.size(), "FindMany: one result for each block");
  impl_->pool().FindMany(starts, results);
}

}  // namespace ebcache
