// Reading ahead: what it reads, what it leaves alone, and that a walk is the same with it.

#include "ebcache/readahead.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <latch>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "ebcache/btree.h"
#include "ebcache/buffer_cache.h"
#include "tests/support/in_child.h"
#include "tests/tree/memory_tree.h"
#include "tests/tree/recording_visitor.h"

namespace ebcache::testing {
namespace {

using ::testing::ElementsAreArray;
using ::testing::IsEmpty;

// A MemoryDisk for many threads.
class SharedDisk final : public BlockSource {
 public:
  explicit SharedDisk(MemoryDisk* disk) : disk_(disk) {}
  void Read(absl::Span<BlockRead> reads) override {
    std::unique_lock lock(mutex_);
    const bool holds = hold_until_walker_has_read != 0;
    const bool leaves = reads[0].check != nullptr && reads[0].check->level == 0;
    if (std::this_thread::get_id() == walker) {
      // It has asked for leaves before it reads any.
      if (holds && leaves) WaitUntil(lock, [this] { return read_ahead != 0; });
      read_by_walker += reads.size();
    } else {
      read_ahead += reads.size();
      changed_.notify_all();
      if (holds) {
        WaitUntil(lock, [this] { return read_by_walker >= hold_until_walker_has_read; });
      }
    }
    changed_.notify_all();
    disk_->Read(reads);
  }
  absl::Status CheckParent(const ExtentBuffer& buffer, const ParentCheck& check) override {
    return disk_->CheckParent(buffer, check);
  }
  void Write(absl::Span<BlockWrite>) override {}

  const std::thread::id walker = std::this_thread::get_id();
  // Guarded by mutex_ while others read.
  uint64_t read_ahead = 0;
  uint64_t read_by_walker = 0;
  // Reads of other threads wait for this; and the walker's of leaves until there is such a read.
  uint64_t hold_until_walker_has_read = 0;
  // One of these would have waited for ever.
  bool waited_in_vain = false;

 private:
  template <typename Condition>
  void WaitUntil(std::unique_lock<std::mutex>& lock, Condition condition) {
    if (!changed_.wait_for(lock, std::chrono::seconds(20), condition)) waited_in_vain = true;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  MemoryDisk* const disk_;
};

class ReadaheadTest : public ::testing::Test {
 protected:
  MemoryDisk disk_;
  SharedDisk source_{&disk_};
  BufferCache cache_{{.node_bytes = 4096, .allocator = nullptr}, &source_};
};

// Waits until a thread of the readahead has read so many blocks: a hang here is a lost wake-up.
void WaitFor(const Readahead& readahead, uint64_t blocks) {
  while (readahead.blocks_read() < blocks) std::this_thread::yield();
}

TEST_F(ReadaheadTest, ReadsWhatIsAskedFor) {
  const BuiltTree built = BuildTree(disk_, NumberedItems(300));
  {
    Readahead readahead(&cache_, {.threads = 2, .batch = 8});
    for (uint64_t leaf : built.levels[0]) {
      EXPECT_TRUE(readahead.Ask(leaf, {.level = uint8_t{0}}));
    }
    readahead.Flush();
    WaitFor(readahead, built.levels[0].size());
  }
  for (uint64_t leaf : built.levels[0]) {
    const ExtentBufferRef block = cache_.Find(leaf);
    ASSERT_TRUE(block);
    EXPECT_TRUE(block->uptodate());
  }
  EXPECT_EQ(disk_.reads().size(), built.levels[0].size());
}

// Each is a full batch, and needs no Flush. The number of threads is up to the library.
TEST_F(ReadaheadTest, ByDefaultThereIsAThreadAndAFullBatchWakesIt) {
  const BuiltTree built = BuildTree(disk_, NumberedItems(300));
  Readahead readahead(&cache_, {.batch = 1});
  for (uint64_t leaf : built.levels[0]) ASSERT_TRUE(readahead.Ask(leaf, {}));
  WaitFor(readahead, built.levels[0].size());
}

// Its threads are not there, so nobody reads what a child asks for but the child; and the parent's
// go on.
TEST_F(ReadaheadTest, AChildOfAForkReadsByItself) {
  if (!kChildrenHaveThreads) GTEST_SKIP() << kNoThreadsInChildren;
  const BuiltTree built = BuildTree(disk_, NumberedItems(300));
  const std::vector<uint64_t>& leaves = built.levels[0];
  auto readahead = std::make_unique<Readahead>(&cache_, ReadaheadOptions{.threads = 2, .batch = 4});
  for (size_t i = 0; i < leaves.size() / 2; ++i) readahead->Ask(leaves[i], {});
  readahead->Flush();
  EXPECT_EQ(InChild([&] {
              EXPECT_TRUE(readahead->Ask(leaves.back(), {}));
              readahead->Flush();
              while (readahead->ReadSome()) {
              }
              EXPECT_TRUE(cache_.Find(leaves.back()));
              readahead.reset();
              EXPECT_TRUE(cache_.ReadBlock(leaves[0]).ok());
            }),
            "");
  for (size_t i = leaves.size() / 2; i < leaves.size(); ++i) readahead->Ask(leaves[i], {});
  readahead->Flush();
  WaitFor(*readahead, leaves.size());
}

// Throws, and no std::exception. A read of `held` waits for `go_on` first.
class ThrowingDisk final : public BlockSource {
 public:
  ThrowingDisk(MemoryDisk* disk, uint64_t held) : disk_(disk), held_(held) {}
  void Read(absl::Span<BlockRead> reads) override {
    if (reads[0].buffer->start() == held_) {
      reading.count_down();
      go_on.wait();
    }
    if (throws_when_it_reads) throw 42;
    disk_->Read(reads);
  }
  absl::Status CheckParent(const ExtentBuffer&, const ParentCheck&) override {
    ++checks;
    throw 42;
  }
  void Write(absl::Span<BlockWrite>) override {}

  std::latch reading{1};
  std::latch go_on{1};
  std::atomic<bool> throws_when_it_reads = false;  // looked at by the readahead's thread, too
  std::atomic<int> checks = 0;

 private:
  MemoryDisk* const disk_;
  const uint64_t held_;
};

TEST_F(ReadaheadTest, SourcesThatThrowEndNoProcess) {
  const std::vector<uint64_t> leaves = BuildTree(disk_, NumberedItems(300)).levels[0];
  for (const bool throws_when_it_reads : {false, true}) {
    ThrowingDisk source(&disk_, leaves.back());
    source.throws_when_it_reads = throws_when_it_reads;
    BufferCache cache({.node_bytes = 4096, .allocator = nullptr}, &source);
    {
      Readahead readahead(&cache, {.threads = 1, .batch = 4});
      readahead.Ask(leaves.back(), {});
      readahead.Flush();
      source.reading.wait();
      // The second of two in a batch finds that the block is there, or being read, and checks it.
      for (size_t i = 0; i < 8; ++i) readahead.Ask(leaves[i / 2], {.level = uint8_t{0}});
      EXPECT_TRUE(readahead.ReadSome());
      EXPECT_TRUE(readahead.ReadSome());
      EXPECT_FALSE(readahead.ReadSome());
      EXPECT_EQ(source.checks, throws_when_it_reads ? 0 : 4);
      source.go_on.count_down();
    }
    source.throws_when_it_reads = false;
    for (size_t i = 0; i < 4; ++i) EXPECT_TRUE(cache.ReadBlock(leaves[i]).ok());
    EXPECT_TRUE(cache.ReadBlock(leaves.back()).ok());
  }
}

TEST_F(ReadaheadTest, LeavesAloneWhatIsThere) {
  const BuiltTree built = BuildTree(disk_, NumberedItems(30));
  const std::vector<uint64_t>& leaves = built.levels[0];
  for (size_t i = 1; i < leaves.size(); ++i) ASSERT_TRUE(cache_.ReadBlock(leaves[i]).ok());
  {
    Readahead readahead(&cache_, {.threads = 1});
    for (uint64_t leaf : leaves) readahead.Ask(leaf, {});
    readahead.Flush();
    WaitFor(readahead, 1);
  }
  EXPECT_EQ(disk_.reads().size(), leaves.size());
}

TEST_F(ReadaheadTest, NeverKeepsMoreWaitingThanItSays) {
  // A batch that never comes together: nobody is woken, so all of them wait.
  Readahead readahead(&cache_, {.threads = 1, .batch = 1000, .most_waiting = 10});
  int taken = 0;
  for (uint64_t i = 0; i < 30; ++i) taken += readahead.Ask(i * 4096, {});
  EXPECT_GE(taken, 10);  // the thread may have begun on its own, and then there is room again
  EXPECT_LE(taken, 30);
}

TEST_F(ReadaheadTest, WhatFailsIsNotKeptAndFailsAgain) {
  const BuiltTree built = BuildTree(disk_, NumberedItems(30));
  const uint64_t bad = built.levels[0][2];
  disk_.SetLevel(bad, 3);
  Readahead readahead(&cache_, {.threads = 1});
  readahead.Ask(bad, {.level = uint8_t{0}});
  readahead.Flush();
  WaitFor(readahead, 1);
  EXPECT_FALSE(cache_.Find(bad));
  const ParentCheck check{.level = uint8_t{0}};
  EXPECT_FALSE(cache_.ReadBlock(bad, &check).ok());
}

TEST_F(ReadaheadTest, GoesWithWhatStillWaits) {
  const BuiltTree built = BuildTree(disk_, NumberedItems(300));
  for (int round = 0; round < 50; ++round) {
    Readahead readahead(&cache_, {.threads = 3, .batch = 4});
    for (uint64_t leaf : built.levels[0]) readahead.Ask(leaf, {});
  }
  cache_.DropCaches();
  EXPECT_EQ(cache_.stats().cached_buffers, 0u);
}

// ---- Walks --------------------------------------------------------------------------------------

TEST_F(ReadaheadTest, AWalkIsTheSameAndMostOfItWasReadBefore) {
  const BuiltTree built = BuildTree(disk_, NumberedItems(3000), {.node_children = 40});
  RecordingVisitor alone;
  WalkTree(cache_, built.root, alone);
  for (uint32_t threads : {1, 3}) {
    for (int ahead : {0, 1, 16, 10000}) {
      cache_.DropCaches();
      source_.read_ahead = 0;
      RecordingVisitor visitor;
      {
        Readahead readahead(&cache_, {.threads = threads, .batch = 4});
        WalkTree(cache_, built.root, visitor,
                 {.batch = 8, .readahead = &readahead, .ahead = ahead});
      }
      EXPECT_THAT(visitor.order, ElementsAreArray(alone.order));
      EXPECT_THAT(visitor.damage, IsEmpty());
      if (ahead == 0) {
        EXPECT_EQ(source_.read_ahead, 0u);
      }
    }
  }
}

// Holds a walk up at its first leaf until so many blocks were read ahead.
class Waiting final : public TreeVisitor {
 public:
  Waiting(const Readahead& readahead, uint64_t blocks) : readahead_(readahead), wanted_(blocks) {}
  bool VisitBlock(const TreeRoot&, const ExtentBuffer& block) override {
    if (Header(block).level() == 0) WaitFor(readahead_, wanted_);
    return true;
  }
  void VisitDamage(const WalkDamage&) override { ADD_FAILURE(); }

 private:
  const Readahead& readahead_;
  const uint64_t wanted_;
};
// The walk is held up at its first leaf until all that it asked for ahead is there.
TEST_F(ReadaheadTest, AWalkAsksForAsMuchAsItShould) {
  const BuiltTree built = BuildTree(disk_, NumberedItems(3000), {.node_children = 40});
  Readahead readahead(&cache_, {.threads = 1, .batch = 4});
  // 24 are left of the first node after the batch of 16; the others are its neighbour's, which was
  // read in one batch with it.
  Waiting visitor(readahead, 60);
  WalkTree(cache_, built.root, visitor, {.batch = 16, .readahead = &readahead, .ahead = 60});
  EXPECT_GE(readahead.blocks_read(), 60u);
  EXPECT_EQ(cache_.stats().reads, built.blocks());
}

// Also where it passes over blocks that another walk has visited: it has visited none.
TEST_F(ReadaheadTest, AWalkWithASetOfVisitedBlocksAsksForAsMuch) {
  const BuiltTree built = BuildTree(disk_, NumberedItems(3000), {.node_children = 40});
  Readahead readahead(&cache_, {.threads = 1, .batch = 4});
  BlockSet visited(cache_.node_bytes());
  Waiting visitor(readahead, 60);
  WalkTree(cache_, built.root, visitor,
           {.visited = &visited, .batch = 16, .readahead = &readahead, .ahead = 60});
  EXPECT_GE(readahead.blocks_read(), 60u);
  EXPECT_EQ(cache_.stats().reads, built.blocks());
}

TEST_F(ReadaheadTest, WhoAsksCanLendAHand) {
  const BuiltTree built = BuildTree(disk_, NumberedItems(300));
  const std::vector<uint64_t>& leaves = built.levels[0];
  ASSERT_GE(leaves.size(), 5u);
  // A batch that never comes together for its thread.
  Readahead readahead(&cache_, {.threads = 1, .batch = 5});
  for (size_t i = 0; i < 4; ++i) readahead.Ask(leaves[i], {.level = uint8_t{0}});
  // Its thread may have been there first; then there is nothing left, and that is all it says.
  const bool read = readahead.ReadSome();
  EXPECT_FALSE(readahead.ReadSome());
  if (read) {
    EXPECT_EQ(source_.read_ahead, 0u);
    for (size_t i = 0; i < 4; ++i) EXPECT_TRUE(cache_.Find(leaves[i]));
  }
  WaitFor(readahead, 4);
}

// While the readahead's thread is held up with what the walk wants next, the walk reads on: all 40
// leaves of the first node but the 4 that the thread has. Else it would stop after half as many.
TEST_F(ReadaheadTest, AWalkReadsRatherThanWait) {
  const BuiltTree built = BuildTree(disk_, NumberedItems(3000), {.node_children = 40});
  source_.hold_until_walker_has_read = 30;
  RecordingVisitor visitor;
  Readahead readahead(&cache_, {.threads = 1, .batch = 4});
  WalkTree(cache_, built.root, visitor, {.batch = 8, .readahead = &readahead, .ahead = 400});
  EXPECT_THAT(visitor.damage, IsEmpty());
  EXPECT_FALSE(source_.waited_in_vain);
  EXPECT_GE(source_.read_by_walker, 30u);
}

// What is read too early has to make way again, and is read a second time.
TEST_F(ReadaheadTest, AWalkReadsNoFurtherAheadThanTheCacheCanHold) {
  const BuiltTree built = BuildTree(disk_, NumberedItems(3000), {.node_children = 40});
  BufferCache small({.node_bytes = 4096, .budget_bytes = 128 * 4096}, &source_);
  Readahead readahead(&small, {.threads = 1, .batch = 4});
  // Held up at its first leaf, until a sixteenth of the cache was read ahead; and then for longer.
  class Patient final : public TreeVisitor {
   public:
    explicit Patient(const Readahead& readahead) : readahead_(readahead) {}
    bool VisitBlock(const TreeRoot&, const ExtentBuffer& block) override {
      if (Header(block).level() > 0 || read_ != 0) return true;
      WaitFor(readahead_, 128 / 16);
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      read_ = readahead_.blocks_read();
      return true;
    }
    void VisitDamage(const WalkDamage&) override { ADD_FAILURE(); }
    uint64_t read() const { return read_; }

   private:
    const Readahead& readahead_;
    uint64_t read_ = 0;
  };
  Patient visitor(readahead);
  WalkTree(small, built.root, visitor, {.batch = 8, .readahead = &readahead, .ahead = 10000});
  EXPECT_EQ(visitor.read(), 128u / 16);
}

// To be come for is what a block was read ahead for: no second use of it.
TEST_F(ReadaheadTest, AWalkLeavesNoTraceOnWhatWasReadForIt) {
  const BuiltTree built = BuildTree(disk_, NumberedItems(300), {.node_children = 100});
  ASSERT_EQ(built.levels.size(), 2u);
  const size_t leaves = built.levels[0].size();
  ASSERT_GT(leaves, 16u);
  Readahead readahead(&cache_, {.threads = 1, .batch = 4});
  Waiting visitor(readahead, leaves - 8);
  WalkTree(cache_, built.root, visitor, {.batch = 8, .readahead = &readahead, .ahead = 10000});
  EXPECT_EQ(cache_.stats().cached_buffers, leaves + 1);
  size_t accessed = 0;
  cache_.ForEachState([&](BufferState state) { accessed += state.has(BufferFlag::kAccessed); });
  EXPECT_EQ(accessed, 0u);
}

// A node full of pointers to one block that cannot be read costs a few reads, as without.
TEST_F(ReadaheadTest, KnotsAreNotReadAgainAndAgain) {
  const BuiltTree built = BuildTree(disk_, NumberedItems(300), {.node_children = 100});
  const uint64_t node = built.levels[1][0];
  const uint64_t bad = built.levels[0][1];
  disk_.SetLevel(bad, 5);
  for (uint32_t slot = 0; slot < 100; ++slot) disk_.SetPointerBytenr(node, slot, bad);
  RecordingVisitor visitor;
  {
    Readahead readahead(&cache_, {.threads = 2, .batch = 1});
    WalkTree(cache_, built.root, visitor, {.readahead = &readahead});
  }
  EXPECT_EQ(visitor.damage.size(), 100u);
  EXPECT_LE(std::count(disk_.reads().begin(), disk_.reads().end(), bad), 6);
}

}  // namespace
}  // namespace ebcache::testing
