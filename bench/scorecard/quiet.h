// Whether the machine did something else meanwhile, which makes figures worthless without looking
// so.

#ifndef EBCACHE_BENCH_SCORECARD_QUIET_H_
#define EBCACHE_BENCH_SCORECARD_QUIET_H_

#include <optional>

namespace ebcache::scorecard {

class QuietWatch {
 public:
  // More than this of the machine for others, and it was not quiet.
  static constexpr double kMostForOthers = 0.05;

  QuietWatch() : begin_(Now()) {}

  // What share of the machine's time others have used since this was made: neither this process nor
  // those that it ran, nor idle. Nothing where the kernel does not tell.
  std::optional<double> ShareOfOthers() const;

 private:
  struct Times {
    double all = 0;   // seconds, of all processors
    double busy = 0;  // of these, not idle
    double own = 0;
  };
  static std::optional<Times> Now();

  const std::optional<Times> begin_;
};

}  // namespace ebcache::scorecard

#endif  // EBCACHE_BENCH_SCORECARD_QUIET_H_
