#include "tools/top/tree_walkers.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>

#include "ebcache/filesystem.h"
#include "tests/device/memory_device.h"
#include "tests/fs/sample_device.h"
#include "tests/support/mkfs_image.h"

namespace ebcache::tools {
namespace {

class TreeWalkersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!ebcache::testing::HaveMkfs()) GTEST_SKIP() << "mkfs.btrfs is not installed";
    device_ = ebcache::testing::MakeSampleDevice("-m dup", 50);
    ASSERT_NE(device_, nullptr);
    filesystem_ = *Filesystem::OpenDevices(ebcache::testing::Borrow(*device_));
  }

  std::unique_ptr<ebcache::testing::MemoryDevice> device_;
  std::unique_ptr<Filesystem> filesystem_;
};

// What is counted and the time that it took are of the same walks, or rates are anything: nothing
// is done before the clock runs, and it stands when the last walk has ended.
TEST_F(TreeWalkersTest, TheClockRunsWhileWalksDo) {
  TreeWalkers walkers(*filesystem_, {.threads = 2, .passes = 3});
  EXPECT_EQ(walkers.counts().blocks, 0);
  EXPECT_EQ(walkers.counts().seconds, 0);
  walkers.Start();
  while (!walkers.WaitFor(std::chrono::milliseconds(100))) continue;
  const WalkCounts ended = walkers.counts();
  EXPECT_GT(ended.blocks, 0);
  EXPECT_GT(ended.seconds, 0);
  EXPECT_EQ(ended.passes, 6);
  EXPECT_EQ(walkers.counts().seconds, ended.seconds);
}

TEST_F(TreeWalkersTest, MayGoWithoutHavingStarted) { TreeWalkers(*filesystem_, {.threads = 2}); }

}  // namespace
}  // namespace ebcache::tools
