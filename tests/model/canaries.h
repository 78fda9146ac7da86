// Canaries: bugs that are planted in the library, one at a time, to see whether they are found.
// Each is a sync::Planted("name") in lib/, which is a constant false but in the model build.

#ifndef EBCACHE_TESTS_MODEL_CANARIES_H_
#define EBCACHE_TESTS_MODEL_CANARIES_H_

#include <absl/types/span.h>

namespace ebcache::model {

struct Canary {
  const char* bug;
  const char* program;  // the one that finds it
};

absl::Span<const Canary> Canaries();

}  // namespace ebcache::model

#endif  // EBCACHE_TESTS_MODEL_CANARIES_H_
