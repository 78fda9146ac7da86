// The races and bugs that the kernel met, as deterministic scenarios. The numbers are those of the
// list in docs/fidelity.md. Where a race was a window between two steps, the test shows that there
// is one step now, by trying to get in at every point where another thread could.

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "ebcache/allocators.h"
#include "ebcache/buffer_cache.h"
#include "ebcache/forwarding_allocator.h"
#include "ebcache/key.h"
#include "lib/cache/state_word.h"
#include "tests/support/gate.h"
#include "tests/support/memory_source.h"

namespace ebcache {
namespace {

constexpr uint32_t kNode = 16384;

class RacesTest : public testing::Test {
 protected:
  MemorySource source_;
  BufferCache cache_{{.node_bytes = kNode, .budget_bytes = 0}, &source_};
};

// 1: the releaser looked, then a user came and dirtied, then the releaser dropped the tree
// reference. The look and the drop are one compare-and-swap here: a user in between makes it fail.
TEST_F(RacesTest, Scenario01ReleaseSeesTheUserWhoCameInBetween) {
  (void)*cache_.ReadBlock(0);
  const uint64_t idle =
      state::Pack({1, state::Bit(BufferFlag::kTreeRef) | state::Bit(BufferFlag::kUptodate)});
  std::atomic<uint64_t> word{idle};
  // The user comes after the releaser has decided, before it has acted.
  int tries = 0;
  const auto outcome = state::Apply(word, [&](BufferState s) {
    if (++tries == 1) {
      state::Apply(word, state::Get);
      state::Apply(word, state::SetDirty);
      state::Apply(word, state::Put);
    }
    return state::TryRelease(s);
  });
  EXPECT_EQ(tries, 2);
  EXPECT_EQ(outcome.result, state::Result::kRefused);
  EXPECT_TRUE(state::Unpack(word.load()).has(BufferFlag::kDirty));
  EXPECT_EQ(state::Unpack(word.load()).refs, 1u);
}

// 2: the freer saw STALE and two references; a finder took one, re-initialised, dirtied and freed;
// the freer's double decrement freed a dirty buffer.
TEST_F(RacesTest, Scenario02StaleFreeSeesTheFinderWhoCameInBetween) {
  std::atomic<uint64_t> word{
      state::Pack({2, state::Bit(BufferFlag::kTreeRef) | state::Bit(BufferFlag::kUptodate) |
                          state::Bit(BufferFlag::kStale)})};
  int tries = 0;
  const auto outcome = state::Apply(word, [&](BufferState s) {
    if (++tries == 1) {
      state::Apply(word, state::Get);
      state::Apply(word, state::ReinitAsNewBlock);
      state::Apply(word, state::SetDirty);
      state::Apply(word, state::Put);
    }
    return state::Put(s);
  });
  EXPECT_EQ(tries, 2);
  EXPECT_EQ(outcome.result, state::Result::kChanged);  // only our reference went
  EXPECT_EQ(outcome.after.refs, 1u);
  EXPECT_TRUE(outcome.after.has(BufferFlag::kDirty));
}

// 2, through the cache: found while STALE, made a new block, dirtied: it stays.
TEST_F(RacesTest, Scenario02StaleBufferThatBecameANewBlockIsKept) {
  ExtentBufferRef freer = *cache_.ReadBlock(0);
  ExtentBufferRef finder = cache_.Find(0);
  ExtentBufferRef stale = freer.Share();
  stale.PutStale();
  ASSERT_TRUE(cache_.ReinitAsNewBlock(finder, 101).ok());
  finder.SetDirty();
  finder.Put();
  freer.Put();
  ASSERT_TRUE(cache_.Find(0));
  EXPECT_TRUE(cache_.Find(0)->dirty());
}

// 3: reclaim read one reference; a finder came, saw TREE_REF set and did nothing; reclaim cleared
// it; the finder's read then had no protection.
TEST_F(RacesTest, Scenario03ReadInFlightKeepsItsBuffer) {
  Gate gate;
  source_.on_read = [&](uint64_t) {
    gate.Pass();
    return absl::OkStatus();
  };
  ExtentBufferRef block = *cache_.Create(0);
  std::thread reader([&] { EXPECT_TRUE(cache_.Read(block).ok()); });
  gate.AwaitArrival();
  // The read is with the device, and everybody else who wants the buffer gone tries.
  EXPECT_EQ(cache_.DropCaches(), 0u);
  EXPECT_EQ(cache_.Shrink(kNode), 0u);
  EXPECT_TRUE(block->state().has(BufferFlag::kTreeRef));
  EXPECT_EQ(block->state().refs, 3u);  // ours, the cache's, the reader's
  gate.Open();
  reader.join();
  EXPECT_EQ(*block->Compare(0, MemorySource::Pattern(0, kNode)), 0);
}

// 5: a write failed and cleared UPTODATE; a reader read the old contents from disk and believed
// them. Here the new ones stay, for whoever reads, until they could be written.
TEST_F(RacesTest, Scenario05FailedWriteIsNotReadBack) {
  source_.on_write = [](uint64_t) { return absl::UnavailableError("EIO"); };
  ExtentBufferRef block = *cache_.ReadBlock(0);
  ASSERT_TRUE(block->Set<uint64_t>(0, 42).ok());
  block.SetDirty();
  EXPECT_EQ(cache_.Writeback(block).message(), "EIO");
  EXPECT_TRUE(cache_.Read(block).ok());
  EXPECT_EQ(*block->Get<uint64_t>(0), 42u);
  block.Put();
  EXPECT_EQ(cache_.DropCaches(), 0u);
  EXPECT_EQ(*(*cache_.ReadBlock(0))->Get<uint64_t>(0), 42u);
  EXPECT_EQ(source_.reads(), 1);  // nobody asked the disk
  // Writing it again clears the error.
  EXPECT_EQ(cache_.WritebackAll().message(), "EIO");
  source_.on_write = nullptr;
  EXPECT_TRUE(cache_.WritebackAll().ok());
  EXPECT_EQ(cache_.DropCaches(), 1u);
  EXPECT_EQ(*(*cache_.ReadBlock(0))->Get<uint64_t>(0), 42u);
  EXPECT_EQ(source_.reads(), 2);
}

// 9: the loser of an insertion race returned an error and leaked the winner's reference.
TEST_F(RacesTest, Scenario09InsertLoserGetsTheWinnersBuffer) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 200;
  std::atomic<int> arrived{0};
  std::vector<ExtentBuffer*> got(kThreads);
  for (int round = 0; round < kRounds; ++round) {
    arrived = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        arrived.fetch_add(1);
        while (arrived.load() < kThreads) std::this_thread::yield();
        ExtentBufferRef block = *cache_.Create(uint64_t{kNode} * round);
        got[t] = block.get();
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (int t = 1; t < kThreads; ++t) EXPECT_EQ(got[t], got[0]);
    // Every reference came back: the buffer is idle.
    EXPECT_EQ(got[0]->state().refs, 1u);
  }
  EXPECT_EQ(cache_.stats().cached_buffers, static_cast<uint64_t>(kRounds));
  EXPECT_EQ(cache_.DropCaches(), static_cast<uint64_t>(kRounds));
}

// 10: B passed the UPTODATE test, A completed a whole read, B won READING and read again, and C saw
// UPTODATE in the middle of the overwrite.
TEST_F(RacesTest, Scenario10NobodyReadsAgainWhatHasJustBeenRead) {
  std::atomic<uint64_t> word{state::Pack(state::BornMapped())};
  int tries = 0;
  const auto outcome = state::Apply(word, [&](BufferState s) {
    if (++tries == 1) {  // A reads the whole block while B thinks
      state::Apply(word, state::Get);
      state::Apply(word, state::BeginRead);
      state::Apply(word, [](BufferState t) { return state::EndRead(t, true); });
      state::Apply(word, state::Put);
      state::Apply(word, state::Put);
    }
    return state::BeginRead(s);
  });
  EXPECT_EQ(tries, 2);
  EXPECT_EQ(outcome.result, state::Result::kRefused);
  EXPECT_TRUE(outcome.after.has(BufferFlag::kUptodate));
}

TEST_F(RacesTest, Scenario10OneReadReachesTheDevice) {
  Gate gate;
  source_.on_read = [&](uint64_t) {
    gate.Pass();
    return absl::OkStatus();
  };
  std::vector<std::thread> readers;
  for (int t = 0; t < 4; ++t) {
    readers.emplace_back([&] {
      ExtentBufferRef block = *cache_.ReadBlock(0);
      EXPECT_EQ(*block->Compare(0, MemorySource::Pattern(0, kNode)), 0);
    });
  }
  gate.AwaitArrival();
  while (cache_.stats().read_waits < 3) std::this_thread::yield();
  gate.Open();
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(source_.reads(), 1);
}

TEST_F(RacesTest, ReadersOfAFailingBlockAllGetItsError) {
  Gate gate;
  source_.on_read = [&](uint64_t) {
    gate.Pass();
    return absl::DataLossError("mirror 1: bad; mirror 2: worse");
  };
  std::vector<std::thread> readers;
  for (int t = 0; t < 4; ++t) {
    readers.emplace_back([&] {
      EXPECT_EQ(cache_.ReadBlock(0).status().message(), "mirror 1: bad; mirror 2: worse");
    });
  }
  gate.AwaitArrival();
  while (cache_.stats().read_waits < 3) std::this_thread::yield();
  gate.Open();
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(source_.reads(), 1);
  EXPECT_EQ(cache_.stats().cached_buffers, 0u);
}

// ---- Readers who expect different things --------------------------------------------------------

// Blocks are of generation 7 here. As a Volume does it, or (not `tells`) as a source that does not
// say whether it refused the block for what the reader expects.
class CheckingSource : public MemorySource {
 public:
  Gate gate;
  bool damaged = false;
  bool tells = true;

  void Read(absl::Span<BlockRead> reads) override {
    MemorySource::Read(reads);
    if (!passed_.exchange(true)) gate.Pass();
    for (BlockRead& read : reads) {
      if (damaged) {
        read.status = absl::DataLossError("checksum");
        read.damaged = tells;
      } else if (read.check != nullptr) {
        read.status = CheckParent(*read.buffer, *read.check);
      }
    }
  }
  absl::Status CheckParent(const ExtentBuffer&, const ParentCheck& check) override {
    if (check.generation == 7) return absl::OkStatus();
    return absl::DataLossError(absl::StrCat("generation 7, not ", check.generation));
  }

 private:
  std::atomic<bool> passed_{false};
};

// The first reader expects generation 9; those who wait for it: 7, nothing, 8, and 9. Their errors,
// the first reader's in front.
std::vector<std::string> ReadTogether(CheckingSource& source, BufferCache& cache) {
  std::vector<std::string> errors(5);
  const auto read = [&](size_t who, uint64_t generation) {
    return std::thread([&errors, &cache, who, generation] {
      ParentCheck check;
      check.generation = generation;
      const auto block = cache.ReadBlock(0, generation != 0 ? &check : nullptr);
      errors[who] = std::string(block.status().message());
    });
  };
  std::vector<std::thread> threads;
  threads.push_back(read(0, 9));
  source.gate.AwaitArrival();
  threads.push_back(read(1, 7));
  threads.push_back(read(2, 0));
  threads.push_back(read(3, 8));
  threads.push_back(read(4, 9));
  while (cache.stats().read_waits < 4) std::this_thread::yield();
  source.gate.Open();
  for (std::thread& thread : threads) thread.join();
  return errors;
}

TEST(RacesParentTest, WhoWaitsIsAnsweredForWhatItExpects) {
  CheckingSource source;
  BufferCache cache({.node_bytes = kNode}, &source);
  const std::vector<std::string> expected = {"generation 7, not 9", "", "", "generation 7, not 8",
                                             "generation 7, not 9"};
  EXPECT_EQ(ReadTogether(source, cache), expected);
  EXPECT_LE(source.reads(), 5);  // nobody reads twice
  // Two readers were right, so the block is there, whichever let go last.
  EXPECT_EQ(cache.stats().cached_buffers, 1u);
  EXPECT_FALSE(cache.Find(0)->stale());
}

// Damage is the answer for everybody: it is read once.
TEST(RacesParentTest, DamageIsReadOnce) {
  CheckingSource source;
  source.damaged = true;
  BufferCache cache({.node_bytes = kNode}, &source);
  EXPECT_EQ(ReadTogether(source, cache), std::vector<std::string>(5, "checksum"));
  EXPECT_EQ(source.reads(), 1);
  EXPECT_EQ(cache.stats().cached_buffers, 0u);
}

// Of a source that does not tell the two apart each reader asks once.
TEST(RacesParentTest, DamageThatTheSourceDoesNotNameIsReadOnceEach) {
  CheckingSource source;
  source.damaged = true;
  source.tells = false;
  BufferCache cache({.node_bytes = kNode}, &source);
  EXPECT_EQ(ReadTogether(source, cache), std::vector<std::string>(5, "checksum"));
  EXPECT_LE(source.reads(), 5);
  EXPECT_EQ(cache.stats().cached_buffers, 0u);
}

// Those who expect the same share one read, and its error.
TEST(RacesParentTest, TheSameExpectationIsReadOnce) {
  CheckingSource source;
  BufferCache cache({.node_bytes = kNode}, &source);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      ParentCheck check;
      check.generation = 9;
      EXPECT_EQ(cache.ReadBlock(0, &check).status().message(), "generation 7, not 9");
    });
    source.gate.AwaitArrival();
  }
  while (cache.stats().read_waits < 3) std::this_thread::yield();
  source.gate.Open();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(source.reads(), 1);
}

// A read that failed leaves the buffer STALE; one that succeeds afterwards wants it, and it stays.
TEST_F(RacesTest, ABlockThatCouldBeReadAfterAllStays) {
  source_.on_read = [](uint64_t) { return absl::UnavailableError("EIO"); };
  ExtentBufferRef block = *cache_.Create(0);
  EXPECT_FALSE(cache_.Read(block).ok());
  EXPECT_TRUE(block->stale());
  source_.on_read = nullptr;
  EXPECT_TRUE(cache_.Read(block).ok());
  block.Put();
  EXPECT_EQ(cache_.stats().cached_buffers, 1u);
}

// 13: a pointer used after the stale free dropped the last reference.
TEST_F(RacesTest, Scenario13AReferenceIsEmptyAfterPutStale) {
  ExtentBufferRef block = *cache_.ReadBlock(0);
  block.PutStale();
  EXPECT_FALSE(block);
  EXPECT_EQ(block.get(), nullptr);
  EXPECT_DEATH(block.PutStale(), "empty reference");
  block.Put();  // nothing
}

// ---- Allocation failures ------------------------------------------------------------------------

// 14: an attach that failed half way leaked the folios attached so far.
TEST(RacesAllocationTest, Scenario14FailedAttachLeaksNothing) {
  // An arena of 2 MiB: 128 blocks, and then no more.
  auto allocator = Order0Allocator({.arena_bytes = 2 << 20});
  MemorySource source;
  BufferCache cache({.node_bytes = kNode, .budget_bytes = 0, .allocator = allocator}, &source);
  std::vector<ExtentBufferRef> held;
  absl::Status failure;
  // One page short of a block at the end, so that the last attempt fails half way.
  Folio odd;
  ASSERT_TRUE(allocator->AllocateBulk({}, 0, absl::MakeSpan(&odd, 1)).ok());
  for (uint64_t i = 0; failure.ok(); ++i) {
    ASSERT_LT(i, 1000u);
    auto block = cache.Create(i * kNode);
    if (block.ok()) {
      held.push_back(*std::move(block));
    } else {
      failure = block.status();
    }
  }
  EXPECT_EQ(failure.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(allocator->stats().in_use_bytes, held.size() * kNode + 4096);
  EXPECT_EQ(cache.stats().cached_buffers, held.size());
  // With one buffer idle there is room again: the cache helps itself.
  const uint64_t full = held.size();
  held.pop_back();
  auto again = cache.Create(5000 * kNode);
  EXPECT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(cache.stats().cached_buffers, full);
  allocator->FreeBulk(0, absl::MakeSpan(&odd, 1));
}

// 15: a surplus reference from allocation made folios impossible to invalidate.
TEST_F(RacesTest, Scenario15EverythingThatWasUsedCanBeDropped) {
  for (uint64_t i = 0; i < 50; ++i) {
    ExtentBufferRef block = *cache_.ReadBlock(i * kNode);
    ExtentBufferRef again = cache_.Find(i * kNode);
    ExtentBufferRef shared = again.Share();
    if (i % 2 == 0) {
      block.SetDirty();
      ASSERT_TRUE(cache_.Writeback(block).ok());
    }
    (void)*cache_.Clone(*block);
  }
  EXPECT_EQ(cache_.DropCaches(), 50u);
  EXPECT_EQ(cache_.stats().cached_buffers, 0u);
  EXPECT_EQ(cache_.allocator().stats().in_use_bytes, 0u);
}

// ---- Death in order -----------------------------------------------------------------------------

TEST(DeathTest, OutOfTheIndexThenFoliosThenDescriptor) {
  struct Watching : public ForwardingAllocator {
    Watching() : ForwardingAllocator(HeapAllocator()) {}
    std::function<void()> on_free;
    std::string_view name() const override { return "watching"; }
    void FreeBlock(FolioBlock& block) override {
      if (on_free) on_free();
      below().FreeBlock(block);
    }
  };
  auto allocator = std::make_shared<Watching>();
  BufferCache cache({.node_bytes = kNode, .allocator = allocator});
  ExtentBuffer* dying = nullptr;
  int deaths = 0;
  allocator->on_free = [&] {
    if (++deaths > 1) return;
    EXPECT_EQ(dying->state().refs, 0u);
    // Out of the index already: a lookup finds nothing, and a new buffer of the same block is
    // another descriptor, because the old one is not back in the slab yet.
    EXPECT_FALSE(cache.Find(0));
    ExtentBufferRef successor = *cache.Create(0);
    EXPECT_NE(successor.get(), dying);
  };
  ExtentBufferRef block = *cache.Create(0);
  dying = block.get();
  block.PutStale();
  EXPECT_EQ(deaths, 1);
  // The successor was left alone by what came after.
  EXPECT_TRUE(cache.Find(0));
  EXPECT_EQ(cache.stats().cached_buffers, 1u);
  // And now the descriptor is free for the next one.
  EXPECT_EQ((*cache.Create(kNode)).get(), dying);
}

}  // namespace
}  // namespace ebcache
