#include "tests/model/runner.h"

#include <malloc.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/model/explorer.h"

namespace ebcache::model {

namespace {

// What a process leaves for the one that started it.
struct SharedOutcome {
  bool ended;
  bool failed;
  bool complete;
  bool bound_complete;
  uint64_t interleavings;
  uint64_t stale_reads;
  int steps;
  char bound[128];
  char message[1024];
  char schedule[8192];
  char trace[1 << 16];
};

void Copy(char* to, size_t bytes, const std::string& from) {
  const size_t n = std::min(bytes - 1, from.size());
  std::memcpy(to, from.data(), n);
  to[n] = 0;
}

// What scenes keep is ordered by the scheduler alone.
void DoNotWatch(const Scene& scene) {
  WeakMemory& memory = WeakMemory::Get();
  memory.ForgetUnwatched();
  const void* const whole = dynamic_cast<const void*>(&scene);
  memory.DoNotWatch(whole, malloc_usable_size(const_cast<void*>(whole)));
  scene.DoNotWatch();
}

void RunOnce(const Program& program, Chooser* chooser) {
  const std::unique_ptr<Scene> scene = program.make();
  DoNotWatch(*scene);
  std::vector<std::function<void()>> bodies;
  for (const auto& thread : program.threads) {
    bodies.push_back([&thread, &scene] { thread(*scene); });
  }
  Scheduler::Get().Run(bodies, chooser, scene.get());
  scene->Finish();
}

std::string Count(uint64_t n) { return std::to_string(n); }

// Shared by the process that explores with the one that waits for it.
SharedOutcome* progress = nullptr;

// Whether the explorer came to its end.
bool RunAll(const Program& program, Explorer& explorer, uint64_t limit, Outcome& outcome) {
  const uint64_t before = outcome.interleavings;
  while (explorer.interleavings() < limit) {
    if (!explorer.Next()) return true;
    RunOnce(program, &explorer);
    outcome.steps = std::max(outcome.steps, Scheduler::Get().steps());
    outcome.interleavings = before + explorer.interleavings();
    if (progress != nullptr) progress->interleavings = outcome.interleavings;
  }
  return false;
}

void RunAtRandom(const Program& program, const Effort& effort, uint64_t runs, Outcome& outcome) {
  if (runs == 0) return;
  RandomExplorer random(effort.seed, runs, effort.random_depth, outcome.steps);
  RunAll(program, random, runs + 1, outcome);
  outcome.bound += "; random: seeds " + Count(effort.seed) + " to " +
                   Count(effort.seed + runs - 1) + ", depth " +
                   Count(static_cast<uint64_t>(effort.random_depth));
}

}  // namespace

Outcome Explore(const Program& program, const Effort& effort) {
  Outcome outcome;
  {
    ReducedExplorer reduced;
    outcome.complete = RunAll(program, reduced, effort.reduced, outcome);
  }
  outcome.ended = true;
  if (outcome.complete) {
    outcome.bound = "none";
    RunAtRandom(program, effort, effort.also_random, outcome);
    return outcome;
  }
  outcome.bound = "first " + Count(effort.reduced) + " of the reduced";
  if (effort.bounded != 0) {
    BoundedExplorer bounded(effort.bound);
    outcome.bound_complete = RunAll(program, bounded, effort.bounded, outcome);
    outcome.bound += outcome.bound_complete
                         ? "; preemptions <= " + Count(static_cast<uint64_t>(effort.bound))
                         : "; first " + Count(effort.bounded) +
                               " of preemptions <= " + Count(static_cast<uint64_t>(effort.bound));
  }
  RunAtRandom(program, effort, effort.random, outcome);
  return outcome;
}

Outcome Replay(const Program& program, const std::string& schedule) {
  ReplayExplorer replay(schedule);
  replay.Next();
  Outcome outcome;
  const std::unique_ptr<Scene> scene = program.make();
  DoNotWatch(*scene);
  std::vector<std::function<void()>> bodies;
  for (const auto& thread : program.threads) {
    bodies.push_back([&thread, &scene] { thread(*scene); });
  }
  Scheduler::Get().Run(bodies, &replay, scene.get());
  outcome.schedule = Scheduler::Get().Schedule();
  outcome.trace = Scheduler::Get().Trace();
  outcome.interleavings = 1;
  scene->Finish();
  outcome.ended = true;
  return outcome;
}

// ---- Processes ----------------------------------------------------------------------------------

namespace {

[[noreturn]] void RunInChild(const Job& job, SharedOutcome* shared) {
  progress = shared;
  planted_bug = job.planted_bug;
  WeakMemory& memory = WeakMemory::Get();
  memory.on = job.weak;
  memory.weakened = job.weakened;
  memory.sites = job.sites;
  Scheduler::Get().on_failure = [shared](const std::string& message) {
    Copy(shared->message, sizeof shared->message, message);
    Copy(shared->schedule, sizeof shared->schedule, Scheduler::Get().Schedule());
    Copy(shared->trace, sizeof shared->trace, Scheduler::Get().Trace());
    shared->failed = true;
    shared->ended = true;
    _exit(1);
  };
  const Outcome outcome = Explore(*job.program, job.effort);
  shared->complete = outcome.complete;
  shared->bound_complete = outcome.bound_complete;
  shared->interleavings = outcome.interleavings;
  shared->stale_reads = memory.stale_reads();
  shared->steps = outcome.steps;
  Copy(shared->bound, sizeof shared->bound, outcome.bound);
  shared->ended = true;
  _exit(0);
}

struct Running {
  pid_t pid = 0;
  size_t job = 0;
  SharedOutcome* shared = nullptr;
  std::chrono::steady_clock::time_point begun;
};

Outcome Collect(const Running& running) {
  const SharedOutcome& shared = *running.shared;
  Outcome outcome;
  outcome.ended = shared.ended;
  outcome.failed = shared.failed || !shared.ended;
  outcome.complete = shared.complete;
  outcome.bound_complete = shared.bound_complete;
  outcome.interleavings = shared.interleavings;
  outcome.stale_reads = shared.stale_reads;
  outcome.steps = shared.steps;
  outcome.bound = shared.bound;
  outcome.message = shared.ended ? shared.message : "the process died";
  outcome.schedule = shared.schedule;
  outcome.trace = shared.trace;
  outcome.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - running.begun).count();
  return outcome;
}

}  // namespace

void RunJobs(const std::vector<Job>& jobs, int processes,
             const std::function<void(size_t, const Outcome&)>& done) {
  std::vector<Running> running;
  size_t next = 0;
  while (next < jobs.size() || !running.empty()) {
    while (next < jobs.size() && static_cast<int>(running.size()) < processes) {
      void* const memory = mmap(nullptr, sizeof(SharedOutcome), PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
      if (memory == MAP_FAILED) std::abort();
      Running job{.job = next,
                  .shared = static_cast<SharedOutcome*>(memory),
                  .begun = std::chrono::steady_clock::now()};
      std::fflush(nullptr);
      job.pid = fork();
      if (job.pid == 0) RunInChild(jobs[next], job.shared);
      running.push_back(job);
      ++next;
    }
    int status = 0;
    const pid_t ended = wait(&status);
    const auto it = std::find_if(running.begin(), running.end(),
                                 [ended](const Running& job) { return job.pid == ended; });
    if (it == running.end()) continue;
    done(it->job, Collect(*it));
    munmap(it->shared, sizeof(SharedOutcome));
    running.erase(it);
  }
}

}  // namespace ebcache::model
