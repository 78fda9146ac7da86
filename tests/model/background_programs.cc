// The thread that reclaims in the background: it is woken, works, sleeps, and stops when the cache
// goes. By itself, and with the cache that it belongs to.

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "ebcache/background_threads.h"
#include "lib/cache/background_reclaim.h"
#include "tests/model/cache_scene.h"
#include "tests/model/programs.h"

namespace ebcache::model {

namespace {

// ---- By itself ----------------------------------------------------------------------------------

// Work is a number; each step of the thread takes one off.
struct ThreadScene final : Scene {
  // In the run: that is where threads can begin.
  void Begin() {
    reclaim.emplace([this] { return Step(); });
    begun.store(1, std::memory_order_release);
    begun.notify_all();
  }
  bool Step() {
    if (left.load(std::memory_order_relaxed) == 0) return false;
    ++steps;
    return left.fetch_sub(1, std::memory_order_relaxed) != 1;
  }
  void Want(int work) {
    left.fetch_add(work, std::memory_order_relaxed);
    reclaim->Wake();
  }
  // Whoever wakes a thread that sleeps has woken it.
  void WantInQuiet(int work) {
    AwaitQuiet();
    Want(work);
    AwaitQuiet();
    if (left.load(std::memory_order_relaxed) != 0) FailRun("woken from its sleep, the thread did not do its work");
  }
  void WantFromOutside(int work) {
    while (begun.load(std::memory_order_acquire) == 0) begun.wait(0, std::memory_order_relaxed);
    Want(work);
  }
  void End() { reclaim.reset(); }
  void Finish() override {
    if (reclaim.has_value()) FailRun("a program that does not end its thread");
  }

  std::optional<BackgroundReclaim> reclaim;
  sync::Atomic<int> begun{0};
  sync::Atomic<int> left{0};  // relaxed: that the thread sees it is what its wake is for
  int steps = 0;  // the thread's own
};

void AddThread(std::vector<Program>& programs, std::string name,
               const std::vector<std::function<void(ThreadScene&)>>& threads) {
  Program program{.name = std::move(name), .make = [] { return std::make_unique<ThreadScene>(); }};
  for (const auto& thread : threads) {
    program.threads.push_back([thread](Scene& scene) { thread(static_cast<ThreadScene&>(scene)); });
  }
  program.quick = true;
  programs.push_back(std::move(program));
}

void AddThreadPrograms(std::vector<Program>& programs) {
  const auto at_once = [](ThreadScene& s) {
    s.Begin();
    s.End();
  };
  const auto at_work = [](ThreadScene& s) {
    s.Begin();
    s.Want(2);
    s.End();
  };
  // Each wake is answered, one too that comes when the thread is about to sleep: there may be no
  // next.
  const auto answered = [](ThreadScene& s) {
    s.Begin();
    s.Want(1);
    s.Want(1);
    AwaitQuiet();
    if (s.left.load(std::memory_order_relaxed) != 0) FailRun("woken when it was about to sleep, the thread did not hear");
    s.End();
  };
  const auto again = [](ThreadScene& s) {
    s.Begin();
    s.Want(1);
    s.WantInQuiet(1);
    s.WantInQuiet(2);
    s.End();
  };
  const auto wanted = [](ThreadScene& s) { s.WantFromOutside(1); };
  // The thread has been woken, and knows of no work: what another wants meanwhile, it has to see.
  const auto for_nothing = [](ThreadScene& s) {
    s.Begin();
    s.Want(0);
    AwaitQuiet();
    if (s.left.load(std::memory_order_relaxed) != 0) FailRun("woken for nothing, the thread did not see another's work");
    s.End();
  };
  const auto beside = [](ThreadScene& s) {
    s.Begin();
    s.Want(1);
    s.WantInQuiet(1);
    s.End();
  };
  const auto when_quiet = [](ThreadScene& s) {
    s.Begin();
    s.Want(1);
    AwaitQuiet();
    s.End();
  };
  AddThread(programs, "thread: stopped at once", {at_once});
  AddThread(programs, "thread: stopped at work", {at_work});
  AddThread(programs, "thread: woken again and again", {again});
  AddThread(programs, "thread: woken when it is about to sleep", {answered});
  AddThread(programs, "thread: woken for nothing, and by another", {for_nothing, wanted});
  AddThread(programs, "thread: woken by two", {beside, wanted});
  AddThread(programs, "thread: woken by two, then stopped", {when_quiet, wanted});
  AddThread(programs, "thread: woken by three", {beside, wanted, wanted});
}

// ---- Begun and ended by two ---------------------------------------------------------------------

// A thread that does nothing but wait for its end.
struct ThreadsScene final : Scene {
  void Begin() {
    threads.Begin(
        1,
        [this] {
          std::lock_guard lock(mutex);
          stop = false;
        },
        [this] {
          std::unique_lock lock(mutex);
          ++bodies;
          changed.wait(lock, [this] { return stop; });
          --bodies;
        });
  }
  void End() {
    threads.End([this] {
      {
        std::lock_guard lock(mutex);
        stop = true;
      }
      changed.notify_all();
    });
  }
  void Finish() override {
    if (bodies != 0) FailRun("a thread was left behind");
  }

  sync::Mutex mutex;
  sync::ConditionVariable changed;
  bool stop = false;
  int bodies = 0;
  sync::Atomic<int> first_over{0};
  BackgroundThreads threads{&mutex, &changed};
};

void AddThreadsPrograms(std::vector<Program>& programs) {
  using Step = std::function<void(ThreadsScene&)>;
  const auto add = [&](std::string name, const std::vector<Step>& threads) {
    Program program{.name = std::move(name),
                    .make = [] { return std::make_unique<ThreadsScene>(); }};
    for (const Step& thread : threads) {
      program.threads.push_back(
          [thread](Scene& scene) { thread(static_cast<ThreadsScene&>(scene)); });
    }
    program.quick = true;
    programs.push_back(std::move(program));
  };
  const Step both = [](ThreadsScene& s) {
    s.Begin();
    s.End();
  };
  const Step end = [](ThreadsScene& s) { s.End(); };
  // An end must not wait for another: this one comes when the first is over.
  const Step ends_first = [](ThreadsScene& s) {
    s.Begin();
    s.End();
    s.first_over.store(1, std::memory_order_release);
    s.first_over.notify_all();
  };
  const Step ends_last = [](ThreadsScene& s) {
    s.Begin();
    while (s.first_over.load(std::memory_order_acquire) == 0) {
      s.first_over.wait(0, std::memory_order_relaxed);
    }
    s.End();
  };
  add("threads: begun and ended", {both});
  add("threads: begun beside an end", {ends_first, ends_last});
  add("threads: ended by two", {both, end});
}

// ---- With its cache -----------------------------------------------------------------------------

// Room for four, of which two are to be free: three newcomers wake the thread.
constexpr uint64_t kAllowed = 4;

void Create(CacheScene& s, uint64_t first, uint64_t count) {
  for (uint64_t i = first; i < first + count; ++i) {
    ExtentBufferRef ref = s.Create(i * s.node());
    s.Put(ref);
  }
}

void AddCache(std::vector<Program>& programs, std::string name,
              const std::vector<std::function<void(CacheScene&)>>& threads) {
  Program program{.name = std::move(name)};
  program.make = [] {
    return std::make_unique<CacheScene>(
        CacheSceneOptions{.budget_bytes = kAllowed * 4096, .background_reclaim = true});
  };
  for (const auto& thread : threads) {
    program.threads.push_back([thread](Scene& scene) { thread(static_cast<CacheScene&>(scene)); });
  }
  program.quick = true;
  programs.push_back(std::move(program));
}

void AddCachePrograms(std::vector<Program>& programs) {
  const auto create_and_close = [](CacheScene& s) {
    s.Open();
    Create(s, 0, kAllowed);
    s.Close();
  };
  // The last newcomer comes when all is quiet: it is heard, and then there is room.
  const auto create_in_quiet = [](CacheScene& s) {
    s.Open();
    Create(s, 0, 2);
    AwaitQuiet();
    Create(s, 6, kAllowed);
    AwaitQuiet();
    Create(s, 2, 1);
    AwaitQuiet();
    s.Expect(s.cache().stats().cached_buffers + 2 <= kAllowed,
             "all is idle and quiet, and there is no room");
    s.Close();
  };
  // The last put may come while the thread finishes, having found everything in use: it is heard.
  const auto all_in_use_and_then_none = [](CacheScene& s) {
    s.Open();
    std::vector<ExtentBufferRef> refs;
    for (uint64_t i = 0; i < kAllowed; ++i) refs.push_back(s.Create(i * s.node()));
    for (ExtentBufferRef& ref : refs) s.Put(ref);
    AwaitQuiet();
    s.Expect(s.cache().stats().cached_buffers + 2 <= kAllowed,
             "all is idle and quiet, and there is no room");
    s.Close();
  };
  const auto open_and_wait = [](CacheScene& s) {
    s.Open();
    Create(s, 0, 3);
    AwaitQuiet();
    s.Close();
  };
  const auto beside = [](CacheScene& s) {
    s.AwaitOpen();
    Create(s, 3, 2);
  };
  const auto pinned = [](CacheScene& s) {
    s.AwaitOpen();
    ExtentBufferRef ref = s.Create(0);
    Create(s, 4, 1);
    s.Put(ref);
  };
  AddCache(programs, "background: the cache goes while it works", {create_and_close});
  AddCache(programs, "background: room is made", {create_in_quiet});
  AddCache(programs, "background: all in use, and then none", {all_in_use_and_then_none});
  AddCache(programs, "background: newcomers of two threads", {open_and_wait, beside});
  AddCache(programs, "background: one is in use", {open_and_wait, pinned});
}

}  // namespace

void AddBackgroundPrograms(std::vector<Program>& programs) {
  AddThreadsPrograms(programs);
  AddThreadPrograms(programs);
  AddCachePrograms(programs);
}

}  // namespace ebcache::model
