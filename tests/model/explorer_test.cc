// The explorers themselves: that reduction leaves nothing out, that a bound is a bound, that what
// they are to find is found.

#include "tests/model/explorer.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/model/scheduler.h"

namespace ebcache::model {
namespace {

// Two words and two mutexes, and what each thread has read.
struct Toy final : Checker {
  sync::Atomic<int> words[2];
  sync::Mutex mutexes[2];
  int plain = 0;  // guarded by mutexes[0]
  std::string seen[3];

  std::string Result() const {
    return seen[0] + "|" + seen[1] + "|" + seen[2] + "|" + std::to_string(words[0].load()) + "," +
           std::to_string(words[1].load()) + "," + std::to_string(plain);
  }
};

using Step = std::function<void(Toy&, std::string& seen)>;
using Threads = std::vector<std::vector<Step>>;

Step RandomStep(std::mt19937& random) {
  const int word = static_cast<int>(random() % 2);
  const int value = static_cast<int>(random() % 3) + 1;
  switch (random() % 7) {
    case 0:
      return [=](Toy& toy, std::string& seen) { seen += std::to_string(toy.words[word].load()); };
    case 1:
      return [=](Toy& toy, std::string&) { toy.words[word].store(value); };
    case 2:
      return [=](Toy& toy, std::string& seen) {
        seen += std::to_string(toy.words[word].fetch_add(1));
      };
    case 3:
      return [=](Toy& toy, std::string&) { sync::Add(toy.words[word], 1); };
    case 4:
      return [=](Toy& toy, std::string& seen) {
        int expected = value;
        seen += toy.words[word].compare_exchange_weak(expected, value + 1) ? 'y' : 'n';
      };
    case 5:
      return [=](Toy& toy, std::string& seen) {
        std::lock_guard lock(toy.mutexes[0]);
        seen += std::to_string(toy.plain++);
      };
    default:
      return [=](Toy& toy, std::string& seen) {
        std::lock_guard lock(toy.mutexes[0]);
        seen += std::to_string(toy.words[word].load());
        toy.words[word].store(toy.plain + value);
        toy.plain = value;
      };
  }
}

// Every result that the explorer meets.
std::set<std::string> Results(const Threads& threads, Explorer& explorer) {
  std::set<std::string> results;
  while (explorer.Next()) {
    Toy toy;
    std::vector<std::function<void()>> bodies;
    for (size_t i = 0; i < threads.size(); ++i) {
      bodies.push_back([&toy, &threads, i] {
        for (const Step& step : threads[i]) step(toy, toy.seen[i]);
      });
    }
    Scheduler::Get().Run(bodies, &explorer, &toy);
    results.insert(toy.Result());
  }
  return results;
}

TEST(ExplorerTest, ReductionLeavesNoResultOut) {
  std::mt19937 random(1);
  uint64_t reduced_runs = 0;
  uint64_t all_runs = 0;
  for (int program = 0; program < 300; ++program) {
    Threads threads(2 + random() % 2);
    for (auto& thread : threads) {
      const size_t length = threads.size() == 2 ? 1 + random() % 4 : 1 + random() % 2;
      for (size_t i = 0; i < length; ++i) thread.push_back(RandomStep(random));
    }
    ReducedExplorer reduced;
    BoundedExplorer all(1000);
    EXPECT_EQ(Results(threads, reduced), Results(threads, all)) << "program " << program;
    reduced_runs += reduced.interleavings();
    all_runs += all.interleavings();
  }
  EXPECT_LT(reduced_runs, all_runs / 10);
}

TEST(ExplorerTest, WhatIsIndependentIsTriedOnce) {
  const Step first = [](Toy& toy, std::string&) { toy.words[0].store(1); };
  const Step second = [](Toy& toy, std::string&) { toy.words[1].store(1); };
  ReducedExplorer reduced;
  EXPECT_EQ(Results({{first, first}, {second, second}}, reduced).size(), 1u);
  EXPECT_EQ(reduced.interleavings(), 1u);
}

TEST(ExplorerTest, ABoundBounds) {
  // 0 preemptions: the orders of whole threads.
  const Step step = [](Toy& toy, std::string& seen) {
    seen += std::to_string(toy.words[0].fetch_add(1));
  };
  BoundedExplorer none(0);
  EXPECT_EQ(Results({{step, step}, {step, step}}, none).size(), 2u);
  BoundedExplorer all(1000);
  EXPECT_EQ(Results({{step, step}, {step, step}}, all).size(), 6u);
}

TEST(ExplorerTest, RandomOrdersAreTheSameForTheSameSeed) {
  std::mt19937 random(2);
  Threads threads(3);
  for (auto& thread : threads) {
    for (int i = 0; i < 3; ++i) thread.push_back(RandomStep(random));
  }
  for (uint64_t seed = 1; seed < 20; ++seed) {
    RandomExplorer once(seed, 1, 3, 20);
    RandomExplorer again(seed, 1, 3, 20);
    EXPECT_EQ(Results(threads, once), Results(threads, again));
  }
  RandomExplorer many(1, 200, 3, 20);
  EXPECT_GT(Results(threads, many).size(), 1u);
}

// Of the orders with an even seed; and played again they are the same.
TEST(ExplorerTest, WeakCompareAndSwapFailsForNoReason) {
  const Step once = [](Toy& toy, std::string& seen) {
    int expected = 0;
    seen += toy.words[0].compare_exchange_weak(expected, 1) ? 'y' : 'n';
  };
  const Threads threads = {{once}, {[](Toy& toy, std::string&) { toy.words[1].store(1); }}};
  RandomExplorer odd(1, 1, 3, 20);
  EXPECT_EQ(Results(threads, odd), (std::set<std::string>{"y|||1,1,0"}));
  bool failed = false;
  for (uint64_t seed = 2; seed < 100; seed += 2) {
    RandomExplorer even(seed, 1, 3, 20);
    const std::set<std::string> results = Results(threads, even);
    ReplayExplorer again(Scheduler::Get().Schedule());
    EXPECT_EQ(Results(threads, again), results);
    failed = failed || results == std::set<std::string>{"n|||0,1,0"};
  }
  EXPECT_TRUE(failed);
}

TEST(ExplorerTest, QuietIsWhenNobodyElseCanGoOn) {
  const Step quiet = [](Toy& toy, std::string& seen) {
    AwaitQuiet();
    seen += std::to_string(toy.words[0].load());
    toy.words[1].store(1);
    toy.words[1].notify_all();
  };
  const Step waits = [](Toy& toy, std::string&) {
    toy.words[0].store(1);
    while (toy.words[1].load() == 0) toy.words[1].wait(0);
  };
  ReducedExplorer reduced;
  EXPECT_EQ(Results({{quiet}, {waits}}, reduced), (std::set<std::string>{"1|||1,1,0"}));
  BoundedExplorer all(1000);
  EXPECT_EQ(Results({{quiet}, {waits}}, all), (std::set<std::string>{"1|||1,1,0"}));
}

// A run that fails ends the process.
void Explode(const std::string& message) {
  std::fprintf(stderr, "%s\n", message.c_str());
  std::_Exit(3);
}

template <typename First, typename Second>
void Explore(First first, Second second) {
  Scheduler::Get().on_failure = &Explode;
  ReducedExplorer explorer;
  while (explorer.Next()) {
    Toy toy;
    Scheduler::Get().Run({[&] { first(toy); }, [&] { second(toy); }}, &explorer, &toy);
  }
  std::_Exit(0);
}

TEST(ExplorerDeathTest, DeadlocksAreFound) {
  EXPECT_EXIT(Explore(
                  [](Toy& toy) {
                    std::lock_guard a(toy.mutexes[0]);
                    std::lock_guard b(toy.mutexes[1]);
                  },
                  [](Toy& toy) {
                    std::lock_guard b(toy.mutexes[1]);
                    std::lock_guard a(toy.mutexes[0]);
                  }),
              testing::ExitedWithCode(3), "deadlock");
}

TEST(ExplorerDeathTest, LostWakeUpsAreFound) {
  const auto waits = [](Toy& toy) {
    while (toy.words[0].load() == 0) toy.words[0].wait(0);
  };
  EXPECT_EXIT(Explore(waits, [](Toy& toy) { toy.words[0].store(1); }), testing::ExitedWithCode(3),
              "lost wake-up");
  EXPECT_EXIT(Explore(waits,
                      [](Toy& toy) {
                        toy.words[0].store(1);
                        toy.words[0].notify_all();
                      }),
              testing::ExitedWithCode(0), "");
}

TEST(ExplorerDeathTest, ConditionVariablesAndThreadsWork) {
  EXPECT_EXIT(Explore(
                  [](Toy& toy) {
                    sync::ConditionVariable changed;
                    sync::Thread other([&] {
                      std::lock_guard lock(toy.mutexes[0]);
                      toy.plain = 1;
                      changed.notify_all();
                    });
                    {
                      std::unique_lock lock(toy.mutexes[0]);
                      changed.wait(lock, [&] { return toy.plain == 1; });
                    }
                    other.join();
                  },
                  [](Toy& toy) { toy.words[0].store(1); }),
              testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace ebcache::model
