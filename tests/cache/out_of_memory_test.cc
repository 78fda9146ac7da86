// Memory that is out, in what the C face does not reach: constructors, look-ups in batches, the
// allocator's calls, readahead. tests/capi/out_of_memory_test.cc has all that it does reach.

#include <gtest/gtest.h>

#include <array>
#include <latch>
#include <memory>
#include <new>
#include <optional>
#include <vector>

#include "ebcache/allocators.h"
#include "ebcache/buffer_cache.h"
#include "ebcache/readahead.h"
#include "tests/support/failing_new.h"
#include "tests/support/memory_source.h"

namespace ebcache {
namespace {

constexpr uint32_t kNode = 16384;

bool Holds(const ExtentBuffer& buffer) {
  const auto order = buffer.Compare(0, MemorySource::Pattern(buffer.start(), buffer.length()));
  return order.ok() && *order == 0;
}

// Makes `call` with each of its allocations failing in turn, on what `before` has made ready, until
// none fails; `after` sees whether it threw. How often an allocation failed.
template <typename Before, typename Work, typename After>
int64_t FailEach(Before before, Work call, After after) {
  int64_t nth = 0;
  for (bool failed = true; failed; ++nth) {
    SCOPED_TRACE(testing::Message() << "allocation " << nth);
    before();
    bool threw = false;
    FailNew(nth, NewFails::kOnce);
    try {
      call();
    } catch (const std::bad_alloc&) {
      threw = true;
    }
    failed = StopFailingNew();
    EXPECT_TRUE(failed || !threw);
    after(threw);
    if (testing::Test::HasFailure()) break;
  }
  return nth - 1;
}

// A cache that was not made has taken no place among the owners of its allocator, of which there
// are 255.
TEST(OutOfMemory, ConstructorsGiveTheirOwnerBack) {
  const auto allocator = HeapAllocator();
  MemorySource source;
  int64_t failures = 0;
  std::optional<BufferCache> cache;
  while (failures < 600) {
    const int64_t more =
        FailEach([&] { cache.reset(); },
                 [&] { cache.emplace(BufferCacheOptions{.allocator = allocator}, &source); },
                 [&](bool threw) { EXPECT_EQ(cache.has_value(), !threw); });
    ASSERT_GT(more, 1);
    failures += more;
  }
  EXPECT_TRUE(cache->ReadBlock(0).ok());
}

TEST(OutOfMemory, LookUpsInBatchesNeedNone) {
  MemorySource source;
  BufferCache cache({}, &source);
  for (uint64_t block = 0; block < 100; block += 2)
    ASSERT_TRUE(cache.ReadBlock(block * kNode).ok());
  std::vector<uint64_t> starts;
  for (uint64_t block = 0; block < 100; ++block) starts.push_back(block * kNode);
  std::vector<ExtentBufferRef> found(starts.size());
  FailNew(0, NewFails::kFromThenOn);
  cache.FindMany(starts, absl::MakeSpan(found));
  EXPECT_FALSE(StopFailingNew());
  for (size_t i = 0; i < found.size(); ++i) EXPECT_EQ(static_cast<bool>(found[i]), i % 2 == 0);
}

// Blocks that share a page, moved to a frame beyond all that the cache has seen: moved or not,
// never left frozen.
TEST(OutOfMemory, MovingBlocksThatShareAPage) {
  const auto pages = Order0Allocator({.page_bytes = 65536, .arena_bytes = size_t{256} << 20});
  MemorySource source;
  std::vector<Folio> others(2000);
  std::unique_ptr<BufferCache> cache;
  Folio from;
  Folio to;
  bool moved = false;
  const auto before = [&] {
    cache = std::make_unique<BufferCache>(BufferCacheOptions{.allocator = pages}, &source);
    for (uint64_t block = 0; block < 3; ++block) {
      auto buffer = cache->ReadBlock(block * kNode);
      ASSERT_TRUE(buffer.ok());
      from = (*buffer)->folios()[0];
    }
    for (Folio& other : others) {
      ASSERT_TRUE(pages->AllocateBulk({}, 0, absl::MakeSpan(&other, 1)).ok());
    }
    to = others.back();
    ASSERT_GT(to.pfn(), from.pfn() + 1000);
    moved = false;
  };
  const int64_t failures = FailEach(
      before, [&] { moved = cache->MigrateFolio(to, from, /*private_bits=*/0); },
      [&](bool threw) {
        EXPECT_FALSE(threw);
        for (uint64_t block = 0; block < 3; ++block) {
          const ExtentBufferRef buffer = cache->Find(block * kNode);  // waits for ever while frozen
          ASSERT_TRUE(buffer);
          EXPECT_TRUE(Holds(*buffer));
          EXPECT_TRUE(buffer->folios()[0] == (moved ? to : from));
        }
        // Whose the two frames are now depends on whether the move was made.
        if (moved) others.back() = from;
        pages->FreeBulk(0, absl::MakeSpan(others));
        cache.reset();
        EXPECT_EQ(pages->stats().in_use_bytes, 0u);
      });
  EXPECT_TRUE(moved);
  EXPECT_GT(failures, 0);
}

TEST(OutOfMemory, ReadaheadForgetsWhatItCannotRead) {
  MemorySource source;
  BufferCache cache({}, &source);
  Readahead readahead(&cache, {.threads = 1});
  // Its one thread is held up in a read, and out of the way.
  std::latch reading(1);
  std::latch go_on(1);
  source.on_read = [&](uint64_t start) {
    if (start == 1000 * kNode) {
      reading.count_down();
      go_on.wait();
    }
    return absl::OkStatus();
  };
  readahead.Ask(1000 * kNode, {});
  readahead.Flush();
  reading.wait();
  bool read = false;
  const int64_t failures = FailEach(
      [&] {
        cache.DropCaches();
        for (uint64_t block = 0; block < 8; ++block) readahead.Ask(block * kNode, {});
      },
      [&] { read = readahead.ReadSome(); },
      [&](bool threw) {
        EXPECT_FALSE(threw);
        EXPECT_FALSE(readahead.ReadSome()) << "something still waits";
        for (uint64_t block = 0; block < 8; ++block) {
          auto buffer = cache.ReadBlock(block * kNode);
          ASSERT_TRUE(buffer.ok());
          EXPECT_TRUE(Holds(**buffer));
        }
      });
  EXPECT_TRUE(read);
  EXPECT_GT(failures, 5);
  go_on.count_down();
}

// What a source throws is the error of its blocks, and none is left being read.
class ThrowingSource : public MemorySource {
 public:
  void Read(absl::Span<BlockRead> reads) override {
    if (throws) throw std::bad_alloc();
    if (!silent) MemorySource::Read(reads);
  }
  void Write(absl::Span<BlockWrite> writes) override {
    if (throws) throw std::bad_alloc();
    if (!silent) MemorySource::Write(writes);
  }
  bool throws = false;
  bool silent = false;  // sets no status
};

TEST(OutOfMemory, SourcesThatThrowAndSourcesThatSayNothing) {
  ThrowingSource source;
  BufferCache cache({}, &source);
  const std::array<uint64_t, 2> starts = {0, kNode};
  std::vector<absl::StatusOr<ExtentBufferRef>> results(2);
  source.throws = true;
  EXPECT_TRUE(absl::IsResourceExhausted(cache.ReadBlock(0).status()));
  cache.ReadBlocks(starts, {}, absl::MakeSpan(results));
  for (const auto& result : results) EXPECT_TRUE(absl::IsResourceExhausted(result.status()));
  source.throws = false;
  source.silent = true;
  EXPECT_FALSE(cache.ReadBlock(0).ok());
  cache.ReadBlocks(starts, {}, absl::MakeSpan(results));
  for (const auto& result : results) EXPECT_FALSE(result.ok());
  source.silent = false;
  auto buffer = cache.ReadBlock(0);
  ASSERT_TRUE(buffer.ok());
  buffer->SetDirty();
  source.silent = true;
  EXPECT_FALSE(cache.Writeback(*buffer).ok());
  EXPECT_FALSE(cache.WritebackAll().ok());
  source.silent = false;
  EXPECT_EQ(cache.WritebackAll(), absl::OkStatus());
}

// Each block is written, or as it was: DIRTY, and under no write. What was said agrees with that.
TEST(OutOfMemory, WritingMany) {
  for (const NewFails how : {NewFails::kOnce, NewFails::kFromThenOn}) {
    int64_t failures = 0;
    for (bool failed = true; failed; ++failures) {
      ASSERT_LT(failures, 1000);
      MemorySource source;
      BufferCache cache({}, &source);
      std::vector<ExtentBufferRef> buffers;
      for (uint64_t block = 0; block < 8; ++block) {
        buffers.push_back(*cache.ReadBlock(block * kNode));
        buffers.back().SetDirty();
      }
      buffers.push_back(cache.Find(0));
      absl::Status status;
      FailNew(failures, how);
      EXPECT_NO_THROW(status = cache.WritebackMany(buffers, WriteDurability::kUntilFlush));
      failed = StopFailingNew();
      EXPECT_TRUE(status.ok() || (failed && absl::IsResourceExhausted(status))) << status;
      EXPECT_EQ(cache.stats().dirty_buffers == 0, status.ok());
      for (const ExtentBufferRef& buffer : buffers) {
        EXPECT_FALSE(buffer->state().has(BufferFlag::kWriteback));
      }
      EXPECT_EQ(cache.WritebackMany(buffers, WriteDurability::kUntilFlush), absl::OkStatus());
    }
    EXPECT_GT(failures, 10);
  }
}

TEST(OutOfMemory, WritingAll) {
  MemorySource source;
  BufferCache cache({}, &source);
  int64_t failures = 0;
  for (bool failed = true; failed; ++failures) {
    ASSERT_LT(failures, 1000);
    (*cache.ReadBlock(0)).SetDirty();
    absl::Status status;
    FailNew(failures, NewFails::kOnce);
    EXPECT_NO_THROW(status = cache.WritebackAll());
    failed = StopFailingNew();
    EXPECT_TRUE(status.ok() || (failed && absl::IsResourceExhausted(status))) << status;
    EXPECT_EQ(cache.WritebackAll(), absl::OkStatus());
  }
  EXPECT_GT(failures, 2);
}

TEST(OutOfMemory, SourcesThatThrowWhenTheyCheck) {
  MemorySource source;
  BufferCache cache({}, &source);
  const ParentCheck check{.level = uint8_t{0}};
  auto buffer = cache.ReadBlock(0, &check);
  ASSERT_TRUE(buffer.ok());
  std::vector<absl::StatusOr<ExtentBufferRef>> results(2);
  const auto read_both = [&] {
    const std::array<uint64_t, 2> starts = {0, kNode};
    const std::array<const ParentCheck*, 2> checks = {&check, &check};
    cache.ReadBlocks(starts, checks, absl::MakeSpan(results));
  };
  source.on_check = [](const ExtentBuffer&) -> absl::Status { throw std::bad_alloc(); };
  EXPECT_TRUE(absl::IsResourceExhausted(cache.Read(*buffer, &check)));
  read_both();
  EXPECT_TRUE(absl::IsResourceExhausted(results[0].status()));
  EXPECT_TRUE(results[1].ok());
  source.on_check = [](const ExtentBuffer&) -> absl::Status { throw 42; };
  EXPECT_EQ(cache.Read(*buffer, &check).message(),
            "block 0: the check failed: the source threw an exception");
  cache.DropCaches();
  read_both();
  EXPECT_TRUE(absl::IsInternal(results[0].status()));
  source.on_check = nullptr;
  EXPECT_EQ(cache.Read(*buffer, &check), absl::OkStatus());
}

}  // namespace
}  // namespace ebcache
