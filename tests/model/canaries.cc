#include "tests/model/canaries.h"

namespace ebcache::model {

absl::Span<const Canary> Canaries() {
  static constexpr Canary kCanaries[] = {
      {"none-yet", "find+put"},
  };
  return kCanaries;
}

}  // namespace ebcache::model
