#ifndef EBCACHE_CORE_ABSL_TYPES_OPTIONAL_H_
#define EBCACHE_CORE_ABSL_TYPES_OPTIONAL_H_

#include <optional>

namespace absl {

using std::nullopt;
using std::optional;

}  // namespace absl

#endif  // EBCACHE_CORE_ABSL_TYPES_OPTIONAL_H_
