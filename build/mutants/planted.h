// Bugs planted in the library, for tests/fuzz to see whether its oracles find them, and for tests/crash to see
// whether crashes and failures show them.
//
// Patches (tests/fuzz/mutants/, tests/crash/mutants/) put each where such a bug would be made, into a copy of the
// library that is built for these tests alone. The environment variable EBCACHE_PLANTED switches one on.

#ifndef EBCACHE_BUILD_MUTANTS_PLANTED_H_
#define EBCACHE_BUILD_MUTANTS_PLANTED_H_

#include <cstdlib>
#include <cstring>

namespace ebcache::mutants {

// Whether the bug of this name is switched on.
inline bool Planted(const char* bug) {
  static const char* const on = std::getenv("EBCACHE_PLANTED");
  return on != nullptr && std::strcmp(on, bug) == 0;
}

}  // namespace ebcache::mutants

#endif  // EBCACHE_BUILD_MUTANTS_PLANTED_H_
