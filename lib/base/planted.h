// Bugs planted in the library, for tests/fuzz to see whether its oracles find them.
//
// A build with EBCACHE_PLANTED_BUGS has them all, and switches on the one that the environment
// variable EBCACHE_PLANTED names. That build is for the tests in tests/fuzz/ only: in any other,
// the answer is a constant false, and nothing is left of a bug.

#ifndef EBCACHE_LIB_BASE_PLANTED_H_
#define EBCACHE_LIB_BASE_PLANTED_H_

#if defined(EBCACHE_PLANTED_BUGS)
#include <cstdlib>
#include <cstring>
#endif

namespace ebcache::fuzz {

#if defined(EBCACHE_PLANTED_BUGS)

// Whether the bug of this name is switched on.
inline bool Planted(const char* bug) {
  static const char* const on = std::getenv("EBCACHE_PLANTED");
  return on != nullptr && std::strcmp(on, bug) == 0;
}

#else

constexpr bool Planted(const char* /*bug*/) { return false; }

#endif

}  // namespace ebcache::fuzz

#endif  // EBCACHE_LIB_BASE_PLANTED_H_
