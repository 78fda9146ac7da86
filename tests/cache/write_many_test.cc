// BufferCache::WritebackMany: which buffers it writes, how the source is asked, and what becomes of
// those that fail or that others are writing.

#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <string>
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
using testing::IsEmpty;

constexpr uint32_t kNode = 16384;

// Keeps what it was asked: "0 16384" for a batch of two; "0* 16384*" where that was until_flush.
class BatchSource : public MemorySource {
 public:
  void Write(absl::Span<BlockWrite> writes) override {
    std::string batch;
    for (const BlockWrite& write : writes) {
      absl::StrAppend(&batch, batch.empty() ? "" : " ", write.buffer->start() / kNode,
                      write.until_flush ? "*" : "");
    }
    {
      std::lock_guard lock(mutex_);
      batches_.push_back(std::move(batch));
    }
    MemorySource::Write(writes);
  }
  std::vector<std::string> batches() {
    std::lock_guard lock(mutex_);
    return std::exchange(batches_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> batches_;
};

class WriteManyTest : public testing::Test {
 protected:
  ExtentBufferRef NewBytes(uint64_t block, uint64_t value) {
    ExtentBufferRef buffer = *cache_.ReadBlock(block * kNode);
    EXPECT_TRUE(buffer->Set<uint64_t>(0, value).ok());
    buffer.SetDirty();
    return buffer;
  }
  std::vector<ExtentBufferRef> NewBlocks(uint64_t count) {
    std::vector<ExtentBufferRef> buffers;
    for (uint64_t block = 0; block < count; ++block) buffers.push_back(NewBytes(block, block + 1));
    return buffers;
  }
  uint64_t OnDisk(uint64_t block) {
    uint64_t word = 0;
    std::memcpy(&word, source_.Contents(block * kNode, kNode).data(), sizeof(word));
    return word;
  }
  static uint64_t Old(uint64_t block) {
    uint64_t word = 0;
    std::memcpy(&word, MemorySource::Pattern(block * kNode, 8).data(), sizeof(word));
    return word;
  }
  static absl::Status NoSpace(uint64_t start) {
    return absl::UnavailableError(absl::StrCat("block ", start, ": EIO"));
  }

  BatchSource source_;
  BufferCache cache_{{.node_bytes = kNode, .budget_bytes = 0}, &source_};
};

TEST_F(WriteManyTest, WhatIsGivenAndDirtyAsOneBatch) {
  std::vector<ExtentBufferRef> buffers = NewBlocks(100);
  const ExtentBufferRef not_given = NewBytes(1001, 7);
  std::string wanted;
  for (int block = 0; block < 100; ++block) {
    absl::StrAppend(&wanted, block == 0 ? "" : " ", block, "*");
  }
  buffers.push_back(*cache_.ReadBlock(1000 * kNode));  // clean
  EXPECT_EQ(cache_.WritebackMany(buffers, WriteDurability::kUntilFlush), absl::OkStatus());
  EXPECT_THAT(source_.batches(), ElementsAre(wanted));
  for (uint64_t block = 0; block < 100; ++block) EXPECT_EQ(OnDisk(block), block + 1);
  EXPECT_EQ(OnDisk(1001), Old(1001));
  EXPECT_EQ(cache_.stats().dirty_buffers, 1u);
  EXPECT_EQ(cache_.WritebackMany(buffers, WriteDurability::kUntilFlush), absl::OkStatus());
  EXPECT_EQ(cache_.WritebackMany({}, WriteDurability::kUntilFlush), absl::OkStatus());
  EXPECT_THAT(source_.batches(), IsEmpty());
}

// What was not asked for until a flush is asked for on disk, by all who write.
TEST_F(WriteManyTest, DurableUnlessAskedForOtherwise) {
  ExtentBufferRef block = NewBytes(3, 1);
  EXPECT_EQ(cache_.WritebackMany({&block, 1}, WriteDurability::kDurable), absl::OkStatus());
  block.SetDirty();
  EXPECT_EQ(cache_.Writeback(block), absl::OkStatus());
  block.SetDirty();
  EXPECT_EQ(cache_.WritebackAll(), absl::OkStatus());
  EXPECT_THAT(source_.batches(), ElementsAre("3", "3", "3"));
}

TEST_F(WriteManyTest, OneFailureIsNoFailureOfTheOthers) {
  const std::vector<ExtentBufferRef> buffers = NewBlocks(80);
  source_.on_write = [](uint64_t start) {
    return start == 70 * kNode || start == 40 * kNode ? NoSpace(start) : absl::OkStatus();
  };
  EXPECT_EQ(cache_.WritebackMany(buffers, WriteDurability::kUntilFlush).message(),
            absl::StrCat("block ", 40 * kNode, ": EIO"));
  for (uint64_t block = 0; block < 80; ++block) {
    const bool failed = block == 40 || block == 70;
    EXPECT_EQ(OnDisk(block), failed ? Old(block) : block + 1);
    const BufferState state = buffers[block]->state();
    EXPECT_EQ(state.has(BufferFlag::kDirty), failed);
    EXPECT_EQ(state.has(BufferFlag::kWriteErr), failed);
    EXPECT_TRUE(buffers[block]->uptodate());
  }
  EXPECT_THAT(std::string(cache_.WriteError(buffers[70]).message()), HasSubstr("EIO"));
  source_.on_write = nullptr;
  EXPECT_EQ(cache_.WritebackMany(buffers, WriteDurability::kUntilFlush), absl::OkStatus());
  EXPECT_EQ(cache_.stats().dirty_buffers, 0u);
  EXPECT_EQ(cache_.stats().write_err_buffers, 0u);
  EXPECT_EQ(OnDisk(70), 71u);
}

TEST_F(WriteManyTest, TheSameBufferTwice) {
  const ExtentBufferRef buffers[] = {NewBytes(1, 5), NewBytes(2, 6), cache_.Find(kNode)};
  EXPECT_EQ(cache_.WritebackMany(buffers, WriteDurability::kUntilFlush), absl::OkStatus());
  EXPECT_THAT(source_.batches(), ElementsAre("1* 2*"));
}

TEST_F(WriteManyTest, ABufferOfAnotherCacheAndNothingIsWritten) {
  BufferCache other({.node_bytes = kNode}, &source_);
  ExtentBufferRef both[] = {NewBytes(1, 5), *other.ReadBlock(2 * kNode)};
  both[1].SetDirty();
  EXPECT_TRUE(absl::IsInvalidArgument(cache_.WritebackMany(both, WriteDurability::kDurable)));
  EXPECT_THAT(source_.batches(), IsEmpty());
  EXPECT_TRUE(both[0]->dirty());
  EXPECT_TRUE(*other.GiveUpWrite(both[1]));
}

TEST_F(WriteManyTest, NoSource) {
  BufferCache cache({.node_bytes = kNode});
  ExtentBufferRef block = *cache.Create(0);
  block.SetUptodate();
  block.SetDirty();
  EXPECT_TRUE(
      absl::IsFailedPrecondition(cache.WritebackMany({&block, 1}, WriteDurability::kUntilFlush)));
  EXPECT_TRUE(*cache.GiveUpWrite(block));
}

TEST_F(WriteManyTest, AStaleBlockGoesWithItsWrite) {
  std::vector<ExtentBufferRef> buffers = NewBlocks(2);
  cache_.Find(0).PutStale();
  EXPECT_EQ(cache_.WritebackMany(buffers, WriteDurability::kUntilFlush), absl::OkStatus());
  buffers.clear();
  EXPECT_EQ(cache_.stats().cached_buffers, 1u);
  EXPECT_EQ(OnDisk(0), 1u);
}

TEST(WriteManyDeathTest, AnEmptyReference) {
  BufferCache cache({.node_bytes = kNode});
  const ExtentBufferRef none;
  EXPECT_DEATH((void)cache.WritebackMany({&none, 1}, WriteDurability::kDurable),
               "WritebackMany of an empty reference");
}

// ---- What others are writing --------------------------------------------------------------------

// Another thread's write of block 0, held up until block 2 is written, and then failing as often as
// it is told to. A call that waited for it before it has written its own would wait for ever.
class OthersWriteTest : public WriteManyTest {
 protected:
  // Returns once that write is under way.
  void BeginOthers() {
    source_.on_write = [this](uint64_t start) {
      if (start == 2 * kNode) gate_.Open();
      if (start != 0) return absl::OkStatus();
      if (writes_.fetch_add(1) == 0) gate_.Pass();
      return failures_.fetch_sub(1) > 0 ? NoSpace(start) : absl::OkStatus();
    };
    buffers_ = NewBlocks(3);
    other_ = std::thread([this] { others_status_ = cache_.Writeback(buffers_[0]); });
    gate_.AwaitArrival();
  }
  absl::Status WriteOurs() {
    absl::Status status = cache_.WritebackMany(buffers_, WriteDurability::kUntilFlush);
    other_.join();
    return status;
  }

  Gate gate_;
  std::atomic<int> writes_{0};
  std::atomic<int> failures_{0};
  std::vector<ExtentBufferRef> buffers_;
  std::thread other_;
  absl::Status others_status_;
};

TEST_F(OthersWriteTest, AreWaitedFor) {
  BeginOthers();
  EXPECT_EQ(WriteOurs(), absl::OkStatus());
  EXPECT_THAT(source_.batches(), ElementsAre("0", "1* 2*"));
  EXPECT_EQ(cache_.stats().dirty_buffers, 0u);
}

TEST_F(OthersWriteTest, TheirFailureIsOurs) {
  failures_ = 1;
  BeginOthers();
  EXPECT_THAT(std::string(WriteOurs().message()), HasSubstr("EIO"));
  EXPECT_FALSE(others_status_.ok());
  EXPECT_THAT(source_.batches(), ElementsAre("0", "1* 2*"));
  EXPECT_TRUE(buffers_[0]->dirty());
}

// What was dirtied since their write began is written after it, as this call wants it.
TEST_F(OthersWriteTest, WhatIsNewerIsWrittenAfterwards) {
  BeginOthers();
  buffers_[0].SetDirty();
  EXPECT_EQ(WriteOurs(), absl::OkStatus());
  EXPECT_THAT(source_.batches(), ElementsAre("0", "1* 2*", "0*"));
  EXPECT_EQ(cache_.stats().dirty_buffers, 0u);
}

}  // namespace
}  // namespace ebcache
