// The sweep of weaker orders: is every memory order in the code needed, and is there a program that shows it?

#ifndef EBCACHE_TESTS_MODEL_WEAKENING_SWEEP_H_
#define EBCACHE_TESTS_MODEL_WEAKENING_SWEEP_H_

#include <string>
#include <vector>

#include "tests/model/runner.h"

namespace ebcache::model {

struct SweepOptions {
  Effort effort;
  int processes = 2;
  // Only sites whose name has this in it; all where it is empty.
  std::string only;
};

// Finds the places where `programs` name memory orders, and makes each weaker by one step, one at a time, until one
// of the programs that come by it fails. Prints a table. Exit code: 0 each was noticed, 1 some were not, or a
// program failed as it is.
int SweepWeakerOrders(const std::vector<const Program*>& programs, const SweepOptions& options);

// Prints the places that the programs come by, and the orders that stand there. Exit code as above.
int ListSites(const std::vector<const Program*>& programs, const SweepOptions& options);

}  // namespace ebcache::model

#endif  // EBCACHE_TESTS_MODEL_WEAKENING_SWEEP_H_
