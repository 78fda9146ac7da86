#include "bench/scorecard/quiet.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>

namespace ebcache::scorecard {
namespace {

double OwnSeconds(int who) {
  rusage usage;
  getrusage(who, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

std::optional<QuietWatch::Times> QuietWatch::Now() {
  std::ifstream stat("/proc/stat");
  std::string cpu;
  // What a virtual machine was denied (stolen) is somebody else's as well. What guests take is in
  // the user's time already, and comes behind.
  double user, nice, system, idle, iowait, irq, softirq, stolen;
  if (!(stat >> cpu >> user >> nice >> system >> idle >> iowait >> irq >> softirq >> stolen)) {
    return std::nullopt;
  }
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  const double busy = user + nice + system + irq + softirq + stolen;
  return Times{.all = (busy + idle + iowait) / ticks,
               .busy = busy / ticks,
               .own = OwnSeconds(RUSAGE_SELF) + OwnSeconds(RUSAGE_CHILDREN)};
}

std::optional<double> QuietWatch::ShareOfOthers() const {
  const std::optional<Times> now = Now();
  if (!begin_ || !now || now->all <= begin_->all) return std::nullopt;
  const double others = (now->busy - begin_->busy) - (now->own - begin_->own);
  return std::clamp(others / (now->all - begin_->all), 0.0, 1.0);
}

}  // namespace ebcache::scorecard
