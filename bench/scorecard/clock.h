// Time, as the scorecard takes it.

#ifndef EBCACHE_BENCH_SCORECARD_CLOCK_H_
#define EBCACHE_BENCH_SCORECARD_CLOCK_H_

#include <time.h>

#include <cstdint>

namespace ebcache::scorecard {

// Of this thread's own work: what else runs on the machine is not in it, as far as the kernel can
// tell. For work that never waits.
inline double ThreadSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

inline double WallSeconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Nanoseconds of this thread for one of the `count` things that `work` does each time, repeated for
// at least `seconds`.
template <typename Work>
double NanosecondsEach(double seconds, uint64_t count, Work work) {
  const double begin = ThreadSeconds();
  uint64_t done = 0;
  double spent = 0;
  do {
    work();
    done += count;
    spent = ThreadSeconds() - begin;
  } while (spent < seconds);
  return spent * 1e9 / static_cast<double>(done);
}

}  // namespace ebcache::scorecard

#endif  // EBCACHE_BENCH_SCORECARD_CLOCK_H_
