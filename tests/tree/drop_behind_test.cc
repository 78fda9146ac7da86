// Walks that need each block once: what they leave in the cache, and what they leave alone.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "ebcache/btree.h"
#include "ebcache/buffer_cache.h"
#include "ebcache/readahead.h"
#include "tests/tree/memory_tree.h"
#include "tests/tree/recording_visitor.h"

namespace ebcache::testing {
namespace {

// Notes how many buffers there are at the most.
class Counting final : public RecordingVisitor {
 public:
  explicit Counting(const BufferCache& cache) : cache_(cache) {}
  bool VisitBlock(const TreeRoot& tree, const ExtentBuffer& block) override {
    most = std::max(most, cache_.stats().cached_buffers);
    return RecordingVisitor::VisitBlock(tree, block);
  }
  uint64_t most = 0;

 private:
  const BufferCache& cache_;
};

class DropBehindTest : public ::testing::Test {
 protected:
  MemoryDisk disk_;
  const BuiltTree built_ = BuildTree(disk_, NumberedItems(2000), {.node_children = 16});
  BufferCache cache_{{.node_bytes = 4096, .budget_bytes = uint64_t{1} << 30}, &disk_};
};

TEST_F(DropBehindTest, KeepsToWhatItReadsAtATime) {
  for (const bool ahead : {false, true}) {
    // Without threads: what is read ahead is read in turns with the walk.
    Readahead readahead(&cache_, {.threads = ReadaheadOptions::kNoThreads});
    Counting visitor(cache_);
    WalkTree(cache_, built_.root, visitor,
             {.batch = 8, .readahead = ahead ? &readahead : nullptr, .ahead = 8, .drop_behind = true});
    EXPECT_GT(visitor.order.size(), 100u);
    // The path, a batch of each level, and what was asked for ahead.
    EXPECT_LE(visitor.most, 40u);
    EXPECT_EQ(cache_.stats().cached_buffers, 0u) << ahead;
  }
}

TEST_F(DropBehindTest, TellsAndReadsTheSameAsWithout) {
  RecordingVisitor with;
  RecordingVisitor without;
  WalkTree(cache_, built_.root, with, {.drop_behind = true});
  const size_t reads = disk_.reads().size();
  WalkTree(cache_, built_.root, without);
  EXPECT_EQ(disk_.reads().size(), 2 * reads);
  EXPECT_EQ(with.order, without.order);
  // What was not dropped is there for a second pass.
  EXPECT_EQ(cache_.stats().cached_buffers, with.order.size());
  WalkTree(cache_, built_.root, with);
  EXPECT_EQ(disk_.reads().size(), 2 * reads);
}

// Before the walk, or while it goes on.
TEST_F(DropBehindTest, LeavesWhatOthersUse) {
  const uint64_t before = built_.levels[0][3];
  const uint64_t inner = built_.levels[1][1];
  ASSERT_TRUE(cache_.ReadBlock(before).ok());
  ASSERT_TRUE(cache_.ReadBlock(inner).ok());
  for (const bool ahead : {false, true}) {
    Readahead readahead(&cache_, {.threads = ReadaheadOptions::kNoThreads});
    RecordingVisitor visitor;
    WalkTree(cache_, built_.root, visitor,
             {.readahead = ahead ? &readahead : nullptr, .drop_behind = true});
    EXPECT_EQ(cache_.stats().cached_buffers, 2u);
    EXPECT_TRUE(cache_.Find(before));
    EXPECT_TRUE(cache_.Find(inner));
  }

  class Finding final : public RecordingVisitor {
   public:
    explicit Finding(BufferCache& cache) : cache_(cache) {}
    bool VisitBlock(const TreeRoot& tree, const ExtentBuffer& block) override {
      if (block.start() == wanted) (void)cache_.Find(block.start());
      return RecordingVisitor::VisitBlock(tree, block);
    }
    uint64_t wanted = 0;

   private:
    BufferCache& cache_;
  };
  cache_.DropCaches();
  Finding visitor(cache_);
  visitor.wanted = built_.levels[0][5];
  WalkTree(cache_, built_.root, visitor, {.drop_behind = true});
  EXPECT_EQ(cache_.stats().cached_buffers, 1u);
  EXPECT_TRUE(cache_.Find(visitor.wanted));
}

// A cache that is full of what others use loses nothing of it.
TEST_F(DropBehindTest, EvictsNothing) {
  cache_.SetBudget(uint64_t{64} * 4096);
  MemoryDisk& disk = disk_;
  std::vector<uint64_t> used;
  for (int i = 0; i < 32; ++i) {
    used.push_back(disk.Allocate());
    ASSERT_TRUE(cache_.Create(used.back()).ok());
  }
  RecordingVisitor visitor;
  WalkTree(cache_, built_.root, visitor, {.batch = 8, .drop_behind = true});
  EXPECT_EQ(cache_.stats().reclaimed, 0u);
  for (const uint64_t start : used) EXPECT_TRUE(cache_.Find(start));
}

}  // namespace
}  // namespace ebcache::testing
