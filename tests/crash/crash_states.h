// The crashes that may come between what a log has.

#ifndef EBCACHE_TESTS_CRASH_CRASH_STATES_H_
#define EBCACHE_TESTS_CRASH_CRASH_STATES_H_

#include <absl/container/flat_hash_set.h>
#include <absl/functional/function_ref.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "tests/device/device_log.h"

namespace ebcache::testing {

// Draws crashes: first every prefix of the log; then, of what no flush has made durable, each write
// lost alone, random ones lost, and one torn between sectors. No two of them leave the same writes.
class CrashStates {
 public:
  CrashStates(const DeviceLog* log, uint64_t seed);

  // Calls visit(crash) with at least `least` crashes, fewer when no more can be found, and with
  // every prefix in any case. False of visit ends it.
  void ForEach(size_t least, absl::FunctionRef<bool(const Crash&)> visit);
  // How many were visited, or that were drawn twice.
  size_t visited() const { return visited_; }

 private:
  // Where what may be lost is the most: before each flush, and while a durable write is under way.
  void FindStretches();
  Crash Draw();
  void Tear(Crash& crash, const std::vector<size_t>& may_be_lost);
  // Whether it was not drawn before.
  bool IsNew(const Crash& crash);

  const DeviceLog& log_;
  std::mt19937_64 random_;
  std::vector<size_t> stretches_;  // numbers of entries
  absl::flat_hash_set<std::string> seen_;
  size_t visited_ = 0;
};

}  // namespace ebcache::testing

#endif  // EBCACHE_TESTS_CRASH_CRASH_STATES_H_
