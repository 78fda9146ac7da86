// Programs of operations on a cache, against what the devices and the last writer say a block is.
//
// Two bytes of the input are an operation: what, and on which block or held reference. The model is
// of bytes, not of states (tests/cache/model_test.cc has those): whoever holds an uptodate buffer
// sees what was written last, and what is neither held nor dirty can be given back.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "ebcache/allocators.h"
#include "ebcache/buffer_cache.h"
#include "ebcache/check.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/support/memory_source.h"

namespace ebcache::fuzz {
namespace {

constexpr uint32_t kNodeBytes = 4096;
constexpr uint64_t kBlocks = 24;
constexpr size_t kMostHeld = 40;
constexpr int kMostOperations = 300;

class World {
 public:
  explicit World(uint8_t mode)
      : cache_({.node_bytes = kNodeBytes,
                .budget_bytes = (mode & 1) != 0 ? 8 * kNodeBytes : 0,
                .allocator =
                    (mode & 2) != 0 ? Order0Allocator({.arena_bytes = 2 << 20}) : HeapAllocator()},
               &source_) {
    source_.on_read = [this](uint64_t) {
      return fail_ ? absl::UnavailableError("EIO") : absl::OkStatus();
    };
    source_.on_write = source_.on_read;
  }
  ~World() {
    held_.clear();
    for (uint64_t start = 0; start < kBlocks * kNodeBytes; start += kNodeBytes) {
      if (ExtentBufferRef ref = cache_.Find(start)) ref.ClearDirty();
    }
    cache_.DropCaches();
    EBCACHE_CHECK(cache_.stats().cached_buffers == 0, "buffers that nobody holds do not go");
    EBCACHE_CHECK(cache_.allocator().stats().in_use_bytes == 0, "pages are left over");
  }

  void Perform(uint8_t what, uint8_t which);
  void Check();

 private:
  uint64_t DiskWord(uint64_t start) {
    uint64_t word;
    std::memcpy(&word, source_.Contents(start, sizeof(word)).data(), sizeof(word));
    return word;
  }
  void Hold(uint64_t start, ExtentBufferRef ref) {
    if (ref && held_.size() < kMostHeld) held_.emplace_back(start, std::move(ref));
  }
  void PerformOnHeld(uint8_t what, size_t n);
  void Write(uint64_t start, const ExtentBufferRef& ref);
  void Writeback(const ExtentBufferRef& ref);

  MemorySource source_;
  BufferCache cache_;
  bool fail_ = false;
  std::vector<std::pair<uint64_t, ExtentBufferRef>> held_;
  std::map<uint64_t, uint64_t> dirty_;  // what was written into buffers and is on no disk yet
  uint64_t writes_ = 0;
};

void World::Write(uint64_t start, const ExtentBufferRef& ref) {
  if (!ref->uptodate()) return;
  const uint64_t word = ++writes_;
  EBCACHE_CHECK(ref->Set<uint64_t>(0, word).ok(), "a write inside a block failed");
  ref.SetDirty();
  dirty_[start] = word;
}

void World::Writeback(const ExtentBufferRef& ref) {
  const uint64_t start = ref->start();
  const bool was_dirty = ref->dirty();
  const absl::Status status = cache_.Writeback(ref);
  if (!was_dirty) return;
#ifdef EBCACHE_PLANTED_BUG
  if (!status.ok()) return;  // and so the model believes that the buffer is dirty still
#endif
  EBCACHE_CHECK(status.ok() == !fail_, "a write came to what it should not");
  EBCACHE_CHECK(!ref->dirty() && ref->uptodate() == status.ok(), "the state after a write");
  if (status.ok()) EBCACHE_CHECK(DiskWord(start) == dirty_.at(start), "another word was written");
  dirty_.erase(start);
}

void World::PerformOnHeld(uint8_t what, size_t n) {
  if (held_.empty()) return;
  const auto it = held_.begin() + static_cast<long>(n % held_.size());
  auto& [start, ref] = *it;
  switch (what) {
    case 0:
      held_.erase(it);
      return;
    case 1:
      if (dirty_.contains(start)) return;  // nobody puts a dirty block away for good
      ref.PutStale();
      held_.erase(it);
      return;
    case 2:
      return Hold(start, ref.Share());
    case 3:
      (void)cache_.Read(ref);
      return;
    case 4:
      return Write(start, ref);
    case 5:
      return Writeback(ref);
    default: {
      const absl::StatusOr<ExtentBufferRef> clone = cache_.Clone(*ref);
      EBCACHE_CHECK(clone.ok(), "a clone could not be made");
      EBCACHE_CHECK(*(*clone)->Get<uint64_t>(0) == *ref->Get<uint64_t>(0), "a clone is another");
    }
  }
}

void World::Perform(uint8_t what, uint8_t which) {
  const uint64_t start = which % kBlocks * kNodeBytes;
  switch (what % 16) {
    case 0:
      return Hold(start, cache_.Find(start));
    case 1: {
      absl::StatusOr<ExtentBufferRef> made = cache_.Create(start);
      EBCACHE_CHECK(made.ok(), "a buffer could not be made");
      return Hold(start, *std::move(made));
    }
    case 2:
    case 3:
    case 4: {
      absl::StatusOr<ExtentBufferRef> read = cache_.ReadBlock(start);
      EBCACHE_CHECK(read.ok() || !read.status().message().empty(), "an error without words");
      if (read.ok()) Hold(start, *std::move(read));
      return;
    }
    case 5:
      cache_.DropCaches();
      return;
    case 6:
      cache_.Shrink(which % 8 * kNodeBytes);
      return;
    case 7:
      fail_ = !fail_;
      return;
    case 8: {
      const ExtentBufferRef dirty = cache_.NextDirty(start);
      EBCACHE_CHECK(!dirty || (dirty->dirty() && dirty->start() >= start),
                    "not the next dirty one");
      return;
    }
    default:
      return PerformOnHeld(what % 16 - 9, which);
  }
}

void World::Check() {
  for (const auto& [start, ref] : held_) {
    const BufferState state = ref->state();
    const ExtentBuffer* buffer = ref.get();
    const auto holders =
        static_cast<uint32_t>(std::count_if(held_.begin(), held_.end(), [buffer](const auto& one) {
          return one.second.get() == buffer;
        }));
    EBCACHE_CHECK(state.refs == holders + 1, "references are lost, or left over");
    EBCACHE_CHECK(state.has(BufferFlag::kDirty) == dirty_.contains(start), "DIRTY is not kept");
    if (!state.has(BufferFlag::kUptodate)) continue;
    const auto written = dirty_.find(start);
    const uint64_t expected = written != dirty_.end() ? written->second : DiskWord(start);
    EBCACHE_CHECK(*ref->Get<uint64_t>(0) == expected, "a buffer with other bytes than its block");
  }
  EBCACHE_CHECK(cache_.stats().dirty_buffers == dirty_.size(), "dirty buffers are lost");
}

}  // namespace

void Run(const uint8_t* data, size_t size) {
  FuzzInput input(data, size);
  World world(input.Take<uint8_t>());
  for (int i = 0; i < kMostOperations && !input.empty(); ++i) {
    const uint8_t what = input.Take<uint8_t>();
    const uint8_t which = input.Take<uint8_t>();
    world.Perform(what, which);
    world.Check();
  }
}

}  // namespace ebcache::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ebcache::fuzz::Run(data, size);
  return 0;
}
