// Which requests fail.

#include "ebcache/testing/fault_injection.h"
#include "lib/base/check.h"

namespace ebcache {
namespace {

// splitmix64: every seed is a good one.
uint64_t NextRandom(uint64_t& state) {
  uint64_t mixed = (state += 0x9e3779b97f4a7c15);
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return mixed ^ (mixed >> 31);
}

}  // namespace

FaultInjector::FaultInjector(const FaultOptions& options)
    : options_(options),
      space_left_(options.space_bytes),
      random_(options.seed),
      at_fork_(
          ForkHandler::Phase::kLocks, [this]() EBCACHE_ACQUIRE(mutex_) { mutex_.lock(); },
          [this](bool) EBCACHE_RELEASE(mutex_) { mutex_.unlock(); }) {
  EBCACHE_CHECK(options.probability >= 0 && options.probability <= 1,
                "FaultOptions::probability must be from 0 to 1");
  EBCACHE_CHECK(options.interval >= 1, "FaultOptions::interval must be at least 1");
}

bool FaultInjector::ShouldFail(int order, uint64_t bytes, AllocFlags flags) {
  if (order < options_.min_order) return false;
  if (options_.spare_no_fail && Has(flags, AllocFlags::kNoFail)) return false;
  sync::MutexLock lock(mutex_);
  ++counts_.eligible;
  if (bytes <= space_left_) {
    space_left_ -= bytes;
    return false;
  }
  space_left_ = 0;
  if (counts_.failed >= options_.times) return false;
  if (++since_last_ % options_.interval != 0) return false;
  // 53 bits are what a double holds.
  constexpr double kUnit = 1.0 / static_cast<double>(uint64_t{1} << 53);
  if (static_cast<double>(NextRandom(random_) >> 11) * kUnit >= options_.probability) return false;
  ++counts_.failed;
  return true;
}

FaultCounts FaultInjector::counts() const {
  sync::MutexLock lock(mutex_);
  return counts_;
}

}  // namespace ebcache
