// Walks that their visitor ends: nothing more is told, and no more is read, counted at the disk.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "ebcache/btree.h"
#include "ebcache/buffer_cache.h"
#include "ebcache/readahead.h"
#include "tests/tree/memory_tree.h"
#include "tests/tree/recording_visitor.h"

namespace ebcache::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Ends the walk at the n-th thing that it hears of.
class Stopping final : public RecordingVisitor {
 public:
  Stopping(size_t after, const MemoryDisk& disk) : after_(after), disk_(disk) {}
  bool VisitBlock(const TreeRoot& tree, const ExtentBuffer& block) override {
    Heard();
    return RecordingVisitor::VisitBlock(tree, block);
  }
  void VisitDamage(const WalkDamage& found) override {
    Heard();
    RecordingVisitor::VisitDamage(found);
  }
  bool Stopped() override { return order.size() >= after_; }

  size_t reads_when_it_stopped = 0;

 private:
  void Heard() {
    if (order.size() + 1 == after_) reads_when_it_stopped = disk_.reads().size();
  }
  const size_t after_;
  const MemoryDisk& disk_;
};

class WalkStopTest : public ::testing::Test {
 protected:
  MemoryDisk disk_;
  BufferCache cache_{{.node_bytes = 4096, .allocator = nullptr}, &disk_};
};

TEST_F(WalkStopTest, WhereverItStopsNothingMoreIsReadOrTold) {
  const BuiltTree built = BuildTree(disk_, NumberedItems(300), {.node_children = 4});
  // Some damage on the way.
  disk_.SetLevel(built.levels[0][2], 5);
  disk_.SetGeneration(built.levels[1][3], 99);
  RecordingVisitor whole;
  WalkTree(cache_, built.root, whole);
  ASSERT_EQ(whole.damage.size(), 2u);
  for (const int batch : {1, 3, 64}) {
    for (size_t after = 1; after <= whole.order.size(); ++after) {
      cache_.DropCaches();
      const size_t before = disk_.reads().size();
      Stopping visitor(after, disk_);
      WalkTree(cache_, built.root, visitor, {.batch = batch});
      ASSERT_EQ(visitor.order.size(), after);
      ASSERT_EQ(disk_.reads().size(), visitor.reads_when_it_stopped) << "after " << after;
      if (batch == 1) {
        // With no batch to finish: what it heard of, each read once.
        ASSERT_LE(disk_.reads().size() - before, after);
      }
    }
  }
}

TEST_F(WalkStopTest, HoldsNothingAfterwards) {
  const BuiltTree built = BuildTree(disk_, NumberedItems(300), {.node_children = 4});
  Stopping visitor(9, disk_);
  WalkTree(cache_, built.root, visitor);
  cache_.DropCaches();
  EXPECT_EQ(cache_.stats().cached_buffers, 0u);
}

// Pointers to blocks that were met before are damage that needs no read.
TEST_F(WalkStopTest, StopsAmongPointersThatLeadNowhere) {
  const BuiltTree built =
      BuildTree(disk_, NumberedItems(60), {.leaf_items = 1, .node_children = 60});
  ASSERT_EQ(built.root.level, 1);
  for (uint32_t slot = 1; slot < 50; ++slot) {
    disk_.SetPointerBytenr(built.root.bytenr, slot, built.levels[0][0]);
  }
  disk_.set_checking(false);
  Stopping visitor(10, disk_);
  WalkTree(cache_, built.root, visitor, {.batch = 1});
  EXPECT_EQ(visitor.order.size(), 10u);
  EXPECT_EQ(disk_.reads().size(), 2u);
}

// ---- What was asked for ahead -------------------------------------------------------------------

// Reads of other threads than the test's begin, and then wait.
class HeldUpDisk final : public BlockSource {
 public:
  explicit HeldUpDisk(MemoryDisk* disk) : disk_(disk) {}
  void Read(absl::Span<BlockRead> reads) override {
    std::unique_lock lock(mutex_);
    if (std::this_thread::get_id() != owner_) {
      held_up_ = true;
      changed_.notify_all();
      changed_.wait(lock, [this] { return go_on_; });
    }
    disk_->Read(reads);
  }
  absl::Status CheckParent(const ExtentBuffer& buffer, const ParentCheck& check) override {
    return disk_->CheckParent(buffer, check);
  }
  void Write(absl::Span<BlockWrite>) override {}

  void AwaitHeldUp() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return held_up_; });
  }
  void LetGo() {
    const std::lock_guard lock(mutex_);
    go_on_ = true;
    changed_.notify_all();
  }

 private:
  const std::thread::id owner_ = std::this_thread::get_id();
  std::mutex mutex_;
  std::condition_variable changed_;
  bool held_up_ = false;
  bool go_on_ = false;
  MemoryDisk* const disk_;
};

class ForgetTest : public ::testing::Test {
 protected:
  MemoryDisk disk_;
  HeldUpDisk source_{&disk_};
  BufferCache cache_{{.node_bytes = 4096, .allocator = nullptr}, &source_};
};

TEST_F(ForgetTest, OfOneAskerOnlyAndNotWhatIsBeingRead) {
  const BuiltTree built = BuildTree(disk_, NumberedItems(300));
  const std::vector<uint64_t>& leaves = built.levels[0];
  const int one = 0, other = 0;
  {
    Readahead readahead(&cache_, {.threads = 1, .batch = 1});
    EXPECT_TRUE(readahead.Ask(leaves[0], {.level = uint8_t{0}}, &one));
    source_.AwaitHeldUp();
    for (const size_t i : {1, 2, 3}) readahead.Ask(leaves[i], {.level = uint8_t{0}}, &one);
    for (const size_t i : {4, 5}) readahead.Ask(leaves[i], {.level = uint8_t{0}}, &other);
    for (const size_t i : {6, 7}) readahead.Ask(leaves[i], {.level = uint8_t{0}}, &one);
    readahead.Forget(&one);
    while (readahead.ReadSome()) {
    }
    EXPECT_THAT(disk_.reads(), ElementsAre(leaves[4], leaves[5]));
    source_.LetGo();
  }
  EXPECT_THAT(disk_.reads(), ElementsAre(leaves[4], leaves[5], leaves[0]));
}

TEST_F(ForgetTest, AWalkThatIsStoppedLeavesNothingWaiting) {
  const BuiltTree built = BuildTree(disk_, NumberedItems(300), {.node_children = 40});
  const uint64_t elsewhere = built.levels[0].back();
  {
    Readahead readahead(&cache_, {.threads = 1, .batch = 1});
    readahead.Ask(elsewhere, {.level = uint8_t{0}});
    source_.AwaitHeldUp();  // from here on it begins nothing
    Stopping visitor(built.root.level + 1, disk_);
    WalkTree(cache_, built.root, visitor, {.batch = 1, .readahead = &readahead});
    EXPECT_EQ(visitor.visited.back(), built.levels[0][0]);
    EXPECT_EQ(disk_.reads().size(), visitor.reads_when_it_stopped);
    EXPECT_FALSE(readahead.ReadSome()) << "what the walk asked for still waits";
    EXPECT_EQ(disk_.reads().size(), visitor.reads_when_it_stopped);
    source_.LetGo();
  }
  EXPECT_EQ(disk_.reads().back(), elsewhere);
}

// ---- Options ------------------------------------------------------------------------------------

TEST(ReadaheadOptionsDeathTest, OutOfRange) {
  MemoryDisk disk;
  BufferCache cache({.node_bytes = 4096}, &disk);
  EXPECT_DEATH(Readahead(&cache, {.threads = 1, .batch = 0}), "batch must be from 1 to 65536");
  EXPECT_DEATH(Readahead(&cache, {.threads = 1, .batch = 65537}), "batch must be from 1 to 65536");
  EXPECT_DEATH(Readahead(&cache, {.threads = 1, .batch = ~size_t{0}}), "batch must be");
  EXPECT_DEATH(Readahead(&cache, {.threads = 1025}), "threads must be 1024 at the most");
  EXPECT_DEATH(Readahead(&cache, {.threads = ReadaheadOptions::kNoThreads - 1}),
               "threads must be 1024 at the most");
  Readahead none(&cache, {.threads = 1, .batch = 65536, .most_waiting = 0});
  EXPECT_FALSE(none.Ask(4096, {}));
  EXPECT_FALSE(none.ReadSome());
}

}  // namespace
}  // namespace ebcache::testing
