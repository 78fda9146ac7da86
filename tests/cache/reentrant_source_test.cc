// Sources that use caches themselves. What they may wait for, they get; a wait that would be for
// ever is refused, and everybody else gets what they want.

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <latch>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "ebcache/buffer_cache.h"
#include "lib/cache/calls_under_way.h"
#include "tests/support/memory_source.h"

namespace ebcache {
namespace {

constexpr uint64_t kNode = 16384;
constexpr uint64_t kA = 1 * kNode, kB = 2 * kNode, kC = 3 * kNode, kD = 4 * kNode;

// What calls from inside of a source have come to, by block.
class Answers {
 public:
  void Add(absl::Status status) {
    const std::lock_guard lock(mutex_);
    all_.push_back(std::move(status));
  }
  int Refused() const {
    int refused = 0;
    for (const absl::Status& status : all_) {
      refused += absl::IsFailedPrecondition(status);
      EXPECT_TRUE(status.ok() || absl::IsFailedPrecondition(status)) << status;
    }
    return refused;
  }
  size_t size() const { return all_.size(); }

 private:
  std::mutex mutex_;
  std::vector<absl::Status> all_;
};

class ReentrantSource : public testing::Test {
 protected:
  // Nothing that a call of a source has left behind.
  ~ReentrantSource() override { EXPECT_EQ(CallUnderWay::Innermost(), nullptr); }
  void Ask(uint64_t start) { answers_.Add(cache_.ReadBlock(start).status()); }
  // A block with changes, in the cache.
  void MakeDirty(uint64_t start) {
    ExtentBufferRef block = *cache_.Create(start);
    block.SetUptodate();
    block.SetDirty();
  }

  Answers answers_;
  MemorySource source_;
  BufferCache cache_{{.node_bytes = kNode}, &source_};
};

TEST_F(ReentrantSource, AsksForTheBlockThatItReads) {
  source_.on_read = [&](uint64_t start) {
    Ask(start);
    return absl::OkStatus();
  };
  ASSERT_TRUE(cache_.ReadBlock(kA).ok());
  EXPECT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_.Refused(), 1);
  const auto block = cache_.Find(kA);
  EXPECT_TRUE(block->uptodate());
  EXPECT_EQ(block->state().refs, 2u) << "the refused call keeps no reference";
}

TEST_F(ReentrantSource, SaysWhichBlockAndWhy) {
  absl::Status refused;
  source_.on_read = [&](uint64_t start) {
    refused = cache_.ReadBlock(start).status();
    return absl::OkStatus();
  };
  ASSERT_TRUE(cache_.ReadBlock(kA).ok());
  EXPECT_NE(refused.message().find("block " + std::to_string(kA)), std::string::npos) << refused;
  EXPECT_NE(refused.message().find("for ever"), std::string::npos) << refused;
  EXPECT_TRUE(WouldWaitForEver(refused));
  // Another error with that code.
  BufferCache without_source({.node_bytes = kNode});
  const absl::Status no_source = without_source.ReadBlock(kA).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(no_source)) << no_source;
  EXPECT_FALSE(WouldWaitForEver(no_source));
}

TEST_F(ReentrantSource, AsksForAnotherBlockOfItsBatch) {
  source_.on_read = [&](uint64_t start) {
    if (start == kA) Ask(kB);
    return absl::OkStatus();
  };
  const std::array<uint64_t, 2> starts = {kA, kB};
  std::array<absl::StatusOr<ExtentBufferRef>, 2> results;
  cache_.ReadBlocks(starts, {}, absl::MakeSpan(results));
  EXPECT_EQ(answers_.Refused(), 1);
  for (const auto& result : results) {
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_TRUE((*result)->uptodate());
  }
}

// A batch from inside: what is refused is the one block, not the others.
TEST_F(ReentrantSource, AsksForABatchWithItsOwnBlockInIt) {
  std::array<absl::StatusOr<ExtentBufferRef>, 3> inner;
  source_.on_read = [&](uint64_t start) {
    if (start != kA) return absl::OkStatus();
    const std::array<uint64_t, 3> starts = {kB, kA, kC};
    cache_.ReadBlocks(starts, {}, absl::MakeSpan(inner));
    return absl::OkStatus();
  };
  ASSERT_TRUE(cache_.ReadBlock(kA).ok());
  EXPECT_TRUE(inner[0].ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(inner[1].status())) << inner[1].status();
  EXPECT_TRUE(inner[2].ok());
  EXPECT_EQ(source_.reads(), 3);
}

TEST_F(ReentrantSource, AsksForABlockWhoseReadAsksForTheFirst) {
  source_.on_read = [&](uint64_t start) {
    if (start == kA) Ask(kB);
    if (start == kB) Ask(kC);
    if (start == kC) Ask(kA);
    return absl::OkStatus();
  };
  ASSERT_TRUE(cache_.ReadBlock(kA).ok());
  EXPECT_EQ(answers_.size(), 3u);
  EXPECT_EQ(answers_.Refused(), 1);
  for (const uint64_t start : {kA, kB, kC}) EXPECT_TRUE(cache_.Find(start)->uptodate());
}

// Allowed, and works: it is no circle.
TEST_F(ReentrantSource, AsksForBlocksThatOthersRead) {
  std::latch b_is_read(1), a_asks(1);
  source_.on_read = [&](uint64_t start) {
    if (start == kB) {
      b_is_read.count_down();
      a_asks.wait();
    }
    if (start == kA) {
      b_is_read.wait();
      std::thread helper([&] {
        while (cache_.stats().read_waits == 0) std::this_thread::yield();
        a_asks.count_down();
      });
      Ask(kB);
      helper.join();
    }
    return absl::OkStatus();
  };
  std::thread other([&] { EXPECT_TRUE(cache_.ReadBlock(kB).ok()); });
  EXPECT_TRUE(cache_.ReadBlock(kA).ok());
  other.join();
  EXPECT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_.Refused(), 0);
}

// Threads in a ring, each inside of a read and wanting the block of the next: one is refused, and
// the others get theirs.
TEST_F(ReentrantSource, ThreadsThatWantEachOthersBlocks) {
  for (const size_t threads : {2u, 3u, 4u}) {
    Answers answers;
    MemorySource source;
    BufferCache cache({.node_bytes = kNode}, &source);
    std::latch all_inside(static_cast<ptrdiff_t>(threads));
    source.on_read = [&](uint64_t start) {
      all_inside.arrive_and_wait();
      answers.Add(cache.ReadBlock((start / kNode + 1) % threads * kNode).status());
      return absl::OkStatus();
    };
    std::vector<std::thread> readers;
    for (uint64_t i = 0; i < threads; ++i) {
      readers.emplace_back([&cache, i] { EXPECT_TRUE(cache.ReadBlock(i * kNode).ok()); });
    }
    for (std::thread& reader : readers) reader.join();
    EXPECT_EQ(answers.size(), threads);
    EXPECT_EQ(answers.Refused(), 1) << threads << " threads";
    for (uint64_t i = 0; i < threads; ++i) EXPECT_TRUE(cache.Find(i * kNode)->uptodate());
  }
}

// The same through two caches, as where the device of one is made of blocks of the other.
TEST_F(ReentrantSource, CachesThatWantEachOthersBlocks) {
  MemorySource second_source;
  BufferCache second({.node_bytes = kNode}, &second_source);
  std::latch both_inside(2);
  source_.on_read = [&](uint64_t) {
    both_inside.arrive_and_wait();
    answers_.Add(second.ReadBlock(kB).status());
    return absl::OkStatus();
  };
  second_source.on_read = [&](uint64_t) {
    both_inside.arrive_and_wait();
    Ask(kA);
    return absl::OkStatus();
  };
  std::thread other([&] { EXPECT_TRUE(second.ReadBlock(kB).ok()); });
  EXPECT_TRUE(cache_.ReadBlock(kA).ok());
  other.join();
  EXPECT_EQ(answers_.Refused(), 1);
  EXPECT_TRUE(cache_.Find(kA)->uptodate());
  EXPECT_TRUE(second.Find(kB)->uptodate());
}

// ---- Writes -------------------------------------------------------------------------------------

TEST_F(ReentrantSource, WritesTheBlockThatItWrites) {
  for (const bool all : {false, true}) {
    MakeDirty(kA);
    absl::Status inner;
    source_.on_write = [&](uint64_t) {
      inner = all ? cache_.WritebackAll() : cache_.Writeback(cache_.Find(kA));
      return absl::OkStatus();
    };
    EXPECT_TRUE(cache_.WritebackAll().ok());
    EXPECT_TRUE(absl::IsFailedPrecondition(inner)) << inner;
    EXPECT_FALSE(cache_.Find(kA)->state().under_io());
  }
}

TEST_F(ReentrantSource, GivesUpTheBlockThatItWrites) {
  MakeDirty(kA);
  MakeDirty(kB);
  absl::Status one;
  uint64_t given_up = 99;
  source_.on_write = [&](uint64_t start) {
    if (start != kA) return absl::OkStatus();
    one = cache_.GiveUpWrite(cache_.Find(kA)).status();
    given_up = cache_.GiveUpWrites();
    return absl::OkStatus();
  };
  EXPECT_TRUE(cache_.WritebackAll().ok());
  EXPECT_TRUE(WouldWaitForEver(one)) << one;
  EXPECT_EQ(given_up, 0u);
  EXPECT_EQ(source_.writes(), 2);
}

TEST_F(ReentrantSource, WritesAnotherBlockOfItsBatch) {
  MakeDirty(kA);
  MakeDirty(kB);
  source_.on_write = [&](uint64_t start) {
    if (start == kA) answers_.Add(cache_.Writeback(cache_.Find(kB)));
    return absl::OkStatus();
  };
  EXPECT_TRUE(cache_.WritebackAll().ok());
  EXPECT_EQ(answers_.Refused(), 1);
  EXPECT_EQ(source_.writes(), 2);
}

// A reader wants a block written, and its writer wants the reader's block.
TEST_F(ReentrantSource, AReadAndAWriteThatWantEachOther) {
  MakeDirty(kD);
  std::latch both_inside(2);
  source_.on_read = [&](uint64_t) {
    both_inside.arrive_and_wait();
    answers_.Add(cache_.Writeback(cache_.Find(kD)));
    return absl::OkStatus();
  };
  source_.on_write = [&](uint64_t) {
    both_inside.arrive_and_wait();
    Ask(kA);
    return absl::OkStatus();
  };
  std::thread writer([&] { EXPECT_TRUE(cache_.WritebackAll().ok()); });
  EXPECT_TRUE(cache_.ReadBlock(kA).ok());
  writer.join();
  EXPECT_EQ(answers_.size(), 2u);
  EXPECT_EQ(answers_.Refused(), 1);
  EXPECT_TRUE(cache_.Find(kA)->uptodate());
  EXPECT_FALSE(cache_.Find(kD)->state().under_io());
}

// ---- Many at once -------------------------------------------------------------------------------

// Sources that ask for whatever, on threads that read whatever: nobody hangs, and in the end all is
// as if they had not asked.
TEST_F(ReentrantSource, AnyonesBlocksOnManyThreads) {
  constexpr uint64_t kBlocks = 6;
  std::atomic<uint64_t> turn{0};
  static thread_local int depth = 0;
  source_.on_read = [&](uint64_t) {
    if (depth >= 3) return absl::OkStatus();
    ++depth;
    answers_.Add(cache_.ReadBlock(turn.fetch_add(5) % kBlocks * kNode).status());
    --depth;
    return absl::OkStatus();
  };
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t i = 0; i < 300; ++i) {
        EXPECT_TRUE(cache_.ReadBlock((i + t) % kBlocks * kNode).ok());
        if (i % 7 == 0) cache_.DropCaches();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  (void)answers_.Refused();
  cache_.DropCaches();
  EXPECT_EQ(cache_.stats().cached_buffers, 0u);
}

}  // namespace
}  // namespace ebcache
