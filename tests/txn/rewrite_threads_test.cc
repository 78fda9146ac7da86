// Leaves that come next are read on other threads while a tree is rewritten, and what comes of it is
// the same.

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "ebcache/block_device.h"
#include "ebcache/readahead.h"
#include "tests/support/faulty_device.h"
#include "tests/txn/txn_fixture.h"

namespace ebcache::testing {
namespace {

constexpr uint64_t kAttributes = 400;
constexpr size_t kValueBytes = 900;

// Reads by the thread that makes this, and by others.
class ReadCounts {
 public:
  // Beyond so many reads that thread waits for one of another's, a minute at the most.
  explicit ReadCounts(uint64_t most_alone) : most_alone_(most_alone) {}

  void Read() {
    std::unique_lock lock(mutex_);
    if (std::this_thread::get_id() != own_) {
      ++others_;
      changed_.notify_all();
    } else if (++alone_ > most_alone_ && waits_) {
      waits_ = changed_.wait_for(lock, std::chrono::minutes(1), [this] { return others_ > 0; });
    }
  }
  uint64_t others() {
    const std::unique_lock lock(mutex_);
    return others_;
  }

 private:
  const std::thread::id own_ = std::this_thread::get_id();
  const uint64_t most_alone_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool waits_ = true;
  uint64_t alone_ = 0;
  uint64_t others_ = 0;
};

class RewriteThreadsTest : public SessionTest {
 protected:
  void SetUp() override {
    SessionTest::SetUp();
    if (IsSkipped()) return;
    Make("-n 4096");
    Open();
    auto transaction = Begin();
    for (uint64_t number = 0; number < kAttributes; ++number) {
      ASSERT_TRUE(PutAttribute(*transaction, number, kValueBytes).ok());
    }
    ASSERT_TRUE(transaction->Commit().ok());
    transaction.reset();
    Close();
  }

  // Opens it over a device that tells `reads` of each read.
  void OpenCounted(SessionOptions options, ReadCounts* reads) {
    auto file = OpenFileDevice(paths_[0], {.writable = true});
    ASSERT_TRUE(file.ok()) << file.status();
    auto device = std::make_unique<FaultyDevice>(*std::move(file));
    device->set_wait([reads] { reads->Read(); });
    FaultyDevice* const faulty = device.get();
    std::vector<std::unique_ptr<BlockDevice>> devices;
    devices.push_back(std::move(device));
    auto opened = Filesystem::OpenDevices(std::move(devices), {.writable = true});
    ASSERT_TRUE(opened.ok()) << opened.status();
    filesystem_ = *std::move(opened);
    auto session = Session::Open(filesystem_.get(), options);
    ASSERT_TRUE(session.ok()) << session.status();
    session_ = *std::move(session);
    filesystem_->cache().DropCaches();
    faulty->FailAt(0, faulty->size_bytes(), Fault::kSlow);
  }

  // In steps, as callers do it; how many blocks were copied.
  uint64_t RewriteAll() {
    auto transaction = Begin();
    std::optional<Key> from = kMinKey;
    while (from) {
      const auto next = transaction->Rewrite(kFsTreeId, *from, 50);
      EXPECT_TRUE(next.ok()) << next.status();
      if (!next.ok()) return 0;
      from = *next;
    }
    const uint64_t copied = transaction->counts().blocks_copied;
    const absl::Status committed = transaction->Commit();
    EXPECT_TRUE(committed.ok()) << committed;
    return copied;
  }
};

TEST_F(RewriteThreadsTest, ReadWhatComesNext) {
  const ItemMap before = ItemsOf(paths_, kFsTreeId);
  // The way down to the first leaf, and what tells how the trees are.
  ReadCounts reads(20);
  OpenCounted({.rewrite_threads = 1}, &reads);
  EXPECT_GT(RewriteAll(), 100);
  EXPECT_GT(reads.others(), 0) << "all reads were made by the thread that rewrites";
  // Again what was just written, some of it early, by several.
  filesystem_->cache().DropCaches();
  EXPECT_GT(RewriteAll(), 100);
  ExpectSound();
  EXPECT_EQ(ItemsOf(paths_, kFsTreeId), before);
}

TEST_F(RewriteThreadsTest, CopyWhatOneThreadCopies) {
  Open({.most_unwritten_bytes = 1});
  const uint64_t alone = RewriteAll();
  Open({.most_unwritten_bytes = 1, .rewrite_threads = 3});
  EXPECT_EQ(RewriteAll(), alone);
  ExpectSound();
}

TEST_F(RewriteThreadsTest, NoneIsTheRule) {
  ReadCounts reads(~uint64_t{0});
  OpenCounted({}, &reads);
  EXPECT_GT(RewriteAll(), 100);
  EXPECT_EQ(reads.others(), 0);
}

// What the threads have been asked for is given up with the transaction.
TEST_F(RewriteThreadsTest, AnAbortEndsThem) {
  const ItemMap before = ItemsOf(paths_, kFsTreeId);
  Open({.rewrite_threads = 2});
  for (int turn = 0; turn < 20; ++turn) {
    auto transaction = Begin();
    ASSERT_TRUE(transaction->Rewrite(kFsTreeId, kMinKey, 1 + turn).ok());
    if (turn % 2 == 0) transaction->Abort();
  }
  ExpectSound();
  EXPECT_EQ(ItemsOf(paths_, kFsTreeId), before);
}

TEST_F(RewriteThreadsTest, MoreThanThereCanBeAreRefused) {
  Open();
  session_.reset();
  const auto session =
      Session::Open(filesystem_.get(), {.rewrite_threads = ReadaheadOptions::kMostThreads + 1});
  EXPECT_TRUE(absl::IsInvalidArgument(session.status())) << session.status();
}

}  // namespace
}  // namespace ebcache::testing
