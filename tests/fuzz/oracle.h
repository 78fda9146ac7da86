// What a fuzz target holds the library to, by name.

#ifndef EBCACHE_TESTS_FUZZ_ORACLE_H_
#define EBCACHE_TESTS_FUZZ_ORACLE_H_

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace ebcache::fuzz {

// Ends the process with "oracle NAME: ...". Comes back only when the environment variable
// EBCACHE_ORACLE_OFF has that name: so a test can see that a bug is noticed by this oracle and by
// nothing else.
inline void OracleFailed(const char* name, const char* file, int line, const char* condition) {
  const char* const off = std::getenv("EBCACHE_ORACLE_OFF");
  if (off != nullptr && std::strcmp(off, name) == 0) return;
  std::fprintf(stderr, "oracle %s: %s:%d: %s\n", name, file, line, condition);
  std::fflush(stderr);
  std::abort();
}

}  // namespace ebcache::fuzz

// `name` is a literal; tests/fuzz/planted_test.sh reads the names out of the sources.
#define EBCACHE_ORACLE(name, condition) \
  ((condition) ? static_cast<void>(0)   \
               : ::ebcache::fuzz::OracleFailed(name, __FILE__, __LINE__, #condition))

#endif  // EBCACHE_TESTS_FUZZ_ORACLE_H_
