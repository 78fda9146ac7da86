// Cross-validation: what the cache's order is worth on loads that its constants were not chosen on.
//
// A choice takes, of some variants of the constants, the one that closes most of the gap on the loads that
// it is given, of those that are there never more than a point below LRU; if there is none such, the one
// that is least far below. It is then judged on the loads that it was not given.

#ifndef EBCACHE_BENCH_EVICTION_CROSS_VALIDATION_H_
#define EBCACHE_BENCH_EVICTION_CROSS_VALIDATION_H_

#include <absl/functional/function_ref.h>

#include <cstddef>
#include <string>
#include <vector>

#include "bench/eviction/comparison.h"
#include "lib/cache/reuse_statistics.h"

namespace ebcache::eviction {

struct Variant {
  std::string name;
  ReuseConstants constants;
};
// The cache's own first, then others that differ in one constant each.
std::vector<Variant> Variants();

// A load, and what LRU and the optimum make of it, as Compare has it: that is filled in before.
struct JudgedLoad {
  const AccessTrace* trace = nullptr;
  Comparison comparison;
};

// One way round.
struct Fold {
  std::string chosen_on;   // "all but check", "check"
  std::string variant;     // what was chosen
  Summary chosen;          // on the loads that it was chosen on
  Summary judged;          // on the others
};

struct Validation {
  std::vector<Variant> variants;
  std::vector<Summary> on_all;  // for each variant, on all loads
  // First each recording left out, and the made-up loads together; then each of those by itself to choose on.
  std::vector<Fold> folds;
};
// `tell` is told of each variant and load before it is replayed.
Validation CrossValidate(const std::vector<JudgedLoad>& loads,
                         absl::FunctionRef<void(const std::string& what)> tell);

}  // namespace ebcache::eviction

#endif  // EBCACHE_BENCH_EVICTION_CROSS_VALIDATION_H_
