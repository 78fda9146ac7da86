// Writes that fail: what was promised of the bytes, of those who flush and of those who read. Each
// case is held against the bytes on the device.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <new>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "ebcache/buffer_cache.h"
#include "tests/support/gate.h"
#include "tests/support/memory_source.h"

namespace ebcache {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

constexpr uint32_t kNode = 16384;
constexpr uint64_t kNew = 42;

absl::Status NoSpace(uint64_t start) {
  return absl::UnavailableError(absl::StrCat("block ", start, ": disk1.img at 4096: EIO"));
}

class FailedWritesTest : public testing::Test {
 protected:
  // A cached block with new bytes, DIRTY.
  ExtentBufferRef NewBytes(uint64_t start = 0, uint64_t value = kNew) {
    ExtentBufferRef block = *cache_.ReadBlock(start);
    EXPECT_TRUE(block->Set<uint64_t>(0, value).ok());
    block.SetDirty();
    return block;
  }
  // The same, after a write that failed.
  ExtentBufferRef Failed(uint64_t start = 0, uint64_t value = kNew) {
    ExtentBufferRef block = NewBytes(start, value);
    source_.on_write = NoSpace;
    EXPECT_FALSE(cache_.Writeback(block).ok());
    source_.on_write = nullptr;
    return block;
  }
  uint64_t OnDisk(uint64_t start) {
    uint64_t word = 0;
    std::memcpy(&word, source_.Contents(start, kNode).data(), sizeof(word));
    return word;
  }
  static uint64_t Old(uint64_t start) {
    uint64_t word = 0;
    std::memcpy(&word, MemorySource::Pattern(start, 8).data(), sizeof(word));
    return word;
  }
  // What a reader gets now.
  uint64_t ReadAgain(uint64_t start = 0) {
    auto block = cache_.ReadBlock(start);
    EXPECT_TRUE(block.ok()) << block.status();
    return block.ok() ? *(*block)->Get<uint64_t>(0) : ~uint64_t{0};
  }

  MemorySource source_;
  BufferCache cache_{{.node_bytes = kNode, .budget_bytes = 0}, &source_};
};

// ---- The bytes ----------------------------------------------------------------------------------

TEST_F(FailedWritesTest, BytesStayTheNewestAndReadersGetThem) {
  ExtentBufferRef block = Failed();
  const BufferState s = block->state();
  EXPECT_TRUE(s.has(BufferFlag::kDirty) && s.has(BufferFlag::kWriteErr) && block->uptodate())
      << s.ToString();
  EXPECT_TRUE(cache_.Read(block).ok());
  EXPECT_EQ(ReadAgain(), kNew);
  EXPECT_EQ(source_.reads(), 1);  // the disk was not asked again
  EXPECT_EQ(OnDisk(0), Old(0));
  EXPECT_EQ(cache_.stats().dirty_buffers, 1u);
  EXPECT_EQ(cache_.stats().write_err_buffers, 1u);
  EXPECT_TRUE(cache_.Writeback(block).ok());
  EXPECT_EQ(cache_.stats().write_err_buffers, 0u);
}

TEST_F(FailedWritesTest, NothingTakesTheBytesAway) {
  ExtentBufferRef block = Failed();
  const Folio folio = block->folios()[0];
  block.Put();
  EXPECT_EQ(cache_.DropCaches(), 0u);
  EXPECT_EQ(cache_.Shrink(kNode), 0u);
  EXPECT_FALSE(cache_.ReleaseFolio(folio, 0));
  cache_.SetBudget(kNode);
  for (uint64_t i = 1; i < 50; ++i) (void)*cache_.ReadBlock(i * kNode);
  EXPECT_EQ(ReadAgain(), kNew);
  EXPECT_TRUE(cache_.WritebackAll().ok());
  EXPECT_EQ(OnDisk(0), kNew);
  cache_.DropCaches();
  EXPECT_EQ(cache_.stats().cached_buffers, 0u);
}

TEST_F(FailedWritesTest, AStaleBlockStaysUntilItIsWritten) {
  Failed().PutStale();
  EXPECT_EQ(cache_.stats().cached_buffers, 1u);
  EXPECT_EQ(cache_.DropCaches(), 0u);
  EXPECT_TRUE(cache_.WritebackAll().ok());
  EXPECT_EQ(OnDisk(0), kNew);
  EXPECT_EQ(cache_.stats().cached_buffers, 0u);
}

// ---- Reports ------------------------------------------------------------------------------------

TEST_F(FailedWritesTest, EveryFlushReportsItUntilItIsWritten) {
  ExtentBufferRef block = NewBytes();
  source_.on_write = NoSpace;
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(std::string(cache_.WritebackAll().message()), HasSubstr("disk1.img at 4096: EIO"));
    EXPECT_EQ(cache_.Writeback(block).code(), absl::StatusCode::kUnavailable);
  }
  EXPECT_EQ(source_.writes(), 6);  // each of them has tried
  EXPECT_EQ(cache_.WriteError(block).message(), "block 0: disk1.img at 4096: EIO");
  source_.on_write = nullptr;
  EXPECT_TRUE(cache_.WritebackAll().ok());
  EXPECT_TRUE(cache_.WriteError(block).ok());
  EXPECT_EQ(OnDisk(0), kNew);
  EXPECT_FALSE(block->state().under_io());
}

// The others are written although one of them fails, and of several errors the first is told.
TEST_F(FailedWritesTest, OneFailureIsNoFailureOfTheOthers) {
  for (uint64_t i = 0; i < 100; ++i) (void)NewBytes(i * kNode, i + 1);
  source_.on_write = [](uint64_t start) {
    return start == 40 * kNode || start == 70 * kNode ? NoSpace(start) : absl::OkStatus();
  };
  EXPECT_THAT(std::string(cache_.WritebackAll().message()), HasSubstr("block 655360:"));
  for (uint64_t i = 0; i < 100; ++i) {
    EXPECT_EQ(OnDisk(i * kNode), i == 40 || i == 70 ? Old(i * kNode) : i + 1);
  }
  EXPECT_EQ(cache_.stats().dirty_buffers, 2u);
  EXPECT_EQ(cache_.NextDirty(0)->start(), 40u * kNode);
  source_.on_write = nullptr;
  EXPECT_TRUE(cache_.WritebackAll().ok());
  EXPECT_EQ(OnDisk(70 * kNode), 71u);
}

// ---- During the retry ---------------------------------------------------------------------------

// A read during the retry does not ask the disk, and what is written is what was changed.
TEST_F(FailedWritesTest, AReaderDuringTheRetryGetsTheNewestBytes) {
  ExtentBufferRef block = Failed();
  Gate gate;
  source_.on_write = [&](uint64_t) {
    gate.Pass();
    return absl::OkStatus();
  };
  std::thread writer([&] { EXPECT_TRUE(cache_.Writeback(block).ok()); });
  gate.AwaitArrival();
  EXPECT_TRUE(block->state().has(BufferFlag::kWriteErr));  // until it has succeeded
  EXPECT_EQ(ReadAgain(), kNew);
  EXPECT_EQ(source_.reads(), 1);
  gate.Open();
  writer.join();
  EXPECT_EQ(OnDisk(0), kNew);
  EXPECT_FALSE(block->state().has(BufferFlag::kWriteErr));
}

TEST_F(FailedWritesTest, WhatIsChangedDuringTheRetryIsWrittenByTheNext) {
  ExtentBufferRef block = Failed();
  Gate gate;
  std::atomic<int> round{0};
  source_.on_write = [&](uint64_t) {
    if (round.fetch_add(1) == 0) gate.Pass();
    return absl::OkStatus();
  };
  std::thread writer([&] { EXPECT_TRUE(cache_.Writeback(block).ok()); });
  gate.AwaitArrival();
  ExtentBufferRef mine = cache_.Find(0);
  mine.SetDirty();
  gate.Open();
  writer.join();
  EXPECT_TRUE(mine->dirty());
  EXPECT_FALSE(mine->state().has(BufferFlag::kWriteErr));
  ASSERT_TRUE(mine->Set<uint64_t>(0, kNew + 1).ok());
  EXPECT_TRUE(cache_.WritebackAll().ok());
  EXPECT_EQ(OnDisk(0), kNew + 1);
}

TEST_F(FailedWritesTest, ChangedWhileTheWriteFails) {
  ExtentBufferRef block = NewBytes();
  source_.on_write = [&](uint64_t start) {
    block.SetDirty();
    return NoSpace(start);
  };
  EXPECT_FALSE(cache_.Writeback(block).ok());
  source_.on_write = nullptr;
  EXPECT_EQ(cache_.stats().dirty_buffers, 1u);
  EXPECT_TRUE(cache_.WritebackAll().ok());
  EXPECT_EQ(OnDisk(0), kNew);
  EXPECT_EQ(cache_.stats().dirty_buffers, 0u);
}

// ---- Flushes beside other writers ---------------------------------------------------------------

// One thread writes the block, held up at the gate, and another flushes. Returns what the flush
// said; it must not come back before the write has ended.
absl::Status FlushBeside(BufferCache& cache, MemorySource& source, ExtentBuffer& block,
                         absl::Status end) {
  Gate gate;
  std::atomic<bool> ended{false};
  std::atomic<bool> first{true};
  source.on_write = [&](uint64_t) {
    if (!first.exchange(false)) return absl::OkStatus();
    gate.Pass();
    ended = true;
    return end;
  };
  std::thread writer([&] {
    ExtentBufferRef mine = cache.Find(block.start());
    (void)cache.Writeback(mine);
  });
  gate.AwaitArrival();
  const uint32_t refs = block.state().refs;
  absl::Status flushed;
  std::atomic<bool> returned{false};
  std::thread flush([&] {
    flushed = cache.WritebackAll();
    EXPECT_TRUE(ended) << "the flush came back while the block was being written";
    returned = true;
  });
  // It has met the block when it holds it.
  while (!returned && block.state().refs == refs) std::this_thread::yield();
  gate.Open();
  flush.join();
  writer.join();
  source.on_write = nullptr;
  return flushed;
}

TEST_F(FailedWritesTest, AFlushWaitsForWhatOthersWrite) {
  ExtentBufferRef block = NewBytes();
  EXPECT_TRUE(FlushBeside(cache_, source_, *block, absl::OkStatus()).ok());
  EXPECT_EQ(OnDisk(0), kNew);
  EXPECT_EQ(source_.writes(), 1);
}

TEST_F(FailedWritesTest, AFlushReportsWhatOthersFailedToWrite) {
  ExtentBufferRef block = NewBytes();
  EXPECT_EQ(FlushBeside(cache_, source_, *block, NoSpace(0)), NoSpace(0));
  EXPECT_EQ(OnDisk(0), Old(0));
  EXPECT_TRUE(cache_.WritebackAll().ok());
  EXPECT_EQ(OnDisk(0), kNew);
}

// What was dirtied while another was writing it is in none of the writes that have begun.
TEST_F(FailedWritesTest, AFlushWritesWhatWasDirtiedSince) {
  ExtentBufferRef block = NewBytes();
  Gate gate;
  std::atomic<int> round{0};
  source_.on_write = [&](uint64_t) {
    if (round.fetch_add(1) == 0) gate.Pass();
    return absl::OkStatus();
  };
  std::thread writer([&] { EXPECT_TRUE(cache_.Writeback(cache_.Find(0)).ok()); });
  gate.AwaitArrival();
  block.SetDirty();
  const uint32_t refs = block->state().refs;
  std::thread flush([&] {
    EXPECT_TRUE(cache_.WritebackAll().ok());
    EXPECT_EQ(round, 2);
  });
  while (block->state().refs == refs) std::this_thread::yield();
  gate.Open();
  flush.join();
  writer.join();
  EXPECT_FALSE(block->dirty());
}

// More than a batch: what another thread takes while the first batch is being written.
TEST_F(FailedWritesTest, AFlushMissesNoneThatAnotherTookMeanwhile) {
  constexpr uint64_t kLast = 100 * uint64_t{kNode};
  for (uint64_t i = 0; i < 33; ++i) (void)NewBytes(i == 32 ? kLast : i * kNode);
  Gate first_batch, last_block;
  source_.on_write = [&](uint64_t start) {
    if (start == 0) first_batch.Pass();
    if (start != kLast) return absl::OkStatus();
    last_block.Pass();
    return NoSpace(start);
  };
  absl::Status flushed;
  std::thread flush([&] { flushed = cache_.WritebackAll(); });
  first_batch.AwaitArrival();  // the call has begun, and the last block is DIRTY
  std::thread other([&] { EXPECT_FALSE(cache_.Writeback(cache_.Find(kLast)).ok()); });
  last_block.AwaitArrival();
  first_batch.Open();
  last_block.Open();
  other.join();
  flush.join();
  EXPECT_EQ(flushed, NoSpace(kLast));
}

// ---- Giving up ----------------------------------------------------------------------------------

TEST_F(FailedWritesTest, GivenUpByName) {
  ExtentBufferRef block = Failed();
  EXPECT_TRUE(*cache_.GiveUpWrite(block));
  EXPECT_FALSE(block->uptodate() || block->state().under_io());
  EXPECT_TRUE(cache_.WriteError(block).ok());
  EXPECT_TRUE(cache_.WritebackAll().ok());
  EXPECT_FALSE(*cache_.GiveUpWrite(block));
  EXPECT_EQ(cache_.stats().dirty_buffers, 0u);
  EXPECT_EQ(cache_.stats().write_err_buffers, 0u);
  EXPECT_EQ(ReadAgain(), Old(0));  // now the disk's are the newest
  EXPECT_EQ(source_.reads(), 2);
}

TEST_F(FailedWritesTest, GivingUpWaitsForTheWriteUnderWay) {
  ExtentBufferRef block = NewBytes();
  Gate gate;
  source_.on_write = [&](uint64_t) {
    gate.Pass();
    return absl::OkStatus();
  };
  std::thread writer([&] { EXPECT_TRUE(cache_.Writeback(cache_.Find(0)).ok()); });
  gate.AwaitArrival();
  std::thread giver([&] { EXPECT_FALSE(*cache_.GiveUpWrite(block)) << "it is on disk"; });
  gate.Open();
  writer.join();
  giver.join();
  EXPECT_EQ(ReadAgain(), kNew);
  EXPECT_EQ(OnDisk(0), kNew);
}

TEST_F(FailedWritesTest, AllGivenUpAtOnce) {
  (void)Failed(0);
  (void)NewBytes(kNode);
  (void)*cache_.ReadBlock(2 * kNode);
  EXPECT_EQ(cache_.GiveUpWrites(), 2u);
  EXPECT_EQ(cache_.GiveUpWrites(), 0u);
  EXPECT_EQ(ReadAgain(kNode), Old(kNode));
  EXPECT_TRUE(cache_.WritebackAll().ok());
}

// COW has copied the block, and lets the old one go although its write failed.
TEST_F(FailedWritesTest, CowLetsItGo) {
  ExtentBufferRef old = Failed();
  old.ClearDirty();
  EXPECT_TRUE(cache_.WritebackAll().ok());
  EXPECT_EQ(cache_.stats().write_err_buffers, 0u);
  old.PutStale();
  EXPECT_EQ(cache_.stats().cached_buffers, 0u);
}

// Freed, and allocated anew at the same address.
TEST_F(FailedWritesTest, ANewBlockAtTheSameAddress) {
  ExtentBufferRef block = Failed();
  ASSERT_TRUE(cache_.ReinitAsNewBlock(block, 101).ok());
  EXPECT_FALSE(block->state().under_io() || block->state().has(BufferFlag::kWriteErr));
  EXPECT_TRUE(block->uptodate());
  EXPECT_EQ(cache_.stats().write_err_buffers, 0u);
  EXPECT_TRUE(cache_.WritebackAll().ok());
}

TEST(FailedWrites, TheDestructorTellsOfWhatIsLost) {
  MemorySource source;
  std::vector<std::pair<uint64_t, std::string>> lost;
  {
    BufferCache cache({.node_bytes = kNode,
                       .on_unwritten =
                           [&](uint64_t start, const absl::Status& error) {
                             lost.emplace_back(start, std::string(error.message()));
                           }},
                      &source);
    source.on_write = NoSpace;
    (*cache.ReadBlock(0)).SetDirty();
    EXPECT_FALSE(cache.WritebackAll().ok());
    (*cache.ReadBlock(kNode)).SetDirty();
    (void)*cache.ReadBlock(2 * kNode);
  }
  EXPECT_THAT(lost, ElementsAre(Pair(0, "block 0: disk1.img at 4096: EIO"), Pair(kNode, "")));
}

TEST(FailedWrites, TheDestructorIsNotSilent) {
  testing::internal::CaptureStderr();
  {
    BufferCache cache({.node_bytes = kNode});
    for (uint64_t i = 0; i < 3; ++i) {
      ExtentBufferRef block = *cache.Create(i * kNode);
      block.SetUptodate();
      if (i != 1) block.SetDirty();
    }
  }
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("2 blocks that were not written"));
}

// ---- Sources that misbehave ---------------------------------------------------------------------

TEST_F(FailedWritesTest, ASourceThatSetsNoStatusHasFailed) {
  struct Silent : BlockSource {
    void Read(absl::Span<BlockRead>) override {}
    absl::Status CheckParent(const ExtentBuffer&, const ParentCheck&) override { return {}; }
    void Write(absl::Span<BlockWrite>) override {}
  } silent;
  BufferCache cache({.node_bytes = kNode}, &silent);
  const uint64_t starts[] = {0, kNode};
  absl::StatusOr<ExtentBufferRef> results[2];
  cache.ReadBlocks(starts, {}, results);
  EXPECT_THAT(std::string(results[1].status().message()),
              HasSubstr("block 16384: the read failed"));
  EXPECT_FALSE(cache.ReadBlock(0).ok());
  ExtentBufferRef block = *cache.Create(0);
  block.SetUptodate();
  block.SetDirty();
  EXPECT_THAT(std::string(cache.WritebackAll().message()), HasSubstr("block 0: the write failed"));
  EXPECT_TRUE(*cache.GiveUpWrite(block));
}

template <typename Exception>
void ExpectAnError(MemorySource& source, BufferCache& cache, absl::StatusCode code) {
  source.on_read = [](uint64_t) -> absl::Status { throw Exception(); };
  EXPECT_EQ(cache.ReadBlock(kNode).status().code(), code);
  const uint64_t starts[] = {2 * kNode, 3 * kNode};
  absl::StatusOr<ExtentBufferRef> results[2];
  cache.ReadBlocks(starts, {}, results);
  for (const auto& result : results) EXPECT_EQ(result.status().code(), code);
  source.on_read = nullptr;
  for (uint64_t i = 1; i <= 3; ++i) EXPECT_TRUE(cache.ReadBlock(i * kNode).ok());
  source.on_write = [](uint64_t) -> absl::Status { throw Exception(); };
  ExtentBufferRef block = cache.Find(kNode);
  block.SetDirty();
  EXPECT_EQ(cache.Writeback(block).code(), code);
  EXPECT_EQ(cache.WritebackAll().code(), code);
  source.on_write = nullptr;
  EXPECT_TRUE(cache.WritebackAll().ok());
  block.Put();
  cache.DropCaches();
}

struct Surprise : std::runtime_error {
  Surprise() : std::runtime_error("surprise") {}
};

TEST_F(FailedWritesTest, ASourceThatThrowsHasFailed) {
  ExpectAnError<std::bad_alloc>(source_, cache_, absl::StatusCode::kResourceExhausted);
  ExpectAnError<Surprise>(source_, cache_, absl::StatusCode::kInternal);
  EXPECT_EQ(cache_.stats().cached_buffers, 0u);  // nothing was left READING or under WRITEBACK
}

}  // namespace
}  // namespace ebcache
