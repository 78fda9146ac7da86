// A mutex that looks again before it sleeps is still a mutex.

#include "lib/base/brief_mutex.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

namespace ebcache {
namespace {

TEST(BriefMutex, LetsOneInAtATime) {
  BriefMutex mutex;
  int inside = 0;
  int visits = 0;
  int most = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 20000; ++n) {
        std::lock_guard lock(mutex);
        most = std::max(most, ++inside);
        ++visits;
        --inside;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(visits, 80000);
  EXPECT_EQ(most, 1);
}

TEST(BriefMutex, WhoLooksInVainGoesToSleepAndIsWoken) {
  BriefMutex mutex;
  std::atomic<bool> waits{false};
  bool was_in = false;
  mutex.lock();
  EXPECT_FALSE(mutex.try_lock());
  std::thread other([&] {
    waits = true;
    std::lock_guard lock(mutex);
    was_in = true;
  });
  while (!waits) std::this_thread::yield();
  // Longer than anybody would look: the other sleeps by now, or it never does.
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_FALSE(was_in);
  mutex.unlock();
  other.join();
  EXPECT_TRUE(was_in);
  EXPECT_TRUE(mutex.try_lock());
  mutex.unlock();
}

}  // namespace
}  // namespace ebcache
