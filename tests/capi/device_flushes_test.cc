// Whose failure a failed flush is: of all that had written by then, once.

#include "lib/capi/device_flushes.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <thread>

namespace ebcache::capi {
namespace {

absl::Status Good() { return absl::OkStatus(); }
absl::Status Bad() { return absl::UnavailableError("lost"); }

TEST(DeviceFlushes, AFailureIsTold) {
  DeviceFlushes flushes;
  flushes.NoteCached(flushes.failed());
  EXPECT_EQ(flushes.Flush(Bad).message(), "lost");
  EXPECT_TRUE(flushes.Flush(Good).ok()) << "once";
  EXPECT_TRUE(flushes.Sync(flushes.failed(), Good).ok());
}

TEST(DeviceFlushes, AWriteLosesWhatAnotherThreadHasCached) {
  DeviceFlushes flushes;
  flushes.NoteCached(flushes.failed());
  EXPECT_FALSE(flushes.Sync(flushes.failed(), Bad).ok());
  EXPECT_EQ(flushes.Flush(Good).message(), "lost");
  EXPECT_TRUE(flushes.Flush(Good).ok());
}

TEST(DeviceFlushes, AFlushLosesWhatAWriteWaitsFor) {
  DeviceFlushes flushes;
  const uint64_t before = flushes.failed();
  EXPECT_FALSE(flushes.Flush(Bad).ok());
  EXPECT_FALSE(flushes.Sync(before, Good).ok());
  EXPECT_TRUE(flushes.Sync(flushes.failed(), Good).ok());
}

TEST(DeviceFlushes, WhatIsCachedLaterIsAnotherFlushes) {
  DeviceFlushes flushes;
  EXPECT_FALSE(flushes
                   .Flush([&] {
                     flushes.NoteCached(flushes.failed());  // as a thread beside it does
                     return Bad();
                   })
                   .ok());
  EXPECT_FALSE(flushes.Flush(Good).ok()) << "this flush may have been too late for it";
  EXPECT_TRUE(flushes.Flush(Good).ok());
}

// The device is asked by one thread at a time: else the second could be told that all is well before
// the failure of the first is known.
TEST(DeviceFlushes, OneAtATime) {
  DeviceFlushes flushes;
  std::mutex mutex;
  std::condition_variable changed;
  bool first_asks = false;
  bool second_asks = false;
  bool go_on = false;
  flushes.NoteCached(flushes.failed());
  const uint64_t before = flushes.failed();
  std::thread first([&] {
    EXPECT_FALSE(flushes
                     .Flush([&] {
                       std::unique_lock<std::mutex> lock(mutex);
                       first_asks = true;
                       changed.notify_all();
                       changed.wait(lock, [&] { return go_on; });
                       EXPECT_FALSE(second_asks);
                       return Bad();
                     })
                     .ok());
  });
  {
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait(lock, [&] { return first_asks; });
  }
  std::thread second([&] {
    EXPECT_FALSE(flushes
                     .Sync(before,
                           [&] {
                             const std::lock_guard<std::mutex> lock(mutex);
                             second_asks = true;
                             return Good();
                           })
                     .ok());
  });
  {
    const std::lock_guard<std::mutex> lock(mutex);
    go_on = true;
  }
  changed.notify_all();
  first.join();
  second.join();
  EXPECT_TRUE(second_asks);
}

// From the callback itself, which may make the library read, and so repair a copy.
TEST(DeviceFlushes, AFlushWithinAFlush) {
  DeviceFlushes flushes;
  EXPECT_TRUE(flushes.Flush([&] { return flushes.Sync(flushes.failed(), Good); }).ok());
  flushes.NoteCached(flushes.failed());
  EXPECT_FALSE(flushes
                   .Flush([&] {
                     EXPECT_FALSE(flushes.Sync(flushes.failed(), Bad).ok());
                     return Good();
                   })
                   .ok());
  EXPECT_TRUE(flushes.Flush(Good).ok());
}

}  // namespace
}  // namespace ebcache::capi
