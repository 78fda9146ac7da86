// Which features of a filesystem this library can live with.

#ifndef EBCACHE_LIB_FORMAT_FEATURE_FLAGS_H_
#define EBCACHE_LIB_FORMAT_FEATURE_FLAGS_H_

#include <absl/status/status.h>

#include <cstdint>

namespace ebcache {

// Unimplemented, naming every feature in the way, when metadata cannot be read with these.
absl::Status CheckIncompatFeatures(uint64_t incompat_flags);

// The same for writing: an unknown compat_ro feature only forbids that.
absl::Status CheckCompatRoFeatures(uint64_t compat_ro_flags);

}  // namespace ebcache

#endif  // EBCACHE_LIB_FORMAT_FEATURE_FLAGS_H_
