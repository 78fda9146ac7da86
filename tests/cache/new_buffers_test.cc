// What ports of other caches ask for: new buffers that say so and come with zeroes, private ones of
// other sizes, puts that keep nothing, bytes that are found to be bad, and the end of a cache whatever
// is left.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "ebcache/allocators.h"
#include "ebcache/buffer_cache.h"
#include "ebcache/key.h"
#include "tests/support/memory_source.h"

namespace ebcache {
namespace {

constexpr uint64_t kNode = 16384;

bool AllZero(const ExtentBuffer& buffer) {
  std::vector<std::byte> bytes(buffer.length(), std::byte{1});
  EXPECT_TRUE(buffer.Read(0, absl::MakeSpan(bytes)).ok());
  return std::all_of(bytes.begin(), bytes.end(),
                     [](std::byte byte) { return byte == std::byte{0}; });
}

std::vector<std::pair<std::string, std::shared_ptr<PageAllocator>>> Allocators() {
  return {{"heap", HeapAllocator()}, {"order 0", Order0Allocator({})}, {"vmap", VmapAllocator({})}};
}

// ---- New buffers --------------------------------------------------------------------------------

TEST(CreateOrFind, TellsOneCallerThatItIsNew) {
  MemorySource source;
  BufferCache cache({.node_bytes = kNode}, &source);
  auto first = cache.CreateOrFind(kNode);
  ASSERT_TRUE(first.ok());
  EXPECT_TRUE(first->is_new);
  EXPECT_FALSE(first->buffer->uptodate());
  auto second = cache.CreateOrFind(kNode, NewBytes::kZeroed);
  ASSERT_TRUE(second.ok());
  EXPECT_FALSE(second->is_new);
  EXPECT_EQ(second->buffer.get(), first->buffer.get());
  EXPECT_FALSE(second->buffer->uptodate()) << "one that was there was changed";
  EXPECT_EQ(cache.CreateOrFind(kNode + 1).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(cache.CreateOrFind(kNode + 4096).status().code(), absl::StatusCode::kAlreadyExists);
}

TEST(CreateOrFind, ZeroedBuffersCanBeDirtiedAtOnce) {
  for (const auto& [name, allocator] : Allocators()) {
    SCOPED_TRACE(name);
    MemorySource source;
    BufferCache cache({.node_bytes = kNode, .allocator = allocator}, &source);
    // So that the memory has been another block's.
    for (uint64_t i = 0; i < 32; ++i) ASSERT_TRUE(cache.ReadBlock(i * kNode).ok());
    cache.DropCaches();
    auto made = cache.CreateOrFind(100 * kNode, NewBytes::kZeroed);
    ASSERT_TRUE(made.ok());
    EXPECT_TRUE(AllZero(*made->buffer));
    made->buffer.SetDirty();
    ASSERT_TRUE(cache.Writeback(made->buffer).ok());
    EXPECT_EQ(source.Contents(100 * kNode, kNode), std::vector<std::byte>(kNode));
    EXPECT_EQ(source.reads(), 32);
  }
}

// No reader may see one of them before its zeroes, nor read over it.
TEST(CreateOrFind, ZeroesAreThereBeforeTheBufferIs) {
  MemorySource source;
  BufferCache cache({.node_bytes = kNode}, &source);
  for (uint64_t round = 0; round < 300; ++round) {
    int made_new = 0;
    std::thread reader([&] {
      ExtentBufferRef found;
      while (!(found = cache.Find(round * kNode))) std::this_thread::yield();
      EXPECT_TRUE(found->uptodate());
      EXPECT_TRUE(cache.Read(found).ok());
      EXPECT_TRUE(AllZero(*found));
    });
    for (int i = 0; i < 2; ++i) {
      auto made = cache.CreateOrFind(round * kNode, NewBytes::kZeroed);
      ASSERT_TRUE(made.ok());
      made_new += made->is_new ? 1 : 0;
    }
    reader.join();
    EXPECT_EQ(made_new, 1);
  }
  EXPECT_EQ(source.reads(), 0);
}

// ---- Private buffers of other sizes -------------------------------------------------------------

TEST(Private, OfEverySize) {
  for (const auto& [name, allocator] : Allocators()) {
    for (uint32_t bytes = 512; bytes <= kNode; bytes *= 2) {
      SCOPED_TRACE(name + " " + std::to_string(bytes));
      BufferCache cache({.node_bytes = kNode, .allocator = allocator});
      const uint64_t used_before = allocator->stats().in_use_bytes;
      {
        const absl::StatusOr<ExtentBufferRef> buffer = cache.CreateDummy(65536, bytes);
        ASSERT_TRUE(buffer.ok()) << buffer.status();
        EXPECT_EQ((*buffer)->length(), bytes);
        EXPECT_TRUE(AllZero(**buffer));
        EXPECT_TRUE((*buffer)->Set<uint64_t>(bytes - 8, 42).ok());
        EXPECT_EQ((*buffer)->Load<uint64_t>(bytes - 8), 42u);
        // Nothing behind its end, though there is memory.
        EXPECT_FALSE((*buffer)->Load<uint64_t>(bytes - 7).has_value());
        EXPECT_FALSE((*buffer)->Load<uint8_t>(bytes).has_value());
        EXPECT_FALSE((*buffer)->Zero(0, bytes + 1).ok());
        size_t in_segments = 0;
        for (const auto& segment : (*buffer)->segments()) in_segments += segment.size();
        EXPECT_EQ(in_segments, bytes);
        const absl::StatusOr<ExtentBufferRef> clone = cache.Clone(**buffer);
        ASSERT_TRUE(clone.ok()) << clone.status();
        EXPECT_EQ((*clone)->length(), bytes);
        EXPECT_EQ((*clone)->Load<uint64_t>(bytes - 8), 42u);
      }
      EXPECT_EQ(allocator->stats().in_use_bytes, used_before);
      // The descriptor's next life is that of a whole block.
      const ExtentBufferRef block = *cache.Create(kNode);
      EXPECT_EQ(block->length(), kNode);
      EXPECT_TRUE(block->Set<uint64_t>(kNode - 8, 1).ok());
    }
  }
}

TEST(Private, OfNoOtherSize) {
  BufferCache cache({.node_bytes = kNode});
  for (const uint32_t bytes : {1u, 256u, 511u, 513u, 4095u, 12288u, 32768u, 65536u, 0x80000000u}) {
    const absl::Status status = cache.CreateDummy(kNode, bytes).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bytes;
  }
  EXPECT_EQ((*cache.CreateDummy(kNode, 0))->length(), kNode);
  BufferCache large({.node_bytes = 65536});
  EXPECT_EQ(cache.Clone(**large.CreateDummy(0)).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ((*large.Clone(**cache.CreateDummy(0)))->length(), kNode);
}

// ---- Puts that keep nothing ---------------------------------------------------------------------

TEST(PutNoCache, ForgetsWhatNoOtherHolds) {
  MemorySource source;
  BufferCache cache({.node_bytes = kNode}, &source);
  cache.ReadBlock(kNode)->PutNoCache();
  EXPECT_FALSE(cache.Find(kNode));
  EXPECT_EQ(cache.stats().nocache_frees, 1u);
  EXPECT_EQ(cache.stats().stale_frees, 0u);
}

TEST(PutNoCache, DoesNothingToOtherHolders) {
  MemorySource source;
  BufferCache cache({.node_bytes = kNode}, &source);
  ExtentBufferRef one = *cache.ReadBlock(kNode);
  ExtentBufferRef other = one.Share();
  one.PutNoCache();
  EXPECT_FALSE(other->stale());
  EXPECT_TRUE(other->uptodate());
  other.Put();  // which wants it kept
  EXPECT_TRUE(cache.Find(kNode));
  EXPECT_EQ(cache.stats().nocache_frees, 0u);
}

TEST(PutNoCache, KeepsWhatIsNotWritten) {
  MemorySource source;
  BufferCache cache({.node_bytes = kNode}, &source);
  ExtentBufferRef ref = *cache.ReadBlock(kNode);
  ref.SetDirty();
  ref.PutNoCache();
  EXPECT_EQ(cache.stats().dirty_buffers, 1u);
  ASSERT_TRUE(cache.WritebackAll().ok());
  EXPECT_EQ(source.writes(), 1);
}

TEST(PutBehind, ForgetsWhatNoOtherHasComeFor) {
  MemorySource source;
  BufferCache cache({.node_bytes = kNode}, &source);
  cache.ReadBlock(kNode)->PutBehind();
  EXPECT_FALSE(cache.Find(kNode));
  EXPECT_EQ(cache.stats().nocache_frees, 1u);
}

TEST(PutBehind, KeepsWhatOthersHaveFound) {
  MemorySource source;
  BufferCache cache({.node_bytes = kNode}, &source);
  ExtentBufferRef read = *cache.ReadBlock(kNode);
  (void)cache.Find(kNode);
  read.PutBehind();
  EXPECT_TRUE(cache.Find(kNode));
  EXPECT_EQ(cache.stats().nocache_frees, 0u);
  // Nor what is held, or not written.
  ExtentBufferRef other = cache.Find(kNode);
  other.ForgetAccess();
  cache.Find(kNode).PutBehind();
  EXPECT_TRUE(other->uptodate());
  other.ForgetAccess();
  other.SetDirty();
  other.PutBehind();
  EXPECT_EQ(cache.stats().dirty_buffers, 1u);
  ASSERT_TRUE(cache.WritebackAll().ok());
}

// ---- Bytes that are found to be bad -------------------------------------------------------------

// Three copies of each block, which differ in their first byte.
class ThreeCopies : public MemorySource {
 public:
  void Read(absl::Span<BlockRead> reads) override {
    for (BlockRead& read : reads) {
      asked_.push_back(read.bad_mirror);
      const int copy = read.bad_mirror % 3 + 1;
      if (broken_.contains(copy)) {
        read.status = absl::DataLossError("no other copy");
        continue;
      }
      read.status = read.buffer->Set<uint8_t>(0, static_cast<uint8_t>(copy));
      read.buffer->set_mirror(copy);
    }
  }
  std::vector<int> asked_;
  std::map<int, bool> broken_;
};

TEST(Reread, AsksForAnotherCopyEachTime) {
  ThreeCopies source;
  BufferCache cache({.node_bytes = kNode}, &source);
  const ExtentBufferRef ref = *cache.ReadBlock(kNode);
  for (const int copy : {2, 3, 1, 2}) {
    ASSERT_TRUE(cache.Reread(ref).ok());
    EXPECT_EQ(ref->mirror(), copy);
    EXPECT_EQ(ref->Load<uint8_t>(0), copy);
    EXPECT_TRUE(ref->uptodate());
    EXPECT_FALSE(ref->stale());
  }
  EXPECT_EQ(source.asked_, (std::vector<int>{0, 1, 2, 3, 1}));
}

TEST(Reread, LeavesNothingGoodBehindWhereItFails) {
  ThreeCopies source;
  BufferCache cache({.node_bytes = kNode}, &source);
  ExtentBufferRef ref = *cache.ReadBlock(kNode);
  source.broken_[2] = true;
  const absl::Status status = cache.Reread(ref);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_FALSE(ref->uptodate());
  EXPECT_TRUE(ref->stale());
  ref.Put();
  EXPECT_FALSE(cache.Find(kNode));
}

TEST(Reread, NeverTakesNewerBytesAway) {
  ThreeCopies source;
  BufferCache cache({.node_bytes = kNode}, &source);
  const ExtentBufferRef ref = *cache.ReadBlock(kNode);
  ref.SetDirty();
  EXPECT_EQ(cache.Reread(ref).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(ref.TryClearUptodate());
  EXPECT_TRUE(ref->dirty() && ref->uptodate());
  ASSERT_TRUE(cache.Writeback(ref).ok());
  EXPECT_TRUE(cache.Reread(ref).ok());
  const ExtentBufferRef dummy = *cache.CreateDummy(0);
  EXPECT_EQ(cache.Reread(dummy).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(dummy.TryClearUptodate());
  EXPECT_TRUE(dummy->uptodate());
}

TEST(Reread, OfABufferOfAnotherCacheReadsNothing) {
  ThreeCopies source, others;
  BufferCache cache({.node_bytes = kNode}, &source);
  BufferCache other({.node_bytes = kNode}, &others);
  const ExtentBufferRef ref = *other.ReadBlock(kNode);
  EXPECT_EQ(cache.Reread(ref).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(ref->uptodate());
  EXPECT_TRUE(source.asked_.empty());
}

TEST(ClearUptodate, MakesTheNextReaderRead) {
  ThreeCopies source;
  BufferCache cache({.node_bytes = kNode}, &source);
  const ExtentBufferRef ref = *cache.ReadBlock(kNode);
  EXPECT_TRUE(ref.TryClearUptodate());
  EXPECT_FALSE(ref->uptodate());
  EXPECT_FALSE(ref.TrySetDirty());
  ASSERT_TRUE(cache.ReadBlock(kNode).ok());
  EXPECT_TRUE(ref->uptodate());
  EXPECT_EQ(source.asked_, (std::vector<int>{0, 0}));
}

// ---- The end, whatever is left ------------------------------------------------------------------

TEST(Destroy, TellsOfAllThatAreHeldOrDirty) {
  MemorySource source;
  std::vector<uint64_t> unwritten;
  auto cache = std::make_unique<BufferCache>(
      BufferCacheOptions{
          .node_bytes = kNode,
          .on_unwritten = [&](uint64_t start, const absl::Status&) { unwritten.push_back(start); }},
      &source);
  ASSERT_TRUE(cache->ReadBlock(1 * kNode).ok());  // idle
  (void)cache->ReadBlock(2 * kNode)->Release();   // held
  cache->ReadBlock(3 * kNode)->SetDirty();        // dirty, not held
  ExtentBufferRef both = *cache->ReadBlock(4 * kNode);
  both.SetDirty();
  (void)both.Share().Release();
  (void)both.Release();
  (void)cache->CreateDummy(5 * kNode)->Release();
  std::map<uint64_t, uint32_t> told;
  BufferCache::Destroy(std::move(cache), [&](const ExtentBuffer& buffer, BufferState state) {
    EXPECT_TRUE(told.emplace(buffer.start(), state.refs).second) << "told twice";
  });
  EXPECT_EQ(told, (std::map<uint64_t, uint32_t>{
                      {2 * kNode, 2}, {3 * kNode, 1}, {4 * kNode, 3}, {5 * kNode, 1}}));
  std::sort(unwritten.begin(), unwritten.end());
  EXPECT_EQ(unwritten, (std::vector<uint64_t>{3 * kNode, 4 * kNode}));
}

TEST(Destroy, GivesAllMemoryBack) {
  for (const auto& [name, allocator] : Allocators()) {
    SCOPED_TRACE(name);
    auto cache = std::make_unique<BufferCache>(
        BufferCacheOptions{.node_bytes = kNode, .allocator = allocator});
    for (uint64_t i = 0; i < 10; ++i) (void)cache->Create(i * kNode)->Release();
    for (uint64_t i = 0; i < 10; ++i) (void)cache->CreateDummy(0, 4096)->Release();
    int told = 0;
    BufferCache::Destroy(std::move(cache), [&](const ExtentBuffer&, BufferState) { ++told; });
    EXPECT_EQ(told, 20);
    EXPECT_EQ(allocator->stats().in_use_bytes, 0u);
  }
}

}  // namespace
}  // namespace ebcache
