// Runs programs through explorers, each in a process of its own, several at a time: what goes wrong
// in one leaves nothing behind for the next.

#ifndef EBCACHE_TESTS_MODEL_RUNNER_H_
#define EBCACHE_TESTS_MODEL_RUNNER_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/model/scene.h"
#include "tests/model/weak_memory.h"

namespace ebcache::model {

// How far a program is taken.
struct Effort {
  uint64_t reduced = 40000;  // orders with reduction, at most
  // Where these do not suffice:
  int bound = 2;             // preemptions,
  uint64_t bounded = 20000;  // in at most so many orders;
  uint64_t random = 20000;   // orders by random priorities,
  int random_depth = 3;      // with so many changes;
  // Where the first suffice, so many by random priorities: for compare-and-swaps that fail for no
  // reason.
  uint64_t also_random = 2000;
  uint64_t seed = 1;
};

struct Outcome {
  bool ended = false;  // the process came to its end
  bool failed = false;
  bool complete = false;  // every order was tried, up to swaps that change nothing
  bool bound_complete = false;
  uint64_t interleavings = 0;
  uint64_t stale_reads = 0;  // loads that did not read the newest store
  double seconds = 0;
  int steps = 0;  // of the longest run
  std::string bound;
  std::string message;   // what went wrong
  std::string schedule;  // how to get there again
  std::string trace;
};

struct Job {
  const Program* program = nullptr;
  uint64_t planted_bug = 0;
  Effort effort;
  bool weak = false;                     // weak memory (weak_memory.h) in place of sequential consistency
  const Weakening* weakened = nullptr;  // an order that is weaker than in the code
  SiteTable* sites = nullptr;           // in memory that processes share
};

// In this process: returns only when all went well.
Outcome Explore(const Program& program, const Effort& effort);
// One order; with the trace, whatever the end.
Outcome Replay(const Program& program, const std::string& schedule);

// Runs all, `processes` at a time; calls `done` for each as it ends.
void RunJobs(const std::vector<Job>& jobs, int processes,
             const std::function<void(size_t, const Outcome&)>& done);

}  // namespace ebcache::model

#endif  // EBCACHE_TESTS_MODEL_RUNNER_H_
