// Every read, and every allocation, made to fail in turn, through opening a filesystem and walking
// all of it. Whatever fails is reported, and nothing leaks.

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ebcache/allocators.h"
#include "ebcache/btree.h"
#include "ebcache/filesystem.h"
#include "tests/device/memory_device.h"
#include "tests/fs/sample_device.h"
#include "tests/support/mkfs_image.h"
#include "tests/tree/failing_allocator.h"
#include "tests/tree/recording_visitor.h"

namespace ebcache::testing {
namespace {

// What one run through a whole filesystem came to.
struct Outcome {
  bool opened = false;
  absl::Status error;    // of opening
  uint64_t reports = 0;  // damage, bad copies and warnings, wherever they were told
  uint64_t blocks = 0;   // visited
  uint64_t items = 0;
};

Outcome OpenAndWalk(MemoryDevice& device, std::shared_ptr<PageAllocator> allocator) {
  Outcome outcome;
  absl::StatusOr<std::unique_ptr<Filesystem>> filesystem = Filesystem::OpenDevices(
      Borrow(device), {.cache = {.allocator = std::move(allocator)},
                       .on_damage = [&](const MirrorDamage&) { ++outcome.reports; }});
  outcome.error = filesystem.status();
  if (!filesystem.ok()) return outcome;
  outcome.opened = true;

  std::vector<WalkDamage> damage = (*filesystem)->open_damage();
  const std::vector<TreeRoot> trees = (*filesystem)->Trees(&damage);
  outcome.reports += damage.size() + (*filesystem)->volume().superblock_warnings().size();
  for (const TreeRoot& tree : trees) {
    RecordingVisitor walk;
    WalkTree((*filesystem)->cache(), tree, walk);
    outcome.reports += walk.damage.size();
    outcome.blocks += walk.visited.size();
    outcome.items += walk.items;
  }

  BufferCache& cache = (*filesystem)->cache();
  cache.DropCaches();
  EXPECT_EQ(cache.stats().cached_buffers, 0) << "somebody still holds a reference";
  EXPECT_EQ(cache.stats().private_buffers, 0);
  return outcome;
}

struct Setup {
  std::string name;
  std::string mkfs_options;
  int files;
  bool order0;
};

class FilesystemFaultTest : public ::testing::TestWithParam<Setup> {
 protected:
  void SetUp() override {
    if (!HaveMkfs()) GTEST_SKIP() << "mkfs.btrfs is not installed";
    device_ = MakeSampleDevice(GetParam().mkfs_options, GetParam().files);
    ASSERT_NE(device_, nullptr) << "mkfs.btrfs failed";
    if (GetParam().order0) {
      pages_ = Order0Allocator({.arena_bytes = size_t{64} << 20, .contiguous_by_luck = false});
    } else {
      pages_ = HeapAllocator();
    }
    whole_ = OpenAndWalk(*device_, pages_);
    ASSERT_TRUE(whole_.opened) << whole_.error;
    ASSERT_EQ(whole_.reports, 0);
    ASSERT_GT(whole_.blocks, 15) << "too small to be a test";
  }

  void ExpectNothingLeaked(uint64_t n) {
    const AllocatorStats stats = pages_->stats();
    EXPECT_EQ(stats.in_use_bytes, 0) << "failure " << n;
    EXPECT_EQ(stats.allocated_folios, stats.freed_folios) << "failure " << n;
  }

  std::unique_ptr<MemoryDevice> device_;
  std::shared_ptr<PageAllocator> pages_;
  Outcome whole_;
};

TEST_P(FilesystemFaultTest, EveryReadInTurn) {
  uint64_t failures = 0;
  for (;; ++failures) {
    const uint64_t n = failures + 1;
    const size_t reads_before = device_->reads().size();
    device_->FailRead(n);
    const Outcome outcome = OpenAndWalk(*device_, pages_);
    device_->FailRead(0);
    ExpectNothingLeaked(n);
    if (device_->reads().size() - reads_before < n) {
      EXPECT_EQ(outcome.reports, 0);
      EXPECT_EQ(outcome.items, whole_.items);
      break;
    }
    EXPECT_TRUE(!outcome.opened || outcome.reports > 0) << "read " << n << " failed silently";
    if (!outcome.opened) {
      EXPECT_NE(outcome.error.message().find("injected read error"), std::string::npos)
          << outcome.error;
    }
    EXPECT_LE(outcome.items, whole_.items);
  }
  EXPECT_GE(failures, whole_.blocks) << "each block was read, and failed, once";
}

// One failure may be overcome, by letting go of a block that is not in use; then nothing is
// missing.
TEST_P(FilesystemFaultTest, EveryAllocationInTurn) {
  uint64_t failures = 0;
  for (;; ++failures) {
    const uint64_t n = failures + 1;
    auto allocator = std::make_shared<FailingAllocator>(pages_);
    allocator->FailOnce(n);
    const Outcome outcome = OpenAndWalk(*device_, allocator);
    ExpectNothingLeaked(n);
    if (!outcome.opened) {
      EXPECT_TRUE(absl::IsResourceExhausted(outcome.error)) << outcome.error;
    } else if (outcome.reports == 0) {
      EXPECT_EQ(outcome.items, whole_.items) << "allocation " << n << " failed silently";
      EXPECT_EQ(outcome.blocks, whole_.blocks) << "allocation " << n << " failed silently";
    }
    if (!allocator->failed()) break;
  }
  EXPECT_GE(failures, whole_.blocks) << "each block was allocated, and failed, once";
}

TEST_P(FilesystemFaultTest, EveryAllocationFromTheNthOn) {
  for (uint64_t n = 1;; ++n) {
    auto allocator = std::make_shared<FailingAllocator>(pages_);
    allocator->FailFrom(n);
    const Outcome outcome = OpenAndWalk(*device_, allocator);
    ExpectNothingLeaked(n);
    if (!allocator->failed()) break;
    EXPECT_TRUE(!outcome.opened || outcome.reports > 0) << "allocation " << n << " failed silently";
    EXPECT_LT(outcome.items, whole_.items);
  }
}

INSTANTIATE_TEST_SUITE_P(Setups, FilesystemFaultTest,
                         ::testing::Values(Setup{"OneCopy", "-m single -n 4096", 100, false},
                                           Setup{"TwoCopies", "-m dup -n 4096", 100, false},
                                           Setup{"PageArrays", "-m single -n 16384", 300, true}),
                         [](const ::testing::TestParamInfo<Setup>& info) {
                           return info.param.name;
                         });

}  // namespace
}  // namespace ebcache::testing
