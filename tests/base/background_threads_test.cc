// Threads of the library's own: begun and ended, left alone by exceptions, at rest in forks.

#include "ebcache/background_threads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <stdexcept>
#include <thread>

#include "ebcache/internal/sync.h"
#include "tests/mm/region_owner.h"
#include "tests/support/in_child.h"

namespace ebcache {
namespace {

class BackgroundThreadsTest : public testing::Test {
 protected:
  // However busy the machine is, no fork gives up, where a test does not ask for that.
  explicit BackgroundThreadsTest(std::chrono::milliseconds most_rest = std::chrono::hours(1))
      : threads_(&mutex_, &changed_, most_rest) {}
  ~BackgroundThreadsTest() override { End(); }

  size_t Begin(size_t count) {
    return threads_.Begin(
        count, [this] { stop_ = false; }, [this] { Body(); });
  }
  void End() {
    threads_.End([this] {
      {
        sync::MutexLock lock(mutex_);
        stop_ = true;
      }
      changed_.notify_all();
    });
  }
  // One piece of work for each that is wanted.
  void Body() {
    ++bodies_;
    sync::UniqueLock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return stop_ || wanted_ > 0; });
      if (stop_) break;
      --wanted_;
      lock.unlock();
      threads_.Work([this] { piece_(); });
      ++done_;
      lock.lock();
    }
    --bodies_;
  }
  void Want(int pieces) {
    {
      sync::MutexLock lock(mutex_);
      wanted_ += pieces;
    }
    changed_.notify_all();
  }
  void AwaitDone(int pieces) {
    while (done_ < pieces) std::this_thread::yield();
  }

  std::function<void()> piece_ = [] {};
  sync::Mutex mutex_;
  sync::ConditionVariable changed_;
  bool stop_ = false;
  int wanted_ = 0;
  std::atomic<int> done_{0};
  std::atomic<int> bodies_{0};
  BackgroundThreads threads_;
};

TEST_F(BackgroundThreadsTest, BeginAndEnd) {
  EXPECT_EQ(Begin(3), 3u);
  Want(5);
  AwaitDone(5);
  EXPECT_EQ(Begin(1), 3u) << "there are some";
  End();
  EXPECT_EQ(bodies_, 0);
  End();
  EXPECT_EQ(Begin(1), 1u);
  Want(1);
  AwaitDone(6);
}

TEST_F(BackgroundThreadsTest, WhatAPieceOfWorkThrowsEndsThatPiece) {
  piece_ = [this] {
    if (done_ % 2 == 0) throw std::runtime_error("a piece of work that goes wrong");
    if (done_ == 1) throw 7;
  };
  ASSERT_EQ(Begin(1), 1u);
  for (int i = 1; i <= 4; ++i) {
    Want(1);
    AwaitDone(i);
  }
  EXPECT_EQ(threads_.failures(), 3u);
}

// Each in turn with the other: neither waits for ever, and an End has ended what there was.
TEST_F(BackgroundThreadsTest, BegunAndEndedByTwo) {
  constexpr int kRounds = 2000;
  std::thread beginner([this] {
    for (int i = 0; i < kRounds; ++i) Begin(1);
  });
  for (int i = 0; i < kRounds; ++i) End();
  beginner.join();
  End();
  EXPECT_EQ(bodies_, 0);
}

TEST_F(BackgroundThreadsTest, AForkWaitsForThePieceOfWork) {
  if (!kChildrenHaveThreads) GTEST_SKIP() << kNoThreadsInChildren;
  std::atomic<bool> begun{false};
  std::atomic<bool> forking{false};
  bool half = false;  // what a piece of work leaves as it found it
  piece_ = [&] {
    half = true;
    begun = true;
    while (!forking) std::this_thread::yield();
    for (int i = 0; i < 10'000; ++i) std::this_thread::yield();
    half = false;
  };
  ASSERT_EQ(Begin(1), 1u);
  Want(1);
  while (!begun) std::this_thread::yield();
  forking = true;
  EXPECT_EQ(InChild([&] {
              EXPECT_FALSE(half) << "forked in the middle of it";
              // The thread that would have counted the piece is not there.
              done_ = 0;
              End();
              EXPECT_EQ(Begin(1), 1u);
              Want(1);
              AwaitDone(1);
            }),
            "");
  AwaitDone(1);
  Want(1);
  AwaitDone(2);
}

class ImpatientForkTest : public BackgroundThreadsTest {
 protected:
  ImpatientForkTest() : BackgroundThreadsTest(std::chrono::milliseconds(1)) {}
};

// One that does not end does not stop the process from forking.
TEST_F(ImpatientForkTest, AForkDoesNotWaitForEver) {
  std::atomic<bool> begun{false};
  std::atomic<bool> go_on{false};
  piece_ = [&] {
    begun = true;
    while (!go_on) std::this_thread::yield();
  };
  ASSERT_EQ(Begin(1), 1u);
  Want(1);
  while (!begun) std::this_thread::yield();
  EXPECT_EQ(InChild([&] { End(); }), "");
  go_on = true;
  AwaitDone(1);
}

// ---- The defragmenter ---------------------------------------------------------------------------

TEST(Defragmenter, StartedAndStoppedByTwo) {
  auto region = MovableRegion::Create(Small(MovableRegionOptions::Policy::kSuperpageblock));
  constexpr int kRounds = 500;
  std::thread starter([&] {
    for (int i = 0; i < kRounds; ++i) EXPECT_TRUE(region->StartDefragmenter());
  });
  std::thread stopper([&] {
    for (int i = 0; i < kRounds; ++i) region->StopDefragmenter();
  });
  for (int i = 0; i < kRounds; ++i) region->StopDefragmenter();
  starter.join();
  stopper.join();
}

// An owner that throws has refused.
TEST(Defragmenter, AnOwnerThatThrowsHasRefused) {
  auto region = MovableRegion::Create(Small(MovableRegionOptions::Policy::kSuperpageblock, 2));
  Owner owner(region.get(), "thrower");
  for (uint32_t key = 0; key < kSuperPages + 1; ++key) ASSERT_TRUE(owner.Allocate(key));
  owner.releasable = true;
  int questions = 0;
  owner.on_question = [&](uint32_t) {
    ++questions;
    throw std::runtime_error("an owner that goes wrong");
  };
  EXPECT_FALSE(region->AllocateContiguous({}, kSuperOrder).ok());
  EXPECT_GE(questions, 1);
  EXPECT_EQ(owner.held.size(), kSuperPages + 1);
  EXPECT_GE(region->report().refused_folios, 1u);
  owner.on_question = nullptr;
  owner.ExpectStamps();
  auto folio = region->AllocateContiguous({}, kSuperOrder);
  ASSERT_TRUE(folio.ok()) << folio.status();
  region->FreeBulk(kSuperOrder, absl::MakeSpan(&*folio, 1));
}

}  // namespace
}  // namespace ebcache
