// Canaries: bugs that are planted in the library, one at a time, to see whether they are found.
// Each is a sync::Planted("name") that a patch in tests/model/mutants/ puts into a copy of lib/; the
// library itself has none.

#ifndef EBCACHE_TESTS_MODEL_CANARIES_H_
#define EBCACHE_TESTS_MODEL_CANARIES_H_

#include <absl/types/span.h>

namespace ebcache::model {

// Whether this program is built from that copy. (are-planted.patch says so there.)
inline constexpr bool kArePlanted = false;

struct Canary {
  const char* bug;
  const char* program;  // the one that finds it
  // Only where loads may read older stores.
  bool weak = false;
};

absl::Span<const Canary> Canaries();

}  // namespace ebcache::model

#endif  // EBCACHE_TESTS_MODEL_CANARIES_H_
