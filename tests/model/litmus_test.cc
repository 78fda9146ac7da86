// Litmus tests: small programs of which it is known what C++ allows, by its release-acquire part, and what not. The
// explorers must find all of the first and none of the second (weak_memory.h says in which two points they find less).
//
// The results are those of the literature: Boehm and Adve, 2008; Maranget, Sarkar and Sewell, "A Tutorial Introduction to
// the ARM and POWER Relaxed Memory Models", whose names the tests have; Lahav and others, "Repairing Sequential
// Consistency in C/C++11", 2017.

#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/model/explorer.h"
#include "tests/model/scheduler.h"
#include "tests/model/weak_memory.h"

namespace ebcache::model {
namespace {

using Order = std::memory_order;
using Results = std::set<std::string>;

constexpr Order kRelaxed = std::memory_order_relaxed;
constexpr Order kAcquire = std::memory_order_acquire;
constexpr Order kRelease = std::memory_order_release;
constexpr Order kAcqRel = std::memory_order_acq_rel;
constexpr Order kSeqCst = std::memory_order_seq_cst;

// Objects that are 0, and what each thread has read.
struct Memory final : Checker {
  sync::Atomic<int> x{0}, y{0}, z{0};
  sync::Mutex mutex;
  int plain = 0;
  std::string seen[4];

  void WritePlain() {
    WeakMemory::Get().Accessed(&plain, sizeof plain, WeakMemory::Kind::kPlainWrite, nullptr);
    plain = 1;
  }
  int ReadPlain() {
    WeakMemory::Get().Accessed(&plain, sizeof plain, WeakMemory::Kind::kPlainRead, nullptr);
    return plain;
  }
};

using Thread = std::function<void(Memory&, std::string& seen)>;

std::string Digit(int value) { return std::to_string(value); }

class WeakMemoryTest : public testing::Test {
 protected:
  WeakMemoryTest() {
    WeakMemory::Get().on = true;
    Scheduler::Get().on_failure = [](const std::string& message) {
      std::fprintf(stderr, "%s\n", message.c_str());
      std::_Exit(3);
    };
  }
  ~WeakMemoryTest() override { WeakMemory::Get().on = false; }

  static Results ResultsOf(const std::vector<Thread>& threads, Explorer& explorer) {
    Results results;
    while (explorer.Next()) {
      Memory memory;
      std::vector<std::function<void()>> bodies;
      for (size_t i = 0; i < threads.size(); ++i) {
        bodies.push_back([&memory, &threads, i] { threads[i](memory, memory.seen[i]); });
      }
      Scheduler::Get().Run(bodies, &explorer, &memory);
      std::string result;
      for (size_t i = 0; i < threads.size(); ++i) result += (i != 0 ? "|" : "") + memory.seen[i];
      results.insert(result);
    }
    return results;
  }
  // By reduction; the same without it.
  static Results ResultsOf(const std::vector<Thread>& threads) {
    ReducedExplorer reduced;
    BoundedExplorer all(1000);
    const Results results = ResultsOf(threads, reduced);
    EXPECT_EQ(results, ResultsOf(threads, all));
    EXPECT_LE(reduced.interleavings(), all.interleavings());
    return results;
  }
};

using Litmus = WeakMemoryTest;
using LitmusDeathTest = WeakMemoryTest;

// ---- Store buffering ----------------------------------------------------------------------------

std::vector<Thread> StoreBuffering(Order store, Order load, bool fence) {
  return {[=](Memory& m, std::string& seen) {
            m.x.store(1, store);
            if (fence) Fence(kSeqCst);
            seen = Digit(m.y.load(load));
          },
          [=](Memory& m, std::string& seen) {
            m.y.store(1, store);
            if (fence) Fence(kSeqCst);
            seen = Digit(m.x.load(load));
          }};
}

TEST_F(Litmus, StoreBuffering) {
  const Results weak = {"0|0", "0|1", "1|0", "1|1"};
  const Results strong = {"0|1", "1|0", "1|1"};
  EXPECT_EQ(ResultsOf(StoreBuffering(kRelaxed, kRelaxed, false)), weak);
  EXPECT_EQ(ResultsOf(StoreBuffering(kRelease, kAcquire, false)), weak);
  EXPECT_EQ(ResultsOf(StoreBuffering(kSeqCst, kAcquire, false)), weak);
  EXPECT_EQ(ResultsOf(StoreBuffering(kSeqCst, kSeqCst, false)), strong);
  EXPECT_EQ(ResultsOf(StoreBuffering(kRelaxed, kRelaxed, true)), strong);
}

// The same where the stores are read-modify-writes: on x86 these are barriers, in C++ they are not.
TEST_F(Litmus, StoreBufferingOfUpdates) {
  const auto thread = [](Order order, bool first) -> Thread {
    return [=](Memory& m, std::string& seen) {
      (first ? m.x : m.y).exchange(1, order);
      seen = Digit((first ? m.y : m.x).load(kAcquire));
    };
  };
  EXPECT_TRUE(ResultsOf({thread(kAcqRel, true), thread(kAcqRel, false)}).contains("0|0"));
  // An update reads the newest, so that two of one object order the rest.
  const auto both = [](bool first) -> Thread {
    return [=](Memory& m, std::string& seen) {
      (first ? m.x : m.y).store(1, kRelaxed);
      m.z.fetch_add(1, kAcqRel);
      seen = Digit((first ? m.y : m.x).load(kRelaxed));
    };
  };
  EXPECT_EQ(ResultsOf({both(true), both(false)}), (Results{"0|1", "1|0", "1|1"}));
}

// ---- Message passing ----------------------------------------------------------------------------

std::vector<Thread> MessagePassing(Order store, Order load, bool release_fence = false,
                                   bool acquire_fence = false) {
  return {[=](Memory& m, std::string&) {
            m.x.store(1, kRelaxed);
            if (release_fence) Fence(kRelease);
            m.y.store(1, store);
          },
          [=](Memory& m, std::string& seen) {
            seen = Digit(m.y.load(load));
            if (acquire_fence) Fence(kAcquire);
            seen += Digit(m.x.load(kRelaxed));
          }};
}

TEST_F(Litmus, MessagePassing) {
  const Results weak = {"|00", "|01", "|10", "|11"};
  const Results strong = {"|00", "|01", "|11"};
  EXPECT_EQ(ResultsOf(MessagePassing(kRelaxed, kRelaxed)), weak);
  EXPECT_EQ(ResultsOf(MessagePassing(kRelease, kRelaxed)), weak);
  EXPECT_EQ(ResultsOf(MessagePassing(kRelaxed, kAcquire)), weak);
  EXPECT_EQ(ResultsOf(MessagePassing(kRelease, kAcquire)), strong);
  EXPECT_EQ(ResultsOf(MessagePassing(kRelaxed, kRelaxed, true, true)), strong);
  EXPECT_EQ(ResultsOf(MessagePassing(kRelease, kRelaxed, false, true)), strong);
  EXPECT_EQ(ResultsOf(MessagePassing(kRelaxed, kAcquire, true, false)), strong);
  EXPECT_EQ(ResultsOf(MessagePassing(kRelaxed, kRelaxed, true, false)), weak);
  EXPECT_EQ(ResultsOf(MessagePassing(kRelaxed, kRelaxed, false, true)), weak);
  EXPECT_EQ(ResultsOf(MessagePassing(kSeqCst, kSeqCst)), strong);
}

// A release is passed on by updates of other threads, whatever their order, and not by stores.
TEST_F(Litmus, ReleaseSequences) {
  const Thread first = [](Memory& m, std::string&) {
    m.x.store(1, kRelaxed);
    m.y.store(1, kRelease);
  };
  const Thread reader = [](Memory& m, std::string& seen) {
    seen = Digit(m.y.load(kAcquire));
    seen += Digit(m.x.load(kRelaxed));
  };
  const Thread update = [](Memory& m, std::string&) { m.y.fetch_add(1, kRelaxed); };
  EXPECT_FALSE(ResultsOf({first, update, reader}).contains("||20"));
  const Thread store = [](Memory& m, std::string& seen) {
    seen = Digit(m.y.load(kRelaxed));
    m.y.store(2, kRelaxed);
  };
  EXPECT_TRUE(ResultsOf({first, store, reader}).contains("|1|20"));
}

TEST_F(Litmus, MessagePassingByALock) {
  const auto thread = [](Memory& m, std::string& seen) {
    std::lock_guard lock(m.mutex);
    seen = Digit(m.x.load(kRelaxed)) + Digit(m.y.load(kRelaxed));
    m.x.store(1, kRelaxed);
    m.y.store(1, kRelaxed);
  };
  EXPECT_EQ(ResultsOf({thread, thread}), (Results{"00|11", "11|00"}));
}

// ---- Load buffering, and two writers --------------------------------------------------------------

TEST_F(Litmus, LoadBufferingIsExcluded) {
  const auto thread = [](bool first) -> Thread {
    return [=](Memory& m, std::string& seen) {
      seen = Digit((first ? m.x : m.y).load(kRelaxed));
      (first ? m.y : m.x).store(1, kRelaxed);
    };
  };
  EXPECT_EQ(ResultsOf({thread(true), thread(false)}), (Results{"0|0", "0|1", "1|0"}));
}

// C++ allows that both are 1 in the end ("2+2W"). It is one of the two results that are not looked for: a test of what
// is written down, so that it is taken out where it is not true any more.
TEST_F(Litmus, TwoWritersInOppositeOrdersAreNotLookedFor) {
  const auto thread = [](bool first) -> Thread {
    return [=](Memory& m, std::string& seen) {
      (first ? m.x : m.y).store(1, kRelaxed);
      (first ? m.y : m.x).store(2, kRelaxed);
      AwaitQuiet();
      seen = Digit(m.x.load(kRelaxed)) + Digit(m.y.load(kRelaxed));
    };
  };
  EXPECT_EQ(ResultsOf({thread(true), thread(false)}), (Results{"12|12", "21|21", "22|22"}));
}

// ---- More than two threads ------------------------------------------------------------------------

std::vector<Thread> IndependentReads(Order store, Order load, bool fence) {
  const auto reader = [=](bool first) -> Thread {
    return [=](Memory& m, std::string& seen) {
      seen = Digit((first ? m.x : m.y).load(load));
      if (fence) Fence(kSeqCst);
      seen += Digit((first ? m.y : m.x).load(load));
    };
  };
  return {[=](Memory& m, std::string&) { m.x.store(1, store); },
          [=](Memory& m, std::string&) { m.y.store(1, store); }, reader(true), reader(false)};
}

TEST_F(Litmus, IndependentReadsOfIndependentWrites) {
  const std::string disagree = "||10|10";
  EXPECT_TRUE(ResultsOf(IndependentReads(kRelaxed, kRelaxed, false)).contains(disagree));
  EXPECT_TRUE(ResultsOf(IndependentReads(kRelease, kAcquire, false)).contains(disagree));
  EXPECT_EQ(ResultsOf(IndependentReads(kRelease, kAcquire, false)).size(), 16u);
  ReducedExplorer sequential;
  const Results strong = ResultsOf(IndependentReads(kSeqCst, kSeqCst, false), sequential);
  EXPECT_FALSE(strong.contains(disagree));
  EXPECT_EQ(strong.size(), 15u);
  ReducedExplorer fenced;
  EXPECT_FALSE(ResultsOf(IndependentReads(kRelaxed, kRelaxed, true), fenced).contains(disagree));
}

// What one thread was told by another, it passes on.
TEST_F(Litmus, WritesReachThoseWhoWereToldOfThem) {
  const auto threads = [](Order store, Order load) -> std::vector<Thread> {
    return {[=](Memory& m, std::string&) { m.x.store(1, kRelaxed); },
            [=](Memory& m, std::string& seen) {
              seen = Digit(m.x.load(load));
              m.y.store(1, store);
            },
            [=](Memory& m, std::string& seen) {
              seen = Digit(m.y.load(load));
              seen += Digit(m.x.load(kRelaxed));
            }};
  };
  EXPECT_FALSE(ResultsOf(threads(kRelease, kAcquire)).contains("|1|10"));
  EXPECT_TRUE(ResultsOf(threads(kRelaxed, kAcquire)).contains("|1|10"));
  EXPECT_TRUE(ResultsOf(threads(kRelease, kRelaxed)).contains("|1|10"));
}

// ---- Coherence ------------------------------------------------------------------------------------

TEST_F(Litmus, NoThreadSeesAnObjectGoBack) {
  const Thread writer = [](Memory& m, std::string&) {
    m.x.store(1, kRelaxed);
    m.x.store(2, kRelaxed);
  };
  const Thread reader = [](Memory& m, std::string& seen) {
    seen = Digit(m.x.load(kRelaxed));
    seen += Digit(m.x.load(kRelaxed));
  };
  EXPECT_EQ(ResultsOf({writer, reader}), (Results{"|00", "|01", "|02", "|11", "|12", "|22"}));
  // Of its own stores it sees the last.
  const Thread both = [](Memory& m, std::string& seen) {
    m.x.store(1, kRelaxed);
    seen = Digit(m.x.load(kRelaxed));
  };
  const Thread other = [](Memory& m, std::string&) { m.x.store(2, kRelaxed); };
  EXPECT_EQ(ResultsOf({both, other}), (Results{"1|", "2|"}));
  // And what a thread was told of that has read the newer one, it does not read the older.
  const Thread tells = [](Memory& m, std::string& seen) {
    seen = Digit(m.x.load(kRelaxed));
    m.y.store(1, kRelease);
  };
  const Thread told = [](Memory& m, std::string& seen) {
    seen = Digit(m.y.load(kAcquire));
    seen += Digit(m.x.load(kRelaxed));
  };
  EXPECT_FALSE(ResultsOf({other, tells, told}).contains("|2|10"));
}

TEST_F(Litmus, UpdatesReadTheNewest) {
  const Thread add = [](Memory& m, std::string& seen) { seen = Digit(m.x.fetch_add(1, kRelaxed)); };
  EXPECT_EQ(ResultsOf({add, add}), (Results{"0|1", "1|0"}));
  // A swap that fails may have read an older one.
  const Thread swap = [](Memory& m, std::string& seen) {
    int expected = 2;
    const bool swapped = m.x.compare_exchange_weak(expected, 3, kRelaxed, kRelaxed);
    seen = swapped ? "yes" : Digit(expected);
  };
  const Thread store = [](Memory& m, std::string&) {
    m.x.store(1, kRelaxed);
    m.x.store(2, kRelaxed);
  };
  EXPECT_EQ(ResultsOf({store, swap}), (Results{"|0", "|1", "|yes"}));
  // One that was what is expected, and is not the newest any more, is no reason to swap: nothing would be left of the newest.
  const Thread back = [](Memory& m, std::string&) {
    m.x.store(2, kRelaxed);
    m.x.store(1, kRelaxed);
  };
  const Thread swap_and_see = [swap](Memory& m, std::string& seen) {
    swap(m, seen);
    AwaitQuiet();
    seen += Digit(m.x.load(kRelaxed));
  };
  EXPECT_EQ(ResultsOf({back, swap_and_see}), (Results{"|01", "|11", "|yes1"}));
}

// ---- Progress -------------------------------------------------------------------------------------

TEST_F(Litmus, WhoeverWaitsComesToAnEnd) {
  const Thread spins = [](Memory& m, std::string& seen) {
    while (m.x.load(kAcquire) == 0) m.x.wait(0, kRelaxed);
    seen = Digit(m.y.load(kRelaxed));
  };
  const Thread sets = [](Memory& m, std::string&) {
    m.y.store(1, kRelaxed);
    m.x.store(1, kRelease);
    m.x.notify_all();
  };
  EXPECT_EQ(ResultsOf({spins, sets}), (Results{"1|"}));
}

TEST_F(Litmus, ASwitchOffIsSequentialConsistency) {
  WeakMemory::Get().on = false;
  EXPECT_EQ(ResultsOf(StoreBuffering(kRelaxed, kRelaxed, false)), (Results{"0|1", "1|0", "1|1"}));
  EXPECT_EQ(ResultsOf(MessagePassing(kRelaxed, kRelaxed)), (Results{"|00", "|01", "|11"}));
}

// ---- Plain memory ---------------------------------------------------------------------------------

TEST_F(LitmusDeathTest, PlainMemoryIsHeldToHappensBefore) {
  const auto run = [](const std::vector<Thread>& threads) {
    ReducedExplorer explorer;
    (void)ResultsOf(threads, explorer);
    std::_Exit(0);
  };
  const auto passing = [](Order store, Order load) -> std::vector<Thread> {
    return {[=](Memory& m, std::string&) {
              m.WritePlain();
              m.x.store(1, store);
            },
            [=](Memory& m, std::string& seen) {
              if (m.x.load(load) == 1) seen = Digit(m.ReadPlain());
            }};
  };
  EXPECT_EXIT(run(passing(kRelease, kAcquire)), testing::ExitedWithCode(0), "");
  EXPECT_EXIT(run(passing(kRelaxed, kAcquire)), testing::ExitedWithCode(3), "data race");
  EXPECT_EXIT(run(passing(kRelease, kRelaxed)), testing::ExitedWithCode(3), "data race");
  const Thread locked = [](Memory& m, std::string&) {
    std::lock_guard lock(m.mutex);
    m.WritePlain();
  };
  const Thread unlocked = [](Memory& m, std::string&) { m.ReadPlain(); };
  EXPECT_EXIT(run({locked, locked}), testing::ExitedWithCode(0), "");
  EXPECT_EXIT(run({locked, unlocked}), testing::ExitedWithCode(3), "data race");
  EXPECT_EXIT(run({unlocked, unlocked}), testing::ExitedWithCode(0), "");
  const Thread starts = [](Memory& m, std::string&) {
    m.WritePlain();
    sync::Thread other([&m] { m.WritePlain(); });
    other.join();
    m.ReadPlain();
  };
  EXPECT_EXIT(run({starts}), testing::ExitedWithCode(0), "");
}

// ---- Reduction ------------------------------------------------------------------------------------

Thread RandomThread(std::mt19937& random, int steps) {
  std::vector<Thread> all;
  for (int i = 0; i < steps; ++i) {
    const bool first = random() % 2 == 0;
    const int value = static_cast<int>(random() % 3) + 1;
    const std::array<Order, 3> loads = {kRelaxed, kAcquire, kSeqCst};
    const std::array<Order, 3> stores = {kRelaxed, kRelease, kSeqCst};
    const Order load = loads[random() % 3];
    const Order store = stores[random() % 3];
    switch (random() % 6) {
      case 0:
      case 1:
        all.push_back([=](Memory& m, std::string& seen) { seen += Digit((first ? m.x : m.y).load(load)); });
        break;
      case 2:
      case 3:
        all.push_back([=](Memory& m, std::string&) { (first ? m.x : m.y).store(value, store); });
        break;
      case 4:
        all.push_back([=](Memory& m, std::string& seen) {
          seen += Digit((first ? m.x : m.y).fetch_add(value, value == 1 ? kAcqRel : kRelaxed));
        });
        break;
      default:
        all.push_back([=](Memory& m, std::string& seen) {
          std::lock_guard lock(m.mutex);
          seen += Digit(m.z.load(kRelaxed));
          m.z.store(value, kRelaxed);
        });
    }
  }
  return [all](Memory& m, std::string& seen) {
    for (const Thread& step : all) step(m, seen);
  };
}

TEST_F(Litmus, ReductionLeavesNoWeakResultOut) {
  std::mt19937 random(3);
  uint64_t reduced_runs = 0;
  uint64_t all_runs = 0;
  for (int program = 0; program < 150; ++program) {
    std::vector<Thread> threads;
    const size_t count = 2 + random() % 2;
    for (size_t i = 0; i < count; ++i) threads.push_back(RandomThread(random, count == 2 ? 3 : 2));
    ReducedExplorer reduced;
    BoundedExplorer all(1000);
    EXPECT_EQ(ResultsOf(threads, reduced), ResultsOf(threads, all)) << "program " << program;
    reduced_runs += reduced.interleavings();
    all_runs += all.interleavings();
  }
  EXPECT_LT(reduced_runs, all_runs / 2);
}

// What was found can be played again.
TEST_F(Litmus, AScheduleHasTheStoresThatWereRead) {
  const std::vector<Thread> threads = StoreBuffering(kRelaxed, kRelaxed, false);
  for (uint64_t seed = 1; seed < 200; ++seed) {
    RandomExplorer once(seed, 1, 3, 8);
    const Results results = ResultsOf(threads, once);
    ReplayExplorer again(Scheduler::Get().Schedule());
    EXPECT_EQ(ResultsOf(threads, again), results);
  }
  RandomExplorer many(1, 400, 3, 8);
  EXPECT_EQ(ResultsOf(threads, many), (Results{"0|0", "0|1", "1|0", "1|1"}));
}

}  // namespace
}  // namespace ebcache::model
